"""Stabilization: sin(x)/x near 0, where the quotient is 0/0 and its derivatives cancel.

The value is as exact as its parts, but not defined at 0; the slope cos(x)/x - sin(x)/x**2 is lost
where x is below the root of a rounding error. There the polynomial stands that f(x)/x begins with:
a dozen cheap operations for each element, and only where a function that vanishes at 0 is divided
by its own argument, or the argument by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from graphc.ir.node import Node
from graphc.ops.elementwise.series import SERIES, Polynomial, quotient_near_0
from graphc.ops.leaf import fill, full
from graphc.ops.reduction.spread import core, spread_as
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import ALL_PRODUCTS, Factor, all_factors, product_of
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding


class Pair(NamedTuple):
    """A function f(c*u) that u divides, or that divides u, among the factors of a product."""

    factors: list[Factor]
    function: int
    #: The factors that are u.
    matched: set[int]
    #: The factors of c.
    rest: list[Factor]


def removable(factors: Sequence[Factor], facts: Facts) -> Pair | None:
    """Return where a function that vanishes at 0 meets its argument in a quotient; else None."""
    for i, (factor, divides) in enumerate(factors):
        function = core(factor)
        if function.op.name not in SERIES or all(below is divides for _, below in factors):
            continue
        pair = Pair(list(factors), i, set(), [])
        for part, below in all_factors(spread_as(factor, function.inputs[0])):
            match = None if below else _partner(part, pair, facts)
            if match is None:
                pair.rest.append((part, below))
            else:
                pair.matched.add(match)
        if any(core(pair.factors[j][0]).op is not full for j in pair.matched):
            return pair
    return None


def _partner(part: Node, pair: Pair, facts: Facts) -> int | None:
    """Return which factor on the other side is a part of the argument, or one of two in a square.

    The square of a norm or a root is written without them.
    """
    divides = pair.factors[pair.function][1]
    others = [j for j, (_, below) in enumerate(pair.factors) if below is not divides]
    free = [j for j in others if j not in pair.matched]
    whole = next((j for j in free if facts.same(pair.factors[j][0], part)), None)
    root = core(part)
    if whole is not None or root.op.name not in ("norm", "sqrt"):
        return whole
    inner = root.inputs[0]
    square = (
        inner if root.op.name == "sqrt" else OPS["sum"].make([OPS["square"](inner)], **root.attrs)
    )
    square = spread_as(part, square)
    for j in free:
        if facts.same(pair.factors[j][0], square):
            pair.factors[j] = (part, not divides)
            pair.factors.append(pair.factors[j])
            return j
    return None


def _removable_quotient(node: Node, facts: Facts) -> Node | None:
    """w·f(c·u)/u → w·c·q(c·u), where q(z) = f(z)/z is a polynomial near 0; w·u/f(c·u) too."""
    pair = removable(all_factors(node), facts)
    if pair is None:
        return None
    factor, divides = pair.factors[pair.function]
    function = core(factor)
    near = quotient_near_0(function.op.name, function.dtype, divides)
    reach = facts.range(function.inputs[0])
    if reach.low > near.end or reach.high < -near.end:
        return None
    outside = [(part, below != divides) for part, below in pair.rest]
    product: list[Factor] = []
    for j, other in enumerate(pair.factors):
        if j == pair.function:
            quotient = spread_as(factor, _quotient(function, near, divides))
            product += [*outside, (quotient, False)]
        elif j not in pair.matched:
            product.append(other)
    return product_of(product)


def _guarded_quotient(node: Node, facts: Facts) -> Node | None:
    """where(m, f(u)/where(m, u, c), d) → where(m, f(u)/u, d): the quotient needs no guard at 0."""
    for place in (1, 2):
        if node.inputs[3 - place].op is not full:
            continue  # such as the polynomial that stands beside an unguarded quotient
        factors = all_factors(node.inputs[place])
        guarded = [_is_guarded(x, node, place, facts) for x, _ in factors]
        pairs = zip(factors, guarded, strict=True)
        free = [(x.inputs[place] if found else x, divides) for (x, divides), found in pairs]
        if any(guarded) and removable(free, facts) is not None:
            quotient, (condition, x, y) = product_of(free), node.inputs
            return node.op(condition, *((quotient, y) if place == 1 else (x, quotient)))
    return None


def _is_guarded(x: Node, choice: Node, place: int, facts: Facts) -> bool:
    """Say whether a factor is a number wherever a choice does not take it."""
    if x.op is not choice.op or not facts.same(x.inputs[0], choice.inputs[0]):
        return False
    return x.inputs[3 - place].op is full


def _quotient(function: Node, near: Polynomial, is_inverse: bool) -> Node:
    """Return f(z)/z or z/f(z), near 0 by its polynomial."""
    z, is_odd = function.inputs[0], SERIES[function.op.name].is_odd
    power = OPS["square"](z) if is_odd else z
    is_small = OPS["less"](power if is_odd else OPS["abs"](z), near.end ** (2 if is_odd else 1))
    power = OPS["where"](is_small, power, 0.0)  # no power of it overflows
    above, below = (z, function) if is_inverse else (function, z)
    far = OPS["divide"](above, OPS["where"](is_small, 1.0, below))
    return OPS["where"](is_small, _polynomial(near.coefficients, power), far)


def _polynomial(coefficients: Sequence[float], x: Node) -> Node:
    *others, last = coefficients
    value = fill(last, x.shape, x.dtype)

    def next_sum(value: Node, coefficient: float) -> Node:
        product = OPS["multiply"](x, value)
        return OPS["add"](coefficient, product) if coefficient else product

    return reduce(next_sum, reversed(others), value)


REMOVABLE_QUOTIENTS = (
    rounding(
        "guarded_quotient",
        "where(m, f(x)/where(m, x, c), d)",
        "where(m, f(x)/x, d)",
        "beside the guarded point the derivatives cancel, too",
        apply=_guarded_quotient,
        roots=("where",),
        operands=("divide", "multiply", "negative"),
        forward_only=True,
        example="x: input(f64, 3, 4)\ny = where(x > 0, sin(x)/where(x > 0, x, 1.0), 1.0)",
    ),
    rounding(
        "removable_quotient",
        "f(x)/x",
        "where(x**2 < r**2, c0 + c1*x**2 + ..., f(x)/x)",
        "near 0 the derivatives cancel, and at 0 the quotient is 0/0",
        apply=_removable_quotient,
        roots=("divide", "multiply"),
        operands=(
            *SERIES,
            *("broadcast_to", "reshape", *ALL_PRODUCTS),
        ),
        forward_only=True,
        example="x: input(f64, 3, 4)\ny = sin(x)/x",
    ),
)
