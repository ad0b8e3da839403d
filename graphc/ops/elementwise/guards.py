"""Guarded arithmetic: products and quotients in which a zero wins over an infinity.

Reverse mode builds them where a partial derivative may be infinite while its cotangent is zero:
there the contribution is 0, and IEEE arithmetic would say nan. Away from such points they are the
plain product and quotient, and so are their derivatives.
"""

from __future__ import annotations

from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import product, same
from graphc.ir.node import Node
from graphc.ops.elementwise.pointwise import SAME, Pointwise
from graphc.ops.registry import register


class Guarded(Pointwise):
    """A product or quotient that is 0 where its first factor is 0, whatever the second is.

    `symmetric`: also where its second factor is 0, whatever the first is.
    """

    symmetric = False

    def quiet(self, node: Node) -> tuple[str, ...]:
        return ("divide", "invalid")


class GuardedQuotient(Guarded):
    """A quotient that is 0 where its dividend is 0. One divisor for all elements is asked once."""

    def quiet(self, node: Node) -> tuple[str, ...]:
        return ()  # 0/0 is not computed

    def lower(self, node: Node) -> Node | None:
        return None if _is_one_number(node) else super().lower(node)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"_divide_no_nan({args[0]}, {args[1]})")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return f"_divide_no_nan({args[0]}, {args[1]}, out={out})"

    def helper(self, node: Node) -> str:
        return _DIVIDE_NO_NAN


_DIVIDE_NO_NAN = '''
def _divide_no_nan(a, b, out=None):
    """Divide a by a number; 0 remains 0, also if the number is 0 or NaN."""
    one = a.dtype.type(1)
    return np.divide(a, b if np.abs(b) > 0 else np.where(a == 0, one, b), out=out)
'''.strip()


def _is_one_number(node: Node) -> bool:
    """Say whether all elements of an array have the same divisor."""
    divisor = node.inputs[1]
    while divisor.op.name == "broadcast_to":
        divisor = divisor.inputs[0]
    return not divisor.shape and not same(product(node.shape), 1)


class Absorbing(Guarded):
    """A product that is 0 where one of its factors is 0, whatever the other is."""

    symmetric = True


multiply_no_nan = register(
    Guarded(
        "multiply_no_nan",
        "a*b, and 0 where a is 0, whatever b is.",
        "a*b",
        args="a b",
        lowering="a*where(a == 0, 0, b)",
        dtype=SAME,
        flops=3,
        symbol="{} · {}",
        tex=r"{} \cdot {}",
        convention="a zero cotangent stays 0 where the partial is infinite",
    )
)
divide_no_nan = register(
    GuardedQuotient(
        "divide_no_nan",
        "a/b, and 0 where a is 0, whatever b is.",
        "a/b",
        args="a b",
        lowering="a/where(a == 0, 1, b)",
        domain=((-2.0, 2.0), (0.3, 3.0)),
        flops=3,
        symbol="{} / {}",
        tex=r"\frac{{{}}}{{{}}}",
        convention="a zero cotangent stays 0 where the partial is infinite",
    )
)
absorbing_multiply = register(
    Absorbing(
        "absorbing_multiply",
        "a*b, and 0 where one of them is 0, whatever the other is.",
        "a*b",
        args="a b",
        lowering="where(b == 0, 0, a)*where(a == 0, 0, b)",
        dtype=SAME,
        flops=5,
        symbol="{} · {}",
        tex=r"{} \cdot {}",
        convention="a zero tangent and a zero partial both win over an infinity",
    )
)
