"""Python's operators: how tightly each binds, and the NumPy function behind it."""

from __future__ import annotations

import re

import numpy as np

from graphc.ir.code import ATOM, COMPARISON, POWER, PRODUCT, SUM, UNARY, Code

_PLAIN = re.compile(r"-?[\w.]+")
_INFIX = {
    "+": SUM,
    "-": SUM,
    "*": PRODUCT,
    "/": PRODUCT,
    "@": PRODUCT,
    "//": PRODUCT,
    "%": PRODUCT,
    "**": POWER,
}


def infix(symbol: str, left: Code, right: Code, is_formatted: bool = False) -> Code:
    """Return `left symbol right` with the parentheses that keep the association.

    Formatters close the gaps around a power of names and numbers only; `is_formatted` follows them,
    and writes `a - b` for the sum `a + -b`.
    """
    precedence = _INFIX.get(symbol, COMPARISON)
    if precedence == SUM and is_formatted:
        symbol, left, right = _with_sign_between(symbol, left, right)
    if symbol == "**":
        base, exponent = left.within(ATOM), right.within(UNARY)
        is_open = is_formatted and not (_PLAIN.fullmatch(base) and _PLAIN.fullmatch(exponent))
        gap = " " if is_open else ""
        return Code(f"{base}{gap}**{gap}{exponent}", POWER)
    if precedence == COMPARISON:
        return Code(f"{left.within(SUM)} {symbol} {right.within(SUM)}", COMPARISON)
    return Code(f"{left.within(precedence)} {symbol} {right.within(precedence + 1)}", precedence)


def _with_sign_between(symbol: str, left: Code, right: Code) -> tuple[str, Code, Code]:
    """Return a sum whose second term has no sign of its own: that is the same to the last bit."""
    if symbol == "+" and _has_sign(left) and not _has_sign(right):
        left, right = right, left
    if not _has_sign(right):
        return symbol, left, right
    return "-" if symbol == "+" else "+", left, Code(right.text[1:], right.precedence)


def _has_sign(term: Code) -> bool:
    """Say whether a term is a negated product; `-n // 2` is no such, as it rounds down."""
    is_rounded = "//" in term.text or "%" in term.text
    return term.precedence > SUM and term.text.startswith("-") and not is_rounded


_OPERATOR_UFUNCS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "//": np.floor_divide,
    "%": np.remainder,
    "**": np.power,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "&": np.logical_and,
    "|": np.logical_or,
    "^": np.logical_xor,
    "unary-": np.negative,
    "unary~": np.logical_not,
}


def operator_ufunc(symbol: str) -> np.ufunc:
    return _OPERATOR_UFUNCS[symbol]
