"""Stabilization: logarithms of powers, whose exponents come out, and of shares of a normal.

`x**(k - 1)` overflows in float32 at x = 100 from k = 21 on, and its logarithm is an ordinary
number; so is that of Φ(b) − Φ(a) where both round to 1.
"""

from __future__ import annotations

import math
from functools import partial, reduce

from graphc.ir.node import Node
from graphc.ops.leaf import full, is_fill
from graphc.ops.reduction.minus_infinity import may_hold_minus_infinity
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import Factor, factors_of, product_of
from graphc.rewrite.engine.facts import Facts, exponent_of, is_number, only_moves
from graphc.rewrite.engine.rule import rounding


def _log_of_power(node: Node, facts: Facts) -> Node | None:
    """log(x^y) → y·log x. Where a mask makes x and y 0, the power is 1: 0·(−inf) has to be 0."""
    x, y = node.inputs[0].inputs
    if not facts.uncovers_log(x) or not facts.is_nonnegative(x):
        return None
    may_be_one = facts.may_be_zero(y) and _may_vanish(x)
    return OPS["multiply_no_nan" if may_be_one else "multiply"](y, OPS["log"](x))


def _may_vanish(node: Node) -> bool:
    """Say whether a mask may make a probability, or another exponential, exactly 0."""
    while only_moves(node):
        node = node.inputs[0]
    return node.op.name in ("exp", "softmax") and may_hold_minus_infinity(node.inputs[0])


def _log_of_powers(node: Node, facts: Facts) -> Node | None:
    """log(w·x^y) → log(w) + y·log x where x > 0; elsewhere the power stays inside."""
    factors = factors_of(node.inputs[0])
    outside: list[Factor] = []
    inside: list[Factor] = []
    for i, (factor, divides) in enumerate(factors):
        others = [x for x, _ in (*factors[:i], *factors[i + 1 :])]
        is_alone = all(facts.is_positive(x) or x.op.name == "exp" for x in others)
        parts = _parts_of_power(factor, is_alone, facts)
        outside += [] if parts is None else [(parts[0], divides)]
        left = factor if parts is None else parts[1]
        inside += [] if left is None else [(left, divides)]
    if not outside:
        return None
    terms = [OPS["negative"](term) if divides else term for term, divides in outside]
    rest = product_of(inside)
    return reduce(OPS["add"], terms if rest is None else [OPS["log"](rest), *terms])


def _parts_of_power(factor: Node, is_alone: bool, facts: Facts) -> tuple[Node, Node | None] | None:
    """Return the logarithm of a power, and the power itself of those numbers that have none.

    x**y is the power of what is positive, with 1 for all else, times that of what is not. Where
    that is negative, and nothing else is (`is_alone`), there is no logarithm either way.
    """
    if factor.op.name != "power" or exponent_of(factor) is not None:
        return None
    x, y = factor.inputs
    if facts.is_positive(x):
        return OPS["multiply"](y, OPS["log"](x)), None
    exponent = y.attrs["value"] if y.op is full and is_number(y) else math.nan
    is_split = x.op.name == "where" and any(is_fill(branch, 1) for branch in x.inputs[1:])
    if is_split or abs(exponent) <= _SMALL_EXPONENT:
        return None
    if exponent % 2 == 0:
        return OPS["multiply"](y, OPS["log"](OPS["abs"](x))), None
    if is_alone and not math.isnan(exponent):
        return OPS["multiply"](y, OPS["log"](x)), None
    is_positive = OPS["greater"](x, 0.0)
    logarithm = OPS["log"](OPS["where"](is_positive, x, 1.0))
    return OPS["multiply"](y, logarithm), OPS["power"](OPS["where"](is_positive, 1.0, x), y)


def _log_of_normal_shares(node: Node, facts: Facts) -> Node | None:
    """log(c·w·erfc(x)) → log w + log(2c·Φ(−√2 x)), and log(c·(erfc(x) − erfc(y)))."""
    scale, rest, shares = 1.0, [], []
    for factor, divides in factors_of(node.inputs[0]):
        if factor.op is full and is_number(factor) and factor.attrs["value"] > 0:
            scale *= factor.attrs["value"] ** (-1 if divides else 1)
        elif factor.op.name == "erfc":
            shares.append((_log_of_tail(factor.inputs[0]), divides))
        else:
            rest.append((factor, divides))
    if len(rest) == 1 and not shares:
        difference = _log_of_difference(rest[0][0])
        shares = [(difference, rest.pop()[1])] if difference is not None else []
    if not shares or not facts.fits(scale):
        return None
    terms = [OPS["negative"](share) if divides else share for share, divides in shares]
    shift = math.log(scale) + sum(-math.log(2) if divides else math.log(2) for _, divides in shares)
    left = product_of(rest)
    terms += [] if left is None else [OPS["log"](left)]
    value = reduce(OPS["add"], terms)
    return OPS["add"](value, shift) if shift else value


def _log_of_difference(share: Node) -> Node | None:
    """Return the logarithm of half of erfc(x) − erfc(y), or of erf(y) ± erf(x)."""
    form = (share.op.name, *[part.op.name for part in share.inputs])
    if form not in _DIFFERENCES:
        return None
    (x,), (y,) = (part.inputs for part in share.inputs)
    if form[0] == "add":
        y = OPS["negative"](y)
    if form[1] == "erf":
        x, y = y, x
    # Each side of 0 has a tail, with shares that are not rounded to 1.
    is_upper = OPS["greater"](OPS["add"](x, y), 0.0)
    larger = _log_of_tail(OPS["where"](is_upper, x, OPS["negative"](y)))
    smaller = _log_of_tail(OPS["where"](is_upper, y, OPS["negative"](x)))
    ratio = OPS["where"](OPS["equal"](x, y), 0.0, OPS["subtract"](smaller, larger))
    return OPS["add"](larger, OPS["log1mexp"](ratio))


def _log_of_tail(x: Node) -> Node:
    """Return log(erfc(x)/2)."""
    return OPS["log_ndtr"](OPS["multiply"](x, -math.sqrt(2)))


_DIFFERENCES = {("subtract", "erfc", "erfc"), ("subtract", "erf", "erf"), ("add", "erf", "erf")}
#: A power by so much is a product or a root.
_SMALL_EXPONENT = 2
_Z = "z: input(f64, 3, 4)\n"

_rule = partial(rounding, roots=("log",))

LOGARITHMS_OF_POWERS = (
    _rule(
        "log_power",
        "log(x**y)",
        "y*log(x)",
        apply=_log_of_power,
        operands=("power",),
        when="x >= 0",
        why="the power may overflow or underflow",
        example=_Z + "y = log(sigmoid(z)**1.5)",
    ),
    _rule(
        "log_of_powers",
        "log(w*x**y)",
        "log(w*where(x > 0, 1, x)**y) + y*log(where(x > 0, x, 1))",
        apply=_log_of_powers,
        operands=("power", "multiply", "divide"),
        why="the power may overflow or underflow; there is a logarithm of what is positive",
        example=_Z + "k: input(f64, 3, 4)\ny = log(k*z**(k - 1.0))",
    ),
    _rule(
        "log_of_normal_shares",
        "log(c*(erfc(x) - erfc(y)))",
        "log(2*c) + t(x) + log1mexp(t(y) - t(x)), t(x) = log_ndtr(-1.4142135623730951*x)",
        apply=_log_of_normal_shares,
        operands=("erfc", "subtract", "add", "multiply", "divide"),
        why="both round to 1, or underflow: the logarithm of a share of a normal distribution",
        example=_Z + "y = log(0.5*(erfc(z) - erfc(z + 1.0)))",
    ),
)
