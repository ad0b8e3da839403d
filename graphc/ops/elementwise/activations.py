"""Activation functions: pointwise ops that are lowered to primitives, and `erf`, which NumPy lacks.

Where a formula has cases, their boundaries state the convention at the kink.
"""

from __future__ import annotations

from graphc.ops.elementwise.pointwise import SAME, Pointwise
from graphc.ops.registry import register

sigmoid = register(
    Pointwise(
        "sigmoid",
        "Logistic function.",
        "1/(1 + exp(-x))",
        minus_infinity=False,
        flops=12,
        symbol="σ({})",
        tex=r"\sigma\left({}\right)",
    )
)
softplus = register(
    Pointwise(
        "softplus",
        "log(1 + exp(x)) without overflow.",
        "log(1 + exp(x))",
        minus_infinity=False,
        lowering="logaddexp(x, 0)",
        flops=25,
    )
)
log_sigmoid = register(
    Pointwise(
        "log_sigmoid",
        "log(sigmoid(x)) without underflow.",
        "-log(1 + exp(-x))",
        lowering="-logaddexp(-x, 0)",
        flops=26,
        symbol="ln σ({})",
        tex=r"\ln\sigma\left({}\right)",
    )
)
log1mexp = register(
    Pointwise(
        "log1mexp",
        "log(1 - exp(x)) for negative x, without cancellation.",
        "log(1 - exp(x))",
        lowering="where(x > -0.6931471805599453, log(-expm1(x)), log1p(-exp(minimum(x, -0.5))))",
        domain=((-2.0, -0.2),),
        flops=35,
    )
)
log_cosh = register(
    Pointwise(
        "log_cosh",
        "log(cosh(x)) without overflow or cancellation: a smooth absolute value.",
        "log(cosh(x))",
        minus_infinity=False,
        lowering="where(abs(x) < 1, log1p(2*square(sinh(minimum(abs(x), 1)/2))),"
        " abs(x) + log1p(exp(-2*abs(x))) - 0.6931471805599453)",
        flops=45,
        symbol="ln cosh {}",
        tex=r"\ln\cosh {}",
    )
)
relu = register(
    Pointwise(
        "relu",
        "Rectifier; derivative 0 at 0.",
        "where(x > 0, x, 0)",
        minus_infinity=False,
        lowering="maximum(x, 0)",
        dtype=SAME,
        domain=((0.2, 2.0),),
        symbol="relu({})",
        convention="relu'(0) = 0",
    )
)
leaky_relu = register(
    Pointwise(
        "leaky_relu",
        "x above 0, slope*x below; derivative slope at 0.",
        "where(x > 0, x, slope*x)",
        args="x slope",
        dtype=SAME,
        domain=((0.2, 2.0), (0.01, 0.3)),
        flops=2,
    )
)
elu = register(
    Pointwise(
        "elu",
        "x above 0, alpha*(exp(x) - 1) below.",
        "where(x > 0, x, alpha*expm1(x))",
        minus_infinity=False,
        args="x alpha",
        lowering="maximum(x, 0) + alpha*expm1(minimum(x, 0))",
        domain=((-2.0, -0.2), (0.5, 1.5)),
        flops=12,
    )
)
selu = register(
    Pointwise(
        "selu",
        "Self-normalizing elu (Klambauer et al. 2017, arXiv:1706.02515).",
        "where(x > 0, 1.0507009873554805*x, 1.7580993408473766*expm1(x))",
        minus_infinity=False,
        lowering="1.0507009873554805*maximum(x, 0) + 1.7580993408473766*expm1(minimum(x, 0))",
        domain=((-2.0, -0.2),),
        flops=13,
    )
)
silu = register(
    Pointwise(
        "silu",
        "x*sigmoid(x), also called swish.",
        "x/(1 + exp(-x))",
        minus_infinity=False,
        lowering="x*sigmoid(x)",
        flops=13,
    )
)
gelu = register(
    Pointwise(
        "gelu",
        "x times the normal distribution function (Hendrycks & Gimpel 2016, arXiv:1606.08415).",
        "x*(1 + erf(x/sqrt(2)))/2",
        minus_infinity=False,
        lowering="0.5*x*erfc(-0.7071067811865476*x)",
        flops=78,
    )
)
gelu_tanh = register(
    Pointwise(
        "gelu_tanh",
        "gelu by the tanh approximation.",
        "x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))/2",
        minus_infinity=False,
        lowering="x*sigmoid(1.5957691216057308*(x + 0.044715*(x*x*x)))",
        flops=18,
    )
)
hardtanh = register(
    Pointwise(
        "hardtanh",
        "x clipped to [-1, 1]; derivative 0 at the corners.",
        "where(x <= -1, -1, where(x >= 1, 1, x))",
        minus_infinity=False,
        lowering="clip(x, -1, 1)",
        dtype=SAME,
        domain=((-0.8, 0.8),),
        flops=2,
    )
)
hard_sigmoid = register(
    Pointwise(
        "hard_sigmoid",
        "x/6 + 1/2 clipped to [0, 1]; derivative 0 at the corners.",
        "where(x <= -3, 0, where(x >= 3, 1, x/6 + 1/2))",
        minus_infinity=False,
        lowering="clip(x + 3, 0, 6)/6",
        domain=((-2.5, 2.5),),
        flops=4,
    )
)
