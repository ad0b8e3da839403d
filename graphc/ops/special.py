"""Special functions that NumPy lacks: their NumPy form calls a function written into the module.

The coefficients are least-squares rational fits, computed at 110 digits for this file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.bounds import Bounds
from graphc.ir.code import Code, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.ranges import Range
from graphc.ir.symbols import sympy_module
from graphc.ir.types import FLOAT32, TensorType
from graphc.ops import images
from graphc.ops.algebras import NODES
from graphc.ops.formula import evaluate_formula
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import OPS, register

#: Elements that a helper computes at a time, in less than half the time: its arrays stay in the
#: second-level cache, and below the size from which the C library asks the system for fresh pages.
PART = 8192

_IN_PARTS = f'''
def in_parts(function):
    """Let a function of elements go through large arrays by parts that stay cached."""

    def written(x, out=None):
        if x.size <= {PART} and out is None:
            return function(x)
        out = np.empty(x.shape, x.dtype) if out is None else out
        source, target = x.reshape(-1), out.reshape(-1)
        for start in range(0, x.size, {PART}):
            part = slice(start, start + {PART})
            target[part] = function(source[part])
        return out

    return written
'''


class Special(Pointwise):
    """A pointwise primitive whose NumPy form is a call of the helper `_name`.

    `source` is that helper and `single` the shorter one that has the digits of float32, where one
    does not serve both; `shared` is a function that several helpers call; `held` gives the most
    bytes that a helper holds for an element, given the bytes of the element; `meaning` is the
    function of numbers that the reference applies.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        formula: str,
        *,
        source: str,
        single: str | None = None,
        held: Mapping[int, int],
        meaning: Callable[..., float],
        shared: str = "",
        **settings: Any,
    ) -> None:
        self.source = f"{shared}\n\n{self.written(source)}" if shared else self.written(source)
        self.single = single and self.written(single)
        self.held = held
        self.meaning = meaning
        super().__init__(name, doc, formula, **settings)

    def written(self, source: str) -> str:
        """Return the helper as it stands in the module: large arrays go through it in parts."""
        return f"{_IN_PARTS}\n\n@in_parts{source}"

    @property
    def is_primitive(self) -> bool:
        return True

    def reference(
        self, arrays: Sequence[np.ndarray], attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        return np.asarray(np.vectorize(self.meaning, otypes=[result.dtype])(*arrays))

    def numpy(self, node: Node, args: Sequence[Code], notation: Notation) -> Code:
        return Code(f"{self._called(node)}({', '.join(a.text for a in args)})")

    def numpy_into(
        self, node: Node, args: Sequence[Code], out: str, notation: Notation
    ) -> str | None:
        if not notation.owns_out:
            return None
        return f"{self._called(node)}({', '.join(a.text for a in args)}, out={out})"

    def _called(self, node: Node) -> str:
        is_single = self.single is not None and node.dtype == FLOAT32
        return f"_{self.name}_float32" if is_single else f"_{self.name}"

    def scratch(self, node: Node) -> Dim:
        size = node.size
        at_once = min(size, PART) if isinstance(size, int) else sympy_module().Min(size, PART)
        return self.held[node.dtype.itemsize] * at_once

    def helper(self, node: Node) -> str:
        if self.single is not None and node.dtype == FLOAT32:
            return self.single
        return self.source


# One formula serves tiny and large x alike: log(erfc(a)) is nearly linear in a, and expm1 keeps
# the digits that 1 - exp(...) would cancel. All coefficients are positive, so nothing cancels.
_ERF = '''
def _erf(x):
    """Return the error function within 3 units in the last place."""
    a = np.minimum(np.abs(x), 6)  # erf(6) rounds to 1
    p, q = 0 * a, 0 * a
    for p_k, q_k in (  # p/q = -log(erfc(a))/a
        (1.3817458199613939e-05, 0.0),
        (0.0005578963268768394, 1.3818513512076483e-05),
        (0.007783394836753506, 0.0005577057513488567),
        (0.05851586828118604, 0.007712884619509566),
        (0.2773751458582957, 0.056493346245983),
        (0.8851740189198933, 0.2554705440019269),
        (1.936602067201407, 0.7543843757012546),
        (2.842211964226821, 1.4572412725427162),
        (2.5776670718756267, 1.7202083804013937),
        (1.1283791670955126, 1.0),
    ):
        p *= a
        p += p_k
        q *= a
        q += q_k
    p /= q
    p *= -a
    return np.copysign(np.expm1(p), x)
'''

_ERF_FLOAT32 = '''
def _erf_float32(x):
    """Return the error function within 4 units in the last place, for float32."""
    a = np.minimum(np.abs(x), np.float32(4))  # erf(4) rounds to 1
    p, q = 0.040376925 * a, 0.040420265 * a
    for p_k, q_k in (  # p/q = -log(erfc(a))/a
        (0.29621046, 0.29385664),
        (0.94645546, 0.8044016),
    ):
        p += p_k
        p *= a
        q += q_k
        q *= a
    p += 1.5442895
    p *= a
    p += 1.1283792
    q += 1
    p /= q
    p *= -a
    return np.copysign(np.expm1(p), x)
'''

# The square is split, so that exp(-a*a) keeps its digits where a*a is large.
_ERFC = '''
def _erfc(x):
    """Return 1 - erf(x) with a relative error below 2e-15."""
    a = np.minimum(np.abs(x), 28)  # erfc(28) rounds to 0
    p, q = 0 * a, 0 * a
    for p_k, q_k in (  # p/q = exp(a*a)*erfc(a)
        (0.0, 0.00011115308904949597),
        (6.271141502069576e-05, 0.0021130824995880602),
        (0.0011921791354718696, 0.019725091704608778),
        (0.011097335564956852, 0.11703106771586222),
        (0.06543161986036827, 0.48349737635043744),
        (0.2672668694161045, 1.4423141615920778),
        (0.7816189431769458, 3.12823352873742),
        (1.6367530651652793, 4.849088106955082),
        (2.376227436972245, 5.122531367581083),
        (2.191696247138999, 3.320075414234498),
        (1.0, 1.0),
    ):
        p *= a
        p += p_k
        q *= a
        q += q_k
    p /= q
    h = a.astype(np.float32).astype(np.float64)  # h*h is exact
    q = h - a
    q *= h + a
    p *= np.exp(q)
    h *= -h
    p *= np.exp(h)
    p -= x < 0
    p = np.abs(p)
    p += x < 0  # 2 - p where x is negative
    return p
'''

# A few coefficients have the digits of float32, and arithmetic of float64 keeps them.
_ERFC_FLOAT32 = '''
def _erfc_float32(x):
    """Return 1 - erf(x) within a unit in the last place, for float32."""
    a = np.minimum(np.abs(x), np.float32(10.1))  # erfc(10.1) rounds to 0
    a = a.astype(np.float64)
    p, q = 0.03279763958 * a, 0.05813160385 * a
    for p_k, q_k in (  # p/q = exp(a*a)*erfc(a)
        (0.2292247831, 0.4063167489),
        (0.7316172803, 1.325392976),
        (1.238423607, 2.402259545),
    ):
        p += p_k
        p *= a
        q += q_k
        q *= a
    p += 1.000000006
    q += 2.36680335
    q *= a
    q += 1
    p /= q
    a *= -a
    p *= np.exp(a)
    p -= x < 0
    p = np.abs(p)
    p += x < 0  # 2 - p where x is negative
    return p.astype(np.float32)
'''

erf = register(
    Special(
        "erf",
        "Error function, 2/sqrt(pi) times the integral of exp(-t²) from 0 to x.",
        "erf(x)",
        source=_ERF,
        single=_ERF_FLOAT32,
        held={4: 20, 8: 40},
        meaning=math.erf,
        flops=45,
        image=images.within(-1, 1),
    )
)
erfc = register(
    Special(
        "erfc",
        "1 - erf(x), accurate in the tail.",
        "1 - erf(x)",
        source=_ERFC,
        single=_ERFC_FLOAT32,
        held={4: 33, 8: 41},
        meaning=math.erfc,
        flops=75,
        image=images.within(0, 2),
    )
)

# exp(-x*x/2) is taken out of the tail: what is left of it is between 1 and 1/x.
_SCALED_TAIL = '''
def _scaled_tail(a):
    """Return exp(a*a)*erfc(a) within 5 units in the last place, for a >= 0."""
    u = 2 / (2 + np.minimum(a, 1e300))
    p, q = 0 * u, 0 * u
    for p_k, q_k in (  # all positive, so nothing cancels
        (0.0, 0.004721512307805608),
        (0.4910186195840299, 0.04790747566913222),
        (1.6380340055347928, 0.30290670746370796),
        (3.396000000147403, 0.8619308904935941),
        (5.360293209107882, 2.7647171224986966),
        (6.735511675783477, 3.6948636562730917),
        (7.419144938448137, 8.303744112208989),
        (6.272429541371067, 5.572854783621675),
        (5.338275885038018, 10.313042967423634),
        (2.7541656545392392, 3.1868563621503636),
        (1.9458942326288655, 5.450145263661878),
        (0.4436984883108635, 0.5728701884950858),
        (0.28209479177387814, 1.0),
    ):
        p *= u
        p += p_k
        q *= u
        q += q_k
    return u * p / q
'''

_LOG_NDTR = '''
def _log_ndtr(x):
    """Return the logarithm of the normal distribution function, exact in both tails."""
    z = np.minimum(x, 40, dtype=np.float64)  # 0 from there on
    tail = 0.5 * _scaled_tail(np.abs(z) * 0.7071067811865476)
    e = -0.5 * z * z
    y = np.where(z < 0, np.log(tail) + e, np.log1p(-tail * np.exp(e)))
    return y.astype(x.dtype)
'''

_INVERSE_MILLS_RATIO = '''
def _inverse_mills_ratio(x):
    """Return the normal density over the distribution function, which is above -x."""
    z = np.minimum(x, 40, dtype=np.float64)  # 0 from there on
    tail = 0.5 * _scaled_tail(np.abs(z) * 0.7071067811865476)
    e = np.exp(-0.5 * np.maximum(z, 0) ** 2)
    y = np.maximum(0.3989422804014327 * e / np.where(z < 0, tail, 1 - tail * e), -z)
    return y.astype(x.dtype)
'''


def _log_ndtr(x: float) -> float:
    """Return log(erfc(-x/sqrt(2))/2); far out through a continued fraction."""
    if x > 0:
        return math.log1p(-0.5 * math.erfc(x / math.sqrt(2)))
    if x > -10:
        return math.log(0.5 * math.erfc(-x / math.sqrt(2)))
    return -0.5 * x * x - math.log(math.sqrt(2 * math.pi) * _mills_continued(-x))


def _inverse_mills_ratio(x: float) -> float:
    if not x <= -10:
        density = math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return density / (0.5 * math.erfc(-x / math.sqrt(2)))
    return _mills_continued(-x)


def _mills_continued(x: float) -> float:
    """Return x + 1/(x + 2/(x + 3/...)) for x >= 10, the density over the tail beyond x.

    **Source.** Abramowitz & Stegun 26.2.14.
    """
    value = x
    for k in range(60, 0, -1):
        value = x + k / value
    return value


class OfTail(Special):
    """What the normal tail is made into: SymPy's derivative of it is 0/0 where erfc underflows."""

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        return None if tangents[0] is None else self.transpose(node, tangents[0], 0)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return OPS["multiply"](cotangent, self.slope(node, node.inputs[0]))

    def slope(self, node: Node, x: Node) -> Node:
        """Return the derivative at x, where the op has the value `node`."""
        raise NotImplementedError


class LogNdtr(OfTail):
    def slope(self, node: Node, x: Node) -> Node:
        return inverse_mills_ratio(x)


class InverseMillsRatio(OfTail):
    """Its derivative is -y*(x + y), and far below 0 the series of that (A&S 26.2.12)."""

    def slope(self, node: Node, x: Node) -> Node:
        end = -float((50 / np.finfo(node.dtype).eps) ** 0.125)  # both lose the same digits there
        known = {"x": x, "h": node, "s": OPS["square"](OPS["minimum"](x, end)), "end": end}
        return evaluate_formula("-where(x > end, h*(x + h), 1 - 1/s + 6/s/s)", known, NODES)


def _increasing_to_0(a: Bounds) -> Bounds:
    return Bounds(_log_ndtr(a.low) if a.low > -math.inf else a.low, 0.0, False, a.pole)


log_ndtr = register(
    LogNdtr(
        "log_ndtr",
        "Logarithm of the normal distribution function, exact in the tail.",
        "log(erfc(-x/sqrt(2))/2)",
        source=_LOG_NDTR,
        shared=_SCALED_TAIL,
        held={4: 80, 8: 80},
        meaning=_log_ndtr,
        flops=90,
        image=images.Image(_increasing_to_0, lambda a: Range(-math.inf, 0.0, a.nan)),
    )
)
inverse_mills_ratio = register(
    InverseMillsRatio(
        "inverse_mills_ratio",
        "Normal density over distribution function: the derivative of log_ndtr.",
        "sqrt(2)*exp(-x**2/2)/(sqrt(pi)*erfc(-x/sqrt(2)))",
        source=_INVERSE_MILLS_RATIO,
        shared=_SCALED_TAIL,
        held={4: 80, 8: 80},
        meaning=_inverse_mills_ratio,
        flops=80,
        image=images.Image(
            lambda a: Bounds(0.0, math.inf, False, a.pole), lambda a: Range(0.0, math.inf, a.nan)
        ),
    )
)
