"""Indexing with integer arrays, and its transpose: adding into indexed places.

Gathers accumulate in their gradient: a row that is read twice receives both cotangents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.access import Access, along, identity, whole
from graphc.ir.attributes import Attributes
from graphc.ir.code import ATOM, PRODUCT, Code, Codes, Notation
from graphc.ir.dims import Dim, Shape, broadcast_shapes, same_shape, shape_text
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType
from graphc.ops.axes import one_axis
from graphc.ops.batching import Carried, all_carried
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node, full, zeros_like
from graphc.ops.linear import Movement
from graphc.ops.reduction.spread import behind_views
from graphc.ops.registry import OPS, register

_NUMBER = re.compile(r"[\d.]+(e[+-]?\d+)?")


def index_node(value: Any) -> Node:
    """Return an integer node, or raise the error that says why it cannot index."""
    node = as_node(value)
    if node.dtype.kind == "i":
        return node
    fix = "cast it: i.astype('int64')"
    if node.dtype.kind == "b":
        fix = "a mask selects an unknown number of elements; use gc.where(mask, x, 0)"
    raise user_error("an index array must hold integers", got=str(node.type), fix=fix)


class Gather(Movement):
    """x[i, j, …] with integer arrays on consecutive axes that start at `axis`.

    The arrays broadcast to one shape, which stands where the indexed axes stood. Negative indices
    count from the end; an index out of range is an IndexError when it runs.
    """

    picks = True

    def __call__(self, x: Any, *indices: Any, axis: int = 0) -> Node:
        node = as_node(x)
        at = one_axis(axis, node.ndim, self.name)
        if at + len(indices) > node.ndim:
            raise user_error(
                "too many indices", got=f"{len(indices)} for {node.type} from axis {at}"
            )
        return self.make([node, *_of_one_shape(indices)], axis=at)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        x, axis = inputs[0], attrs["axis"]
        return x.with_shape(gathered_shape(x.shape, inputs[1].shape, axis, len(inputs) - 1))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return arrays[0][(slice(None),) * attrs["axis"] + tuple(arrays[1:])]

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        base = zeros_like(node.inputs[0])
        return scatter_add.make([base, cotangent, *node.inputs[1:]], axis=node.attrs["axis"])

    def reads(self, node: Node, index: int) -> Access:
        first, count, places = node.attrs["axis"], len(node.inputs) - 1, node.inputs[1].ndim
        return beside_indexed(node.inputs[0].shape, first, count, places)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node | None:
        axis, (x, *places) = node.attrs["axis"], all_carried(node, carried, size)
        if all(index is None for index in carried[1:]):
            return self.make([x, *node.inputs[1:]], axis=axis + 1)
        if carried[0] is None and axis == 0:
            # Other places of the same array: more indices, whose axes come first as it is.
            return self.make([node.inputs[0], *places], axis=0)
        return None  # other places for each direction

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        places = [
            full.scalar(index, notation) if index.op is full and not index.shape else code
            for index, code in zip(node.inputs[1:], args[1:], strict=True)
        ]
        words = [":"] * node.attrs["axis"] + [place.text for place in places]
        taken = f"{args[0].within(ATOM)}[{', '.join(words)}]"
        # Indexing with numbers alone gives a view, which would change with its source.
        is_view = not node.inputs[1].shape and node.shape
        return Code(f"{taken}.copy()" if is_view else taken)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        if len(args) > 2:
            return None
        return f"{args[0].within(ATOM)}.take({args[1]}, axis={node.attrs['axis']}, out={out})"

    def scratch(self, node: Node) -> Dim:
        # `take` writes a copy first, so that an index out of range leaves `out` as it was.
        return node.size * node.dtype.itemsize if len(node.inputs) == 2 else 0

    def indexed_dims(self, node: Node, position: int) -> tuple[Dim, ...]:
        return (node.inputs[0].shape[node.attrs["axis"] + position - 1],) if position else ()

    def text(self, node: Node, args: Codes) -> Code:
        words = ", ".join(a.text for a in args)
        return Code(f"gather({words}, axis={node.attrs['axis']})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        return f"{args[0]}[{', '.join([':'] * node.attrs['axis'] + list(args[1:]))}]"


class Scatter(Op):
    """A copy of `base` into which values go at integer indices."""

    accumulates = True

    def __call__(self, base: Any, values: Any, *indices: Any, axis: int = 0) -> Node:
        node, arrays = as_node(base), _of_one_shape(indices)
        at = one_axis(axis, node.ndim, self.name)
        wanted = gathered_shape(node.shape, arrays[0].shape, at, len(arrays))
        added = OPS["broadcast_to"](cast(as_node(values), node.dtype), wanted)
        return self.make([node, added, *arrays], axis=at)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        base, values, *indices = inputs
        wanted = gathered_shape(base.shape, indices[0].shape, attrs["axis"], len(indices))
        if not same_shape(wanted, values.shape):
            raise user_error(
                f"{self.name}: the values do not fit the indexed places",
                got=str(values),
                expected=shape_text(wanted),
            )
        return base

    def reads(self, node: Node, index: int) -> Access:
        if index == 0:
            return identity(node.ndim)
        first, count, places = node.attrs["axis"], len(node.inputs) - 2, node.inputs[2].ndim
        return beside_indexed(node.inputs[1].shape, first, places, count)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node | None:
        if any(index is not None for index in carried[2:]):
            return None  # other places for each direction
        operands = all_carried(node, carried, size)[:2]
        return self.make([*operands, *node.inputs[2:]], axis=node.attrs["axis"] + 1)

    def indexed_dims(self, node: Node, position: int) -> tuple[Dim, ...]:
        at = node.attrs["axis"] + position - 2
        return (node.shape[at],) if position > 1 else ()

    def flops(self, node: Node) -> Any:
        return node.inputs[1].size

    def scratch(self, node: Node) -> Dim:
        # `out[places] += values` takes the old values out first.
        values = node.inputs[1]
        return values.size * values.dtype.itemsize


class ScatterAdd(Scatter, Movement):
    """A copy of `base` with `values` added at integer indices; repeated places accumulate."""

    adds_over_steps = True

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        total = np.array(arrays[0], result.dtype)
        np.add.at(total, (slice(None),) * attrs["axis"] + tuple(arrays[2:]), arrays[1])
        return total

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        if index == 0:
            return cotangent
        return gather.make([cotangent, *node.inputs[2:]], axis=node.attrs["axis"])

    def added_up(self, node: Node, base: Node, stacks: Sequence[Node]) -> Node:
        values, *indices = stacks  # values: [steps, *lead, *indexed, *rest]
        axis = node.attrs["axis"]
        order = (*range(1, axis + 1), 0, *range(axis + 1, values.ndim))
        values = OPS["transpose"](values, order) if axis else values
        return self.make([base, values, *indices], **node.attrs)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        words = [":"] * node.attrs["axis"] + [a.text for a in args[2:]]
        if has_distinct_places(node.inputs[2:]):
            return accumulated(f"{out}[{', '.join(words)}]", args[1])
        where = places_of(node, args)
        less = without_sign(args[1])
        if less is not None:
            return f"np.subtract.at({out}, {where}, {less})"
        return f"np.add.at({out}, {where}, {args[1].text})"

    def label(self, node: Node, args: Sequence[str]) -> str:
        places = ", ".join([":"] * node.attrs["axis"] + list(args[2:]))
        return f"{args[0]}[{places}] += {args[1]}"


def places_of(node: Node, args: Codes) -> str:
    """Return what `np.add.at` takes for the places of a node that scatters."""
    words = [":"] * node.attrs["axis"] + [a.text for a in args[2:]]
    if node.attrs["axis"]:
        return f"np.s_[{', '.join(words)}]"
    return words[0] if len(words) == 1 else f"({', '.join(words)})"


def beside_indexed(shape: Shape, first: int, count: int, instead: int) -> Access:
    """Return what is read of an array whose `count` axes from `first` on are indexed: all of those.

    In the result `instead` axes stand in their place.
    """
    return tuple(
        [
            along(axis if axis < first else axis - count + instead)
            if axis < first or axis >= first + count
            else whole(dim)
            for axis, dim in enumerate(shape)
        ]
    )


def _of_one_shape(indices: Sequence[Any]) -> list[Node]:
    """Return index arrays, broadcast together."""
    arrays = [index_node(i) for i in indices]
    shape = broadcast_shapes(*[a.shape for a in arrays])
    if shape is None:
        raise user_error(
            "the index arrays do not broadcast together",
            got=" and ".join(str(a.type) for a in arrays),
        )
    return [OPS["broadcast_to"](a, shape) for a in arrays]


def has_distinct_places(indices: Sequence[Node]) -> bool:
    """Say whether no place is indexed twice: along each axis, an index array counts 0, 1, 2, …

    An axis of size 1 needs none that counts; indices that are numbers are one place.
    """
    counted = {axis for axis in map(_counted_axis, indices) if axis is not None}
    return all(
        axis in counted or (isinstance(dim, int) and dim == 1)
        for axis, dim in enumerate(indices[0].shape)
    )


def _counted_axis(index: Node) -> int | None:
    """Return the axis along which an index array counts, if along the others it is the same."""
    index, moves = behind_views(index)
    if index.op is not OPS["arange"]:
        return None
    axis, rank = 0, 1
    for move in reversed(moves):
        if move.op is OPS["reshape"]:
            places = [a for a, dim in enumerate(move.shape) if dim != 1]
            if len(places) != 1 or move.shape[places[0]] != index.shape[0]:
                return None
            axis = places[0]
        else:
            axis += move.ndim - rank
        rank = move.ndim
    return axis


def accumulated(place: str, value: Code) -> str:
    """Return `place += value`, with a minus drawn into the operator."""
    less = without_sign(value)
    return f"{place} += {value}" if less is None else f"{place} -= {less}"


def without_sign(value: Code) -> str | None:
    """Return the text of -value where value starts with a minus or is multiplied by one.

    >>> without_sign(Code("x * -0.1", PRODUCT)), without_sign(Code("x", PRODUCT))
    ('0.1 * x', None)
    """
    if value.precedence < PRODUCT:
        return None
    if value.text.startswith("-"):
        return value.text[1:]
    factor, times, number = value.text.rpartition(" * -")
    return f"{number} * {factor}" if times and _NUMBER.fullmatch(number) else None


def gathered_shape(source: Shape, index: Shape, axis: int, count: int) -> Shape:
    """Return the shape of a gather: the indexed axes give way to the index arrays' shape."""
    return (*source[:axis], *index, *source[axis + count :])


_INDEX = Arg((2, 3), "int64", -4, 4)
gather = register(
    Gather(
        "gather",
        "x[i, j, …] with integer arrays on consecutive axes.",
        [
            Case((Arg((4, 3)), _INDEX)),
            Case((Arg((3, 4)), _INDEX), {"axis": 1}),
            Case((Arg((4, 4, 2)), Arg((3,), "int64", 0, 4), Arg((3,), "int64", 0, 4))),
            Case((Arg((5,)), Arg((), "int64", 0, 5))),
            Case((Arg((4, 3)), Arg((0,), "int64", 0, 4))),
        ],
    )
)
scatter_add = register(
    ScatterAdd(
        "scatter_add",
        "A copy of base with values added at integer indices.",
        [
            Case((Arg((4, 3)), Arg((2, 3, 3)), _INDEX)),
            Case((Arg((3, 4)), Arg((3, 2, 3)), _INDEX), {"axis": 1}),
            Case((Arg((4, 4)), Arg((3,)), Arg((3,), "int64", 0, 4), Arg((3,), "int64", 0, 4))),
        ],
    )
)
