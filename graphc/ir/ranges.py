"""Which values can something take, whatever goes in? Intervals that know of infinities and NaN.

They are no `ir.bounds`, which hold for finite inputs and take 0·∞ for 0: a rule that drops a guard
has to know of infinite inputs, overflow and NaN too, so here 0·∞ and ∞ − ∞ may be NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_INF = math.inf


@dataclass(frozen=True, slots=True)
class Range:
    """Every value that is a number lies in [low, high]; `nan` says whether one may be NaN."""

    low: float = -_INF
    high: float = _INF
    nan: bool = True

    @property
    def is_bounded(self) -> bool:
        return self.low > -_INF and self.high < _INF

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high

    @property
    def holds_both_infinities(self) -> bool:
        """Whether values may cancel to NaN: ∞ − ∞."""
        return self.low == -_INF and self.high == _INF

    def union(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high), self.nan or other.nan)

    def __add__(self, other: Range) -> Range:
        meets = (self.low == -_INF and other.high == _INF) or (
            self.high == _INF and other.low == -_INF
        )
        return Range(
            -_INF if -_INF in (self.low, other.low) else self.low + other.low,
            _INF if _INF in (self.high, other.high) else self.high + other.high,
            self.nan or other.nan or meets,
        )

    def __sub__(self, other: Range) -> Range:
        return self + -other

    def __neg__(self) -> Range:
        return Range(-self.high, -self.low, self.nan)

    def __mul__(self, other: Range) -> Range:
        corners = [_times(x, y) for x in (self.low, self.high) for y in (other.low, other.high)]
        zero_meets_infinity = (self.holds_zero and not other.is_bounded) or (
            other.holds_zero and not self.is_bounded
        )
        return Range(min(corners), max(corners), self.nan or other.nan or zero_meets_infinity)

    def __truediv__(self, other: Range) -> Range:
        if other.holds_zero:
            # The sign of a quotient is known where neither side changes its own; 0/0 is NaN.
            is_positive = self.low >= 0 and other.low >= 0
            return Range(0.0 if is_positive else -_INF, _INF, True)
        quotients = [
            _quotient(x, y) for x in (self.low, self.high) for y in (other.low, other.high)
        ]
        nan = self.nan or other.nan or not (self.is_bounded or other.is_bounded)
        return Range(min(quotients), max(quotients), nan)

    def __pow__(self, other: Range) -> Range:
        if other.low == other.high and other.low % 2 == 0 and other.low > 0:
            return Range(0.0, _INF, self.nan)
        if self.low >= 0:
            return Range(0.0, _INF, self.nan or other.nan)
        return ANYTHING

    def __abs__(self) -> Range:
        ends = (abs(self.low), abs(self.high))
        return Range(0.0 if self.holds_zero else min(ends), max(ends), self.nan)

    def squared(self) -> Range:
        ends = (_times(self.low, self.low), _times(self.high, self.high))
        return Range(0.0 if self.holds_zero else min(ends), max(ends), self.nan)


ANYTHING = Range()
TRUTH = Range(0.0, 1.0, False)


def only_number(value: float) -> Range:
    """Return the range of one number."""
    return Range(-_INF, _INF, True) if math.isnan(value) else Range(value, value, False)


def range_of_products(factors: Sequence[Range]) -> Range:
    """Return the range of a sum of products, or of a product of any number of factors."""
    if all(factor.low >= 0 for factor in factors):
        return Range(0.0, _INF, any(f.nan or not f.is_bounded for f in factors))
    return ANYTHING


def _times(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y


def _quotient(x: float, y: float) -> float:
    if abs(y) == _INF:
        return 0.0 if abs(x) != _INF else math.copysign(_INF, x) * math.copysign(1, y)
    return x / y
