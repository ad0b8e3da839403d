"""Reduced values as they come back over their operand's shape: kept axes, reshapes, broadcasts."""

from __future__ import annotations

from typing import Any

from graphc.ir.dims import Dim, Shape, product, same, same_shape
from graphc.ir.node import Node
from graphc.ops.axes import without_axes
from graphc.ops.leaf import fill, full
from graphc.ops.registry import OPS


def reduction_under(node: Node, name: str) -> Node | None:
    """Return the reduction `name` whose value `node` spreads over the reduction's own operand.

    `node` has the operand's rank, or its very shape where a broadcast wrote it out; each place of
    it holds the value reduced over that place's line.
    """
    value = core(node)
    return value if value.op.name == name and lines_up(node, value) else None


def lines_up(node: Node, reduction: Node) -> bool:
    """Say whether `node`, made of views of the reduction, holds it along the reduced lines."""
    source = reduction.inputs[0].shape
    kept = without_axes(source, reduction.attrs["axis"], True)
    return _has_shape(node, kept) or _spreads(node, kept, source)


def _has_shape(node: Node, kept: Shape) -> bool:
    return node.op.name != "broadcast_to" and same_shape(node.shape, kept)


def _spreads(node: Node, kept: Shape, source: Shape) -> bool:
    """Say whether `node` is the reduced value, aligned with its axes, broadcast to `source`."""
    if not same_shape(node.shape, source):
        return False
    inner = node
    while inner.op.name == "broadcast_to":
        inner = inner.inputs[0]
    padded = (1,) * (len(source) - inner.ndim) + inner.shape
    return same_shape(padded, kept)


def placed(node: Node, ndim: int) -> tuple[Node, Shape]:
    """Return what a node shows, through views, and the shape in which it is broadcast."""
    while node.op.name == "broadcast_to":
        node = node.inputs[0]
    shape = (1,) * (ndim - node.ndim) + node.shape
    while node.op.name == "reshape":
        node = node.inputs[0]
    return node, shape


def varying_axes(node: Node) -> tuple[int, ...] | None:
    """Return the axes along which a broadcast's values may differ; None for other nodes."""
    if node.op is full:
        return ()
    if node.op.name != "broadcast_to":
        return None
    source = node.inputs[0].shape
    lead = node.ndim - len(source)
    return tuple([lead + i for i, dim in enumerate(source) if same(dim, node.shape[lead + i])])


def without_copies(node: Node, axes: tuple[int, ...]) -> Node:
    """Return a broadcast (or fill) of which the given axes hold one copy: they have size 1."""
    shape = tuple([1 if i in axes else dim for i, dim in enumerate(node.shape)])
    if node.op is full:
        return fill(node.attrs["value"], shape, node.dtype)
    source = node.inputs[0]
    rank = node.ndim - source.ndim
    held = tuple([1] * rank) + source.shape
    value = OPS["reshape"](source, held) if rank else source
    return OPS["broadcast_to"](value, shape)


def times(node: Node, count: Dim) -> Node:
    """Return node·count; a count of 1 changes nothing."""
    if type(count) is int and count == 1:
        return node
    if node.op is full and isinstance(node.attrs["value"], (int, float)):
        value = node.attrs["value"]
        if type(count) is int:
            return fill(value * count, node.shape, node.dtype)
        if value == 1:
            return fill(count, node.shape, node.dtype)
    return OPS["multiply"](node, fill(count, node.shape, node.dtype))


def count_of(node: Node, axes: tuple[int, ...]) -> Dim:
    return product([node.shape[axis] for axis in axes])


def core(node: Node) -> Node:
    """Return what a chain of broadcasts and reshapes starts from."""
    return behind_views(node)[0]


def behind_views(node: Node) -> tuple[Node, list[Node]]:
    """Return the core of a node, and the broadcasts and reshapes that show it so, last first."""
    views = []
    while node.op.name in ("broadcast_to", "reshape"):
        views.append(node)
        node = node.inputs[0]
    return node, views


def spread_as(node: Node, value: Node) -> Node:
    """Return a value under the broadcasts and reshapes that a node's core, of its shape, has."""
    if node.op.name not in ("broadcast_to", "reshape"):
        return value
    return node.op.make([spread_as(node.inputs[0], value)], **node.attrs)


def is_at_least(a: Dim, b: Dim) -> bool:
    """Say whether a >= b for every size of the named dims."""
    difference: Any = a - b
    return bool(difference >= 0 if type(difference) is int else difference.is_nonnegative)
