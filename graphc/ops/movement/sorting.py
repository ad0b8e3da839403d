"""An array in ascending order along an axis, and the order itself, through which derivatives go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.access import Access, across
from graphc.ir.attributes import Attributes
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op, Order, Turn
from graphc.ir.types import INT64, TensorType
from graphc.ops.axes import along_axis_in_order, one_axis
from graphc.ops.batching import Carried, past_first_axis
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS, register


class InOrder(Op):
    """What depends on the order of the elements along one axis."""

    family = "movement"

    def __call__(self, x: Any, axis: int = -1) -> Node:
        node = as_node(x)
        return self.make([node], axis=one_axis(axis, node.ndim, self.name))

    def reads(self, node: Node, index: int) -> Access:
        return across(node.inputs[index].shape, (node.attrs["axis"],))

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        return along_axis_in_order(node, order, turned)

    def holds_minus_infinity(self, node: Node) -> bool | None:
        return False if node.dtype == INT64 else None


class Sort(InOrder):
    """The elements in ascending order, NaN last; each hands its derivative to where it came from.

    Of equal elements the first one comes first.
    """

    picks = True

    variable = "ordered"

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.sort(arrays[0], axis=attrs["axis"])

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        axis = node.attrs["axis"]
        return OPS["take_along_axis"](tangent, argsort(node.inputs[0], axis), axis)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"np.sort({args[0]}, axis={node.attrs['axis']})")


class ArgSort(InOrder):
    """The places of the elements in ascending order; of equal ones, the first comes first."""

    variable = "order"
    permutes = True

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0].with_dtype(INT64)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.argsort(arrays[0], axis=attrs["axis"], kind="stable")

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> None:
        return None

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        # NumPy's other algorithms put equal elements in an order that depends on the processor.
        return Code(f'np.argsort({args[0]}, axis={node.attrs["axis"]}, kind="stable")')

    def scratch(self, node: Node) -> Dim:
        return node.type.dtype.itemsize * node.shape[node.attrs["axis"]]


_CASES = [Case((Arg((3, 4)),), {"axis": 1}), Case((Arg((5, 2)),), {"axis": 0}), Case((Arg((6,)),))]
_UNORDERED = [
    Case((Arg((3, 4), "int64", 0, 3),), {"axis": 1}, differentiable=False),
    Case((Arg((0,)),), differentiable=False),
]
sort = register(
    Sort("sort", "Ascending order along an axis; NaN last.", [*_CASES, *_UNORDERED]),
)
argsort = register(
    ArgSort(
        "argsort",
        "The places of an axis' elements in ascending order; equal ones stay in theirs.",
        [Case(case.args, case.kwargs, differentiable=False) for case in (*_CASES, *_UNORDERED)],
    )
)
