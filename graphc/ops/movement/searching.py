"""Where would a number stand in a sorted array? Turns uniform numbers into draws of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.attributes import Attributes
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op, literal
from graphc.ir.provenance import user_error
from graphc.ir.types import INT64, TensorType
from graphc.ops.leaf import as_node
from graphc.ops.registry import register


class SearchSorted(Op):
    """The place of each of `v` in the sorted array `a`: how many elements stand before it."""

    family = "reduction"
    variable = "place"

    def __call__(self, a: Any, v: Any, side: str = "left") -> Node:
        if side not in ("left", "right"):
            raise user_error("searchsorted: side is 'left' or 'right'", got=repr(side))
        return self.make([as_node(a), as_node(v)], side=side)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        a, v = inputs
        if len(a.shape) != 1:
            raise user_error("searchsorted looks into an array of one axis", got=str(a))
        return v.with_dtype(INT64)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.asarray(np.searchsorted(arrays[0], arrays[1], side=attrs["side"]))

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> None:
        return None

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        side = "" if node.attrs["side"] == "left" else ', side="right"'
        return Code(f"np.searchsorted({args[0]}, {args[1]}{side})")

    def text(self, node: Node, args: Codes) -> Code:
        return Code(f"searchsorted({args[0]}, {args[1]}, side={literal(node.attrs['side'])})")

    def holds_minus_infinity(self, node: Node) -> bool:
        return False


searchsorted = register(
    SearchSorted(
        "searchsorted",
        "The place of each number in a sorted array.",
        [
            Case((Arg((5,)), Arg((2, 3))), differentiable=False),
            Case((Arg((4,)), Arg(())), {"side": "right"}, differentiable=False),
        ],
    )
)
