"""One element for each index along an axis, and its transpose: adding at those places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.access import Access, across, identity
from graphc.ir.attributes import Attributes
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim, Shape, broadcast_shapes, same_shape, shape_text
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Order, Turn
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType
from graphc.ops.axes import along_axis_in_order, one_axis
from graphc.ops.batching import Carried, past_first_axis
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node, zeros_like
from graphc.ops.linear import Movement
from graphc.ops.movement.indexing import accumulated, gather, index_node, scatter_add
from graphc.ops.registry import OPS, register

#: An element of the index arrays that stand for the other axes.
_INDEX_BYTES = 8


class TakeAlongAxis(Movement):
    """One element for each index along an axis, as `numpy.take_along_axis`."""

    picks = True

    def __call__(self, x: Any, indices: Any, axis: int = -1) -> Node:
        node, index = as_node(x), index_node(indices)
        at = one_axis(axis, node.ndim, self.name)
        node, index = along_axis_operands(node, index, at, self.name)
        return self.make([node, index], axis=at)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        along_axis_check(inputs[0].shape, inputs[1].shape, attrs["axis"], self.name)
        return inputs[0].with_shape(inputs[1].shape)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.take_along_axis(arrays[0], arrays[1], attrs["axis"])

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        base = zeros_like(node.inputs[0])
        return add_along_axis.make([base, cotangent, node.inputs[1]], axis=node.attrs["axis"])

    def reads(self, node: Node, index: int) -> Access:
        return across(node.inputs[index].shape, (node.attrs["axis"],))

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        return along_axis_in_order(node, order, turned)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"np.take_along_axis({args[0]}, {args[1]}, axis={node.attrs['axis']})")

    def scratch(self, node: Node) -> Dim:
        return _INDEX_BYTES * node.size

    def indexed_dims(self, node: Node, position: int) -> tuple[Dim, ...]:
        return (node.inputs[0].shape[node.attrs["axis"]],) if position else ()

    def label(self, node: Node, args: Sequence[str]) -> str:
        return f"{args[0]}[{args[1]}]"

    def lower(self, node: Node) -> Node | None:
        places = along_rows(node.inputs[1], node.attrs["axis"])
        return places and OPS["reshape"](gather(node.inputs[0], *places), node.shape)


class AddAlongAxis(Movement):
    """A copy of `base` with `values` added at one index each along an axis."""

    accumulates = True

    def __call__(self, base: Any, values: Any, indices: Any, axis: int = -1) -> Node:
        node, index = as_node(base), index_node(indices)
        at = one_axis(axis, node.ndim, self.name)
        added = OPS["broadcast_to"](cast(as_node(values), node.dtype), index.shape)
        return self.make([node, added, index], axis=at)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        base, values, indices = inputs
        along_axis_check(base.shape, indices.shape, attrs["axis"], self.name)
        if not same_shape(values.shape, indices.shape):
            raise user_error(
                "add_along_axis: one value for each index", got=f"{values} and {indices}"
            )
        return base

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        base, values, indices = arrays
        places: list[np.ndarray] = list(np.indices(indices.shape, sparse=True))
        places[attrs["axis"]] = indices
        total = np.array(base, result.dtype)
        np.add.at(total, tuple(places), values)
        return total

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        if index == 0:
            return cotangent
        return take_along_axis.make([cotangent, node.inputs[2]], axis=node.attrs["axis"])

    def reads(self, node: Node, index: int) -> Access:
        if index == 0:
            return identity(node.ndim)
        return across(node.inputs[index].shape, (node.attrs["axis"],))

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        return along_axis_in_order(node, order, turned)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        axis, index = node.attrs["axis"], node.inputs[2]
        places: list[str] = []
        for i, dim in enumerate(index.shape):
            lead = ", ".join([":"] + ["None"] * (index.ndim - 1 - i))
            suffix = f"[{lead}]" if i < index.ndim - 1 else ""
            places.append(f"np.arange({notation.dim(dim)}){suffix}")
        places[axis] = args[2].text
        if _are_distinct(index, axis):
            return accumulated(f"{out}[{', '.join(places)}]", args[1])
        return f"np.add.at({out}, ({', '.join(places)}), {args[1].text})"

    def scratch(self, node: Node) -> Dim:
        # The places along the other axes; `out[places] += values` takes the old values out first.
        return (_INDEX_BYTES + node.dtype.itemsize) * node.inputs[1].size

    def lower(self, node: Node) -> Node | None:
        base, values, index = node.inputs
        places = along_rows(index, node.attrs["axis"])
        return places and scatter_add(base, OPS["reshape"](values, places[0].shape), *places)

    def label(self, node: Node, args: Sequence[str]) -> str:
        return f"{args[0]}[{args[2]}] += {args[1]}"

    def indexed_dims(self, node: Node, position: int) -> tuple[Dim, ...]:
        return (node.shape[node.attrs["axis"]],) if position == 2 else ()

    def flops(self, node: Node) -> Any:
        return node.inputs[1].size


def _are_distinct(index: Node, axis: int) -> bool:
    """Say whether no place along an axis is indexed twice."""
    while index.op is OPS["slice"]:
        index = index.inputs[0]
    return index.shape[axis] == 1 or (index.op.permutes and index.attrs["axis"] == axis)


def along_rows(index: Node, axis: int) -> tuple[Node, Node] | None:
    """Return the index arrays (rows, columns) where each row or column has one index."""
    if index.ndim != 2 or index.shape[axis] != 1:
        return None
    count = index.shape[1 - axis]
    flat, others = OPS["reshape"](index, (count,)), OPS["arange"](0, count)
    return (others, flat) if axis else (flat, others)


def along_axis_operands(x: Node, index: Node, axis: int, op: str) -> tuple[Node, Node]:
    """Return operands that agree on every axis but one, broadcasting both as NumPy does."""
    if x.ndim != index.ndim:
        raise user_error(
            f"{op}: the array and the indices need the same number of axes",
            got=f"{x.type} and {index.type}",
            fix="add an axis to the indices: y[:, None]",
        )
    common = broadcast_shapes(_one_at(x.shape, axis), _one_at(index.shape, axis))
    if common is None:
        along_axis_check(x.shape, index.shape, axis, op)
        raise AssertionError("unreachable: along_axis_check raises")
    to = OPS["broadcast_to"]
    return (
        to(x, (*common[:axis], x.shape[axis], *common[axis + 1 :])),
        to(index, (*common[:axis], index.shape[axis], *common[axis + 1 :])),
    )


def along_axis_check(x: Shape, index: Shape, axis: int, op: str) -> None:
    if not same_shape(_one_at(x, axis), _one_at(index, axis)):
        raise user_error(
            f"{op}: the shapes differ away from axis {axis}",
            got=f"{shape_text(x)} and {shape_text(index)}",
        )


def _one_at(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], 1, *shape[axis + 1 :])


take_along_axis = register(
    TakeAlongAxis(
        "take_along_axis",
        "One element for each index along an axis.",
        [
            Case((Arg((3, 4)), Arg((3, 1), "int64", 0, 4)), {"axis": 1}),
            Case((Arg((3, 4)), Arg((5, 4), "int64", 0, 3)), {"axis": 0}),
        ],
    )
)
add_along_axis = register(
    AddAlongAxis(
        "add_along_axis",
        "A copy of base with values added at one index each along an axis.",
        [
            Case((Arg((3, 4)), Arg((3, 1)), Arg((3, 1), "int64", 0, 4)), {"axis": 1}),
            Case((Arg((3, 4)), Arg((5, 4)), Arg((5, 4), "int64", 0, 3)), {"axis": 0}),
        ],
    )
)
