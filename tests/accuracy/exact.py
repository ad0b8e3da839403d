"""Values and derivatives of formulas to as many digits as it takes, by mpmath.

The derivative is a difference quotient at high precision, so it shares nothing with the compiler:
neither SymPy's rules nor the form that graphc chose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from mpmath import mp, mpf

from graphc.ops.elementwise.formula import evaluate_formula

Number: TypeAlias = Any  # an mpf; mpmath has no types
Function: TypeAlias = Callable[..., Number]

#: Digits to compute with, one attempt after the other. The last suffices for any two float64s:
#: their exponents span 632 decades, a step of the difference quotient takes 325 digits more.
DIGITS = (80, 160, 480, 1300)
_AGREE = 20
#: Nearer to 0, a second difference takes more digits than that.
_TINY = 1e-60


class _NotRealError(ArithmeticError):
    """The formula has no real value at the point."""


def _real(function: Callable[..., Any]) -> Function:
    def apply(*operands: Number) -> Number:
        value = function(*operands)
        if not isinstance(value, (mpf, int, bool)):
            raise _NotRealError
        return value

    return apply


def _power(a: Number, b: Number) -> Number:
    if a < 0 and b != mp.floor(b):
        raise _NotRealError
    return mp.power(a, b)


def _number(value: float) -> Number:
    return mp.pi if value == math.pi else mpf(value)


def _erf(x: Number) -> Number:
    # Beyond 60 it differs from 1 by less than any number of digits here can tell.
    return mp.sign(x) if abs(x) > 60 else mp.erf(x)


def _erfc(x: Number) -> Number:
    if x < 60:
        return mp.erfc(x)
    # Asymptotic (DLMF 7.12.1): far out, mpmath's own takes forever.
    total, term, k = mpf(0), mpf(1), 0
    while abs(term) > mp.eps and k < 2000:
        total += term
        k += 1
        smaller = -term * (2 * k - 1) / (2 * x * x)
        if abs(smaller) >= abs(term):
            return mp.erfc(x)  # too near for so many digits
        term = smaller
    return mp.exp(-x * x) / (x * mp.sqrt(mp.pi)) * total


def _loggamma(x: Number) -> Number:
    return mp.log(abs(mp.gamma(x))) if x < 0 else mp.re(mp.loggamma(x))


def _polygamma(order: Number, x: Number) -> Number:
    if order != mp.floor(order) or not 1 <= order <= 170:
        raise _NotRealError
    return mp.psi(int(order), x)


def _choice(condition: bool, a: Number, b: Number) -> Number:
    return a if condition else b


_FUNCTIONS = ("exp", "expm1", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
_FUNCTIONS += ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")
ALGEBRA: dict[str, Callable[..., Any]] = {
    "number": _number,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": _power,
    "negative": lambda a: -a,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "where": _choice,
    "abs": abs,
    "sign": mp.sign,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "round": mp.nint,
    "trunc": lambda x: mp.sign(x) * mp.floor(abs(x)),
    **{name: _real(getattr(mp, name)) for name in _FUNCTIONS},
    "erf": _erf,
    "erfc": _erfc,
    "loggamma": _loggamma,
    "digamma": mp.digamma,
    "polygamma": _polygamma,
}


def exact(
    formula: str, args: Sequence[str], point: Sequence[float], derivatives: bool
) -> tuple[Number, list[Number | None]] | None:
    """Return a formula's value at a point and its partial derivatives, None at a kink.

    A function of one argument has its second derivative too. None stands for a point at which the
    formula has no real value.
    """
    values: list[tuple[Number, list[Number | None]]] = []
    for digits in DIGITS:
        with mp.workdps(digits):
            try:
                values.append(_at(formula, args, point, derivatives, digits))
            except (ArithmeticError, ValueError):  # a pole, or outside the domain
                return None
            if len(values) > 1 and _agree(values[-2], values[-1]):
                break
    return values[-1]


def _at(
    formula: str, args: Sequence[str], point: Sequence[float], derivatives: bool, digits: int
) -> tuple[Number, list[Number | None]]:
    numbers = [mpf(x) for x in point]

    def value(*operands: Number) -> Number:
        return +evaluate_formula(formula, dict(zip(args, operands, strict=True)), ALGEBRA)

    middle = value(*numbers)
    partials: list[Number | None] = []
    for i in range(len(args) if derivatives else 0):
        h = mpf(10) ** (-(digits // 4)) * min(abs(numbers[i]), 1)
        after, before = (
            value(*[x + s * h if j == i else x for j, x in enumerate(numbers)]) for s in (1, -1)
        )
        is_kink = abs(after + before - 2 * middle) > abs(after - before) * mpf(10) ** -10
        partials.append(None if is_kink else (after - before) / (2 * h))
        if len(args) == 1:
            second = (after - 2 * middle + before) / h**2
            partials.append(None if is_kink or abs(numbers[0]) < _TINY else second)
    return middle, partials


def _agree(a: tuple[Number, list[Number | None]], b: tuple[Number, list[Number | None]]) -> bool:
    """Say whether two attempts agree; 0 may be a lost digit, so it never convinces."""
    for x, y in zip((a[0], *a[1]), (b[0], *b[1]), strict=True):
        if (x is None) != (y is None):
            return False
        if x is not None and not abs(x - y) < abs(y) * mpf(10) ** -_AGREE:
            return False
    return True
