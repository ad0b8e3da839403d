"""Order along an axis: sorted elements, their places, and where a number would stand among them."""

from __future__ import annotations

from typing import Any

from graphc.build.arrays.shaping import flip, ravel
from graphc.ir.node import Node
from graphc.ops.axes import one_axis
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS


def sort(x: Any, axis: int | None = -1, *, descending: bool = False) -> Node:
    """Sort along an axis, NaN last; without an axis, the flattened array.

    The derivative goes through the order: each element hands its own to the place it came from.

    **Shapes.** x: [..., n, ...] -> the same shape
    """
    node, at = _along(x, axis, "sort")
    return flip(OPS["sort"](node, at), at) if descending else OPS["sort"](node, at)


def argsort(x: Any, axis: int | None = -1, *, descending: bool = False) -> Node:
    """Find the places that sort along an axis; without an axis, of the flattened array.

    Equal elements stay in their order, so the result is the same on every machine.

    **Shapes.** x: [..., n, ...] -> int64, the same shape. No derivative flows.
    """
    node, at = _along(x, axis, "argsort")
    if not descending:
        return OPS["argsort"](node, at)
    # Turned round before and after, so that equal elements stay in their order here, too.
    return node.shape[at] - 1 - flip(OPS["argsort"](flip(node, at), at), at)


def searchsorted(a: Any, v: Any, side: str = "left") -> Node:
    """Return how many elements of the sorted array a stand before each of v.

    An element equal to v stands before it where side is "right". The derivative is cut.

    **Shapes.** a: [n], v: [...] -> [...] int64
    **Raises.** GraphError where a has several axes, or for another side.
    """
    return OPS["searchsorted"](a, v, side=side)


def _along(x: Any, axis: int | None, op: str) -> tuple[Node, int]:
    node = as_node(x)
    return (ravel(node), 0) if axis is None else (node, one_axis(axis, node.ndim, op))
