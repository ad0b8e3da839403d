"""The normal distribution's tails: log_ndtr and the inverse Mills ratio."""

from __future__ import annotations

import math

import numpy as np

from graphc.ir.bounds import Bounds
from graphc.ir.node import Node
from graphc.ir.ranges import Range
from graphc.ops.elementwise import images
from graphc.ops.elementwise.algebras import NODES
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.special import Special
from graphc.ops.registry import OPS, register

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
@in_parts(0)
def _log_ndtr(x):
    """Return the logarithm of the normal distribution function, exact in both tails."""
    z = np.minimum(x, 40, dtype=np.float64)  # 0 from there on
    tail = 0.5 * _scaled_tail(np.abs(z) * 0.7071067811865476)
    e = -0.5 * z * z
    y = np.where(z < 0, np.log(tail) + e, np.log1p(-tail * np.exp(e)))
    return y.astype(x.dtype)
'''

_INVERSE_MILLS_RATIO = '''
@in_parts(0)
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

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        return self.transpose(node, tangent, 0)

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
