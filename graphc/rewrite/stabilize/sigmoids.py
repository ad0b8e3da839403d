"""Stabilization, as rows of formulas: logistic functions in the forms in which they are typed."""

from __future__ import annotations

from graphc.rewrite.engine.rule import rounding

_OVERFLOW = "exp overflows, the quotient would be inf/inf"
_CANCEL = "the difference of nearly equal numbers loses its digits"


SIGMOIDS = (
    rounding("sigmoid_textbook", "1/(1 + exp(-x))", "sigmoid(x)", "one function for three"),
    rounding("sigmoid_of_positive", "exp(x)/(1 + exp(x))", "sigmoid(x)", _OVERFLOW),
    rounding("sigmoid_of_two", "exp(x)/(exp(x) + exp(y))", "sigmoid(x - y)", _OVERFLOW),
    rounding(
        "mean_of_two",
        "(a*exp(x) + b*exp(y))/(exp(x) + exp(y))",
        "a*sigmoid(x - y) + b*sigmoid(y - x)",
        _OVERFLOW,
    ),
    rounding(
        "power_of_one_plus_exp",
        "(1 + exp(x))**y",
        "exp(y*softplus(x))",
        "the derivative would be 0*inf",
    ),
    rounding("root_of_one_plus_exp", "sqrt(1 + exp(x))", "exp(0.5*softplus(x))", _OVERFLOW),
    rounding("sigmoid_slope", "exp(x)/square(1 + exp(x))", "sigmoid(x)*sigmoid(-x)", _OVERFLOW),
    rounding("sigmoid_squared", "w/square(1 + exp(x))", "w*square(sigmoid(-x))", _OVERFLOW),
    rounding("sigmoid_mirrored", "w/(1 + exp(x))", "w*sigmoid(-x)", _OVERFLOW),
    rounding(
        "exp_times_sigmoid",
        "exp(x)*sigmoid(y)",
        "sigmoid(x)",
        "inf*0 where the product is 1",
        when="negates(x, y)",
        example="y=-x",
    ),
    rounding(
        "scaled_exp_times_sigmoid",
        "(w*exp(x))*sigmoid(y)",
        "w*sigmoid(x)",
        "inf*0 where the product is finite",
        when="negates(x, y)",
        example="y=-x",
    ),
    rounding(
        "silu_textbook",
        "x*sigmoid(x)",
        "silu(x)",
        "its derivative has one factor in common",
        forward_only=True,
        spares_shared=True,
    ),
    rounding(
        "one_minus_sigmoid",
        "1 - sigmoid(x)",
        "sigmoid(-x)",
        _CANCEL,
        forward_only=True,
        spares_blends=True,
    ),
    rounding(
        "sigmoid_minus_one",
        "sigmoid(x) - 1",
        "-sigmoid(-x)",
        _CANCEL,
        forward_only=True,
        spares_blends=True,
    ),
    rounding(
        "odds_of_sigmoid",
        "sigmoid(x)/sigmoid(y)",
        "exp(x)",
        "0/0 where the quotient is finite",
        when="negates(x, y)",
        example="y=-x",
    ),
    rounding(
        "sigmoid_of_logit",
        "sigmoid(log(p/(1 - p)))",
        "p",
        "the pair does nothing",
        when="is_unit(p)",
        example="p=minimum(abs(u), 0.5)",
    ),
    rounding(
        "sigmoid_of_log_odds",
        "sigmoid(log(p) - log1p(-p))",
        "p",
        "the pair does nothing",
        when="is_unit(p)",
        example="p=minimum(abs(u), 0.5)",
    ),
)
