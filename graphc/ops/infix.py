"""Python's operators: how tightly each binds, and the NumPy function behind it."""

from __future__ import annotations

import math
import re

import numpy as np

from graphc.ir.code import ATOM, COMPARISON, POWER, PRODUCT, SUM, UNARY, Code

_PLAIN = re.compile(r"-?[\w.]+")
#: The power in `-(x**2)`, which needs its parentheses for the sign alone.
_SIGNED_POWER = re.compile(r"^-\(([\w.]+\*\*[\w.]+)\)")
#: A number so far below 1 that it may be one over a power of two that is easier to read.
_FRACTION = re.compile(r"-?0\.0\d*[1-9]\d*")
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
    and writes `a - b` for the sum `a + -b`, and `a / 256` for the product `a * 0.00390625`.
    """
    precedence = _INFIX.get(symbol, COMPARISON)
    if symbol == "*" and is_formatted:
        symbol, left, right = _with_divisor(left, right)
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
    term = _SIGNED_POWER.sub(r"\1", right.text)
    return "-" if symbol == "+" else "+", left, Code(term.removeprefix("-"), right.precedence)


def _with_divisor(left: Code, right: Code) -> tuple[str, Code, Code]:
    """Return a product with the inverse of a power of two as a quotient: the same to the last bit.

    0.5, 0.25 and 0.125 speak for themselves.
    """
    for value, factor in ((left, right), (right, left)):
        divisor = 1 / float(factor.text) if _FRACTION.fullmatch(factor.text) else 0.0
        if abs(divisor) >= 16 and divisor.is_integer() and abs(math.frexp(divisor)[0]) == 0.5:
            return "/", value, Code(str(int(divisor)), ATOM if divisor > 0 else UNARY)
    return "*", left, right


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
