"""The Euclidean norm, and x/‖x‖: names of their own, so that what holds at 0 can be declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.attributes import Attributes
from graphc.ir.bounds import Bounds
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.types import FLOAT64, TensorType
from graphc.ops.axes import many_axes, without_axes
from graphc.ops.batching import Carried, past_first_axis
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node
from graphc.ops.reduction.folding import Reduction
from graphc.ops.registry import OPS, register


class Norm(Reduction):
    """sqrt(sum(x*x)). Its derivative is x/norm(x); at 0 it is 0, at every order."""

    def __init__(self) -> None:
        super().__init__("norm", "Euclidean norm over axes; derivative 0 at 0.", dtype="float")

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        squares = np.square(arrays[0])
        return np.asarray(np.sqrt(squares.sum(axis=attrs["axis"], keepdims=attrs["keepdims"])))

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        shape = without_axes(node.inputs[0].shape, node.attrs["axis"], True)
        direction = OPS["divide"](node.inputs[0], _divisor(OPS["reshape"](node, shape)))
        along = OPS["multiply"](direction, tangent)
        return OPS["sum"](along, node.attrs["axis"], node.attrs["keepdims"])

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return Bounds(0.0, np.inf, pole=operands[0].pole)

    def lower(self, node: Node) -> Node:
        squares = OPS["square"](node.inputs[0])
        return OPS["sqrt"](OPS["sum"](squares, node.attrs["axis"], node.attrs["keepdims"]))

    def latex(self, node: Node, args: Sequence[str]) -> str:
        return rf"\lVert {args[0]} \rVert"

    def flops(self, node: Node) -> Dim:
        return 2 * node.inputs[0].size


norm = register(Norm())


def _divisor(length: Node) -> Node:
    """Return norms with infinity for 0: what is divided by them is 0 there, at every order.

    The choice is made once for each norm, not for each element that is divided by it.
    """
    return OPS["where"](OPS["equal"](length, 0.0), np.inf, length)


class Normalize(Op):
    """x divided by its norm over `axis`; 0 at 0, and so is its derivative."""

    family = "composite"

    def __call__(self, x: Any, axis: Any = None) -> Node:
        node = as_node(x)
        if node.dtype.kind != "f":
            node = cast(node, FLOAT64)
        return self.make([node], axis=many_axes(axis, node.ndim, self.name))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        x = arrays[0]
        length = np.sqrt(np.square(x).sum(axis=attrs["axis"], keepdims=True))
        return np.where(length == 0, 0, x / np.where(length == 0, 1, length)).astype(x.dtype)

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        along = OPS["sum"](OPS["multiply"](node, tangent), node.attrs["axis"], True)
        across = OPS["subtract"](tangent, OPS["multiply"](node, along))
        return OPS["divide"](across, _divisor(norm(node.inputs[0], node.attrs["axis"], True)))

    def lower(self, node: Node) -> Node:
        return OPS["divide"](
            node.inputs[0], _divisor(norm(node.inputs[0], node.attrs["axis"], True))
        )

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def latex(self, node: Node, args: Sequence[str]) -> str:
        return rf"\frac{{{args[0]}}}{{\lVert {args[0]} \rVert}}"

    def flops(self, node: Node) -> Dim:
        return 3 * node.size


normalize = register(
    Normalize(
        "normalize",
        "x/norm(x) over axes; 0 at 0, and its derivative too.",
        [
            Case((Arg((3, 4)),)),
            Case((Arg((3, 4)),), {"axis": 1}),
            Case((Arg((2, 3, 4)),), {"axis": (0, 2)}),
        ],
    )
)
