"""Barriers: ops that pass their value on and stop something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from graphc.ir.access import Access, identity
from graphc.ir.attributes import Attributes
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.types import TensorType
from graphc.ops.batching import Carried, with_first_axis
from graphc.ops.elementwise.pointwise import SAME, Pointwise
from graphc.ops.leaf import as_node
from graphc.ops.registry import register


class RecomputeFrom(Op):
    """x itself, but not before `cotangent` is there.

    What is computed from it is computed late, and never merged with what the forward pass computed
    from x: so a checkpoint's values need not be kept. Code shows nothing of it.
    """

    family = "barrier"
    is_view: ClassVar[bool] = True

    def __call__(self, x: Any, cotangent: Any) -> Node:
        return self.make([as_node(x), as_node(cotangent)])

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.asarray(arrays[0], result.dtype)

    def is_differentiable(self, node: Node, index: int) -> bool:
        return index == 0 and super().is_differentiable(node, index)

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        return tangent

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return cotangent

    def reads(self, node: Node, index: int) -> Access:
        return identity(node.inputs[index].ndim)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        value, cotangent = carried
        value = with_first_axis(node.inputs[0], size) if value is None else value
        return self.make([value, node.inputs[1] if cotangent is None else cotangent])

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return args[0]


stop_gradient = register(
    Pointwise(
        "stop_gradient",
        "x itself, taken as a constant by every derivative.",
        "x",
        dtype=SAME,
        cuts=True,
        flops=0,
    )
)
recompute_from = register(
    RecomputeFrom(
        "recompute_from",
        "x itself, from which the backward pass recomputes once it has reached `cotangent`.",
        [Case((Arg((3, 4)), Arg(())))],
    )
)
