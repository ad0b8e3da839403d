"""Which values can something take? Intervals, their arithmetic, and what an interval cannot say.

Bounds hold for all finite inputs in floating-point arithmetic: exp may underflow, so it is not
below-bounded by anything above 0, while 1 + exp(x) is at least 1. Each op gives its own answer, as
`Op.bounds` or, of one element, as the `image` of a pointwise op.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_INF = math.inf


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval [low, high], and two facts that an interval cannot say.

    `nonzero`: never 0. `pole`: may be infinite or nan at finite inputs, by a division by zero and
    its like. `steep`: may overflow there, by an exponential.
    """

    low: float = -_INF
    high: float = _INF
    nonzero: bool = False
    pole: bool = False
    steep: bool = False

    @property
    def may_be_zero(self) -> bool:
        return not self.nonzero and self.low <= 0 <= self.high

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(self.low + other.low, self.high + other.high, **flags(self, other))

    def __sub__(self, other: Bounds) -> Bounds:
        return self + -other

    def __neg__(self) -> Bounds:
        return replace(self, low=-self.high, high=-self.low)

    def __mul__(self, other: Bounds) -> Bounds:
        corners = [x * y for x in (self.low, self.high) for y in (other.low, other.high)]
        # 0·∞ is 0 here: an infinite bound stands for "as large as you like", not for infinity.
        finite = [0.0 if math.isnan(corner) else corner for corner in corners]
        nonzero = not self.may_be_zero and not other.may_be_zero
        return Bounds(min(finite), max(finite), nonzero, **flags(self, other))

    def __truediv__(self, other: Bounds) -> Bounds:
        return self * other.inverted()

    def inverted(self) -> Bounds:
        """Return the bounds of 1/x."""
        if self.may_be_zero:
            low, high = (0.0 if self.low >= 0 else -_INF), (0.0 if self.high <= 0 else _INF)
            return Bounds(low, high, nonzero=False, pole=True, steep=self.steep)
        if self.low <= 0 <= self.high:
            return replace(self, low=-_INF, high=_INF)
        # 1/x is 0 where an exponential in x overflows.
        return Bounds(1 / self.high, 1 / self.low, not self.steep, self.pole)

    def __pow__(self, other: Bounds) -> Bounds:
        n = other.low
        if n != other.high or not math.isfinite(n):
            low = 0.0 if self.low >= 0 else -_INF
            pole = self.may_be_zero or self.low < 0 or self.pole
            return Bounds(low, _INF, False, pole, self.steep or other.steep)
        if n < 0:
            return (self ** exactly(-n)).inverted()
        if n == 0:
            return exactly(1.0)
        low, high = self.low, self.high
        if not n.is_integer():
            low, high = max(low, 0.0), max(high, 0.0)
        ends = [_raised(low, n), _raised(high, n)]
        if n % 2 == 0 and low < 0 < high:
            ends.append(0.0)
        return Bounds(min(ends), max(ends), not self.may_be_zero, **flags(self))

    def __abs__(self) -> Bounds:
        ends = abs(self.low), abs(self.high)
        low = 0.0 if self.low <= 0 <= self.high else min(ends)
        return Bounds(low, max(ends), not self.may_be_zero, **flags(self))


UNBOUNDED = Bounds()
UNKNOWN = Bounds(pole=True)
TRUTH = Bounds(0.0, 1.0)


def exactly(value: float) -> Bounds:
    return Bounds(value, value, value != 0)


def hull(*parts: Bounds) -> Bounds:
    """Return the bounds of a value that is one of the parts."""
    return Bounds(
        min(p.low for p in parts),
        max(p.high for p in parts),
        all(not p.may_be_zero for p in parts),
        **flags(*parts),
    )


def flags(*parts: Bounds) -> dict[str, bool]:
    """Return what a value made of these parts inherits: their poles and their steepness."""
    return {"pole": any(p.pole for p in parts), "steep": any(p.steep for p in parts)}


def _raised(x: float, n: float) -> float:
    try:
        return float(x**n)
    except OverflowError:
        return _INF if x > 0 or n % 2 == 0 else -_INF
