"""Numerical derivatives of a function of an array, by one of its elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Function: TypeAlias = Callable[[np.ndarray], Any]
Index: TypeAlias = tuple[int, ...]

COMPLEX_STEP = 1e-30

#: How much smaller each step of an extrapolation is, and how many there are.
_SHRINK, _MOST = 1.6, 16


def forward_difference(
    function: Function, point: np.ndarray, index: Index, step: float | None = None
) -> float:
    """Return (f(x + h) - f(x)) / h; the step balances rounding and truncation unless given."""
    if step is None:
        step = _balanced(np.sqrt, point, index)
    above = point.copy()
    above[index] += step
    width = float(above[index]) - float(point[index])
    return float(function(above) - function(point)) / width


def central_difference(
    function: Function, point: np.ndarray, index: Index, step: float | None = None
) -> float:
    """Return (f(x + h) - f(x - h)) / 2h; the step balances rounding and truncation unless given."""
    if step is None:
        step = _balanced(np.cbrt, point, index)
    return _central(function, point, index, step)


def one_sided_slopes(function: Function, point: np.ndarray, index: Index) -> tuple[float, float]:
    """Return the slopes below and above a point, which on a smooth function are nearly equal."""
    step = _balanced(np.sqrt, point, index)
    below = forward_difference(function, point, index, -step)
    return below, forward_difference(function, point, index, step)


def extrapolated_difference(function: Function, point: np.ndarray, index: Index) -> float:
    """Return the limit of central differences as the step shrinks: for strongly bent functions.

    Each row of the tableau removes one more power of the step; the entry that differs least from
    those it was made of is the derivative.

    **Source** Ridders 1982, doi:10.1016/S0141-1195(82)80057-0.
    """
    step = 30 * float(np.cbrt(np.finfo(point.dtype).eps)) * max(1.0, abs(float(point[index])))
    row: list[float] = []
    best, least = float("nan"), float("inf")
    for number in range(_MOST):
        following = [_central(function, point, index, step / _SHRINK**number)]
        for order, before in enumerate(row, 1):
            weight = _SHRINK ** (2 * order)
            following.append((weight * following[-1] - before) / (weight - 1))
            error = max(abs(following[-1] - following[-2]), abs(following[-1] - before))
            if error <= least:
                best, least = following[-1], error
        row = following
    return best


def complex_step(function: Function, point: np.ndarray, index: Index) -> float:
    """Return Im f(x + ih)/h, which has no cancellation."""
    moved = point.astype(np.result_type(point.dtype, np.complex64))
    moved[index] += 1j * COMPLEX_STEP
    return float(np.imag(function(moved))) / COMPLEX_STEP


def _balanced(root: Callable[[float], float], point: np.ndarray, index: Index) -> float:
    """Return the step that balances rounding and truncation, by a root of the precision."""
    return float(root(np.finfo(point.dtype).eps)) * max(1.0, abs(float(point[index])))


def _central(function: Function, point: np.ndarray, index: Index, step: float) -> float:
    above, below = point.copy(), point.copy()
    above[index] += step
    below[index] -= step
    # The step that was really taken, after rounding.
    width = float(above[index]) - float(below[index])
    return float(function(above) - function(below)) / width
