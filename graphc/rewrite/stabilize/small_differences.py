"""Stabilization: differences between 1 and what is nearly 1, and their logarithms."""

from __future__ import annotations

from functools import partial

from graphc.rewrite.engine.rule import REASSOCIATES, Rule

_CANCEL = "the difference of nearly equal numbers loses its digits"
_TAIL = "tanh(x) rounds to 1, and the logarithm of what is left is -inf"

_row = partial(Rule, exactness=REASSOCIATES)

SMALL_DIFFERENCES = (
    _row(
        "log_one_plus_tanh",
        "log1p(tanh(x))",
        "where(x < -1, 0.6931471805599453 - softplus(-2*x), log1p(tanh(maximum(x, -2))))",
        _TAIL,
        when="not is_above(x, -3)",
    ),
    _row(
        "log_one_minus_tanh",
        "log1p(-tanh(x))",
        "where(x > 1, 0.6931471805599453 - softplus(2*x), log1p(-tanh(minimum(x, 2))))",
        _TAIL,
        when="not is_above(-x, -3)",
    ),
    _row("one_minus_cos", "1 - cos(x)", "2*square(sin(0.5*x))", _CANCEL),
    _row("cos_minus_one", "cos(x) - 1", "-2*square(sin(0.5*x))", _CANCEL),
    _row("cosh_minus_one", "cosh(x) - 1", "2*square(sinh(0.5*x))", _CANCEL),
    _row("one_minus_erf", "1 - erf(x)", "erfc(x)", _CANCEL),
    _row("one_plus_erf", "1 + erf(x)", "erfc(-x)", _CANCEL),
    _row("one_minus_half_erfc", "1 - 0.5*erfc(x)", "0.5*erfc(-x)", _CANCEL),
    _row("one_minus_erfc_over_two", "1 - erfc(x)/2", "erfc(-x)/2", _CANCEL),
)
