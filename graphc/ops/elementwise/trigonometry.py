"""Trigonometric and hyperbolic functions, their inverses, and the hypotenuse. Angles in radians."""

from __future__ import annotations

import math

from graphc.ops.elementwise import images
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import register

sin = register(
    Pointwise(
        "sin",
        "Sine; x in radians.",
        "sin(x)",
        minus_infinity=False,
        numpy="sin",
        flops=10,
        symbol="sin {}",
        tex=r"\sin {}",
        image=images.within(-1, 1, turns=True),
    )
)
cos = register(
    Pointwise(
        "cos",
        "Cosine; x in radians.",
        "cos(x)",
        minus_infinity=False,
        numpy="cos",
        flops=10,
        symbol="cos {}",
        tex=r"\cos {}",
        image=images.within(-1, 1, turns=True),
    )
)
tan = register(
    Pointwise(
        "tan",
        "Tangent; x in radians.",
        "tan(x)",
        numpy="tan",
        domain=((-1.2, 1.2),),
        flops=15,
        tex=r"\tan {}",
        image=images.tangent,
    )
)
sinh = register(
    Pointwise(
        "sinh",
        "Hyperbolic sine.",
        "sinh(x)",
        numpy="sinh",
        flops=15,
        tex=r"\sinh {}",
        image=images.hyperbolic_sine,
    )
)
cosh = register(
    Pointwise(
        "cosh",
        "Hyperbolic cosine.",
        "cosh(x)",
        minus_infinity=False,
        numpy="cosh",
        flops=15,
        tex=r"\cosh {}",
        image=images.even_above(1.0),
    )
)
tanh = register(
    Pointwise(
        "tanh",
        "Hyperbolic tangent.",
        "tanh(x)",
        minus_infinity=False,
        numpy="tanh",
        flops=15,
        tex=r"\tanh {}",
        image=images.increasing(math.tanh),
    )
)
asin = register(
    Pointwise(
        "asin",
        "Inverse sine.",
        "asin(x)",
        numpy="arcsin",
        domain=((-0.8, 0.8),),
        flops=15,
        tex=r"\arcsin {}",
        image=images.increasing(math.asin, (-1, 1)),
    )
)
acos = register(
    Pointwise(
        "acos",
        "Inverse cosine.",
        "acos(x)",
        numpy="arccos",
        domain=((-0.8, 0.8),),
        flops=15,
        tex=r"\arccos {}",
        image=images.within(0, math.pi, (-1, 1)),
    )
)
atan = register(
    Pointwise(
        "atan",
        "Inverse tangent.",
        "atan(x)",
        numpy="arctan",
        flops=15,
        tex=r"\arctan {}",
        image=images.increasing(math.atan),
    )
)
asinh = register(
    Pointwise(
        "asinh",
        "Inverse hyperbolic sine.",
        "asinh(x)",
        numpy="arcsinh",
        flops=15,
        image=images.increasing(math.asinh),
    )
)
acosh = register(
    Pointwise(
        "acosh",
        "Inverse hyperbolic cosine.",
        "acosh(x)",
        numpy="arccosh",
        domain=((1.3, 3.0),),
        flops=15,
    )
)
atanh = register(
    Pointwise(
        "atanh",
        "Inverse hyperbolic tangent.",
        "atanh(x)",
        numpy="arctanh",
        domain=((-0.8, 0.8),),
        flops=15,
    )
)
atan2 = register(
    Pointwise(
        "atan2",
        "Angle of the point (b, a), in radians.",
        "atan2(a, b)",
        args="a b",
        numpy="arctan2",
        domain=((0.3, 2.0), (0.3, 2.0)),
        flops=20,
        image=images.within(-math.pi, math.pi),
    )
)
hypot = register(
    Pointwise(
        "hypot",
        "sqrt(a² + b²) without overflow; derivative 0 at 0.",
        "sqrt(a**2 + b**2)",
        minus_infinity=False,
        args="a b",
        numpy="hypot",
        domain=((0.3, 2.0), (0.3, 2.0)),
        flops=5,
        image=images.length,
    )
)
