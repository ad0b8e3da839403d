"""Reductions: sums, means, extremes, norms, and the softmax family.

`axis` is None (all axes), an integer or a tuple; `keepdims` keeps reduced axes with size 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ir.types import FLOAT64
from graphc.ops.axes import many_axes
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS


def sum(x: Any, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Node:
    """Add up over axes; integers and truth values add up in int64.

    **Shapes.** x: [..., n, ...] -> the shape without the summed axes.
    """
    return _reduced("sum", x, dtype, axis, keepdims)


def prod(x: Any, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Node:
    """Multiply over axes; the derivative is exact where elements are 0.

    **Shapes.** x: [..., n, ...] -> the shape without the axes.
    """
    return _reduced("prod", x, dtype, axis, keepdims)


def mean(x: Any, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Node:
    """Take the arithmetic mean over axes; integers give float64.

    **Shapes.** x: [..., n, ...] -> the shape without the axes.
    """
    return _reduced("mean", x, dtype, axis, keepdims)


def var(
    x: Any,
    axis: Any = None,
    *,
    ddof: float = 0,
    correction: float | None = None,
    keepdims: bool = False,
) -> Node:
    """Take the variance over axes: squared deviations divided by n - ddof.

    `correction` is the array API's name for `ddof`.
    **Shapes.** x: [..., n, ...] -> the shape without the axes.
    **Raises.** GraphError where there are no elements.
    """
    return OPS["var"](x, axis, keepdims, ddof=ddof if correction is None else correction)


def std(
    x: Any,
    axis: Any = None,
    *,
    ddof: float = 0,
    correction: float | None = None,
    keepdims: bool = False,
) -> Node:
    """Take the standard deviation over axes; its derivative is 0 for constant input.

    **Shapes.** x: [..., n, ...] -> the shape without the axes.
    **Raises.** GraphError where there are no elements.
    """
    return OPS["std"](x, axis, keepdims, ddof=ddof if correction is None else correction)


def max(x: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    """Take the largest element; the first one that attains it gets the derivative.

    **Shapes.** x: [..., n, ...] -> the shape without the axes.
    **Raises.** GraphError where there are no elements.
    """
    return OPS["max"](x, axis, keepdims)


def min(x: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    """Take the smallest element; the first one that attains it gets the derivative.

    **Shapes.** x: [..., n, ...] -> the shape without the axes.
    **Raises.** GraphError where there are no elements.
    """
    return OPS["min"](x, axis, keepdims)


def any(x: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    """Say whether any element is true (not 0).

    **Shapes.** x: [..., n, ...] -> bool, the shape without the axes.
    """
    return OPS["any"](x, axis, keepdims)


def all(x: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    """Say whether all elements are true (not 0).

    **Shapes.** x: [..., n, ...] -> bool, the shape without the axes.
    """
    return OPS["all"](x, axis, keepdims)


def argmax(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Node:
    """Find the index of the first largest element along one axis, or in the flattened array.

    **Shapes.** x: [..., n, ...] -> int64, the shape without the axis. No derivative flows.
    **Raises.** GraphError where there are no elements.
    """
    return _arg_extremum("argmax", x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Node:
    """Find the index of the first smallest element along one axis, or in the flattened array.

    **Shapes.** x: [..., n, ...] -> int64, the shape without the axis. No derivative flows.
    **Raises.** GraphError where there are no elements.
    """
    return _arg_extremum("argmin", x, axis, keepdims)


def _arg_extremum(name: str, x: Any, axis: int | None, keepdims: bool) -> Node:
    node = as_node(x)
    for searched in many_axes(axis, node.ndim, name):
        if type(node.shape[searched]) is int and node.shape[searched] == 0:
            raise user_error(f"{name} of no elements has no value", got=str(node.type))
    return OPS[name](node, axis, keepdims)


def logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    """Take log(sum(exp(x))) without overflow. All -inf gives -inf, with derivative 0.

    **Shapes.** x: [..., n, ...] -> the shape without the axes.
    """
    return OPS["logsumexp"](x, axis, keepdims)


def softmax(x: Any, axis: Any = -1) -> Node:
    """Take exp(x)/sum(exp(x)) along an axis (or axes), without overflow.

    **Shapes.** x: [..., n, ...] -> the same shape; sums to 1 over the axis.
    """
    return OPS["softmax"](x, _given_axes(x, axis))


def log_softmax(x: Any, axis: Any = -1) -> Node:
    """Take log(softmax(x)) along an axis (or axes), without underflow.

    **Shapes.** x: [..., n, ...] -> the same shape.
    """
    return OPS["log_softmax"](x, _given_axes(x, axis))


def norm(x: Any, ord: Any = None, axis: Any = None, *, keepdims: bool = False) -> Node:
    """Take a vector norm over axes: sqrt(sum(x*x)) unless `ord` names another.

    `ord` is None, 2 or "fro" (Euclidean; over all given axes), 1, inf, -inf, 0 or p > 0. The
    Euclidean norm's derivative is x/norm(x), and 0 at 0.
    **Shapes.** x: [..., n, ...] -> the shape without the axes.
    **Raises.** GraphError for norms of matrices other than Frobenius'.
    """
    node = _floating(as_node(x))
    axes = many_axes(axis, node.ndim, "norm")
    # NumPy reads every ord but None and "fro" over two axes as a norm of the matrix as a map.
    if ord not in (None, "fro") and len(axes) == 2:
        raise user_error(
            f"norm: ord={ord!r} of a matrix is not available",
            got=f"{node.type} over {len(axes)} axes",
            expected="ord=None (Frobenius), or one axis",
        )
    if ord in (None, "fro", 2):
        return OPS["norm"](node, axes, keepdims)
    size = OPS["abs"](node)
    if ord in (np.inf, -np.inf):
        return OPS["max" if ord > 0 else "min"](size, axes, keepdims)
    if ord == 0:
        return OPS["sum"](OPS["cast"](OPS["not_equal"](node, 0), node.dtype), axes, keepdims)
    if ord == 1:
        return OPS["sum"](size, axes, keepdims)
    return OPS["power"](OPS["sum"](OPS["power"](size, ord), axes, keepdims), 1.0 / ord)


def normalize(x: Any, axis: Any = None) -> Node:
    """Return x/norm(x): vectors of length 1, and 0 where x is 0 (with derivative 0).

    **Shapes.** x: any shape -> the same shape; `axis` holds the axes of one vector, None for all.
    """
    return OPS["normalize"](x, axis)


def count_nonzero(x: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    """Count the elements that are not 0.

    **Shapes.** x: [..., n, ...] -> int64, the shape without the axes.
    """
    return OPS["sum"](OPS["not_equal"](as_node(x), 0), axis, keepdims)


def _given_axes(x: Any, axis: Any) -> Any:
    return tuple(range(as_node(x).ndim)) if axis is None else axis


def _reduced(name: str, x: Any, dtype: Any, axis: Any, keepdims: bool) -> Node:
    """Return a reduction computed in a dtype, and of that dtype: sums of int32 are int64 else."""
    if dtype is None:
        return OPS[name](as_node(x), axis, keepdims)
    return OPS["cast"](OPS[name](OPS["cast"](as_node(x), dtype), axis, keepdims), dtype)


def _floating(node: Node) -> Node:
    return node if node.dtype.kind == "f" else OPS["cast"](node, FLOAT64)
