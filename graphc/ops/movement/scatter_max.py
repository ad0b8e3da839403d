"""The largest of what several elements bring to each place, as messages along a graph's edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.code import Codes, Notation
from graphc.ir.dims import Shape, product
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case
from graphc.ir.ranges import Range
from graphc.ir.types import INT64, TensorType
from graphc.ops.leaf import fill, zeros_like
from graphc.ops.movement.indexing import Scatter, gather, places_of, scatter_add
from graphc.ops.registry import OPS, register


class ScatterMax(Scatter):
    """The larger of `base` and all `values` that come to a place; base wins, then the first."""

    family = "reduction"

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        largest = np.array(arrays[0], result.dtype)
        np.maximum.at(largest, (slice(None),) * attrs["axis"] + tuple(arrays[2:]), arrays[1])
        return largest

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return operands[0].union(operands[1])

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        of_base, of_values, *_ = tangents
        is_base = OPS["equal"](node, node.inputs[0])
        total = zeros_like(node) if of_base is None else OPS["where"](is_base, of_base, 0.0)
        if of_values is None:
            return None if of_base is None else total
        moved = OPS["where"](self._chosen(node, is_base), of_values, 0.0)
        return scatter_add.make([total, moved, *node.inputs[2:]], **node.attrs)

    def _chosen(self, node: Node, is_base: Node) -> Node:
        """Return which values are the first largest of their places, where base is none."""
        _, values, *indices = node.inputs
        axis, places = node.attrs["axis"], indices[0].shape

        def again(x: Node) -> Node:
            return gather.make([x, *indices], axis=axis)

        is_largest = OPS["equal"](values, again(node))
        is_largest = OPS["logical_and"](is_largest, OPS["logical_not"](again(is_base)))
        count = product(places)
        order = OPS["reshape"](OPS["arange"](count), _beside(places, axis, values.ndim))
        least = fill(-count, (), INT64)
        rank = OPS["where"](is_largest, OPS["negative"](order), least)
        first = self(OPS["broadcast_to"](least, node.shape), rank, *indices, axis=axis)
        return OPS["logical_and"](is_largest, OPS["equal"](rank, again(first)))

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str:
        return f"np.maximum.at({out}, {places_of(node, args)}, {args[1].text})"

    def label(self, node: Node, args: Sequence[str]) -> str:
        places = ", ".join([":"] * node.attrs["axis"] + list(args[2:]))
        return f"max({args[0]}[{places}], {args[1]})"


def _beside(places: Shape, axis: int, ndim: int) -> Shape:
    """Return the shape in which what belongs to each place stands beside other axes."""
    return (*(1,) * axis, *places, *(1,) * (ndim - axis - len(places)))


_INDEX = Arg((2, 3), "int64", -4, 4)
scatter_max = register(
    ScatterMax(
        "scatter_max",
        "The larger of base and the values at integer indices; of equal ones, base or the first.",
        [
            Case((Arg((4, 3)), Arg((2, 3, 3)), _INDEX)),
            Case((Arg((3, 4)), Arg((3, 2, 3)), _INDEX), {"axis": 1}),
            Case((Arg((4, 4)), Arg((3,)), Arg((3,), "int64", 0, 4), Arg((3,), "int64", 0, 4))),
            Case((Arg((4,)), Arg((0,)), Arg((0,), "int64", 0, 4))),
        ],
    )
)
