"""Arrays that follow from their shape alone, constants, and random draws.

Python numbers have no dtype of their own, so what is made from them is float32 (floats), int64 or
bool unless `dtype` says otherwise; a NumPy array keeps its dtype.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.build.arrays.operands import beside_nodes
from graphc.errors import GraphError
from graphc.ir.dims import as_shape
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ir.types import FLOAT32, as_dtype
from graphc.ops.leaf import as_node, fill
from graphc.ops.registry import OPS


def zeros(shape: Any = (), dtype: Any = "float32") -> Node:
    """Return zeros of a shape, whose dims may be named.

    **Shapes.** -> shape
    """
    return fill(0, as_shape(shape), as_dtype(dtype))


def ones(shape: Any = (), dtype: Any = "float32") -> Node:
    """Return ones of a shape, whose dims may be named.

    **Shapes.** -> shape
    """
    return fill(1, as_shape(shape), as_dtype(dtype))


def full(shape: Any, value: Any, dtype: Any = None) -> Node:
    """Return one number, or one node's values broadcast, in every place of a shape.

    **Shapes.** value: any shape that broadcasts to `shape` -> shape
    """
    if isinstance(value, Node):
        node = value if dtype is None else OPS["cast"](value, dtype)
        return OPS["broadcast_to"](node, as_shape(shape))
    (value,) = beside_nodes((value,))
    is_fraction = type(value) is float or (hasattr(value, "free_symbols") and not value.is_integer)
    if dtype is None and is_fraction:
        dtype = FLOAT32
    return OPS["full"](shape, value, dtype)


def zeros_like(x: Any, dtype: Any = None) -> Node:
    """Return zeros of x's shape and dtype.

    **Shapes.** x: any shape -> the same shape.
    """
    return _like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Node:
    """Return ones of x's shape and dtype.

    **Shapes.** x: any shape -> the same shape.
    """
    return _like(x, 1, dtype)


def full_like(x: Any, value: Any, dtype: Any = None) -> Node:
    """Return one number in every place of x's shape, in x's dtype.

    **Shapes.** x: any shape -> the same shape.
    """
    node = as_node(x)
    return full(node.shape, value, node.dtype if dtype is None else dtype)


def _like(x: Any, value: int, dtype: Any) -> Node:
    node = as_node(x)
    return fill(value, node.shape, node.dtype if dtype is None else as_dtype(dtype))


def constant(value: Any, dtype: Any = None) -> Node:
    """Return an array written into the graph.

    **Shapes.** a number or nested lists of numbers -> their shape.
    **Raises.** GraphError for ragged lists and for what is not numbers.

    >>> constant([[1.0, 2.0]]).type, constant(3).type
    (TensorType(dtype=dtype('float32'), shape=(1, 2)), TensorType(dtype=dtype('int64'), shape=()))
    """
    if isinstance(value, Node):
        return value if dtype is None else OPS["cast"](value, dtype)
    try:
        array = np.asarray(value)
    except ValueError:
        raise GraphError("constant: the rows have different lengths", got=repr(value)) from None
    if dtype is None:
        dtype = FLOAT32 if array.dtype.kind == "f" and not _has_dtype(value) else array.dtype
    if type(value) in (bool, int, float):
        return fill(value, (), as_dtype(dtype))
    return OPS["constant"](array.astype(as_dtype(dtype)))


def _has_dtype(value: Any) -> bool:
    """Say whether a value, or one of the items it nests, brings a NumPy dtype of its own."""
    return hasattr(value, "dtype") or any(hasattr(leaf, "dtype") for leaf in _leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, (list, tuple)):
            pending.extend(item)
        else:
            yield item


def asarray(x: Any, dtype: Any = None) -> Node:
    """Return x as a node: a node stays itself, numbers and arrays become constants."""
    return constant(x, dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Node:
    """Return start, start + step, … below stop; one argument is the stop, as in NumPy.

    **Shapes.** -> [ceil((stop - start)/step)]; bounds may be dims, as in `arange(N)`.
    """
    bounds = (start, stop, step)
    if any(isinstance(bound, Node) for bound in bounds):
        raise GraphError(
            "arange: its length must be known when the graph is built",
            got=", ".join(map(repr, bounds)),
            expected="integers or dims",
        )
    if any(isinstance(bound, (float, np.floating)) for bound in bounds):
        first, last = (0, start) if stop is None else (start, stop)
        numbers = np.arange(first, last, step)
        return constant(numbers, FLOAT32 if dtype is None else dtype)
    if isinstance(step, int) and step == 0:
        raise GraphError("arange: the step cannot be 0")
    whole = [int(b) if isinstance(b, (bool, np.integer)) else b for b in bounds]
    return OPS["arange"](*whole, dtype="int64" if dtype is None else dtype)


def linspace(
    start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: Any = None
) -> Node:
    """Return evenly spaced numbers from start to stop.

    **Shapes.** -> [num]
    """
    try:
        numbers = np.linspace(start, stop, num, endpoint=endpoint)
    except (TypeError, ValueError):  # of NumPy's, which speaks of its own insides
        raise user_error(
            "linspace takes numbers, and how many to return",
            got=f"linspace({start!r}, {stop!r}, {num!r})",
            fix="gc.arange(N) * (1 / (N - 1)), for a named dim N",
        ) from None
    return constant(numbers, FLOAT32 if dtype is None else dtype)


def eye(n: Any, m: Any = None, k: int = 0, dtype: Any = "float32") -> Node:
    """Return ones on the k-th diagonal and zeros elsewhere.

    **Shapes.** -> [n, m], m being n unless given.
    """
    return OPS["eye"](n, m, k=k, dtype=dtype)


def random_normal(
    shape: Any = (), mean: float = 0.0, scale: float = 1.0, dtype: Any = "float32"
) -> Node:
    """Draw normal numbers from the generator `rng` of the call.

    **Shapes.** -> shape
    """
    recipe = "mean + scale * gc.random_normal(shape)"
    _refuse_nodes("random_normal", recipe, mean=mean, scale=scale)
    return OPS["random_normal"](shape, dtype, mean=mean, scale=scale)


def random_uniform(
    shape: Any = (), low: float = 0.0, high: float = 1.0, dtype: Any = "float32"
) -> Node:
    """Draw uniform numbers in [low, high) from the generator `rng` of the call.

    **Shapes.** -> shape
    """
    recipe = "low + (high - low) * gc.random_uniform(shape)"
    _refuse_nodes("random_uniform", recipe, low=low, high=high)
    return OPS["random_uniform"](shape, dtype, low=low, high=high)


def random_bernoulli(shape: Any = (), p: float = 0.5, dtype: Any = "bool") -> Node:
    """Draw True with probability p from the generator `rng` of the call.

    **Shapes.** -> shape
    **Raises.** GraphError where p is not in [0, 1].
    """
    _refuse_nodes("random_bernoulli", "gc.random_uniform(shape) < p", p=p)
    return OPS["random_bernoulli"](shape, dtype, p=p)


def _refuse_nodes(function: str, recipe: str, **parameters: Any) -> None:
    """Raise where a parameter of a distribution is a node; the recipe does with nodes too."""
    for name, value in parameters.items():
        if isinstance(value, Node):
            raise user_error(f"{name} of {function} must be a number", got=repr(value), fix=recipe)
