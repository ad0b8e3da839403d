"""Stabilization, as rows of formulas: logistic functions in the forms in which they are typed."""

from __future__ import annotations

from functools import partial

from graphc.rewrite.engine.rule import REASSOCIATES, Rule

_OVERFLOW = "exp overflows, the quotient would be inf/inf"
_CANCEL = "the difference of nearly equal numbers loses its digits"

_row = partial(Rule, exactness=REASSOCIATES)

SIGMOIDS = (
    _row("sigmoid_textbook", "1/(1 + exp(-x))", "sigmoid(x)", "one function for three"),
    _row("sigmoid_of_positive", "exp(x)/(1 + exp(x))", "sigmoid(x)", _OVERFLOW),
    _row("sigmoid_of_two", "exp(x)/(exp(x) + exp(y))", "sigmoid(x - y)", _OVERFLOW),
    _row(
        "mean_of_two",
        "(a*exp(x) + b*exp(y))/(exp(x) + exp(y))",
        "a*sigmoid(x - y) + b*sigmoid(y - x)",
        _OVERFLOW,
    ),
    _row(
        "power_of_one_plus_exp",
        "(1 + exp(x))**y",
        "exp(y*softplus(x))",
        "the derivative would be 0*inf",
    ),
    _row("root_of_one_plus_exp", "sqrt(1 + exp(x))", "exp(0.5*softplus(x))", _OVERFLOW),
    _row("sigmoid_slope", "exp(x)/square(1 + exp(x))", "sigmoid(x)*sigmoid(-x)", _OVERFLOW),
    _row("sigmoid_squared", "w/square(1 + exp(x))", "w*square(sigmoid(-x))", _OVERFLOW),
    _row("sigmoid_mirrored", "w/(1 + exp(x))", "w*sigmoid(-x)", _OVERFLOW),
    _row(
        "exp_times_sigmoid",
        "exp(x)*sigmoid(y)",
        "sigmoid(x)",
        "inf*0 where the product is 1",
        when="negates(x, y)",
        example="y=-x",
    ),
    _row(
        "scaled_exp_times_sigmoid",
        "(w*exp(x))*sigmoid(y)",
        "w*sigmoid(x)",
        "inf*0 where the product is finite",
        when="negates(x, y)",
        example="y=-x",
    ),
    _row(
        "silu_textbook",
        "x*sigmoid(x)",
        "silu(x)",
        "its derivative has one factor in common",
        forward_only=True,
        spares_shared=True,
    ),
    _row(
        "one_minus_sigmoid",
        "1 - sigmoid(x)",
        "sigmoid(-x)",
        _CANCEL,
        forward_only=True,
        spares_blends=True,
    ),
    _row(
        "sigmoid_minus_one",
        "sigmoid(x) - 1",
        "-sigmoid(-x)",
        _CANCEL,
        forward_only=True,
        spares_blends=True,
    ),
    _row(
        "odds_of_sigmoid",
        "sigmoid(x)/sigmoid(y)",
        "exp(x)",
        "0/0 where the quotient is finite",
        when="negates(x, y)",
        example="y=-x",
    ),
    _row(
        "sigmoid_of_logit",
        "sigmoid(log(p/(1 - p)))",
        "p",
        "the pair does nothing",
        when="is_unit(p)",
        example="p=minimum(abs(u), 0.5)",
    ),
    _row(
        "sigmoid_of_log_odds",
        "sigmoid(log(p) - log1p(-p))",
        "p",
        "the pair does nothing",
        when="is_unit(p)",
        example="p=minimum(abs(u), 0.5)",
    ),
)
