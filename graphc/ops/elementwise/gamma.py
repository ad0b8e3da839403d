"""The gamma function's logarithm and the derivatives of it, computed by functions of the module.

All three helpers work in float64 and round once. The coefficients of the rational functions are
interpolated at Chebyshev points, computed at 60 digits for this file; they are positive, as their
arguments are, so that nothing cancels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.bounds import UNKNOWN, Bounds
from graphc.ir.code import Codes, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.op import Arg, Case
from graphc.ir.provenance import user_error
from graphc.ir.ranges import Range
from graphc.ops.elementwise.images import Image
from graphc.ops.elementwise.special import Special
from graphc.ops.leaf import is_fill
from graphc.ops.promotion import is_weak
from graphc.ops.registry import register

_INF, _NAN = math.inf, math.nan
_POSITIVE = ((0.3, 3.0),)
#: No order above has a factorial among float64's numbers.
_HIGHEST_ORDER = 170

_LOGGAMMA = '''
@in_parts(0)
def _loggamma(x):
    """Return log|Γ(x)|: +inf at the poles, within 6 units in the last place for x > 0.

    Rational up to 8, with the zeros at 1 and 2 as factors; Stirling's series above;
    reflection below 0 (Abramowitz & Stegun 6.1.41 and 6.1.17).
    """
    dtype = x.dtype
    x = np.maximum(x, -(2.0**53), dtype=np.float64)  # below, all floats are whole
    t = np.where(x < 1, np.abs(x), x - 1)  # the steps below are for Γ(1 + t)
    m = np.minimum(t, 7)
    p, q = 0 * m, 0 * m
    for p_k, q_k in (  # p/q = logΓ(1 + t)/(t*(t - 1))
        (0.0, 1.1005400637043883e-08),
        (6.628797164720594e-08, 3.5985679287590913e-06),
        (1.4023157501987653e-05, 0.00025064619408312873),
        (0.000703541843854226, 0.006581829563282841),
        (0.013697963948362866, 0.08190481610616394),
        (0.12688852517577753, 0.5433348918659897),
        (0.6195306127100842, 2.045367470549777),
        (1.6698612937953494, 4.475121598112769),
        (2.480385332221149, 5.601505911412256),
        (1.8925549861921251, 3.703652698128683),
        (0.5772156649015329, 1.0),
    ):
        p *= m
        p += p_k
        q *= m
        q += q_k
    y = np.asarray(p / q * m * (m - 1))
    if np.any(large := t > 7):
        z = 1 + t[large]
        w = 1 / z
        s, tail = w * w, 0 * w
        for c in (  # B(2k)/(2k*(2k - 1))
            -3617 / 122400,
            1 / 156,
            -691 / 360360,
            1 / 1188,
            -1 / 1680,
            1 / 1260,
            -1 / 360,
            1 / 12,
        ):
            tail = tail * s + c
        y[large] = (z - 0.5) * (np.log(z) - 1) + 0.4189385332046727 + tail * w
    if np.any(small := x < 1):
        v, up = x[small], y[small]
        sine = np.abs(np.sin(np.pi * (v - np.round(v))))
        mirrored = 1.1447298858494002 - np.log(np.where(v < 0, sine, 1)) - up
        y[small] = np.where(v < 0, mirrored, up - np.log(np.abs(v)))
    return y.astype(dtype)
'''

_DIGAMMA = '''
@in_parts(0)
def _digamma(x):
    """Return Γ'(x)/Γ(x): NaN at -1, -2, ..., within 6 units in the last place above 0.

    Rational up to 8, with the zero at 1.46 as a factor; an asymptotic series above;
    reflection below 0 (Abramowitz & Stegun 6.3.18 and 6.3.7). It is -inf at 0 and +inf
    at -0.
    """
    dtype = x.dtype
    x = np.maximum(x, -(2.0**53), dtype=np.float64)  # below, all floats are whole
    t = np.where(x < 1, np.abs(x), x - 1)  # the steps below are for digamma(1 + t)
    m = np.minimum(t, 7)
    p, q = 0 * m, 0 * m
    for p_k, q_k in (  # p/q = digamma(1 + t)/(t - zero)
        (0.0, 2.669019365132676e-09),
        (1.8944254560411426e-08, 9.517579056537234e-07),
        (4.734104573665179e-06, 7.39584833228393e-05),
        (0.00028535398837426467, 0.002205243712572366),
        (0.006788227159959848, 0.0314000641473956),
        (0.07727965462961862, 0.23635177886173026),
        (0.456956716779085, 0.9768724287603071),
        (1.419623661377741, 2.183332113477827),
        (2.163153659875041, 2.4135436336204674),
        (1.2503801375034054, 1.0),
    ):
        p *= m
        p += p_k
        q *= m
        q += q_k
    zero = 0.46163214496836236, -1.5522348162858677e-17
    y = np.asarray(p / q * (m - zero[0] - zero[1]))
    if np.any(large := t > 7):
        z = 1 + t[large]
        w = 1 / z
        s, tail = w * w, 0 * w
        for c in (  # B(2k)/(2k)
            43867 / 14364,
            -3617 / 8160,
            1 / 12,
            -691 / 32760,
            1 / 132,
            -1 / 240,
            1 / 252,
            -1 / 120,
            1 / 12,
        ):
            tail = (tail + c) * s
        y[large] = np.log(z) - (0.5 * w + tail)
    if np.any(small := x < 1):
        v, up = x[small], y[small]
        r = v - np.round(v)
        r[r == 0] = np.nan
        pole = np.where(v < 0, np.tan(np.pi * r) / np.pi, v)
        y[small] = up - 1 / pole
    return y.astype(dtype)
'''

_POLYGAMMA = '''
def _zeta(s, x):
    """Return the sum of (x + k)**-s over k = 0, 1, ..., by Euler-Maclaurin, s >= 2."""
    z = x + 16
    rest = z ** (1 - s)
    term = rest / z
    tail = rest / (s - 1) + 0.5 * term
    term = term * s / z
    for k, c in enumerate(  # B(2k)/(2k)!
        (
            1 / 12,
            -1 / 720,
            1 / 30240,
            -1 / 1209600,
            1 / 47900160,
            -691 / 1307674368000,
            1 / 74724249600,
        )
    ):
        tail = tail + c * term
        term = term * ((s + 2 * k + 1) / z) * ((s + 2 * k + 2) / z)
    total = (x + 15) ** -s
    for k in range(14, -1, -1):  # the small terms first
        total = total + (x + k) ** -s
    return total + tail


def _polygamma(n, x):
    """Return the n-th derivative of digamma: ±n! times the sum of (x + k)**-(n + 1).

    At 0, -1, -2, ... it is +inf for odd n and NaN for even n, whose sign changes there.
    Below 0 the sum over all whole k, without those below 0, has no large terms that
    cancel.
    """
    dtype = np.result_type(x)
    x, n = np.asarray(x, np.float64), np.asarray(n, np.float64)
    s, sign = n + 1, 2 * (n % 2) - 1
    factorial = np.cumprod([1.0, *range(1, 171)])
    factorial[0] = np.nan  # for all that is no order
    known = (n == np.floor(n)) & (n >= 1) & (n <= 170)
    factorial = factorial[np.where(known, n, 0).astype(np.intp)]
    total = _zeta(s, np.where(x <= 0, 1, x))
    if np.any(x <= 0):
        v = np.clip(x, -(2.0**53), 0)  # all floats below are whole numbers
        r = v - np.round(v)
        pole = np.where((r == 0) & (sign < 0), np.nan, r) ** -s
        below = _zeta(s, 1 - r) - _zeta(s, 1 - v)
        total = np.where(x <= 0, pole + _zeta(s, 1 + r) + sign * below, total)
    return (sign * factorial * total).astype(dtype)
'''


# -- what the reference applies ------------------------------------------------------------------


def _loggamma(x: float) -> float:
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return _INF
    try:
        return math.lgamma(x)
    except OverflowError:
        return _INF


def _digamma(x: float) -> float:
    """Return digamma by its recurrence and its asymptotic series."""
    if x == 0:
        return math.copysign(_INF, -x)
    if x < 0:
        r = math.fmod(x, 1.0) if math.isfinite(x) else 0.0
        return _digamma(1 - x) - math.pi / math.tan(math.pi * r) if r else _NAN
    shifted = 0.0
    while x < 20:
        shifted, x = shifted + 1 / x, x + 1
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    return math.log(x) - 0.5 / x - series - shifted if x < _INF else x


def _polygamma(n: float, x: float) -> float:
    """Return the n-th derivative of digamma by that of its recurrence and its series."""
    if math.isnan(x) or not (1 <= n <= _HIGHEST_ORDER and n == math.floor(n)):
        return _digamma(x) if n == 0 else _NAN
    sign = 1 if n % 2 else -1
    if x == -_INF or (x <= 0 and x == math.floor(x)):
        return _INF if sign > 0 else _NAN
    return sign * math.factorial(int(n)) * _zeta(n + 1, x)


def _zeta(s: float, x: float) -> float:
    if x < 0:
        r = math.fmod(x, 1.0)
        mirrored = _zeta(s, 1 - r) - _zeta(s, 1 - x)
        return float(r**-s) + _zeta(s, 1 + r) + (-1) ** int(s) * mirrored
    total = 0.0
    while x < 20 + s:
        total, x = total + _negative_power(x, s), x + 1
    first = s / 12 / x - s * (s + 1) * (s + 2) / 720 / x**2 / x if x < 1e100 else 0.0
    second = s * (s + 1) * (s + 2) * (s + 3) * (s + 4) / 30240 / x**5 if x < 1e60 else 0.0
    return (
        total + _negative_power(x, s - 1) / (s - 1) + _negative_power(x, s) * (0.5 + first + second)
    )


def _negative_power(x: float, s: float) -> float:
    try:
        return float(x**-s)
    except OverflowError:
        return _INF


# -- where the values lie ------------------------------------------------------------------------


def _bounds_of_loggamma(a: Bounds) -> Bounds:
    if a.low < 0:
        return UNKNOWN
    return Bounds(-0.12148629053584961, _INF, False, a.pole or a.low <= 0, a.steep)


def _bounds_of_digamma(a: Bounds) -> Bounds:
    if a.low < 0:
        return UNKNOWN
    low = _digamma(a.low) if a.low > 0 else -_INF
    high = _digamma(a.high) if a.high < _INF else _INF
    return Bounds(low, high, False, a.pole or a.low <= 0, a.steep)


def _bounds_of_polygamma(n: Bounds, a: Bounds) -> Bounds:
    pole = a.pole or a.low <= 0
    if n.low != n.high:
        return UNKNOWN
    if n.low % 2:
        return Bounds(0.0, _INF, False, pole, a.steep)
    return Bounds(-_INF, 0.0, False, pole, a.steep) if a.low >= 0 else UNKNOWN


def _range_of_polygamma(n: Range, a: Range) -> Range:
    if n.low != n.high or n.nan:
        return Range()
    if n.low % 2:
        return Range(0.0, _INF, a.nan)
    return Range(-_INF, 0.0 if a.low > 0 else _INF, a.nan or a.low <= 0)


_LOGGAMMA_IMAGE = Image(
    _bounds_of_loggamma,
    lambda a: Range(-0.12148629053584961 if a.low >= 0 else -_INF, _INF, a.nan),
)
_DIGAMMA_IMAGE = Image(_bounds_of_digamma, lambda a: Range(-_INF, _INF, a.nan or a.low < 0))


class Polygamma(Special):
    """The n-th derivative of digamma. The order n is a whole number, and no derivative flows there.

    It is an operand like the exponent of a power, so that SymPy's polygamma(n + 1, x) is the
    derivative, whatever the order.
    """

    def __init__(self) -> None:
        super().__init__(
            "polygamma",
            "The n-th derivative of digamma(x); NaN at a pole where its sign changes (even n).",
            "polygamma(n, x)",
            args="n x",
            source=_POLYGAMMA,
            held={4: 88, 8: 88},
            meaning=_polygamma,
            domain=((1.0, 3.0), *_POSITIVE),
            cuts=True,  # in the order
            flops=500,
            tex=r"\psi^{{({})}}\left({}\right)",
            image=Image(_bounds_of_polygamma, _range_of_polygamma),
        )
        arg = Arg((3, 4), "float64", *_POSITIVE[0])
        order = Arg((3, 4), "int64", 1, 4)
        scalars = (Arg((), "int64", 2, 3), Arg((), "float64", *_POSITIVE[0]))
        self.cases = (Case((order, arg)), Case((Arg((4,), "int64", 1, 4), arg)))
        self.cases += (Case(scalars),)

    def written(self, source: str) -> str:
        return source.strip("\n")

    def __call__(self, *operands: Any) -> Node:
        if len(operands) == 2:
            order = _number(operands[0])
            if order == 0:
                return digamma(operands[1])
            if order is not None and not (order.is_integer() and 0 < order <= _HIGHEST_ORDER):
                raise user_error(
                    "the order of polygamma is not one that it has",
                    got=f"n={order:g}",
                    expected=f"a whole number from 0 to {_HIGHEST_ORDER}",
                )
        return super().__call__(*operands)

    def operand_dtype(self, values: Sequence[Any]) -> np.dtype:
        return super().operand_dtype(values[1:])  # the order counts, whatever integers hold it

    def is_differentiable(self, node: Node, index: int) -> bool:
        return index == 1 and node.inputs[1].dtype.kind == "f"

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return None

    def scratch(self, node: Node) -> Dim:
        return self.held[node.dtype.itemsize] * node.size


def _number(order: Any) -> float | None:
    """Return an order that is known when the graph is built."""
    if isinstance(order, Node):
        value = order.attrs["value"] if is_fill(order) else None
        return float(value) if isinstance(value, (bool, int, float)) else None
    return float(order) if is_weak(order) else None


loggamma = register(
    Special(
        "loggamma",
        "log|Γ(x)|, the logarithm of the gamma function's magnitude; +inf at its poles.",
        "loggamma(x)",
        source=_LOGGAMMA,
        held={4: 110, 8: 110},
        meaning=_loggamma,
        domain=_POSITIVE,
        flops=80,
        tex=r"\ln \left|\Gamma\left({}\right)\right|",
        image=_LOGGAMMA_IMAGE,
    )
)
digamma = register(
    Special(
        "digamma",
        "Γ'(x)/Γ(x), the derivative of loggamma; NaN at -1, -2, ..., where its sign changes.",
        "digamma(x)",
        source=_DIGAMMA,
        held={4: 110, 8: 110},
        meaning=_digamma,
        domain=_POSITIVE,
        flops=75,
        tex=r"\psi\left({}\right)",
        image=_DIGAMMA_IMAGE,
    )
)
polygamma = register(Polygamma())
