"""The exponential of −a, given that of a."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import register


class Opposite(Pointwise):
    """1/x, where the infinity at 0 is the right limit and needs no warning."""

    def quiet(self, node: Node) -> tuple[str, ...]:
        return ("divide", "over")


opposite_exponential = register(
    Opposite(
        "opposite_exponential",
        "1/x: the exponential of -a, given that of a.",
        "1/x",
        minus_infinity=False,
        numpy="reciprocal",
        domain=((0.3, 3.0),),
    )
)
