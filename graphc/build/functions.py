"""The public array functions, under NumPy's and the array API standard's names.

Broadcasting, dtypes and indexing are NumPy 2's. Python numbers are weak: `x + 1.5` keeps x's
float type, while float32 with an int64 *array* gives float64, as NumPy does; cast the integers to
stay in float32. The pointwise functions are generated from the registry, so a new op appears here
by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.build import loops
from graphc.build.arrays import (
    contractions,
    creation,
    indexing,
    joining,
    linear_algebra,
    ordering,
    reductions,
    sampling,
    shaping,
    windowing,
)
from graphc.build.arrays.pointwise import POINTWISE
from graphc.errors import CallError
from graphc.ir.node import Node
from graphc.ir.provenance import user_location
from graphc.ir.text.calls import fault_of_call, parameters
from graphc.ir.types import DTYPES

_THEMES = (
    creation,
    reductions,
    shaping,
    joining,
    indexing,
    contractions,
    linear_algebra,
    ordering,
    loops,
    sampling,
    windowing,
)


def telling(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with errors that say what stands for an argument that it lacks."""

    @wraps(function)
    def call(*args: Any, **words: Any) -> Any:
        try:
            return function(*args, **words)
        except TypeError as problem:
            trace = problem.__traceback__
            if trace is None or trace.tb_next is not None:  # from within the function
                raise
            error = _call_error(name, function, args, words, problem)
        raise error from None

    return call


def _call_error(
    name: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    words: dict[str, Any],
    problem: TypeError,
) -> CallError:
    fault = fault_of_call(name, function, args, words)
    known = parameters(function)
    return CallError(
        fault.what if fault else f"{name}: {str(problem).removeprefix(function.__name__ + '() ')}",
        where=user_location(),
        got=fault.got if fault else None,
        expected=f"{name}({', '.join(known)})",
        fix=fault.fix if fault else None,
    )


#: Name -> function, in the order: pointwise, then theme by theme as written. Texts call these, and
#: tell where in a line an argument is wrong.
PLAIN_FUNCTIONS: dict[str, Callable[..., Any]] = dict(POINTWISE)
for _theme in _THEMES:
    PLAIN_FUNCTIONS |= {
        name: value
        for name, value in vars(_theme).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", None) == _theme.__name__
    }
#: The same for Python.
ARRAY_FUNCTIONS = {name: telling(name, value) for name, value in PLAIN_FUNCTIONS.items()}
globals().update(ARRAY_FUNCTIONS)

# What the array API standard wants beside functions.
e, pi, inf, nan, newaxis = float(np.e), float(np.pi), float("inf"), float("nan"), None
globals().update(DTYPES)

__all__ = ["ARRAY_FUNCTIONS", *sorted(ARRAY_FUNCTIONS)]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]: ...


def matrix_transpose_all(x: Node) -> Node:
    """Reverse the order of all axes: `x.T`."""
    return shaping.transpose(x)


def reshape_method(x: Node, *shape: Any) -> Node:
    """Reshape as the method does: `x.reshape(2, 3)` or `x.reshape((2, 3))`."""
    return shaping.reshape(x, shape[0] if len(shape) == 1 else shape)


def transpose_method(x: Node, *axes: Any) -> Node:
    """Transpose as the method does: `x.transpose()`, `x.transpose(1, 0)` or with a tuple."""
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
        return shaping.transpose(x, axes[0])
    return shaping.transpose(x, axes or None)


reshape_method = telling("reshape", reshape_method)
transpose_method = telling("transpose", transpose_method)
