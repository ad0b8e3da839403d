"""How is a partial multiplied by its cotangent `g`? As one formula: `g*y*(1 - y)`, `g/(2*y)`."""

from __future__ import annotations

from graphc.differentiate.formulas.symbolic import Branch, Expression, Tree, symbol
from graphc.differentiate.formulas.text import (
    chosen_number,
    condition_of,
    quotient,
    scaled_tree_text,
    split,
    write,
)
from graphc.ir.code import COMPARISON, PRODUCT
from graphc.ops.elementwise.pointwise import COTANGENT


def scaled_by_cotangent(tree: Tree, guarded: bool, zero: str = "") -> str:
    """Return `g` times the tree as a formula.

    `zero` names the factor whose zeros win over an infinity of the other: "cotangent", "partial",
    or neither. In a choice of cases `g` stands in each case, so a case of 0 gives exactly 0.
    """
    chosen = chosen_number(tree) if isinstance(tree, Branch) else None
    if chosen is not None and zero != "partial":
        condition = write(condition_of(tree))
        shown = f"({condition})" if condition.precedence == COMPARISON else condition.text
        return f"{_scaled_number(chosen)}*{shown}"
    return scaled_tree_text(tree, lambda leaf: _scaled_leaf(leaf, guarded, zero))


def _scaled_leaf(leaf: Expression, guarded: bool, zero: str) -> str:
    if leaf.is_number:
        return _scaled_number(leaf)
    if zero == "cotangent":
        return _guarded_by_cotangent(leaf, guarded)
    if zero == "partial":
        return f"multiply_no_nan({write(leaf, guarded)}, {COTANGENT})"
    if leaf.is_Add:
        return f"{COTANGENT}*{write(leaf, guarded).within(PRODUCT + 1)}"
    negative, numerator, denominator = split(leaf)
    if guarded:
        text = f"{COTANGENT}*{quotient(numerator, denominator, True)}"
        return f"-({text})" if negative else text
    scale = [f for f in numerator if f.is_Rational]
    rest = [f for f in numerator if not f.is_Rational]
    text = quotient([*scale, symbol(COTANGENT), *rest], denominator, False).text
    return f"-({text})" if negative else text


def _scaled_number(value: Expression) -> str:
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude == 1:
        text = COTANGENT
    elif magnitude.is_Rational and magnitude.p == 1:
        text = f"{COTANGENT}/{magnitude.q}"
    else:
        text = f"{write(magnitude).within(PRODUCT)}*{COTANGENT}"
    return f"-({text})" if value < 0 and magnitude != 1 else f"-{text}" if value < 0 else text


def _guarded_by_cotangent(leaf: Expression, guarded: bool) -> str:
    negative, numerator, denominator = split(leaf)
    if denominator and all(f.is_number for f in numerator):
        below = quotient(denominator, [], False)
        text = f"divide_no_nan({COTANGENT}, {below})"
        if numerator:
            text = f"{quotient(numerator, [], False)}*{text}"
    else:
        text = f"multiply_no_nan({COTANGENT}, {quotient(numerator, denominator, guarded)})"
    return f"-{text}" if negative else text
