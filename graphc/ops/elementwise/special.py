"""Special functions that NumPy lacks: their NumPy form calls a function written into the module.

The coefficients are least-squares rational fits, computed at 110 digits for this file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.op import Arrays
from graphc.ir.symbols import sympy_module
from graphc.ir.types import FLOAT32, TensorType
from graphc.ops.elementwise import images
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import register

#: Elements that a helper computes at a time: its arrays stay in the cache, and threads, which wait
#: for one another between two calls, seldom do. Fresh arrays, of helpers that take no spare ones,
#: stay below the size from which the C library asks the system for pages.
PART, PART_IN_FRESH_ARRAYS = 65536, 32768

_IN_PARTS = f'''
def in_parts(spare, kind=None):
    """Let a function of elements go through large arrays by parts that stay cached.

    It returns a part's values or, given spare arrays, writes them into its second.
    """

    def by_parts(function):
        def written(x, out=None):
            out = np.empty(x.shape, x.dtype) if out is None else out
            source, target = x.reshape(-1), out.reshape(-1)
            most = {PART} if spare else {PART_IN_FRESH_ARRAYS}
            arrays = np.empty((spare, min(x.size, most)), kind or x.dtype)
            for start in range(0, x.size, most):
                values = source[start : start + most]
                place = target[start : start + most]
                if spare:
                    function(values, place, *arrays[:, : values.size])
                else:
                    place[...] = function(values)
            return out

        return written

    return by_parts
'''


class Special(Pointwise):
    """A pointwise primitive whose NumPy form is a call of the helper `_name`.

    `source` is that helper and `single` the shorter one that has the digits of float32, where one
    does not serve both; `shared` is a function that several helpers call; `held` gives the most
    bytes that a helper holds for an element, given the bytes of the element, and `part` for how
    many elements at a time; `meaning` is the function of numbers that the reference applies.
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
        part: int = PART_IN_FRESH_ARRAYS,
        **settings: Any,
    ) -> None:
        self.source = f"{shared}\n\n{self.written(source)}" if shared else self.written(source)
        self.single = single and self.written(single)
        self.held, self.part = held, part
        self.meaning = meaning
        super().__init__(name, doc, formula, **settings)

    def written(self, source: str) -> str:
        """Return the helper as it stands in the module: large arrays go through it in parts."""
        return f"{_IN_PARTS}\n\n{source.lstrip()}"

    @property
    def is_primitive(self) -> bool:
        return True

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.asarray(np.vectorize(self.meaning, otypes=[result.dtype])(*arrays))

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"{self._called(node)}({', '.join(a.text for a in args)})")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        if not notation.owns_out:
            return None
        return f"{self._called(node)}({', '.join(a.text for a in args)}, out={out})"

    def _called(self, node: Node) -> str:
        is_single = self.single is not None and node.dtype == FLOAT32
        return f"_{self.name}_float32" if is_single else f"_{self.name}"

    def scratch(self, node: Node) -> Dim:
        size, part = node.size, self.part
        at_once = min(size, part) if isinstance(size, int) else sympy_module().Min(size, part)
        return self.held[node.dtype.itemsize] * at_once

    def helper(self, node: Node) -> str:
        if self.single is not None and node.dtype == FLOAT32:
            return self.single
        return self.source


# One formula serves tiny and large x alike: log(erfc(a)) is nearly linear in a, and expm1 keeps
# the digits that 1 - exp(...) would cancel. All coefficients are positive, so nothing cancels.
_ERF = '''
@in_parts(3)
def _erf(x, y, a, p, q):
    """Write the error function of x into y, within 3 units in the last place."""
    np.abs(x, out=a)
    np.minimum(a, 6, out=a)  # erf(6) rounds to 1
    p.fill(1.3817458199613939e-05)
    q.fill(0)
    for p_k, q_k in (  # p/q = -log(erfc(a))/a
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
    np.negative(a, out=a)
    p *= a
    np.expm1(p, out=p)
    np.copysign(p, x, out=y)
'''

_ERF_FLOAT32 = '''
@in_parts(3)
def _erf_float32(x, y, a, p, q):
    """Write the error function of x into y, within 4 units in the last place."""
    np.abs(x, out=a)
    np.minimum(a, 4, out=a)  # erf(4) rounds to 1
    np.multiply(a, 0.040376925, out=p)
    np.multiply(a, 0.040420265, out=q)
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
    np.negative(a, out=a)
    p *= a
    np.expm1(p, out=p)
    np.copysign(p, x, out=y)
'''

# The square is split, so that exp(-a*a) keeps its digits where a*a is large.
_ERFC = '''
@in_parts(4)
def _erfc(x, y, a, h, p, q):
    """Write 1 - erf(x) into y, with a relative error below 2e-15."""
    np.abs(x, out=a)
    np.minimum(a, 28, out=a)  # erfc(28) rounds to 0
    p.fill(0)
    q.fill(0.00011115308904949597)
    for p_k, q_k in (  # p/q = exp(a*a)*erfc(a)
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
    np.add(a, 2**32, out=h)
    h -= 2**32  # the leading bits of a: their square is exact
    np.subtract(h, a, out=q)
    a += h
    q *= a
    p *= np.exp(q, out=q)
    np.negative(h, out=q)
    h *= q
    p *= np.exp(h, out=h)
    np.less(x, 0, out=q)
    p -= q
    np.abs(p, out=p)
    np.add(p, q, out=y)  # 2 - p where x is negative
'''

# A few coefficients have the digits of float32, and arithmetic of float64 keeps them.
_ERFC_FLOAT32 = '''
@in_parts(3, np.float64)
def _erfc_float32(x, y, a, p, q):
    """Write 1 - erf(x) into y, within a unit in the last place."""
    np.abs(x, out=a)
    np.minimum(a, 10.1, out=a)  # erfc(10.1) rounds to 0
    np.multiply(a, 0.03279763958, out=p)
    np.multiply(a, 0.05813160385, out=q)
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
    np.negative(a, out=q)
    a *= q
    p *= np.exp(a, out=a)
    np.less(x, 0, out=q)
    p -= q
    np.abs(p, out=p)
    p += q  # 2 - p where x is negative
    y[...] = p
'''

erf = register(
    Special(
        "erf",
        "Error function, 2/sqrt(pi) times the integral of exp(-t²) from 0 to x.",
        "erf(x)",
        source=_ERF,
        single=_ERF_FLOAT32,
        held={4: 12, 8: 24},
        part=PART,
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
        held={4: 24, 8: 32},
        part=PART,
        meaning=math.erfc,
        flops=75,
        image=images.within(0, 2),
    )
)
