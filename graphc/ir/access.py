"""Which elements of its operands does an element of a result read? Stated per axis, for any size.

From this follow the structure of a Jacobian (diagonal, banded, in blocks) and how few passes it
takes. Each op gives its own answer, as `Op.reads`; these are the words for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from graphc.ir.dims import Dim, Shape, normal
from graphc.ir.node import Node


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
    """Return the access of an element that reads the one in its own place."""
    return tuple([along(axis) for axis in range(ndim)])


def everything(shape: Shape) -> Access:
    return tuple([whole(dim) for dim in shape])


def across(shape: Shape, axes: Collection[int]) -> Access:
    """Return all places along some axes, and the element's own place along the others."""
    return tuple([whole(dim) if axis in axes else along(axis) for axis, dim in enumerate(shape)])


def reads(node: Node, index: int) -> Access:
    """Return, for each axis of operand `index`, the places that an element of the node reads."""
    return tuple([_without_single(span, node.shape) for span in node.op.reads(node, index)])


def _without_single(span: Span, shape: Shape) -> Span:
    """Return the span without axes of size 1, whose index is always 0."""
    if not any(isinstance(shape[axis], int) and shape[axis] == 1 for axis, _ in span.steps):
        return span
    steps = [(a, s) for a, s in span.steps if not (isinstance(shape[a], int) and shape[a] == 1)]
    return Span(span.low, span.high, tuple(steps))
