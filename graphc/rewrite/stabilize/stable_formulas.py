"""Stabilization, as rows of formulas: textbook expressions that overflow, underflow or cancel.

Each is an identity over real numbers on its domain; the right side keeps its digits where the
left side loses them. `log` reaches its argument through products, choices and movement first (see
`graphc.rewrite.stabilize.logarithms`), so the rows meet the forms that simplification leaves.
"""

from __future__ import annotations

from graphc.rewrite.engine.rule import rounding
from graphc.rewrite.stabilize.sigmoids import SIGMOIDS
from graphc.rewrite.stabilize.small_differences import SMALL_DIFFERENCES

_SMALL = "1 + x rounds a small x away"
_OVERFLOW = "exp overflows, the quotient would be inf/inf"
_UNDERFLOW = "a probability that rounds to 0 has no logarithm"
_CANCEL = "the difference of nearly equal numbers loses its digits"
_SQUARE = "a square may overflow or underflow"


LOGARITHMS = (
    rounding("log_one_plus_exp", "log(1 + exp(x))", "softplus(x)", _OVERFLOW),
    rounding("log1p_exp", "log1p(exp(x))", "softplus(x)", _OVERFLOW),
    rounding(
        "log_one_minus_exp", "log(-expm1(x))", "log1mexp(x)", "far below 0, expm1(x) rounds to -1"
    ),
    rounding("log1p_minus_exp", "log1p(-exp(x))", "log1mexp(x)", "near 0, exp(x) rounds to 1"),
    rounding(
        "log_one_minus_tanh_squared",
        "log1p(-square(tanh(x)))",
        "-2*log_cosh(x)",
        "tanh(x) rounds to 1: the density of squashed actions (Haarnoja 2018)",
    ),
    rounding(
        "log_one_minus_sigmoid_squared",
        "log1p(-square(sigmoid(x)))",
        "log1p(sigmoid(x)) - softplus(x)",
        "far above 0, sigmoid(x) rounds to 1",
    ),
    rounding("log_sinh", "log(sinh(x))", "x + log1mexp(-2*x) - 0.6931471805599453", _OVERFLOW),
    rounding("log_asinh", "log(x + sqrt(1 + square(x)))", "asinh(x)", _CANCEL),
    rounding("log_acosh", "log(x + sqrt(square(x) - 1))", "acosh(x)", "the square may overflow"),
    rounding("log_exp_plus_exp", "log(exp(x) + exp(y))", "logaddexp(x, y)", _OVERFLOW),
    rounding(
        "log_exp_minus_exp",
        "log(exp(x) - exp(y))",
        "x + log1mexp(where(x == y, 0, y - x))",
        _OVERFLOW,
    ),
    rounding(
        "log_between_sigmoids",
        "log(sigmoid(x) - sigmoid(y))",
        "log1mexp(where(x == y, 0, y - x)) - softplus(-x) - softplus(y)",
        "both round to 1, or underflow: the logarithm of a grade's probability",
    ),
    rounding("log_exp", "log(exp(x))", "x", "the exponential may overflow or underflow"),
    rounding("log_sigmoid", "log(sigmoid(x))", "-softplus(-x)", _UNDERFLOW),
    rounding(
        "log_sigmoid_op", "log_sigmoid(x)", "-softplus(-x)", "the form that meets other losses"
    ),
    rounding("log1p_minus_sigmoid", "log1p(-sigmoid(x))", "-softplus(x)", _UNDERFLOW),
    rounding(
        "log_one_plus_large",
        "log(1 + x)",
        "softplus(log(x))",
        _OVERFLOW,
        when="uncovers_log(x) and is_nonnegative(x) and not is_unit(x) and not vanishes(x)",
        example="x=3.0*exp(u)",
    ),
    rounding(
        "log1p_of_large",
        "log1p(x)",
        "softplus(log(x))",
        _OVERFLOW,
        when="uncovers_log(x) and is_nonnegative(x) and not is_unit(x) and not vanishes(x)",
        example="x=3.0*exp(u)",
    ),
    rounding(
        "log_plus",
        "log(x + y)",
        "logaddexp(log(x), log(y))",
        _UNDERFLOW,
        when="uncovers_log(x) and is_nonnegative(x) and is_nonnegative(y)"
        " and (uncovers_log(y) or (is_positive(y) and not is_unit(x)))"
        " and not vanishes(x) and not vanishes(y)",
        example="x=3.0*exp(u); y=5.0*exp(v)",
    ),
    rounding("log_expm1", "log(expm1(x))", "x + log1mexp(-x)", _OVERFLOW),
    rounding("log_one_plus", "log(1 + x)", "log1p(x)", _SMALL),
    rounding(
        "log_one_plus_chosen",
        "log(where(m, 1 + x, 1))",
        "log1p(where(m, x, 0))",
        _SMALL,
        example="m=v > 0",
    ),
    rounding("log_one_minus", "log(1 - x)", "log1p(-x)", _SMALL),
    rounding("log1p_of_less_one", "log1p(x - 1)", "log(x)", "the pair does nothing"),
    rounding("log_sqrt", "log(sqrt(x))", "0.5*log(x)", "the root would halve the exponents' range"),
    rounding(
        "log_square",
        "log(square(x))",
        "2*log(abs(x))",
        "the square may overflow or underflow",
    ),
    rounding(
        "log_where",
        "log(where(m, x, y))",
        "where(m, log(x), log(y))",
        _UNDERFLOW,
        when="uncovers_log(x) or uncovers_log(y)",
        example="x=exp(u); m=v > 0; y=2.0 + u*u",
    ),
    rounding(
        "log2",
        "log2(x)",
        "log(x)*1.4426950408889634",
        _UNDERFLOW,
        when="uncovers_log(x)",
        example="x=sigmoid(u)",
    ),
    rounding(
        "log10",
        "log10(x)",
        "log(x)*0.4342944819032518",
        _UNDERFLOW,
        when="uncovers_log(x)",
        example="x=sigmoid(u)",
    ),
    rounding("log_of_cosh", "log(cosh(x))", "log_cosh(x)", _OVERFLOW),
    rounding(
        "log_softplus",
        "log(softplus(x))",
        "where(x < -40, x, log(softplus(maximum(x, -41))))",
        "far below 0, softplus(x) is exp(x) and underflows",
        when="not is_above(x, -42)",
    ),
)

EXPONENTIALS = (
    rounding(
        "log1mexp_of_exp",
        "log1mexp(-exp(x))",
        "where(x < -40, x, log1mexp(-exp(maximum(x, -41))))",
        "far below 0, 1 - exp(-exp(x)) is exp(x) and underflows",
        when="not is_above(x, -42)",
    ),
    rounding("expm1", "exp(x) - 1", "expm1(x)", _CANCEL),
    rounding("minus_expm1", "1 - exp(x)", "-expm1(x)", _CANCEL),
    rounding(
        "exp_of_log",
        "exp(log(x))",
        "x",
        "the pair does nothing where it is defined",
        when="is_nonnegative(x)",
        example="x=relu(u)",
    ),
    rounding("exp_of_minus_softplus", "exp(-softplus(x))", "sigmoid(-x)", "one function for two"),
    rounding(
        "expm1_of_minus_softplus", "expm1(-softplus(x))", "-sigmoid(x)", "one function for two"
    ),
    rounding("exp_of_softplus", "exp(softplus(x))", "1 + exp(x)", "one function for two"),
    rounding(
        "exp_times_exp",
        "exp(x)*exp(y)",
        "exp(x + y)",
        "inf*0 where the product is finite",
        spares_shared=True,
    ),
    rounding(
        "scaled_exp_times_exp",
        "(w*exp(x))*exp(y)",
        "w*exp(x + y)",
        "inf*0 where the product is finite",
        spares_shared=True,
    ),
    rounding("exp_over_exp", "exp(x)/exp(y)", "exp(x - y)", _OVERFLOW),
    rounding("one_over_exp", "w/exp(x)", "w*exp(-x)", "the quotient may be 0/0 or inf/inf"),
    rounding(
        "square_of_exp", "square(exp(x))", "exp(2*x)", "one function for two", spares_shared=True
    ),
    rounding(
        "power_of_exp",
        "exp(x)**y",
        "exp(x*y)",
        "one function for two",
        when="not may_be_zero(y) or not may_hold_minus_infinity(x)",
        example="x=sin(u)",
        spares_shared=True,
    ),
    rounding(
        "power_of_masked_exp",
        "exp(x)**y",
        "exp(multiply_no_nan(y, x))",
        "one function for two, and 0**0 is 1",
        spares_shared=True,
    ),
    rounding(
        "sqrt_of_exp",
        "sqrt(exp(x))",
        "exp(0.5*x)",
        "the exponential may overflow first",
        spares_shared=True,
    ),
)

TANHS = (
    rounding("tanh_of_exps", "(exp(x) - exp(y))/(exp(x) + exp(y))", "tanh(0.5*(x - y))", _OVERFLOW),
    rounding("tanh_of_expm1", "expm1(x)/(exp(x) + 1)", "tanh(0.5*x)", _OVERFLOW),
    rounding(
        "tanh_of_expm1_times_sigmoid",
        "expm1(x)*sigmoid(y)",
        "tanh(0.5*x)",
        "inf*0 where the product is 1",
        when="negates(x, y)",
        example="y=-x",
    ),
    rounding("tanh_of_sinh", "sinh(x)/cosh(x)", "tanh(x)", _OVERFLOW),
    rounding(
        "over_cosh",
        "w/cosh(x)",
        "w*exp(-log_cosh(x))",
        "the derivative would be 0*inf",
        when="is_given(w)",
        example="w=1.0",
    ),
    rounding(
        "over_square_of_cosh",
        "w/square(cosh(x))",
        "w*exp(-2*log_cosh(x))",
        "the derivative would be 0*inf",
        when="is_given(w)",
        example="w=1.0",
    ),
    rounding("tanh_of_sigmoid", "2*sigmoid(x) - 1", "tanh(0.5*x)", _CANCEL),
    rounding(
        "sinh_of_exps",
        "(exp(x) - exp(y))/2",
        "sinh(x)",
        _CANCEL,
        when="negates(x, y)",
        example="y=-x",
    ),
    rounding(
        "sinh_of_half_exps",
        "(exp(x) - exp(y))*0.5",
        "sinh(x)",
        _CANCEL,
        when="negates(x, y)",
        example="y=-x",
    ),
    rounding(
        "cosh_of_exps",
        "(exp(x) + exp(y))/2",
        "cosh(x)",
        "one function for three",
        when="negates(x, y)",
        example="y=-x",
    ),
    rounding(
        "cosh_of_half_exps",
        "(exp(x) + exp(y))*0.5",
        "cosh(x)",
        "one function for three",
        when="negates(x, y)",
        example="y=-x",
    ),
)

_CROSS_ENTROPY = (
    "one logarithm and one exponential for both classes; the gradient is sigmoid(z) - y"
)

_DIGITS_OF_LOGARITHM = (
    "x and y*x cancel before the small logarithm is added, which keeps its digits"
)

LOSSES = (
    rounding(
        "cross_entropy_of_logits",
        "y*softplus(a) + (1 - y)*softplus(z)",
        "softplus(z) - y*z",
        _CROSS_ENTROPY,
        when="negates(a, z)",
        example="a=-z",
    ),
    rounding(
        "softplus_difference",
        "softplus(x) - softplus(y)",
        "x",
        "log σ(x) − log σ(−x) = x",
        when="negates(x, y)",
        example="y=-x",
    ),
    rounding("softplus_minus_argument", "softplus(x) - x", "softplus(-x)", _CANCEL),
    rounding(
        "softplus_less_share",
        "softplus(x) - y*x",
        "maximum(x, 0) - y*x + softplus(-abs(x))",
        _DIGITS_OF_LOGARITHM,
        moves_kink=True,
    ),
    rounding(
        "share_less_softplus",
        "y*x - softplus(x)",
        "y*x - maximum(x, 0) - softplus(-abs(x))",
        _DIGITS_OF_LOGARITHM,
        moves_kink=True,
    ),
)

ROOTS = (
    rounding("sqrt_of_square", "sqrt(square(x))", "abs(x)", _SQUARE),
    rounding("inverse_root_of_square", "square(x)**(-0.5)", "1/abs(x)", _SQUARE),
    rounding("hypot", "sqrt(square(x) + square(y))", "hypot(x, y)", _SQUARE),
    rounding(
        "times_sqrt", "x*sqrt(x)", "x**1.5", "its derivative at 0 would be 0*inf", forward_only=True
    ),
)

STABLE_FORMULAS = (
    *LOGARITHMS,
    *EXPONENTIALS,
    *TANHS,
    *SIGMOIDS,
    *LOSSES,
    *ROOTS,
    *SMALL_DIFFERENCES,
)
