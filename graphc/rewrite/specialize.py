"""Specialize: the cheapest op for a power or a quotient."""

from __future__ import annotations

import math

from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import Rule, rounding

_POWER = "a general power costs ten products"


FORMULAS = (
    rounding("power_three", "x**3", "x*x*x", _POWER),
    rounding("power_four", "x**4", "square(square(x))", _POWER),
    rounding("power_five", "x**5", "square(square(x))*x", _POWER),
    rounding("power_six", "x**6", "square(x*x*x)", _POWER),
    rounding(
        "power_minus_half",
        "x**(-0.5)",
        "1/sqrt(x)",
        _POWER,
        when="is_nonnegative(x)",  # at -0, one is infinite, the other minus that
        example="x = (square(z) + 1.0)",
    ),
    rounding("power_three_halves", "x**1.5", "x*sqrt(x)", _POWER),
    rounding("power_minus_two", "x**(-2)", "1/square(x)", _POWER, when="is_float(x)"),
    rounding("power_minus_three", "x**(-3)", "1/(x*x*x)", _POWER, when="is_float(x)"),
    rounding(
        "power_of_two",
        "2**x",
        "exp2(x)",
        "the exponential to base 2 is one function",
        when="is_float(x)",
    ),
    rounding(
        "softplus_of_negative",
        "softplus(-abs(x))",
        "log1p(exp(-abs(x)))",
        "the exponential is at most 1",
    ),
    rounding(
        "one_minus_square",
        "1 - square(x)",
        "(1 - x)*(1 + x)",
        "near 1, the rounding of the square is all that is left",
        when="is_leaf(x) and is_float(x)",
    ),
)


def _divide_by_power_of_two(node: Node, facts: Facts) -> Node | None:
    """x/2 → x·0.5, exactly."""
    x, divisor = node.inputs
    if divisor.op is not full or not is_number(divisor) or x.op is full:
        return None
    value = float(divisor.attrs["value"])
    if abs(math.frexp(value)[0]) != 0.5 or not facts.fits(1 / value):
        return None
    return OPS["multiply"](x, 1 / value)


SPECIALIZE = (
    *FORMULAS,
    Rule(
        "divide_by_power_of_two",
        "x/2",
        "x*0.5",
        "a product is cheaper, and this one exact",
        apply=_divide_by_power_of_two,
        roots=("divide",),
        operands=("full",),
        example="x: input(f64, 3)\ny = x/4.0",
    ),
)
