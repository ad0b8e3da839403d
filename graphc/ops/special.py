"""Special functions that NumPy lacks: their NumPy form calls a function written into the module.

The coefficients are least-squares rational fits, computed at 110 digits for this file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.code import Code, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.symbols import sympy_module
from graphc.ir.types import FLOAT32, TensorType
from graphc.ops import images
from graphc.ops.images import BY_FORMULA, Image
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import register

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

    `source` is that helper and `single` the shorter one that has the digits of float32; `held`
    gives the most bytes that either holds for an element, given the bytes of the element; `meaning`
    is the function of one number that the reference applies.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        formula: str,
        *,
        source: str,
        single: str,
        held: Mapping[int, int],
        meaning: Callable[[float], float],
        flops: int,
        image: Image = BY_FORMULA,
    ) -> None:
        self.source = f"{_IN_PARTS}\n\n@in_parts{source}"
        self.single = f"{_IN_PARTS}\n\n@in_parts{single}"
        self.held = held
        self.meaning = meaning
        super().__init__(name, doc, formula, flops=flops, image=image)

    @property
    def is_primitive(self) -> bool:
        return True

    def reference(
        self, arrays: Sequence[np.ndarray], attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        return np.asarray(np.vectorize(self.meaning, otypes=[result.dtype])(arrays[0]))

    def numpy(self, node: Node, args: Sequence[Code], notation: Notation) -> Code:
        return Code(f"{self._called(node)}({args[0].text})")

    def numpy_into(
        self, node: Node, args: Sequence[Code], out: str, notation: Notation
    ) -> str | None:
        if not notation.owns_out:
            return None
        return f"{self._called(node)}({args[0].text}, out={out})"

    def _called(self, node: Node) -> str:
        return f"_{self.name}_float32" if node.dtype == FLOAT32 else f"_{self.name}"

    def scratch(self, node: Node) -> Dim:
        size = node.size
        at_once = min(size, PART) if isinstance(size, int) else sympy_module().Min(size, PART)
        return self.held[node.dtype.itemsize] * at_once

    def helper(self, node: Node) -> str:
        return self.single if node.dtype == FLOAT32 else self.source


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
