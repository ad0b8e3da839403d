"""Power series at 0 of f(x)/x and x/f(x), for functions that vanish at 0 as x does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial, floor, log2, pi, sqrt

import numpy as np

#: How many powers a polynomial has beside its constant, of x**2 and of x, in each dtype.
_POWERS_OF_SQUARE = {4: 3, 8: 6}
_POWERS = {4: 6, 8: 10}
#: How many steps between numbers the second derivative is off where the polynomial ends.
_STEPS = 16


@dataclass(frozen=True)
class Series:
    """The coefficients of f(x)/x, by their index: those of powers of x**2 where f is odd."""

    coefficient: Callable[[int], Fraction]
    is_odd: bool = True
    scale: float = 1.0


@dataclass(frozen=True)
class Polynomial:
    """The beginning of a series, and how small x is where it keeps all digits."""

    coefficients: tuple[float, ...]
    end: float


def _of_tanh(k: int) -> Fraction:
    above = [Fraction(1, factorial(2 * i + 1)) for i in range(k + 1)]
    below = [Fraction(1, factorial(2 * i)) for i in range(k + 1)]
    return sum((a * b for a, b in zip(above, _reciprocal(below)[::-1], strict=True)), Fraction())


SERIES = {
    "expm1": Series(lambda k: Fraction(1, factorial(k + 1)), is_odd=False),
    "log1p": Series(lambda k: Fraction((-1) ** k, k + 1), is_odd=False),
    "sin": Series(lambda k: Fraction((-1) ** k, factorial(2 * k + 1))),
    "sinh": Series(lambda k: Fraction(1, factorial(2 * k + 1))),
    "tan": Series(lambda k: (-1) ** k * _of_tanh(k)),
    "tanh": Series(_of_tanh),
    "asin": Series(lambda k: Fraction(comb(2 * k, k), 4**k * (2 * k + 1))),
    "asinh": Series(lambda k: Fraction((-1) ** k * comb(2 * k, k), 4**k * (2 * k + 1))),
    "atan": Series(lambda k: Fraction((-1) ** k, 2 * k + 1)),
    "atanh": Series(lambda k: Fraction(1, 2 * k + 1)),
    "erf": Series(lambda k: Fraction((-1) ** k, factorial(k) * (2 * k + 1)), scale=2 / sqrt(pi)),
}


def quotient_near_0(name: str, dtype: np.dtype, is_inverse: bool) -> Polynomial:
    """Return the polynomial that is f(x)/x near 0, or x/f(x), in x**2 where f is odd.

    Its second derivative keeps the digits, too.
    """
    series = SERIES[name]
    powers = (_POWERS_OF_SQUARE if series.is_odd else _POWERS)[dtype.itemsize]
    found = [series.coefficient(k) for k in range(powers + 4)]
    if is_inverse:
        found = _reciprocal(found)
    step = 2 if series.is_odd else 1
    first = 2 // step  # the coefficient that is left of the second derivative at 0
    last = next(k for k in range(powers + 1, len(found)) if found[k])
    degree = step * last
    share = _STEPS * np.finfo(dtype).eps * 2 * float(abs(found[first] / found[last]))
    end = (share / (degree * (degree - 1))) ** (1 / (degree - 2))
    scale = 1 / series.scale if is_inverse else series.scale
    coefficients = tuple([float(c) * scale for c in found[: powers + 1]])
    return Polynomial(coefficients, 2.0 ** floor(log2(min(end, 1.0))))


def _reciprocal(a: Sequence[Fraction]) -> list[Fraction]:
    """Return the coefficients of one over a series."""
    found = [1 / a[0]]
    for k in range(1, len(a)):
        terms = (a[i] * found[k - i] for i in range(1, k + 1))
        found.append(-sum(terms, Fraction()) / a[0])
    return found
