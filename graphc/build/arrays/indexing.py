"""Indexing: `x[…]` with NumPy's meaning, and the functions that gather and scatter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.build.arrays.shaping import expand_dims, ravel
from graphc.errors import GraphError
from graphc.ir.dims import Dim, Shape, as_dim, same_shape, shape_text
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ops.axes import one_axis
from graphc.ops.leaf import as_node
from graphc.ops.movement.indexing import index_node
from graphc.ops.registry import OPS


def getitem(x: Any, index: Any) -> Node:
    """Return `x[index]`: slices, integers, None, Ellipsis and integer arrays, as in NumPy.

    Integers and slices may use named dims (`x[N - 1]`, `x[:T]`). Where arrays index, their
    common shape stands where the indexed axes stood if those are next to one another, else in
    front. Basic indexing is a view; arrays gather, and their derivative accumulates. A mask whose
    values are known while the graph is built is the places that it selects.

    **Shapes.** [a, b, c] with [1:, None, i of shape [n]] -> [a - 1, 1, n, c]
    **Raises.** GraphError for masks that only a call knows or that do not fit, floats, too many
    indices, and positions that cannot exist.
    """
    node = as_node(x)
    written = [i if i is Ellipsis else _item(i) for i in _without_masks(node, _as_tuple(index))]
    items = _expanded(written, node)
    if any(isinstance(item, _Array) for item in items):
        return _by_arrays(node, items, _are_together(written))
    return _basic(node, items)


@dataclass(frozen=True)
class _Array:
    """An index by integer array, or by an integer that only a node knows."""

    node: Node


@dataclass(frozen=True)
class _Place:
    """An index by one integer or dim: the axis disappears."""

    position: Any


_Item = slice | None | _Array | _Place


def _as_tuple(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _without_masks(node: Node, items: tuple[Any, ...]) -> list[Any]:
    """Return the items of an index with each known mask as the integer arrays of its places."""
    masks = {at: mask for at, item in enumerate(items) if (mask := _known_mask(item)) is not None}
    takes = [
        0 if item is None or item is Ellipsis else masks[at].ndim if at in masks else 1
        for at, item in enumerate(items)
    ]
    found: list[Any] = []
    for at, item in enumerate(items):
        if at not in masks:
            found.append(item)
            continue
        behind = any(before is Ellipsis for before in items[:at])
        axis = node.ndim - sum(takes[at:]) if behind else sum(takes[:at])
        if not same_shape(node.shape[axis : axis + takes[at]], masks[at].shape):
            got = shape_text(masks[at].shape)
            raise _index_error("a mask has the sizes of its axes", node, got)
        found += np.nonzero(masks[at])
    return found


def _known_mask(item: Any) -> np.ndarray | None:
    """Return an array of truth values, where an item of an index is one."""
    if isinstance(item, Node) and item.op is OPS["constant"]:
        item = item.attrs["value"].array
    if not isinstance(item, (list, tuple, np.ndarray)) or not np.ndim(item):
        return None
    mask = np.asarray(item)
    return mask if mask.dtype.kind == "b" else None


def _expanded(items: list[Any], node: Node) -> list[_Item]:
    """Return one item for each axis, and None for each new one; the ellipsis is written out."""
    used = sum(1 for item in items if item is not Ellipsis and item is not None)
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if used > node.ndim:
        raise _index_error("too many indices", node, f"{used} for {node.ndim} axes")
    if len(dots) > 1:
        raise _index_error("an index can have only one ellipsis", node, "two")
    at = dots[0] if dots else len(items)
    return [*items[:at], *[slice(None)] * (node.ndim - used), *items[at + 1 :]]


def _item(item: Any) -> _Item:
    if item is None:
        return None
    if isinstance(item, slice):
        return slice(_bound(item.start), _bound(item.stop), _bound(item.step))
    if isinstance(item, Node):
        return _Array(index_node(item))
    if isinstance(item, (bool, np.bool_)):
        raise user_error(
            "a truth value cannot index", got=repr(item), fix="use gc.where(mask, x, 0)"
        )
    if hasattr(item, "free_symbols"):
        return _Place(item)
    if isinstance(item, (list, tuple, np.ndarray)) and np.ndim(item):
        array = np.asarray(item)
        return _Array(index_node(array.astype(np.int64) if array.size == 0 else array))
    return _Place(_bound(item))


def _bound(value: Any) -> Any:
    """Return a slice's bound or a position: None, a dim, or an integer."""
    if value is None or hasattr(value, "free_symbols"):
        return value
    try:
        if isinstance(value, Node):
            raise TypeError
        return value.__index__()
    except (AttributeError, TypeError):
        raise user_error(
            "an index must be an integer, a dim, a slice, None, ... or an integer array",
            got=f"{value!r} of type {type(value).__name__}",
            fix="the size of a slice must be known when the graph is built; use gc.gather"
            if isinstance(value, Node)
            else None,
        ) from None


# -- basic indexing ------------------------------------------------------------------------------


def _basic(node: Node, items: Sequence[_Item]) -> Node:
    """Return slices, then integers and new axes as one reshape."""
    axes = [item for item in items if item is not None]
    spans = [
        _span(node, axis, item) if isinstance(item, _Place) else item
        for axis, item in enumerate(axes)
    ]
    part = OPS["slice"](node, spans)
    dims = iter(part.shape)
    shape: list[Dim] = []
    for item in items:
        if item is None:
            shape.append(1)
            continue
        dim = next(dims)
        if not isinstance(item, _Place):
            shape.append(dim)
    return OPS["reshape"](part, tuple(shape))


def _span(node: Node, axis: int, item: _Place) -> slice:
    """Return the slice of length 1 at a position, or raise where it lies outside."""
    dim, position = node.shape[axis], item.position
    if isinstance(position, int):
        if type(dim) is int:
            if not -dim <= position < dim:
                raise _index_error(
                    f"index {position} is out of bounds for axis {axis}",
                    node,
                    f"{position} for {node.type}",
                )
            position %= dim
        elif position < 0:
            position = dim + position
    return slice(position, position + 1)


# -- indexing with arrays ------------------------------------------------------------------------


def _are_together(written: list[Any]) -> bool:
    """Say whether arrays and integers stand side by side; even an empty ellipsis parts them."""
    at = [i for i, item in enumerate(written) if isinstance(item, (_Array, _Place))]
    return at == list(range(at[0], at[-1] + 1))


def _by_arrays(node: Node, items: list[_Item], together: bool) -> Node:
    """Return an index with integer arrays: the basic part first, then one gather."""
    # The basic part keeps the arrays' axes whole and drops the integers' axes.
    kept = [slice(None) if isinstance(item, _Array) else item for item in items]
    part = _basic(node, kept)
    # Where each array's axis is now.
    places: list[int] = []
    axis = 0
    for item in items:
        if isinstance(item, _Array):
            places.append(axis)
        if not isinstance(item, _Place):
            axis += 1
    arrays = [item.node for item in items if isinstance(item, _Array)]
    # A number known only to a node acts as an integer unless a real array stands beside it.
    if not any(array.ndim for array in arrays):
        for place, array in sorted(zip(places, arrays, strict=True), reverse=True, key=_first):
            part = OPS["gather"](part, array, axis=place)
        return part
    others = [i for i in range(part.ndim) if i not in places]
    front = places[0] if together else 0
    order = [*others[:front], *places, *others[front:]]
    return OPS["gather"](OPS["transpose"](part, order), *arrays, axis=front)


def _first(pair: tuple[int, Node]) -> int:
    return pair[0]


def _index_error(what: str, node: Node, got: str) -> GraphError:
    return user_error(what, got=got, expected=f"an index of {shape_text(node.shape)}")


# -- functions -----------------------------------------------------------------------------------


def take(x: Any, indices: Any, axis: int | None = None) -> Node:
    """Take elements (or rows) by integer index along an axis; without one, of the flattened array.

    **Shapes.** x: [n, d], indices: [k], axis 0 -> [k, d]
    **Raises.** GraphError for indices that are not integers.
    """
    node = as_node(x)
    if axis is None:
        node, axis = ravel(node), 0
    return OPS["gather"](node, _integers(indices), axis=axis)


def gather(x: Any, *indices: Any, axis: int = 0) -> Node:
    """Return x[i, j, …] with integer arrays on consecutive axes that start at `axis`.

    **Shapes.** x: [n, m, d], i, j: [k] -> [k, d]
    **Raises.** GraphError for indices that are not integers or do not broadcast.
    """
    return OPS["gather"](x, *map(_integers, indices), axis=axis)


def scatter_add(base: Any, values: Any, *indices: Any, axis: int = 0) -> Node:
    """Return a copy of base with values added at integer indices; repeated places accumulate.

    **Shapes.** base: [n, d], values: [k, d], one index: [k] -> [n, d]
    **Raises.** GraphError where values and indices do not fit.
    """
    return OPS["scatter_add"](base, values, *map(_integers, indices), axis=axis)


def scatter_max(base: Any, values: Any, *indices: Any, axis: int = 0) -> Node:
    """Return a copy of base with the larger of itself and the values at integer indices.

    Of equal ones, base receives the derivative, then the first: `base` of -inf and the scores of a
    graph's edges give each node's largest score.

    **Shapes.** base: [n, d], values: [k, d], one index: [k] -> [n, d]
    **Raises.** GraphError where values and indices do not fit.
    """
    return OPS["scatter_max"](base, values, *map(_integers, indices), axis=axis)


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Node:
    """Take one element for each index along an axis; without one, of the flattened array.

    **Shapes.** x: [n, m], indices: [n, k], axis 1 -> [n, k]
    **Raises.** GraphError where the other axes differ.
    """
    if axis is None:
        x, axis = ravel(as_node(x)), 0
    return OPS["take_along_axis"](x, _integers(indices), axis=axis)


def one_hot(indices: Any, num_classes: Any, dtype: Any = "float32", axis: int = -1) -> Node:
    """Return 1 at each index and 0 elsewhere, along a new axis; an index outside gives zeros.

    **Shapes.** indices: [n] integers -> [n, num_classes]
    **Raises.** GraphError for indices that are not integers, and for less than no classes.
    """
    node = index_node(_integers(indices))
    place = one_axis(axis, node.ndim + 1, "one_hot")
    classes = OPS["arange"](as_dim(num_classes), dtype=node.dtype)
    shape: Shape = (classes.shape[0], *[1] * (node.ndim - place))
    hits = OPS["equal"](expand_dims(node, place), OPS["reshape"](classes, shape))
    return OPS["cast"](hits, dtype)


def _integers(indices: Any) -> Any:
    """Return indices as they are, an empty list as integers."""
    if isinstance(indices, (list, tuple)) and not np.size(indices):
        return np.asarray(indices, dtype=np.int64)
    return indices
