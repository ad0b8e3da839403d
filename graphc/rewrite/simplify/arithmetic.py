"""Simplification of arithmetic, as rows of formulas.

Normal form: no sum has a negated term, no negation stands inside a product, a quotient or on a
difference; constants are gathered; x·x is `square(x)`, 1/x is a division.
"""

from __future__ import annotations

from functools import partial

from graphc.rewrite.engine.rule import ASSUMES_FINITE, Rule, rounding
from graphc.rewrite.simplify.choices import CHOICES

_NEUTRAL = "the operand does nothing"
_SIGNS = "a sign moves to where it vanishes or costs nothing"
_GATHER = "numeric coefficients are gathered into one"
_SAME = "the function of this argument is a cheaper one"
_FACTOR = "one multiplication instead of two"
_DIVISION = "one division instead of two"
_RECIPROCAL = "the normal form of a reciprocal"
_SQUARE = "the normal form of a square"
_TWICE = "one operand is read instead of two"


def _finite(name: str, before: str, why: str) -> tuple[Rule, Rule]:
    """Return the rules by which what is 0 of finite numbers is 0: where they are, or may be."""
    where = "is_finite(x) and cannot_fail(x)"
    certain = Rule(name, before, "0", why, when=where, example="x=where(u > 0, 1.0, 2.0)")
    assumed = Rule(
        f"{name}_assumed", before, "0", why, when="cannot_fail(x)", exactness=ASSUMES_FINITE
    )
    return certain, assumed


NEUTRAL = (
    Rule("add_zero", "x + 0", "x", _NEUTRAL),
    Rule("subtract_zero", "x - 0", "x", _NEUTRAL),
    Rule("zero_minus", "0 - x", "-x", _SIGNS),
    Rule("multiply_one", "x*1", "x", _NEUTRAL),
    Rule("divide_one", "x/1", "x", _NEUTRAL),
    Rule("multiply_minus_one", "x*(-1)", "-x", _SIGNS),
    Rule("divide_minus_one", "x/(-1)", "-x", _SIGNS),
    Rule("power_one", "x**1", "x", _NEUTRAL),
    Rule("power_zero", "x**0", "1", "0**0 = 1, and so is NaN**0", when="cannot_fail(x)"),
    *_finite("multiply_zero", "x*0", "0 times a finite number"),
    *_finite("subtract_itself", "x - x", "the difference of a finite number with itself"),
    Rule(
        "divide_itself",
        "x/x",
        "1",
        "the quotient of a number by itself",
        when="is_float(x) and is_positive(x) and is_finite(x) and cannot_fail(x)",
        example="x=where(u > 0, 1.0, 2.0)",
    ),
    Rule("positive", "positive(x)", "x", _NEUTRAL),
)


def _opposite(name: str, before: str, after: str) -> Rule:
    """Return a rule by which the sign of a number becomes that between two terms."""
    return Rule(name, before, after, _SIGNS, when="c < 0", spares_shared=True, example="c=-3.0")


SIGNS = (
    Rule("negative_negative", "-(-x)", "x", _SIGNS),
    Rule("add_negative", "x + (-y)", "x - y", _SIGNS),
    Rule("subtract_negative", "x - (-y)", "x + y", _SIGNS),
    Rule("negative_minus", "(-x) - y", "-(x + y)", _SIGNS),
    Rule("negative_difference", "-(x - y)", "y - x", _SIGNS),
    Rule("negative_plus_number", "-(x + c)", "(-c) - x", _SIGNS, spares_shared=True),
    Rule("scaled_negative", "(-x)*c", "x*(-c)", _SIGNS),
    Rule("divided_negative", "(-x)/c", "x/(-c)", _SIGNS),
    Rule("number_over_negative", "c/(-x)", "(-c)/x", _SIGNS),
    Rule("negative_scaled", "-(x*c)", "x*(-c)", _SIGNS, spares_shared=True),
    Rule("negative_divided", "-(x/c)", "x/(-c)", _SIGNS, spares_shared=True),
    Rule("negative_of_number_over", "-(c/x)", "(-c)/x", _SIGNS, spares_shared=True),
    Rule("product_of_negatives", "(-x)*(-y)", "x*y", _SIGNS),
    Rule("quotient_of_negatives", "(-x)/(-y)", "x/y", _SIGNS),
    Rule("negative_factor", "(-x)*y", "-(x*y)", _SIGNS, spares_shared=True),
    Rule("negative_numerator", "(-x)/y", "-(x/y)", _SIGNS, spares_shared=True),
    Rule("negative_denominator", "x/(-y)", "-(x/y)", _SIGNS, spares_shared=True),
    Rule("add_negative_number", "x + c", "x - (-c)", _SIGNS, when="c < 0", example="c=-3.0"),
    Rule("subtract_negative_number", "x - c", "x + (-c)", _SIGNS, when="c < 0", example="c=-3.0"),
    _opposite("add_scaled_by_negative", "x + y*c", "x - (-c)*y"),
    _opposite("subtract_scaled_by_negative", "x - y*c", "x + (-c)*y"),
    _opposite("add_divided_by_negative", "x + y/c", "x - y/(-c)"),
    _opposite("subtract_divided_by_negative", "x - y/c", "x + y/(-c)"),
    Rule("square_of_negative", "square(-x)", "square(x)", _SIGNS),
    Rule("abs_of_negative", "abs(-x)", "abs(x)", _SIGNS),
    Rule("cos_of_negative", "cos(-x)", "cos(x)", _SIGNS),
    Rule("cosh_of_negative", "cosh(-x)", "cosh(x)", _SIGNS),
    Rule("sin_of_negative", "sin(-x)", "-sin(x)", _SIGNS, spares_shared=True),
    Rule("tanh_of_negative", "tanh(-x)", "-tanh(x)", _SIGNS, spares_shared=True),
    Rule("erf_of_negative", "erf(-x)", "-erf(x)", _SIGNS, spares_shared=True),
    Rule("maximum_of_negatives", "maximum(-x, -y)", "-minimum(x, y)", _SIGNS, spares_shared=True),
    Rule("minimum_of_negatives", "minimum(-x, -y)", "-maximum(x, y)", _SIGNS, spares_shared=True),
)


_once = partial(rounding, spares_shared=True)


def _sum(name: str, before: str, after: str, numbers: str) -> Rule:
    """Return a rule by which two numbers of a sum meet, where none is lost beside the other.

    The ε of `1 - x + 1e-8` is there for x = 1; in float32, 1 + 1e-8 is 1.
    """
    return rounding(
        name, before, after, _GATHER, when=f"not is_float(x) or keeps_digits({numbers})"
    )


def _factor(name: str, before: str, after: str, number: str) -> Rule:
    """Return a rule by which two numbers of a product become one, where that is a number."""
    return rounding(name, before, after, _GATHER, when=f"fits({number})")


NUMBERS = (
    _sum("add_numbers", "(x + c1) + c2", "x + (c1 + c2)", "c1, c2"),
    _sum("add_subtract_numbers", "(x + c1) - c2", "x + (c1 - c2)", "c1, -c2"),
    _sum("subtract_add_numbers", "(x - c1) + c2", "x + (c2 - c1)", "-c1, c2"),
    _sum("subtract_numbers", "(x - c1) - c2", "x - (c1 + c2)", "c1, c2"),
    _sum("number_minus_plus", "(c1 - x) + c2", "(c1 + c2) - x", "c1, c2"),
    _sum("number_minus_minus", "(c1 - x) - c2", "(c1 - c2) - x", "c1, -c2"),
    _sum("number_minus_sum", "c1 - (x + c2)", "(c1 - c2) - x", "c1, -c2"),
    _sum("number_minus_shifted", "c1 - (x - c2)", "(c1 + c2) - x", "c1, c2"),
    _sum("number_minus_number_minus", "c1 - (c2 - x)", "x + (c1 - c2)", "c1, -c2"),
    rounding(
        "multiply_numbers", "(x*c1)*c2", "x*(c1*c2)", _GATHER, when="is_float(x) and fits(c1*c2)"
    ),
    _factor("multiply_divide_numbers", "(x*c1)/c2", "x*(c1/c2)", "c1/c2"),
    _factor("divide_multiply_numbers", "(x/c1)*c2", "x*(c2/c1)", "c2/c1"),
    _factor("divide_numbers", "(x/c1)/c2", "x/(c1*c2)", "c1*c2"),
    _factor("number_over_scaled", "c1/(x*c2)", "(c1/c2)/x", "c1/c2"),
    _factor("number_over_divided", "c1/(x/c2)", "(c1*c2)/x", "c1*c2"),
    _factor("number_over_quotient", "c1/(c2/x)", "x*(c1/c2)", "c1/c2"),
    _factor("scaled_quotient", "(c1/x)*c2", "(c1*c2)/x", "c1*c2"),
    _once(
        "scale_of_product",
        "(x*c)*y",
        "(x*y)*c",
        "coefficients move outward, where they meet",
        when="not is_constant(y) and is_moderate(c)",
    ),
    Rule("add_itself", "x + x", "2*x", _TWICE, when="not is_truth(x)"),
    rounding("collect_scaled", "x*c1 + x*c2", "x*(c1 + c2)", _GATHER),
    rounding("collect_difference", "x*c1 - x*c2", "x*(c1 - c2)", _GATHER),
    rounding("collect_one_more", "x*c + x", "x*(c + 1)", _GATHER),
    *[
        _once(f"{name}_twice", before, after, _TWICE, when="not is_truth(x) and not is_constant(x)")
        for name, before, after in (
            ("add", "(y + x) + x", "y + 2*x"),
            ("subtract", "(y - x) - x", "y - 2*x"),
        )
    ],
    Rule(
        "maximum_numbers",
        "maximum(maximum(x, c1), c2)",
        "maximum(x, maximum(c1, c2))",
        _GATHER,
        moves_kink=True,
    ),
    Rule(
        "minimum_numbers",
        "minimum(minimum(x, c1), c2)",
        "minimum(x, minimum(c1, c2))",
        _GATHER,
        moves_kink=True,
    ),
)

PRODUCTS = (
    _once("factor_sum", "x*z + y*z", "(x + y)*z", _FACTOR),
    _once("factor_difference", "x*z - y*z", "(x - y)*z", _FACTOR),
    _once("factor_quotients", "x/z + y/z", "(x + y)/z", _DIVISION),
    _once("factor_quotient_difference", "x/z - y/z", "(x - y)/z", _DIVISION),
    _once(
        "times_reciprocal_of_positive",
        "x*(1/y)",
        "x/y",
        "one division instead of two operations",
        when="is_positive(y)",
        example="y=2.0 + u*u",
    ),
    _once(
        "times_reciprocal",
        "x*(1/y)",
        "x/y",
        "one division instead of two operations",
        moves_kink=True,  # at y = 0: no derivative of 1/y is 0 times what reaches it
    ),
    _once("over_reciprocal", "x/(1/y)", "x*y", "one product instead of two divisions"),
    rounding(
        "scale_cancelled",
        "c*(x/(c*y))",
        "x/y",
        "the factor goes and comes back",
        when="c != 0",
        example="c=3.0",
    ),
    Rule("reciprocal", "reciprocal(x)", "1/x", _RECIPROCAL),
    rounding("power_minus_one", "x**(-1)", "1/x", _RECIPROCAL, when="is_float(x)"),
    Rule("product_with_itself", "x*x", "square(x)", _SQUARE, when="not is_truth(x)"),
    Rule("power_two", "x**2", "square(x)", _SQUARE),
    rounding("power_half", "x**0.5", "sqrt(x)", "the normal form of a root"),
    Rule("square_of_abs", "square(abs(x))", "square(x)", _SAME),
    rounding(
        "square_of_sqrt",
        "square(sqrt(x))",
        "x",
        "x is not negative, so the root exists",
        when="is_nonnegative(x)",
        example="x=exp(u)",
    ),
)

ARITHMETIC = (*NEUTRAL, *SIGNS, *NUMBERS, *PRODUCTS, *CHOICES)
