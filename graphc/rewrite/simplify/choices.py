"""Simplification of choices as rows of formulas: absolute values, maxima, conditions, `where`."""

from __future__ import annotations

from functools import partial

from graphc.rewrite.engine.rule import Rule, rounding

_NEUTRAL = "the operand does nothing"
_SAME = "the function of this argument is a cheaper one"
_ONCE = "one choice instead of two, and nothing is added to 0"
_RIGHT = "what is compared stands before the number"


_once = partial(Rule, spares_shared=True)


def _inside(function: str) -> Rule:
    """where(m, f(x), f(y)) → f(where(m, x, y)): the branch not taken meets no function at all."""
    return _once(
        f"choice_inside_{function}",
        f"where(m, {function}(x), {function}(y))",
        f"{function}(where(m, x, y))",
        "the function is computed once, of what is chosen",
    )


def _of_nonnegative(function: str) -> Rule:
    """f(x) → x for an f that leaves alone what is not negative."""
    return Rule(
        f"{function}_of_nonnegative",
        f"{function}(x)",
        "x",
        _SAME,
        when="is_nonnegative(x)",
        example="x=exp(u)",
        moves_kink=True,
    )


def _number_behind(name: str, before: str, after: str) -> Rule:
    """Return a rule that puts a number behind what is compared with it; two numbers stay."""
    return Rule(name, before, after, _RIGHT, when="not is_constant(x)")


def _chosen_before(branch: str, before: str, why: str) -> Rule:
    """Return a rule by which a choice within a branch of the same choice is made already."""
    return Rule(f"where_where_{branch}", before, "where(m, x, z)", why, when="cannot_fail(y)")


CHOICES = (
    *map(_inside, ("exp", "sigmoid", "softplus", "tanh")),
    Rule(
        "divide_without_guard",
        "divide_no_nan(x, y)",
        "x/y",
        "a divisor that is never 0 needs no guard",
        when="is_finite(y) and not may_be_zero(y)",
        example="y=where(u > 0, 1.5, 2.0)",
    ),
    Rule(
        "multiply_without_guard",
        "multiply_no_nan(x, y)",
        "x*y",
        "a factor that is never infinite needs no guard",
        when="is_finite(y)",
        example="y=where(u > 0, 1.5, 2.0)",
    ),
    Rule("abs_of_abs", "abs(abs(x))", "abs(x)", _SAME),
    *map(_of_nonnegative, ("abs", "relu")),
    _once(
        "product_of_abs",
        "abs(x)*abs(y)",
        "abs(x*y)",
        "one absolute value",
        when="is_float(x)",  # a product of integers may wrap to a negative one
    ),
    rounding(
        "gated_product",
        "x*where(m, 1, 0)",
        "where(m, x, 0)",
        "a branch that is not taken contributes exactly 0",
    ),
    rounding(
        "choice_times",
        "where(m, x, 0)*y",
        "where(m, x*y, 0)",
        "a branch that is not taken never meets an infinity",
        spares_shared=True,
    ),
    _number_behind("less_from_number", "less(c, x)", "greater(x, c)"),
    _number_behind("greater_from_number", "greater(c, x)", "less(x, c)"),
    _number_behind("less_equal_from_number", "less_equal(c, x)", "greater_equal(x, c)"),
    _number_behind("greater_equal_from_number", "greater_equal(c, x)", "less_equal(x, c)"),
    Rule("maximum_itself", "maximum(x, x)", "x", _NEUTRAL),
    Rule("minimum_itself", "minimum(x, x)", "x", _NEUTRAL),
    Rule("not_not", "logical_not(logical_not(m))", "m", _NEUTRAL),
    Rule("and_itself", "logical_and(m, m)", "m", _NEUTRAL),
    Rule("or_itself", "logical_or(m, m)", "m", _NEUTRAL),
    Rule("and_true", "logical_and(m, True)", "m", _NEUTRAL),
    Rule("or_false", "logical_or(m, False)", "m", _NEUTRAL),
    Rule("where_same", "where(m, x, x)", "x", "both branches are the same"),
    Rule("where_true", "where(True, x, y)", "x", "the condition is known", when="cannot_fail(y)"),
    Rule("where_false", "where(False, x, y)", "y", "the condition is known", when="cannot_fail(x)"),
    Rule("where_not", "where(logical_not(m), x, y)", "where(m, y, x)", "the branches swap"),
    _chosen_before("taken", "where(m, where(m, x, y), z)", "the inner condition holds there"),
    _chosen_before("other", "where(m, x, where(m, y, z))", "the inner condition fails there"),
    _once("add_choice_taken", "where(m, x, 0) + where(m, y, z)", "where(m, x + y, z)", _ONCE),
    _once("add_choice_other", "where(m, 0, x) + where(m, y, z)", "where(m, y, x + z)", _ONCE),
    _once("subtract_choice_taken", "where(m, x, y) - where(m, z, 0)", "where(m, x - z, y)", _ONCE),
    _once("subtract_choice_other", "where(m, x, y) - where(m, 0, z)", "where(m, x, y - z)", _ONCE),
    _once(
        "choice_of_products", "where(m, x*z, y*z)", "where(m, x, y)*z", "one product instead of two"
    ),
    _once(
        "choice_of_quotients",
        "where(m, x/z, y/z)",
        "where(m, x, y)/z",
        "one division instead of two",
    ),
)
