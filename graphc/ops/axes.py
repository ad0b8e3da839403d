"""Axis arguments: NumPy's conventions, normalized once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from graphc.ir.dims import Dim, Shape, as_dim
from graphc.ir.node import Node
from graphc.ir.op import Order, Turn
from graphc.ir.provenance import user_error


def one_axis(axis: Any, ndim: int, op: str) -> int:
    """Return a non-negative axis, or raise a GraphError that names the op."""
    try:
        index = axis.__index__()
    except (AttributeError, TypeError):
        raise user_error(f"{op}: an axis must be an integer", got=repr(axis)) from None
    if not -ndim <= index < ndim:
        raise user_error(
            f"{op}: axis {index} is out of bounds",
            got=f"axis {index} of an array with {ndim} axes",
            expected=f"-{ndim} … {ndim - 1}" if ndim else "no axis: the array is a single number",
        )
    return index % ndim


def many_axes(axis: Any, ndim: int, op: str) -> tuple[int, ...]:
    """Return sorted axes; None stands for all of them."""
    if axis is None:
        return tuple(range(ndim))
    axes = [one_axis(a, ndim, op) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]
    if len(set(axes)) != len(axes):
        raise user_error(f"{op}: an axis is given twice", got=repr(axis))
    return tuple(sorted(axes))


def without_axes(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    """Return the shape after reducing `axes`."""
    if keepdims:
        return tuple([1 if i in axes else dim for i, dim in enumerate(shape)])
    return tuple([dim for i, dim in enumerate(shape) if i not in axes])


def along_axis_in_order(node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
    """Return an op along one axis, of operands of one rank with their axes in another order."""
    operands = [turned(x, order) for x in node.inputs]
    return node.op.make(operands, axis=order.index(node.attrs["axis"])), order


@lru_cache(maxsize=16)
def starts_along(node: Node) -> tuple[Dim, ...]:
    """Return where each operand of a node begins that joins them along `axis`, and where it ends.

    It is asked for each operand in turn, of which there may be thousands.
    """
    starts: list[Dim] = [0]
    for part in node.inputs:
        starts.append(as_dim(starts[-1] + part.shape[node.attrs["axis"]]))
    return tuple(starts)
