"""Stabilization: exponentials of any base, and quotients and products in which they meet.

`exp(z)/exp(max(z))` and `1/(1 + 10**z)` are ordinary numbers where their exponentials are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

from graphc.ir.node import Node
from graphc.ops.leaf import fill, full
from graphc.ops.reduction.spread import core, spread_as
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import all_factors, factors_of, product_of, times_product
from graphc.rewrite.engine.facts import Facts, exponent_of, is_number
from graphc.rewrite.engine.rule import rounding

_MOVES = ("reshape", "transpose", "broadcast_to", "take_along_axis", "gather", "slice")


def _log_of_power_of_number(node: Node, facts: Facts) -> Node | None:
    """log(c**x) → x·log(c)."""
    return exponent_of(node.inputs[0])


def _exponentials_meet(node: Node, facts: Facts) -> Node | None:
    """exp(x)·broadcast(exp(y)) → exp(x + broadcast(y)), a quotient too; rows see no broadcast."""
    terms: list[Node] = []
    for operand in node.inputs:
        inner = operand.inputs[0] if operand.op.name == "broadcast_to" else operand
        exponent = exponent_of(inner)
        if exponent is None or (node.op.name == "multiply" and facts.is_worth_sharing(inner)):
            return None
        terms.append(OPS["broadcast_to"](exponent, node.shape))
    return OPS["exp"](OPS["add" if node.op.name == "multiply" else "subtract"](*terms))


def _extreme_of_exponentials(node: Node, facts: Facts) -> Node:
    """max(exp(x)) → exp(max(x))."""
    x = node.inputs[0]
    return x.op(node.op.make(x.inputs, **node.attrs))


def _product_of_exponentials(node: Node, facts: Facts) -> Node:
    """Π exp(x) → exp(Σ x)."""
    exponents = node.inputs[0].inputs[0]
    return OPS["exp"](OPS["sum"](exponents, node.attrs["axis"], node.attrs["keepdims"]))


def _quotient_of_exponentials(node: Node, facts: Facts) -> Node | None:
    """w·e/u → w·exp(log e − log u): e an exponential, maybe moved, u a sum with exponentials."""
    top, bottom = node.inputs
    if not (_is_large_sum(bottom, facts) or _is_tail(bottom)):
        return None
    factors = factors_of(top)
    for i, (factor, divides) in enumerate(factors):
        if not divides and _is_moved_exponential(factor):
            share = OPS["exp"](OPS["subtract"](OPS["log"](factor), OPS["log"](bottom)))
            return times_product(factors[:i] + factors[i + 1 :], share)
    return None


def _over_exponentials(node: Node, facts: Facts) -> Node | None:
    """w/(c + x) → (w/c)·σ(log c − log x), x/(c + x) → σ(log x − log c); w/u → w·exp(−log u).

    (a + x)/(c + x) → 1 + (a − c)/(c + x), where a is no small part of c, so that digits stay.
    """
    top, bottom = node.inputs
    if not _is_large_sum(bottom, facts):
        return None
    log, total = OPS["log"], core(bottom)
    for c, x in (total.inputs, total.inputs[::-1]) if total.op.name == "add" else ():
        if c.op is full and is_number(c) and facts.fits(c.attrs["value"]):
            value = c.attrs["value"]
            again = _number_beside(top, x, facts)
            if 4 * again >= value and facts.keeps_digits(again, -value):
                return OPS["add"](1.0, node.op(fill(again - value, top.shape, top.dtype), bottom))
            above = OPS["subtract"](math.log(value), log(x))
            if facts.same(top, x):
                return OPS["sigmoid"](OPS["negative"](above))
            return OPS["multiply"](
                OPS["divide"](top, value), spread_as(bottom, OPS["sigmoid"](above))
            )
    if not facts.is_given(top):
        return None
    return OPS["multiply"](top, OPS["exp"](OPS["negative"](log(bottom))))


def _number_beside(total: Node, x: Node, facts: Facts) -> float:
    """Return c where a sum is written as c + x for a number c; 0 for anything else."""
    for c, other in (total.inputs, total.inputs[::-1]) if total.op.name == "add" else ():
        if c.op is full and is_number(c) and facts.same(other, x):
            return float(c.attrs["value"])
    return 0.0


def _over_exponential(node: Node, facts: Facts) -> Node | None:
    """w/(c·exp(x)) → w·exp(−x)/c, the divisor maybe broadcast; u²/exp(2x) → (u·exp(−x))².

    w·exp(y)/exp(x) → w·exp(y − x), which neither overflows nor is 0·∞.
    """
    top, bottom = node.inputs
    factors = factors_of(core(bottom))
    halves = [None if divides else _half_exponent(x) for x, divides in factors]
    exponents = [None if divides else _exponent(x) for x, divides in factors]
    pairs = zip(factors, exponents, strict=True)
    rest = product_of([factor for factor, exponent in pairs if exponent is None])
    if all(exponent is None for exponent in exponents):
        return None
    if top.op.name == "negative":
        return top.op(node.op(top.inputs[0], bottom))
    others = factors_of(top)
    moved = others if core(top) is top else all_factors(top)
    met = next((x for x, divides in moved if not divides and _exponent(core(x)) is not None), None)
    squares = [pair for pair in others if _is_own_square(pair[0], facts)]
    is_square = all((e is None) == (h is None) for e, h in zip(exponents, halves, strict=True))
    if met is not None:
        left = product_of([pair for pair in moved if pair[0] is not met])
        above = spread_as(met, _total([_exponent(core(met))]))
        meets = OPS["exp"](OPS["subtract"](above, spread_as(bottom, _total(exponents))))
        value = meets if left is None else OPS["multiply"](left, meets)
    elif is_square and len(squares) == 1 and not squares[0][1]:
        ((square, _),) = squares
        others = [pair for pair in others if pair[0] is not square]
        scale = OPS["exp"](OPS["negative"](_total(halves)))
        value = OPS["square"](OPS["multiply"](square.inputs[0], spread_as(bottom, scale)))
        value = times_product(others, value)
    else:
        value = OPS["multiply"](
            top, spread_as(bottom, OPS["exp"](OPS["negative"](_total(exponents))))
        )
    return value if rest is None else OPS["divide"](value, spread_as(bottom, rest))


def _exponent(x: Node) -> Node | None:
    """Return the exponent of an exponential or of its square."""
    half = exponent_of(x.inputs[0]) if x.op.name == "square" else None
    return exponent_of(x) if half is None else OPS["multiply"](half, 2.0)


def _half_exponent(x: Node) -> Node | None:
    """Return half the exponent of an exponential that was written as a square; else None."""
    if x.op.name == "square":
        return exponent_of(x.inputs[0])
    exponent = exponent_of(x)
    if exponent is None or exponent.op.name != "multiply":
        return None
    for factor, other in (exponent.inputs, exponent.inputs[::-1]):
        if factor.op is full and is_number(factor) and factor.attrs["value"] % 2 == 0:
            return OPS["multiply"](other, factor.attrs["value"] / 2)
    return None


def _is_own_square(x: Node, facts: Facts) -> bool:
    return x.op.name == "square" and not facts.is_shared(x)


def _total(exponents: Sequence[Node | None]) -> Node:
    return reduce(OPS["add"], [x for x in exponents if x is not None])


def _is_large_sum(node: Node, facts: Facts) -> bool:
    """Say whether a divisor is a sum that overflows, and its logarithm does not."""
    total = core(node)
    if total.op.name not in ("add", "sum", "mean", "cumsum") or not facts.uncovers_log(total):
        return False
    found = facts.range(total)
    return found.low >= 0 and math.isinf(found.high)


def _is_tail(node: Node) -> bool:
    """Say whether a divisor is a tail of the normal distribution, which underflows."""
    factors = factors_of(core(node))
    tails = [x for x, divides in factors if x.op.name == "erfc" and not divides]
    return bool(tails) and all(x.op is full or x in tails for x, _ in factors)


def _is_moved_exponential(node: Node) -> bool:
    while node.op.name in _MOVES:
        node = node.inputs[0]
    return exponent_of(node) is not None


_Z = "z: input(f64, 3, 4)\n"
_K = _Z + "k: input(f64, 3, 1)\n"
_OVERFLOW = "exp overflows, and the quotient would be inf/inf"

_MEET = "inf*0 where the product is finite"


EXPONENTIALS_OF_ANY_BASE = (
    rounding(
        "log_of_power_of_number",
        "log(c**x)",
        "x*log(c)",
        "the exponential may overflow or underflow",
        apply=_log_of_power_of_number,
        roots=("log",),
        operands=("exp2", "power"),
        example=_Z + "y = log(10.0**z)",
    ),
    rounding(
        "extreme_of_exponentials",
        "max(exp(x))",
        "exp(max(x))",
        "what is shifted by its maximum needs no exponential of it",
        apply=_extreme_of_exponentials,
        roots=("max", "min", "window_max", "window_min"),
        operands=("exp", "exp2"),
        example=_Z + "y = exp(z)/max(exp(z), axis=1, keepdims=True)",
    ),
    rounding(
        "product_of_exponentials",
        "prod(exp(x))",
        "exp(sum(x))",
        "inf*0 where the product is finite",
        apply=_product_of_exponentials,
        roots=("prod",),
        operands=("exp",),
        example=_Z + "y = prod(exp(z), axis=1)",
    ),
)

QUOTIENTS_OF_EXPONENTIALS = (
    rounding(
        "sinh_over_cosh",
        "sinh(x)/cosh(y)",
        "tanh(x)*exp(log_cosh(x) - log_cosh(y))",
        _OVERFLOW,
    ),
    rounding("cosh_over_cosh", "cosh(x)/cosh(y)", "exp(log_cosh(x) - log_cosh(y))", _OVERFLOW),
    rounding("cosh_over_sinh", "cosh(x)/sinh(x)", "1/tanh(x)", _OVERFLOW),
    rounding(
        "exp_times_any_sigmoid",
        "exp(x)*sigmoid(y)",
        "exp(x - softplus(-y))",
        _MEET,
        spares_shared=True,
    ),
    rounding("exp_over_expm1", "exp(x)/expm1(x)", "-1/expm1(-x)", "the quotient would be inf/inf"),
    rounding(
        "scaled_exp_over_expm1",
        "(w*exp(x))/expm1(x)",
        "-w/expm1(-x)",
        "the quotient would be inf/inf",
    ),
    rounding(
        "exp_times_its_tail",
        "exp(square(x))*erfc(x)",
        "0.7978845608028654/inverse_mills_ratio(-1.4142135623730951*x)",
        _MEET,
    ),
    rounding(
        "exponentials_meet",
        "exp(x)*broadcast_to(exp(y))",
        "exp(x + broadcast_to(y))",
        "inf*0 or inf/inf where the result is finite",
        apply=_exponentials_meet,
        roots=("multiply", "divide"),
        operands=("broadcast_to", "exp", "exp2", "power"),
        example=_K + "y = exp(z)/exp(k)",
    ),
    rounding(
        "over_exponential",
        "w/(c*broadcast_to(exp(x)))",
        "w*broadcast_to(exp(-x))/c",
        "the quotient may be 0/0 or inf/inf, and its derivative divides twice",
        apply=_over_exponential,
        roots=("divide",),
        operands=(
            *("broadcast_to", "reshape", "exp", "exp2", "power", "square", "multiply", "divide"),
        ),
        example=_K + "y = z**2/(3.0*exp(k)**2)",
    ),
    rounding(
        "quotient_of_exponentials",
        "w*exp(b)/(sum(exp(a)) + c)",
        "w*exp(b - logaddexp(logsumexp(a), log(c)))",
        _OVERFLOW,
        apply=_quotient_of_exponentials,
        roots=("divide",),
        operands=(
            "broadcast_to",
            "sum",
            "mean",
            "cumsum",
            "reshape",
            "add",
            "erfc",
            "multiply",
            "divide",
        ),
        example=_Z + "y = exp(z[:, 0])/sum(exp(z), axis=1)",
    ),
    rounding(
        "over_exponentials",
        "w/(c + exp(x))",
        "(w/c)*sigmoid(log(c) - x)",
        "the quotient is 0 where exp overflows, but its derivative 0*inf",
        apply=_over_exponentials,
        roots=("divide",),
        operands=("broadcast_to", "sum", "mean", "cumsum", "reshape", "add"),
        forward_only=True,
        example=_Z + "y = 3.0/(2.0 + 5.0*exp(-z))",
    ),
)
