"""Arithmetic, exponentials, extrema and rounding: primitives of the pointwise family."""

from __future__ import annotations

import math

from graphc.ir.node import Node
from graphc.ir.walk import behind_views
from graphc.ops.elementwise import images
from graphc.ops.elementwise.pointwise import SAME, Pointwise
from graphc.ops.registry import register

_POSITIVE = ((0.3, 3.0),)

add = register(
    Pointwise(
        "add",
        "Sum.",
        "a + b",
        args="a b",
        infix="+",
        between="plus",
        dtype=SAME,
        symbol="{} + {}",
        tex="{} + {}",
        image=images.add,
    )
)
subtract = register(
    Pointwise(
        "subtract",
        "Difference.",
        "a - b",
        args="a b",
        infix="-",
        between="minus",
        dtype=SAME,
        symbol="{} − {}",
        tex="{} - {}",
        image=images.subtract,
    )
)
multiply = register(
    Pointwise(
        "multiply",
        "Product.",
        "a*b",
        args="a b",
        infix="*",
        between="times",
        dtype=SAME,
        symbol="{} · {}",
        tex=r"{} \cdot {}",
        image=images.multiply,
    )
)
divide = register(
    Pointwise(
        "divide",
        "Quotient.",
        "a/b",
        args="a b",
        infix="/",
        between="over",
        domain=((-2.0, 2.0), (0.3, 3.0)),
        symbol="{} / {}",
        tex=r"\frac{{{}}}{{{}}}",
        image=images.divide,
    )
)
floor_divide = register(
    Pointwise(
        "floor_divide",
        "Quotient rounded down.",
        "floor(a/b)",
        args="a b",
        infix="//",
        dtype=SAME,
        domain=((-2.0, 2.0), (0.3, 3.0)),
        cuts=True,
    )
)
remainder = register(
    Pointwise(
        "remainder",
        "a - b*floor(a/b), with the sign of b.",
        "a - b*floor(a/b)",
        args="a b",
        infix="%",
        dtype=SAME,
        domain=((0.1, 0.9), (1.1, 1.9)),
        flops=3,
    )
)
power = register(
    Pointwise(
        "power",
        "a to the power b; 0**0 = 1.",
        "a**b",
        args="a b",
        infix="**",
        dtype=SAME,
        domain=((0.3, 2.0), (-2.0, 2.0)),
        flops=10,
        tex="{{{}}}^{{{}}}",
        image=images.power,
    )
)
negative = register(
    Pointwise(
        "negative",
        "Negation.",
        "-x",
        prefix="-",
        dtype=SAME,
        symbol="−{}",
        tex="-{}",
        image=images.negative,
    )
)
square = register(
    Pointwise(
        "square",
        "x times x.",
        "x**2",
        minus_infinity=False,
        numpy="square",
        dtype=SAME,
        symbol="{}²",
        tex="{{{}}}^2",
        image=images.square,
    )
)
reciprocal = register(
    Pointwise(
        "reciprocal",
        "1/x.",
        "1/x",
        lowering="1/x",
        dtype="float",
        domain=_POSITIVE,
        symbol="1 / {}",
        tex=r"\frac{{1}}{{{}}}",
    )
)
sqrt = register(
    Pointwise(
        "sqrt",
        "Square root.",
        "sqrt(x)",
        minus_infinity=False,
        numpy="sqrt",
        domain=_POSITIVE,
        symbol="√{}",
        tex=r"\sqrt{{{}}}",
        image=images.root,
    )
)
abs_ = register(
    Pointwise(
        "abs",
        "Absolute value; derivative 0 at 0.",
        "abs(x)",
        minus_infinity=False,
        numpy="abs",
        dtype=SAME,
        domain=((0.2, 2.0),),
        symbol="|{}|",
        tex=r"\left|{}\right|",
        image=images.magnitude,
    )
)
sign = register(
    Pointwise(
        "sign",
        "-1, 0 or 1; derivative 0.",
        "sign(x)",
        numpy="sign",
        dtype=SAME,
        domain=((0.2, 2.0),),
        image=images.within(-1, 1),
    )
)
heaviside = register(
    Pointwise(
        "heaviside",
        "Threshold: 0 below 0, 1 above, b at 0; derivative 0.",
        "where(x < 0, 0, where(x > 0, 1, b))",
        args="x b",
        numpy="heaviside",
        domain=((0.2, 2.0), (0.0, 1.0)),
    )
)
positive = register(Pointwise("positive", "x itself.", "x", dtype=SAME, numpy="positive"))


class Exponential(Pointwise):
    """exp; where nothing bounds its argument, an overflow to inf is the right limit."""

    def quiet(self, node: Node) -> tuple[str, ...]:
        return () if _is_shifted_by(node.inputs[0], "max", "where") else ("over",)


class LikeExponential(Exponential):
    """What an exponential typed by hand becomes: 2**x, exp(x) - 1; as quiet where it overflows."""

    def quiet(self, node: Node) -> tuple[str, ...]:
        x = node.inputs[0]
        is_below_0 = x.op.name == "negative" and x.inputs[0].op.name in ("abs", "square", "exp")
        return () if is_below_0 or x.op.name == "minimum" else super().quiet(node)


class Logarithm(Pointwise):
    """log; of a sum over nothing but masked entries, -inf is the right value."""

    def quiet(self, node: Node) -> tuple[str, ...]:
        total = behind_views(node.inputs[0])
        terms = map(behind_views, total.inputs if total.op.name in ("sum", "einsum") else [total])
        is_masked = any(x.op is exp and _is_shifted_by(x.inputs[0], "where") for x in terms)
        return ("divide",) if is_masked else ()

    def holds_minus_infinity(self, node: Node) -> bool | None:
        return False if _has_largest_term(behind_views(node.inputs[0])) else self.minus_infinity


def _has_largest_term(total: Node) -> bool:
    """Say whether a value is sum(exp(x - max(x))), in which 1 is a term, as in a logsumexp."""
    if total.op.name != "sum" or total.inputs[0].op is not exp:
        return False
    exponent = total.inputs[0].inputs[0]
    if not _is_shifted_by(exponent, "max"):
        return False
    largest = behind_views(exponent.inputs[1])
    is_own = largest.inputs[0] is exponent.inputs[0]
    return is_own and largest.attrs["axis"] == total.attrs["axis"]


def _is_shifted_by(exponent: Node, *names: str) -> bool:
    """Say whether an exponent is a difference from what one of these ops chose."""
    return exponent.op is subtract and behind_views(exponent.inputs[1]).op.name in names


exp = register(
    Exponential(
        "exp",
        "Exponential.",
        "exp(x)",
        minus_infinity=False,
        numpy="exp",
        flops=10,
        tex=r"e^{{{}}}",
        image=images.exponential,
    )
)
log = register(
    Logarithm(
        "log",
        "Natural logarithm.",
        "log(x)",
        minus_infinity=True,
        numpy="log",
        domain=_POSITIVE,
        flops=10,
        symbol="ln {}",
        tex=r"\ln {}",
        image=images.logarithm,
    )
)
log1p = register(
    Pointwise(
        "log1p",
        "log(1 + x), exact for small x.",
        "log(1 + x)",
        minus_infinity=True,
        numpy="log1p",
        domain=((-0.5, 2.0),),
        flops=10,
        image=images.logarithm_of_one_more,
    )
)
expm1 = register(
    LikeExponential(
        "expm1",
        "exp(x) - 1, exact for small x.",
        "exp(x) - 1",
        numpy="expm1",
        flops=10,
        image=images.exponential_less_one,
    )
)
log2 = register(
    Pointwise(
        "log2",
        "Logarithm to base 2.",
        "log(x)/log(2)",
        minus_infinity=True,
        numpy="log2",
        domain=_POSITIVE,
        flops=10,
    )
)
log10 = register(
    Pointwise(
        "log10",
        "Logarithm to base 10.",
        "log(x)/log(10)",
        minus_infinity=True,
        numpy="log10",
        domain=_POSITIVE,
        flops=10,
    )
)
exp2 = register(
    LikeExponential(
        "exp2",
        "2 to the power x.",
        "exp(x*log(2))",
        numpy="exp2",
        flops=10,
        image=images.exponential_to_base_2,
    )
)


floor = register(
    Pointwise(
        "floor",
        "Rounded down; derivative 0.",
        "floor(x)",
        numpy="floor",
        domain=((0.1, 0.9),),
        cuts=True,
        image=images.rounded(math.floor, 1, 0),
    )
)
ceil = register(
    Pointwise(
        "ceil",
        "Rounded up; derivative 0.",
        "ceil(x)",
        numpy="ceil",
        domain=((0.1, 0.9),),
        cuts=True,
        image=images.rounded(math.ceil, 0, 1),
    )
)
round_ = register(
    Pointwise(
        "round",
        "Rounded to the nearest, ties to even; derivative 0.",
        "round(x)",
        numpy="round",
        domain=((0.1, 0.4),),
        cuts=True,
        image=images.rounded(round, 1, 1),
    )
)
trunc = register(
    Pointwise(
        "trunc",
        "Rounded towards 0; derivative 0.",
        "trunc(x)",
        numpy="trunc",
        domain=((0.1, 0.9),),
        cuts=True,
        image=images.truncated,
    )
)
