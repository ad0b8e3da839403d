"""The nodes around the passes of a Jacobian: what they start from, and its full form after them."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from graphc.differentiate.matrices.compression import (
    FORWARD_MODE,
    AxisCompression,
    ColorCompression,
    Compression,
)
from graphc.ir.access import Span
from graphc.ir.dims import Dim, Shape, product, same
from graphc.ir.node import Node
from graphc.ir.types import INT64
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import fill
from graphc.ops.registry import OPS


def seeds_of(compression: Compression, dtype: np.dtype) -> Node:
    """Return what each pass starts from: 1 at the elements that take part in it, else 0.

    **Shapes.** [passes, *seeded]
    """
    shape, passes = compression.seeded, compression.passes
    kept = _kept(compression)
    if kept is not None:
        eye = OPS["reshape"](OPS["eye"](passes, dtype=dtype), (passes, *kept))
        return OPS["broadcast_to"](eye, (passes, *shape))
    numbers = OPS["reshape"](OPS["arange"](passes), (passes, *[1] * len(shape)))
    return cast(OPS["equal"](colors_node(compression), numbers), dtype)


def _kept(compression: Compression) -> Shape | None:
    """Return the seeded shape with 1 for each axis that shares one pass; None if one has bands."""
    if not isinstance(compression, AxisCompression):
        return None
    pairs = list(zip(compression.classes, compression.seeded, strict=True))
    if any(not same(classes, 1) and not same(classes, dim) for classes, dim in pairs):
        return None
    return compression.classes


def full_form(compression: AxisCompression, compact: Node) -> Node:
    """Return the Jacobian with all its zeros.

    **Shapes.** [passes, …] -> [*wrt, *of]
    """
    is_forward = compression.mode == FORWARD_MODE
    seeded, rest = compression.seeded, compression.result
    full = OPS["reshape"](compact, (*compression.classes, *rest))
    for axis, (classes, dim) in enumerate(zip(compression.classes, seeded, strict=True)):
        if not same(classes, dim) and not same(classes, 1):
            full = OPS["gather"](full, OPS["remainder"](OPS["arange"](dim), classes), axis=axis)
    full = OPS["broadcast_to"](full, (*seeded, *rest))
    if not is_forward:
        full = with_last_first(full, len(rest))
    mask = _mask(compression)
    return full if mask is None else OPS["where"](mask, full, 0.0)


def with_last_first(x: Node, count: int) -> Node:
    """Return x with its last `count` axes moved to the front."""
    order = range(x.ndim)
    split = x.ndim - count
    return OPS["transpose"](x, (*order[split:], *order[:split]))


@singledispatch
def colors_node(compression: Compression) -> Node:
    """Return the pass of each seeded element, as a node."""
    raise NotImplementedError(f"{type(compression).__name__} has no form below")


@colors_node.register
def _(compression: AxisCompression) -> Node:
    shape = compression.seeded
    total = fill(0, shape, INT64)
    stride: Dim = 1
    for axis in reversed(range(len(shape))):
        classes = compression.classes[axis]
        if same(classes, 1):
            continue
        places = _counting(axis, shape)
        if not same(classes, shape[axis]):
            places = OPS["remainder"](places, classes)
        if not same(stride, 1):
            places = OPS["multiply"](places, stride)
        total = places if total.op is OPS["full"] else OPS["add"](total, places)
        stride = product((stride, classes))
    return OPS["broadcast_to"](total, shape)


@colors_node.register
def _(compression: ColorCompression) -> Node:
    shape, colors = compression.seeded, compression.coloring
    every = int(colors.max(initial=0)) + 1
    if np.array_equal(colors, np.arange(colors.size) % every):
        flat = OPS["remainder"](OPS["arange"](colors.size), every)
    else:
        flat = OPS["constant"](colors)
    return OPS["reshape"](flat, shape)


def _mask(compression: AxisCompression) -> Node | None:
    """Return where an entry of the full form lies in its spans; None where all do."""
    shape = (*compression.wrt_shape, *compression.of_shape)
    mask: Node | None = None
    for b in compression.separating:
        part = _within(compression.spans[b], b, shape, len(compression.wrt_shape))
        mask = part if mask is None else OPS["logical_and"](mask, part)
    return mask


def _within(span: Span, axis: int, shape: Shape, first: int) -> Node:
    """Return where the place along `axis` of wrt lies in the span that the axes of `of` give."""
    start: Node | None = None
    for a, step in span.steps:
        moved = _counting(first + a, shape)
        moved = moved if same(step, 1) else OPS["multiply"](moved, step)
        start = moved if start is None else OPS["add"](start, moved)
    if start is None:
        start = fill(0, (1,) * len(shape), INT64)
    place = _counting(axis, shape)
    if same(span.low, 0) and same(span.high, 0):
        return OPS["equal"](place, start)
    offset = OPS["subtract"](place, start)
    low = OPS["greater_equal"](offset, span.low)
    return OPS["logical_and"](low, OPS["less_equal"](offset, span.high))


def _counting(axis: int, shape: Shape) -> Node:
    """Return 0, 1, 2, … along one axis of a shape, with size 1 along all others."""
    around = [1] * len(shape)
    return OPS["reshape"](
        OPS["arange"](shape[axis]), (*around[:axis], shape[axis], *around[axis + 1 :])
    )
