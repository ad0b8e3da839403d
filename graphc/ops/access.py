"""Which elements of its operands does an element of a result read? Stated per axis, for any size.

From this follow the structure of a Jacobian (diagonal, banded, in blocks) and how few passes it
takes. A family's rule is registered below. An op may state its own as a method
`reads(node, index)`; one that states none is taken to read everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import TypeAlias

from graphc.ir.dims import Dim, Shape, normal, product, same
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops.along_axis import AddAlongAxis, TakeAlongAxis
from graphc.ops.barrier import RecomputeFrom
from graphc.ops.composite import LogSoftmax, Softmax
from graphc.ops.contraction import Einsum, split_spec
from graphc.ops.dropout import IdleDropout
from graphc.ops.indexing import Gather, ScatterAdd
from graphc.ops.movement import BroadcastTo, Concat, Pad, Reshape, Transpose
from graphc.ops.pointwise import Pointwise
from graphc.ops.reduction import Reduction
from graphc.ops.running import Cumulative, LinearRecurrence
from graphc.ops.slicing import Slice, SliceAdd


@dataclass(frozen=True)
class Span:
    """The places low + s … high + s along one axis, where s is the sum of step times index.

    `steps` holds (axis, step) of the axes of the result that the places move with.
    """

    low: Dim
    high: Dim
    steps: tuple[tuple[int, Dim], ...] = ()

    @property
    def width(self) -> Dim:
        return normal(self.high - self.low + 1)


Access: TypeAlias = "tuple[Span, ...]"


def whole(dim: Dim) -> Span:
    """Return the span of all places of an axis."""
    return Span(0, normal(dim - 1))


def along(axis: int, offset: Dim = 0, step: Dim = 1) -> Span:
    """Return the one place step*index + offset, where index runs along an axis of the result."""
    return Span(offset, offset, ((axis, step),))


def identity(ndim: int) -> Access:
    return tuple([along(axis) for axis in range(ndim)])


def everything(node: Node, index: int) -> Access:
    return tuple([whole(dim) for dim in node.inputs[index].shape])


def reads(node: Node, index: int) -> Access:
    """Return, for each axis of operand `index`, the places that an element of the node reads."""
    own = getattr(node.op, "reads", None)
    access: Access = own(node, index) if own else _rule(node.op, node, index)
    return tuple([_without_single(span, node.shape) for span in access])


def _without_single(span: Span, shape: Shape) -> Span:
    """Return the span without axes of size 1, whose index is always 0."""
    if not any(isinstance(shape[axis], int) and shape[axis] == 1 for axis, _ in span.steps):
        return span
    steps = [(a, s) for a, s in span.steps if not (isinstance(shape[a], int) and shape[a] == 1)]
    return Span(span.low, span.high, tuple(steps))


@singledispatch
def _rule(op: Op, node: Node, index: int) -> Access:
    return everything(node, index)


@_rule.register(Pointwise)
@_rule.register(IdleDropout)
@_rule.register(RecomputeFrom)
def _elementwise(op: Op, node: Node, index: int) -> Access:
    return identity(node.inputs[index].ndim)


@_rule.register(Reduction)
def _reduction(op: Op, node: Node, index: int) -> Access:
    axes, places = node.attrs["axis"], iter(range(node.ndim))
    spans = []
    for axis, dim in enumerate(node.inputs[0].shape):
        at = next(places) if node.attrs["keepdims"] or axis not in axes else None
        spans.append(whole(dim) if at is None or axis in axes else along(at))
    return tuple(spans)


@_rule.register(Softmax)
@_rule.register(LogSoftmax)
@_rule.register(Cumulative)
@_rule.register(LinearRecurrence)
@_rule.register(TakeAlongAxis)
def _within_axis(op: Op, node: Node, index: int) -> Access:
    axis = node.attrs["axis"]
    axes = axis if isinstance(axis, tuple) else (axis,)
    shape = node.inputs[index].shape
    return tuple([whole(dim) if i in axes else along(i) for i, dim in enumerate(shape)])


@_rule.register(AddAlongAxis)
def _added_along_axis(op: Op, node: Node, index: int) -> Access:
    return identity(node.ndim) if index == 0 else _within_axis(op, node, index)


@_rule.register(Transpose)
def _transpose(op: Op, node: Node, index: int) -> Access:
    order = node.attrs["axes"]
    return tuple([along(order.index(axis)) for axis in range(node.ndim)])


@_rule.register(BroadcastTo)
def _broadcast(op: Op, node: Node, index: int) -> Access:
    source = node.inputs[0].shape
    lead = node.ndim - len(source)
    return tuple(
        [
            along(lead + i) if same(dim, node.shape[lead + i]) else Span(0, 0)
            for i, dim in enumerate(source)
        ]
    )


@_rule.register(Concat)
def _concat(op: Op, node: Node, index: int) -> Access:
    axis = node.attrs["axis"]
    start: Dim = 0
    for part in node.inputs[:index]:
        start = normal(start + part.shape[axis])
    return tuple([along(i, normal(-start) if i == axis else 0) for i in range(node.ndim)])


@_rule.register(Pad)
def _pad(op: Op, node: Node, index: int) -> Access:
    widths = node.attrs["widths"]
    return tuple([along(axis, normal(-before)) for axis, (before, _) in enumerate(widths)])


@_rule.register(Slice)
def _slice(op: Op, node: Node, index: int) -> Access:
    bounds = node.attrs["bounds"]
    return tuple([along(axis, start, step) for axis, (start, _, step) in enumerate(bounds)])


@_rule.register(SliceAdd)
def _added_slice(op: Op, node: Node, index: int) -> Access:
    if index == 0:
        return identity(node.ndim)
    spans = []
    for axis, (start, _, step) in enumerate(node.attrs["bounds"]):
        is_unit = step in (1, -1)
        dim = node.inputs[1].shape[axis]
        spans.append(along(axis, normal(-start * step), step) if is_unit else whole(dim))
    return tuple(spans)


@_rule.register(Gather)
def _gather(op: Op, node: Node, index: int) -> Access:
    shape, first = node.inputs[0].shape, node.attrs["axis"]
    count, places = len(node.inputs) - 1, node.inputs[1].ndim
    spans = []
    for axis, dim in enumerate(shape):
        if axis < first:
            spans.append(along(axis))
        else:
            spans.append(whole(dim) if axis < first + count else along(axis - count + places))
    return tuple(spans)


@_rule.register(ScatterAdd)
def _scatter(op: Op, node: Node, index: int) -> Access:
    if index == 0:
        return identity(node.ndim)
    shape, first = node.inputs[1].shape, node.attrs["axis"]
    count, places = len(node.inputs) - 2, node.inputs[2].ndim
    spans = []
    for axis, dim in enumerate(shape):
        if axis < first:
            spans.append(along(axis))
        else:
            spans.append(whole(dim) if axis < first + places else along(axis - places + count))
    return tuple(spans)


@_rule.register(Einsum)
def _contraction(op: Op, node: Node, index: int) -> Access:
    terms, out = split_spec(node.attrs["spec"])
    shape = node.inputs[index].shape
    return tuple(
        [
            along(out.index(label)) if label in out else whole(dim)
            for label, dim in zip(terms[index], shape, strict=True)
        ]
    )


@_rule.register(Reshape)
def _reshape(op: Op, node: Node, index: int) -> Access:
    source, result = node.inputs[0].shape, node.shape
    spans: dict[int, Span] = {}
    for sources, results in reshape_groups(source, result):
        long = [axis for axis in sources if not _is_one(source[axis])]
        for axis in sources:
            spans[axis] = whole(source[axis])
        if len(long) == 1:
            steps, step = [], product(())
            for axis in reversed(results):
                steps.append((axis, step))
                step = product((step, result[axis]))
            spans[long[0]] = Span(0, 0, tuple(reversed(steps)))
    return tuple([spans.get(axis, whole(dim)) for axis, dim in enumerate(source)])


def reshape_groups(source: Shape, result: Shape) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """Yield the smallest runs of axes of both shapes that hold the same elements.

    >>> [(list(a), list(b)) for a, b in reshape_groups((2, 3, 4), (6, 2, 2))]
    [([0, 1], [0]), ([2], [1, 2])]
    """
    i = j = 0
    while i < len(source) and j < len(result):
        first, second = i + 1, j + 1
        while not same(product(source[i:first]), product(result[j:second])):
            left, right = product(source[i:first]), product(result[j:second])
            if first == len(source) and second == len(result):
                break
            if second == len(result) or (first < len(source) and _is_less(left, right)):
                first += 1
            else:
                second += 1
        yield range(i, first), range(j, second)
        i, j = first, second
    if i < len(source) or j < len(result):
        yield range(i, len(source)), range(j, len(result))


def _is_one(dim: Dim) -> bool:
    return isinstance(dim, int) and dim == 1


def _is_less(a: Dim, b: Dim) -> bool:
    """Say whether a < b, as far as can be told; the order only decides which side grows first."""
    difference = normal(b - a)
    if isinstance(difference, int):
        return difference > 0
    return bool(difference.is_positive)
