"""Where does a function take an interval? What the definitions of pointwise ops say as `image`.

An image has two faces: the bounds for finite arguments (`ir.bounds`), and the range for any
(`ir.ranges`). An op whose formula is made of other ops needs none of its own.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphc.ir.bounds import Bounds, flags, hull
from graphc.ir.ranges import Range

_INF = math.inf


@dataclass(frozen=True, slots=True)
class Image:
    """What a function makes of intervals; None where that follows from its formula.

    The range of a primitive op follows from nothing else: without one, anything may come out.
    """

    bounds: Callable[..., Bounds] | None = None
    range: Callable[..., Range] | None = None


BY_FORMULA = Image()

# -- what the arithmetic of intervals gives ------------------------------------------------------

add = Image(operator.add, operator.add)
subtract = Image(operator.sub, operator.sub)
multiply = Image(operator.mul, operator.mul)
divide = Image(operator.truediv, operator.truediv)
power = Image(operator.pow, operator.pow)
negative = Image(operator.neg, operator.neg)
magnitude = Image(abs, abs)
square = Image(range=Range.squared)
either = Image(lambda c, a, b: hull(a, b), lambda c, a, b: a.union(b))


def _larger(a: Bounds, b: Bounds) -> Bounds:
    low = max(a.low, b.low)
    return Bounds(low, max(a.high, b.high), low > 0, **flags(a, b))


def _smaller(a: Bounds, b: Bounds) -> Bounds:
    high = min(a.high, b.high)
    return Bounds(min(a.low, b.low), high, high < 0, **flags(a, b))


def _range_of_larger(a: Range, b: Range) -> Range:
    return Range(max(a.low, b.low), max(a.high, b.high), a.nan or b.nan)


def _range_of_smaller(a: Range, b: Range) -> Range:
    return Range(min(a.low, b.low), min(a.high, b.high), a.nan or b.nan)


larger = Image(_larger, _range_of_larger)
smaller = Image(_smaller, _range_of_smaller)
limited = Image(range=lambda x, low, high: _range_of_smaller(_range_of_larger(x, low), high))


def _soft_larger(a: Bounds, b: Bounds) -> Bounds:
    """Return the bounds of log(exp(a) + exp(b)), which is at most log(2) above the larger one."""
    return Bounds(max(a.low, b.low), max(a.high, b.high) + 1, **flags(a, b))


def _range_of_soft_larger(a: Range, b: Range) -> Range:
    low, high = _log_of_sum(a.low, b.low), _log_of_sum(a.high, b.high)
    return Range(low, high, a.nan or b.nan)


def _log_of_sum(a: float, b: float) -> float:
    return float(np.logaddexp(a, b))


soft_larger = Image(_soft_larger, _range_of_soft_larger)
length = Image(range=lambda a, b: Range(0.0, _INF, a.nan or b.nan))

# -- functions that rise -------------------------------------------------------------------------


def increasing(
    function: Callable[[float], float], domain: tuple[float, float] = (-_INF, _INF)
) -> Image:
    """Return the image of an increasing function that is finite inside its domain."""

    def bounds(a: Bounds) -> Bounds:
        low, high, outside = _ends(function, a, domain)
        return Bounds(low, high, False, a.pole or outside, a.steep)

    return Image(bounds, _rising(function, domain))


def rounded(function: Callable[[float], float], down: float, up: float) -> Image:
    """Return the image of a function that moves a number by at most so much."""
    return Image(lambda a: Bounds(a.low - down, a.high + up, **flags(a)), _rising(function))


def _rising(
    function: Callable[[float], float], domain: tuple[float, float] = (-_INF, _INF)
) -> Callable[[Range], Range]:
    """Return what an increasing function makes of ranges; outside of its domain it is NaN."""

    def image(a: Range) -> Range:
        low, high, outside = _ends(function, a, domain)
        return Range(low, high, a.nan or outside)

    return image


def _ends(
    function: Callable[[float], float], a: Bounds | Range, domain: tuple[float, float]
) -> tuple[float, float, bool]:
    """Return an increasing function's values at the ends, and whether one is outside its domain."""
    low, high = (_value(function, min(max(end, domain[0]), domain[1])) for end in (a.low, a.high))
    return low, high, a.low < domain[0] or a.high > domain[1]


def _exponential(a: Bounds) -> Bounds:
    low, high = _value(math.exp, a.low), _value(math.exp, a.high)
    return Bounds(low, high, low > 0, a.pole, a.steep or high == _INF)


def _exponential_less_one(a: Bounds) -> Bounds:
    e = _exponential(a)
    return Bounds(e.low - 1, e.high - 1, False, e.pole, e.steep)


def _logarithm(a: Bounds) -> Bounds:
    low = -_INF if a.low <= 0 else math.log(a.low)
    high = -_INF if a.high <= 0 else _value(math.log, a.high)
    return Bounds(low, high, False, a.pole or a.low <= 0, a.steep)


def _root(a: Bounds) -> Bounds:
    low, high = math.sqrt(max(a.low, 0.0)), math.sqrt(max(a.high, 0.0))
    return Bounds(low, high, not a.may_be_zero, **flags(a))


def _truncated(a: Bounds) -> Bounds:
    return Bounds(min(a.low, 0), max(a.high, 0), **flags(a))


def _hyperbolic_sine(a: Bounds) -> Bounds:
    return Bounds(pole=a.pole, steep=True)


exponential = Image(_exponential, _rising(math.exp))
exponential_less_one = Image(_exponential_less_one, _rising(math.expm1))
exponential_to_base_2 = Image(range=_rising(math.exp2))
logarithm = Image(_logarithm, _rising(math.log, (0.0, _INF)))
logarithm_of_one_more = Image(range=_rising(math.log1p, (-1.0, _INF)))
root = Image(_root, _rising(math.sqrt, (0.0, _INF)))
truncated = Image(_truncated, _rising(math.trunc))
hyperbolic_sine = Image(_hyperbolic_sine, _rising(math.sinh))

# -- functions that stay within fixed numbers ----------------------------------------------------


def within(
    low: float, high: float, domain: tuple[float, float] = (-_INF, _INF), *, turns: bool = False
) -> Image:
    """Return the image of a function that never leaves an interval.

    It is NaN outside of its domain; and at infinity, where it turns for ever, as a sine does.
    """

    def range_of(*operands: Range) -> Range:
        nan = any(
            a.nan or a.low < domain[0] or a.high > domain[1] or (turns and not a.is_bounded)
            for a in operands
        )
        return Range(float(low), float(high), nan)

    return Image(
        lambda *operands: Bounds(low, high, False, any(a.pole for a in operands)), range_of
    )


def even_above(least: float) -> Image:
    """Return the image of a function that grows without end on both sides."""
    return Image(
        lambda a: Bounds(least, _INF, least > 0, a.pole, True), lambda a: Range(least, _INF, a.nan)
    )


tangent = Image(lambda a: Bounds(pole=a.pole))


def _value(function: Callable[[float], float], x: float) -> float:
    try:
        return float(function(x))
    except OverflowError:
        return math.copysign(_INF, x)
    except ValueError:
        return -_INF if x <= 0 else _INF
