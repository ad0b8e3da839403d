"""Arrays joined, cut apart, repeated and padded. Every dim may be named."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from graphc.build.arrays.positions import as_index, slice_axis
from graphc.build.arrays.shaping import expand_dims, ravel, squeeze
from graphc.build.arrays.whole_numbers import whole
from graphc.errors import GraphError
from graphc.ir.dims import Dim, as_dim, as_shape, divide_exactly, product, same
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ops.axes import one_axis
from graphc.ops.leaf import as_node
from graphc.ops.promotion import is_weak
from graphc.ops.registry import OPS


def concat(arrays: Any, *more: Any, axis: int | None = 0) -> Node:
    """Join arrays one after the other along an axis; None joins them flattened.

    The arrays stand in a list, as in NumPy, or one by one: `concat(a, b, axis=1)`.
    **Shapes.** [n1, d], [n2, d], axis 0 -> [n1 + n2, d]
    **Raises.** GraphError where the shapes differ away from the axis.
    """
    parts = _sequence(arrays, more, "concat")
    if isinstance(arrays, (list, tuple)) and len(more) == 1:
        axis = more[0]
    if axis is None:
        parts, axis = [ravel(part) for part in parts], 0
    if not parts[0].ndim:
        raise user_error(
            "concat: numbers have no axis to join along",
            got=", ".join(str(part.type) for part in parts),
            fix="use gc.stack",
        )
    return OPS["concat"](*parts, axis=axis)


concatenate = concat


def stack(arrays: Any, *more: Any, axis: int = 0) -> Node:
    """Join arrays of one shape along a new axis.

    **Shapes.** k times [n, d], axis 0 -> [k, n, d]
    **Raises.** GraphError where the shapes differ.
    """
    parts = _sequence(arrays, more, "stack")
    if isinstance(arrays, (list, tuple)) and len(more) == 1:
        axis = more[0]
    for part in parts[1:]:
        if part.ndim != parts[0].ndim or not all(map(same, part.shape, parts[0].shape)):
            raise user_error(
                "stack: the arrays need one shape",
                got=" and ".join(str(p.type) for p in parts),
                fix="use gc.concat to join along an existing axis",
            )
    place = one_axis(axis, parts[0].ndim + 1, "stack")
    return OPS["concat"](*[expand_dims(part, place) for part in parts], axis=place)


def _sequence(arrays: Any, more: tuple[Any, ...], op: str) -> list[Node]:
    """Return the arrays of a call `op([a, b])`, `op([a, b], axis)` or `op(a, b)`."""
    if isinstance(arrays, (list, tuple)):
        if len(more) > 1 or (more and not isinstance(more[0], int) and more[0] is not None):
            raise GraphError(f"{op}: give the arrays in one list, or one by one")
        parts = list(arrays)
    elif isinstance(arrays, Node) and not more and arrays.ndim:
        if not isinstance(arrays.shape[0], int):
            raise user_error(
                f"{op}: an array alone is the sequence of its rows, and only a call knows how many",
                got=repr(arrays),
                fix=f"give the arrays in a list: gc.{op}([a, b])",
            )
        return list(arrays)  # as NumPy: an array is the sequence of its rows
    else:
        parts = [arrays, *more]
    if not parts:
        raise user_error(f"{op} needs at least one array")
    return [as_node(part) for part in parts]


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Node]:
    """Cut along an axis: into equal parts (an integer), or at the given indices.

    **Shapes.** x: [n, d], 2 -> 2 times [n/2, d]; at (k,) -> [k, d], [n - k, d]
    **Raises.** GraphError where equal parts do not come out even.
    """
    node = as_node(x)
    place = one_axis(axis, node.ndim, "split")
    size = node.shape[place]
    if isinstance(indices_or_sections, (list, tuple, np.ndarray)):
        cuts = [as_index(cut) for cut in indices_or_sections]
    else:
        sections = whole("sections", indices_or_sections, 1, of="split")
        part = divide_exactly(size, sections)
        if part is None:
            raise user_error(
                "split: the parts do not come out even",
                got=f"{node.type} into {sections} along axis {place}",
                fix="give the indices to cut at: split(x, [k])",
            )
        cuts = [part * i for i in range(1, sections)]
    bounds = [None, *cuts, None]
    return [slice_axis(node, place, slice(a, b)) for a, b in pairwise(bounds)]


def unstack(x: Any, axis: int = 0) -> list[Node]:
    """Take an array apart along an axis of known size.

    **Shapes.** x: [k, n] -> k times [n]
    """
    node = as_node(x)
    place = one_axis(axis, node.ndim, "unstack")
    size = node.shape[place]
    if type(size) is not int:
        raise user_error("unstack needs an axis of known size", got=str(node.type))
    rows = [slice_axis(node, place, slice(i, i + 1)) for i in range(size)]
    return [squeeze(row, place) for row in rows]


def tile(x: Any, reps: int | Sequence[int]) -> Node:
    """Lay copies side by side along each axis.

    **Shapes.** x: [n, m], (2, 3) -> [2*n, 3*m]
    """
    node = as_node(x)
    counts = [as_index(r) for r in (reps if isinstance(reps, (tuple, list)) else [reps])]
    dims: list[Dim] = [1] * (len(counts) - node.ndim) + list(node.shape)
    counts = [1] * (len(dims) - len(counts)) + counts
    apart: list[Dim] = [1 if i % 2 == 0 else dims[i // 2] for i in range(2 * len(dims))]
    wide: list[Dim] = [d for pair in zip(counts, dims, strict=True) for d in pair]
    result = [product(pair) for pair in zip(counts, dims, strict=True)]
    spread = OPS["broadcast_to"](OPS["reshape"](node, tuple(apart)), as_shape(wide))
    return OPS["reshape"](spread, tuple(result))


def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Node:
    """Repeat each element in place; without an axis, of the flattened array.

    **Shapes.** x: [n], 3 -> [3*n]; a sequence of counts, one for each element -> [sum(counts)]
    """
    node = as_node(x)
    if axis is None:
        node, axis = ravel(node), 0
    place = one_axis(axis, node.ndim, "repeat")
    size = node.shape[place]
    if isinstance(repeats, (tuple, list, np.ndarray)):
        if type(size) is not int or len(repeats) != size:
            raise user_error(
                "repeat: one count for each element",
                got=f"{len(repeats)} counts for {node.type} along axis {place}",
            )
        return OPS["gather"](node, np.repeat(np.arange(size), repeats), axis=place)
    before, after = node.shape[:place], node.shape[place + 1 :]
    apart = OPS["reshape"](node, (*before, size, 1, *after))
    spread = OPS["broadcast_to"](apart, (*before, size, as_dim(repeats), *after))
    return OPS["reshape"](spread, (*before, product((size, as_dim(repeats))), *after))


def pad(
    x: Any,
    pad_width: Any,
    value: float = 0.0,
    *,
    mode: str = "constant",
    constant_values: float | None = None,
) -> Node:
    """Put a constant around the edges; `pad_width` is n, (before, after), or one pair per axis.

    The constant is `value`; NumPy calls it `constant_values`.

    **Shapes.** x: [n], (1, 2) -> [n + 3]
    **Raises.** GraphError for a mode other than "constant", and for more than one constant.
    """
    if mode != "constant":
        raise user_error(
            f"pad: mode {mode!r} is not available",
            expected='"constant"',
            fix="join slices of x with gc.concat",
        )
    node = as_node(x)
    given: Any = value if constant_values is None else constant_values
    is_numpy = isinstance(given, (np.generic, np.ndarray)) and given.size == 1
    number = given.item() if is_numpy else given
    if not is_weak(number):
        raise user_error("pad: the constant is one number", got=repr(given))
    return OPS["pad"](node, _pad_pairs(pad_width, node), number)


def _pad_pairs(widths: Any, node: Node) -> tuple[tuple[Dim, Dim], ...]:
    """Return one (before, after) pair for each axis, by NumPy's rules of broadcasting widths."""
    if is_weak(widths) or isinstance(widths, np.integer):
        return ((as_index(widths), as_index(widths)),) * node.ndim
    rows = list(widths)
    if rows and not any(isinstance(row, (tuple, list, np.ndarray)) for row in rows):
        rows = [rows]  # (before, after) or (both,) for every axis
    pairs = [tuple(as_index(w) for w in (row if len(row) == 2 else [*row, *row])) for row in rows]
    if len(pairs) == 1:
        pairs = pairs * node.ndim
    if len(pairs) != node.ndim or any(len(pair) != 2 for pair in pairs):
        raise user_error(
            "pad: one (before, after) pair for each axis", got=f"{widths!r} for {node.type}"
        )
    return tuple((a, b) for a, b in pairs)
