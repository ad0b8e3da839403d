"""Where does a function take an interval? What the definitions of pointwise ops say as `image`.

Sums, products and powers are the arithmetic of `Bounds`. An op whose formula is made of other ops
needs no image of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.ir.bounds import Bounds, flags

_INF = math.inf


def within(low: float, high: float) -> Callable[..., Bounds]:
    """Return the image of a function that never leaves an interval."""
    return lambda *operands: Bounds(low, high, False, any(a.pole for a in operands))


def increasing(
    function: Callable[[float], float], domain: tuple[float, float] = (-_INF, _INF)
) -> Callable[[Bounds], Bounds]:
    """Return the image of an increasing function that is finite inside its domain."""

    def image(a: Bounds) -> Bounds:
        low, high = (min(max(end, domain[0]), domain[1]) for end in (a.low, a.high))
        outside = a.low < domain[0] or a.high > domain[1]
        return Bounds(
            _value(function, low), _value(function, high), False, a.pole or outside, a.steep
        )

    return image


def even_above(least: float) -> Callable[[Bounds], Bounds]:
    """Return the image of a function that grows without end on both sides."""
    return lambda a: Bounds(least, _INF, least > 0, a.pole, True)


def rounded(down: float, up: float) -> Callable[[Bounds], Bounds]:
    """Return the image of a function that moves a number by at most so much."""
    return lambda a: Bounds(a.low - down, a.high + up, **flags(a))


def truncated(a: Bounds) -> Bounds:
    return Bounds(min(a.low, 0), max(a.high, 0), **flags(a))


def exponential(a: Bounds) -> Bounds:
    low, high = _value(math.exp, a.low), _value(math.exp, a.high)
    return Bounds(low, high, low > 0, a.pole, a.steep or high == _INF)


def exponential_less_one(a: Bounds) -> Bounds:
    e = exponential(a)
    return Bounds(e.low - 1, e.high - 1, False, e.pole, e.steep)


def logarithm(a: Bounds) -> Bounds:
    low = -_INF if a.low <= 0 else math.log(a.low)
    high = -_INF if a.high <= 0 else _value(math.log, a.high)
    return Bounds(low, high, False, a.pole or a.low <= 0, a.steep)


def root(a: Bounds) -> Bounds:
    low, high = math.sqrt(max(a.low, 0.0)), math.sqrt(max(a.high, 0.0))
    return Bounds(low, high, not a.may_be_zero, **flags(a))


def larger(a: Bounds, b: Bounds) -> Bounds:
    low = max(a.low, b.low)
    return Bounds(low, max(a.high, b.high), low > 0, **flags(a, b))


def smaller(a: Bounds, b: Bounds) -> Bounds:
    high = min(a.high, b.high)
    return Bounds(min(a.low, b.low), high, high < 0, **flags(a, b))


def soft_larger(a: Bounds, b: Bounds) -> Bounds:
    """Return the bounds of log(exp(a) + exp(b)), which is at most log(2) above the larger one."""
    return Bounds(max(a.low, b.low), max(a.high, b.high) + 1, **flags(a, b))


def tangent(a: Bounds) -> Bounds:
    return Bounds(pole=a.pole)


def hyperbolic_sine(a: Bounds) -> Bounds:
    return Bounds(pole=a.pole, steep=True)


def _value(function: Callable[[float], float], x: float) -> float:
    try:
        return float(function(x))
    except OverflowError:
        return math.copysign(_INF, x)
    except ValueError:
        return -_INF if x <= 0 else _INF
