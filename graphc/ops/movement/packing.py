"""Elements brought into another order in memory of their own, as matrix products want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.attributes import Attributes
from graphc.ir.code import ATOM, Code, Codes, Notation
from graphc.ir.dims import Dim, as_shape, same_shape
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case
from graphc.ir.types import TensorType
from graphc.ops.batching import Carried, only
from graphc.ops.leaf import as_node
from graphc.ops.linear import Movement
from graphc.ops.movement.reshaping import reshape_words
from graphc.ops.registry import OPS, register

_PACK = '''
def _pack(x, out):
    """Copy x, element by element in row-major order, into an array of another shape."""
    out.reshape(x.shape)[...] = x
    return out
'''


class Pack(Movement):
    """reshape(transpose(x, axes), shape), copied: the columns of a convolution, for one."""

    variable = "columns"

    def __call__(self, x: Any, axes: Sequence[int], shape: Any) -> Node:
        return self.make([as_node(x)], axes=tuple(axes), shape=as_shape(shape))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        turned = OPS["transpose"].infer(inputs, attrs)
        return OPS["reshape"].infer((turned,), attrs)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.array(arrays[0].transpose(attrs["axes"]).reshape(result.shape))

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        axes, source = node.attrs["axes"], node.inputs[0].shape
        turned = OPS["reshape"](cotangent, tuple([source[a] for a in axes]))
        return OPS["transpose"](turned, tuple(sorted(range(len(axes)), key=axes.__getitem__)))

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        """Return the op with one more axis in front, which stays there."""
        axes = (0, *[a + 1 for a in node.attrs["axes"]])
        return self.make([only(carried)], axes=axes, shape=(size, *node.shape))

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        shape = reshape_words(node.shape, notation)
        return Code(f"{self._turned(node, args[0])}.reshape({shape})")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        turned = self._turned(node, args[0])
        if self._keeps_shape(node):
            return f"{out}[...] = {turned}"
        return f"_pack({turned}, out={out})"

    def helper(self, node: Node) -> str | None:
        return None if self._keeps_shape(node) else _PACK

    @staticmethod
    def _keeps_shape(node: Node) -> bool:
        source = node.inputs[0].shape
        return same_shape(node.shape, tuple([source[a] for a in node.attrs["axes"]]))

    def _turned(self, node: Node, x: Code) -> str:
        axes = node.attrs["axes"]
        if axes == tuple(range(len(axes))):
            return x.within(ATOM)
        if axes == (1, 0):
            return x.turned().text
        return f"{x.within(ATOM)}.transpose({', '.join(map(str, axes))})"


pack = register(
    Pack(
        "pack",
        "Axes in another order and another shape, in memory of its own.",
        [
            Case((Arg((2, 3, 4)),), {"axes": (1, 0, 2), "shape": (3, 8)}),
            Case((Arg((2, 3, 4)),), {"axes": (0, 1, 2), "shape": (6, 4)}),
            Case((Arg((2, 3)),), {"axes": (1, 0), "shape": (3, 2)}),
        ],
    )
)
