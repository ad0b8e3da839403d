"""Movement: reshape, reorder, join, split, pad and repeat arrays. Every dim may be named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.build.arrays.positions import as_index, slice_axis
from graphc.build.arrays.whole_numbers import whole
from graphc.errors import GraphError
from graphc.ir.dims import Dim, broadcast_shapes, remainder, same
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ops.axes import many_axes, one_axis
from graphc.ops.contraction.linear_algebra import on_or_below
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS


def reshape(x: Any, shape: Any) -> Node:
    """Give the same elements, in row-major order, another shape; one dim may be -1.

    **Shapes.** x: any shape -> shape
    **Raises.** GraphError where the number of elements changes.
    """
    return OPS["reshape"](x, shape)


def ravel(x: Any) -> Node:
    """Flatten to one axis, in row-major order.

    **Shapes.** x: any shape -> [size]
    """
    node = as_node(x)
    return OPS["reshape"](node, (node.size,))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Node:
    """Reorder the axes; without `axes`, reverse them.

    **Shapes.** x: [a, b, c] -> [c, b, a]
    **Raises.** GraphError where `axes` is not a permutation.
    """
    return OPS["transpose"](x, axes)


permute_dims = transpose


def matrix_transpose(x: Any) -> Node:
    """Swap the last two axes.

    **Shapes.** x: [..., n, m] -> [..., m, n]
    **Raises.** GraphError for fewer than two axes.
    """
    node = as_node(x)
    if node.ndim < 2:
        raise user_error(
            "matrix_transpose needs two axes",
            got=str(node.type),
            fix="give it an axis first: x[:, None]",
        )
    return swapaxes(node, -1, -2)


def swapaxes(x: Any, axis1: int, axis2: int) -> Node:
    """Swap two axes.

    **Shapes.** x: [..., n, ..., m, ...] -> [..., m, ..., n, ...]
    """
    node = as_node(x)
    order = list(range(node.ndim))
    i, j = (one_axis(axis, node.ndim, "swapaxes") for axis in (axis1, axis2))
    order[i], order[j] = order[j], order[i]
    return OPS["transpose"](node, order)


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Node:
    """Move axes to new places; the others keep their order.

    **Shapes.** x: [a, b, c], 0 to -1 -> [b, c, a]
    """
    node = as_node(x)
    old, new = (_in_order(axes, node.ndim, "moveaxis") for axes in (source, destination))
    for places in (old, new):
        many_axes(tuple(places), node.ndim, "moveaxis")  # raises where one is given twice
    if len(old) != len(new):
        raise user_error(
            "moveaxis: one destination for each source", got=f"{source!r} to {destination!r}"
        )
    order = [axis for axis in range(node.ndim) if axis not in old]
    for destination_axis, source_axis in sorted(zip(new, old, strict=True)):
        order.insert(destination_axis, source_axis)
    return OPS["transpose"](node, order)


def _in_order(axis: Any, ndim: int, op: str) -> list[int]:
    """Return axes in the order given; the same one may come twice."""
    return [one_axis(a, ndim, op) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]


def broadcast_to(x: Any, shape: Any) -> Node:
    """Copy along new or size-1 axes, aligned from the last axis.

    **Shapes.** x: [n, 1] -> [k, n, m]
    """
    return OPS["broadcast_to"](x, shape)


def broadcast_arrays(*arrays: Any) -> list[Node]:
    """Broadcast arrays to their common shape.

    **Shapes.** any shapes that fit -> all of the common shape.
    """
    nodes = [as_node(a) for a in arrays]
    shape = broadcast_shapes(*[n.shape for n in nodes])
    if shape is None:
        raise user_error(
            "broadcast_arrays: the shapes do not fit", got=" and ".join(str(n.type) for n in nodes)
        )
    return [OPS["broadcast_to"](n, shape) for n in nodes]


def expand_dims(x: Any, axis: int | Sequence[int]) -> Node:
    """Insert axes of size 1; `axis` counts in the result.

    **Shapes.** x: [n], axis 1 -> [n, 1]
    """
    node = as_node(x)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    places = many_axes(axis, node.ndim + count, "expand_dims")
    dims = list(node.shape)
    for place in places:
        dims.insert(place, 1)
    return OPS["reshape"](node, tuple(dims))


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Node:
    """Drop axes of size 1: the given ones, or all.

    **Shapes.** x: [n, 1] -> [n]
    **Raises.** GraphError where a given axis has another size.
    """
    node = as_node(x)
    ones = [i for i, dim in enumerate(node.shape) if same(dim, 1)]
    places = ones if axis is None else many_axes(axis, node.ndim, "squeeze")
    for place in places:
        if place not in ones:
            raise user_error(f"squeeze: axis {place} does not have size 1", got=str(node.type))
    return OPS["reshape"](node, tuple([d for i, d in enumerate(node.shape) if i not in places]))


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Node:
    """Reverse the order along axes (all of them unless given).

    **Shapes.** x: any shape -> the same shape.
    """
    node = as_node(x)
    index = [slice(None)] * node.ndim
    for place in many_axes(axis, node.ndim, "flip"):
        index[place] = slice(None, None, -1)
    return OPS["slice"](node, index)


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Node:
    """Move elements along an axis; what leaves one end enters at the other.

    **Shapes.** x: any shape -> the same shape. Without an axis, x is rolled as if flattened.
    """
    node = as_node(x)
    several = list(shift) if isinstance(shift, (tuple, list)) else None
    if axis is None:
        if several is not None:
            raise GraphError("roll: several shifts need their axes", got=repr(shift))
        return OPS["reshape"](roll(ravel(node), shift, 0), node.shape)
    places = _in_order(axis, node.ndim, "roll")
    shifts = [as_index(shift)] * len(places) if several is None else several
    if len(shifts) != len(places):
        raise GraphError("roll: one shift for each axis", got=f"{shift!r} along {axis!r}")
    for amount, place in zip(shifts, places, strict=True):
        node = _rolled(node, as_index(amount), place)
    return node


def _rolled(node: Node, amount: Dim, axis: int) -> Node:
    size = node.shape[axis]
    if type(size) is int and type(amount) is int:
        amount = amount % size if size else 0
    if type(amount) is int and amount == 0:
        return node
    if type(amount) is not int or (type(size) is not int and abs(amount) > 1):
        # Counted from the front, where 0 is a place as any; one place is always there.
        amount = -remainder(-amount, size)
    first, second = slice_axis(node, axis, slice(-amount, None)), slice(None, -amount)
    return OPS["concat"](first, slice_axis(node, axis, second), axis=axis)


# -- running folds and triangles -----------------------------------------------------------------


def cumsum(x: Any, axis: int | None = None) -> Node:
    """Add up along an axis, keeping each partial sum; without an axis, of the flattened array.

    **Shapes.** x: [..., n, ...] -> the same shape; [size] without an axis.
    """
    return OPS["cumsum"](x, axis)


def cumprod(x: Any, axis: int | None = None) -> Node:
    """Multiply along an axis, keeping each partial product; its derivative is exact at zeros.

    **Shapes.** x: [..., n, ...] -> the same shape; [size] without an axis.
    """
    return OPS["cumprod"](x, axis)


def logcumsumexp(x: Any, axis: int | None = None) -> Node:
    """Take log(cumsum(exp(x))) without overflow. All -inf so far gives -inf, with derivative 0.

    **Shapes.** x: [..., n, ...] -> the same shape; [size] without an axis.
    """
    return OPS["logcumsumexp"](x, axis)


def diff(x: Any, n: int = 1, axis: int = -1) -> Node:
    """Take differences of neighbours along an axis, n times.

    **Shapes.** x: [..., k, ...] -> [..., k - n, ...]
    **Raises.** GraphError where n is no whole number, or below 0.
    """
    node = as_node(x)
    place = one_axis(axis, node.ndim, "diff")
    for _ in range(whole("n", n, 0, of="diff")):
        later, earlier = (slice_axis(node, place, s) for s in (slice(1, None), slice(None, -1)))
        name = "not_equal" if node.dtype.kind == "b" else "subtract"
        node = OPS[name](later, earlier)
    return node


def tril(x: Any, k: int = 0) -> Node:
    """Keep the elements on and below the k-th diagonal; the others become 0.

    **Shapes.** x: [..., n, m] -> the same shape.
    """
    node = as_node(x)
    return OPS["where"](_on_or_below(node, k, "tril"), node, _zero(node))


def triu(x: Any, k: int = 0) -> Node:
    """Keep the elements on and above the k-th diagonal; the others become 0.

    **Shapes.** x: [..., n, m] -> the same shape.
    """
    node = as_node(x)
    return OPS["where"](_on_or_below(node, k - 1, "triu"), _zero(node), node)


def _zero(node: Node) -> Node:
    return OPS["full"]((), 0, node.dtype)


def _on_or_below(node: Node, k: int, op: str) -> Node:
    if not node.ndim:
        raise user_error(f"{op} needs an array with axes", got=str(node.type))
    n, m = node.shape[-2:] if node.ndim > 1 else (node.shape[0], node.shape[0])
    return on_or_below(n, m, int(k))
