"""Which values can a node take? Intervals, from which follows that a divisor is never zero.

Bounds hold for all finite inputs in floating-point arithmetic: exp may underflow, so it is not
below-bounded by anything above 0, while 1 + exp(x) is at least 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops.formula import evaluate_formula
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import OPS

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

    def inverted(self) -> Bounds:
        """Return the bounds of 1/x."""
        if self.may_be_zero:
            low, high = (0.0 if self.low >= 0 else -_INF), (0.0 if self.high <= 0 else _INF)
            return Bounds(low, high, nonzero=False, pole=True, steep=self.steep)
        if self.low <= 0 <= self.high:
            return replace(self, low=-_INF, high=_INF)
        return Bounds(1 / self.high, 1 / self.low, True, self.pole)


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
        any(p.pole for p in parts),
        any(p.steep for p in parts),
    )


def _flags(*parts: Bounds) -> dict[str, bool]:
    return {"pole": any(p.pole for p in parts), "steep": any(p.steep for p in parts)}


def _corners(
    pairs: Sequence[tuple[float, float]], combine: Callable[[float, float], float]
) -> tuple[float, float]:
    values = [combine(a, b) for a, b in pairs]
    # 0·∞ is 0 here: an infinite bound stands for "as large as you like", not for infinity.
    finite = [0.0 if math.isnan(v) else v for v in values]
    return min(finite), max(finite)


def _add(a: Bounds, b: Bounds) -> Bounds:
    return Bounds(a.low + b.low, a.high + b.high, **_flags(a, b))


def _negative(a: Bounds) -> Bounds:
    return replace(a, low=-a.high, high=-a.low)


def _multiply(a: Bounds, b: Bounds) -> Bounds:
    pairs = [(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    low, high = _corners(pairs, lambda x, y: x * y)
    return Bounds(low, high, not a.may_be_zero and not b.may_be_zero, **_flags(a, b))


def _power(a: Bounds, b: Bounds) -> Bounds:
    if b.low != b.high or not math.isfinite(b.low):
        low = 0.0 if a.low >= 0 else -_INF
        return Bounds(low, _INF, False, a.may_be_zero or a.low < 0 or a.pole, a.steep or b.steep)
    if b.low < 0:
        return _power(a, exactly(-b.low)).inverted()
    n = b.low
    if n == 0:
        return exactly(1.0)
    even = n % 2 == 0
    low, high = a.low, a.high
    if not n.is_integer():
        low, high = max(low, 0.0), max(high, 0.0)
    ends = [_raised(low, n), _raised(high, n)]
    if even and low < 0 < high:
        ends.append(0.0)
    return Bounds(min(ends), max(ends), not a.may_be_zero, **_flags(a))


def _raised(x: float, n: float) -> float:
    try:
        return float(x**n)
    except OverflowError:
        return _INF if x > 0 or n % 2 == 0 else -_INF


def _monotone(
    function: Callable[[float], float], domain: tuple[float, float] = (-_INF, _INF)
) -> Callable[[Bounds], Bounds]:
    """Return the bounds of an increasing function that is finite inside its domain."""

    def apply(a: Bounds) -> Bounds:
        low, high = max(a.low, domain[0]), min(max(a.high, domain[0]), domain[1])
        low = min(low, domain[1])
        outside = a.low < domain[0] or a.high > domain[1]
        return Bounds(
            _value(function, low), _value(function, high), False, a.pole or outside, a.steep
        )

    return apply


def _value(function: Callable[[float], float], x: float) -> float:
    try:
        return float(function(x))
    except OverflowError:
        return math.copysign(_INF, x)
    except ValueError:
        return -_INF if x <= 0 else _INF


def _exp(a: Bounds) -> Bounds:
    low, high = _value(math.exp, a.low), _value(math.exp, a.high)
    return Bounds(low, high, low > 0, a.pole, a.steep or high == _INF)


def _expm1(a: Bounds) -> Bounds:
    e = _exp(a)
    return Bounds(e.low - 1, e.high - 1, False, e.pole, e.steep)


def _log(a: Bounds) -> Bounds:
    low = -_INF if a.low <= 0 else math.log(a.low)
    high = -_INF if a.high <= 0 else _value(math.log, a.high)
    return Bounds(low, high, False, a.pole or a.low <= 0, a.steep)


def _sqrt(a: Bounds) -> Bounds:
    low, high = math.sqrt(max(a.low, 0.0)), math.sqrt(max(a.high, 0.0))
    return Bounds(low, high, not a.may_be_zero, **_flags(a))


def _abs(a: Bounds) -> Bounds:
    low = 0.0 if a.low <= 0 <= a.high else min(abs(a.low), abs(a.high))
    return Bounds(low, max(abs(a.low), abs(a.high)), not a.may_be_zero, **_flags(a))


def _even_above(least: float) -> Callable[[Bounds], Bounds]:
    return lambda a: Bounds(least, _INF, least > 0, a.pole, True)


def _within(low: float, high: float) -> Callable[..., Bounds]:
    return lambda *operands: Bounds(low, high, False, any(a.pole for a in operands))


class _BoundsAlgebra(dict):  # type: ignore[type-arg]  # other ops by their formula
    """Formulas over bounds: a name's own rule, else the op's formula, else nothing is known."""

    def __missing__(self, name: str) -> Callable[..., Bounds]:
        op = OPS.get(name)
        if not isinstance(op, Pointwise) or op.formula.startswith(f"{name}("):
            return lambda *operands: UNKNOWN
        if op.cuts_to_bool:
            return lambda *operands: TRUTH
        formula, args = op.formula, op.args
        return lambda *operands: formula_bounds(formula, dict(zip(args, operands, strict=True)))


_TURN = math.pi / 2
ALGEBRA = _BoundsAlgebra(
    number=lambda value: exactly(float(value)),
    add=_add,
    subtract=lambda a, b: _add(a, _negative(b)),
    multiply=_multiply,
    divide=lambda a, b: _multiply(a, b.inverted()),
    power=_power,
    negative=_negative,
    exp=_exp,
    expm1=_expm1,
    log=_log,
    sqrt=_sqrt,
    abs=_abs,
    where=lambda c, a, b: hull(a, b),
    maximum=lambda a, b: Bounds(
        max(a.low, b.low), max(a.high, b.high), max(a.low, b.low) > 0, **_flags(a, b)
    ),
    minimum=lambda a, b: Bounds(
        min(a.low, b.low), min(a.high, b.high), min(a.high, b.high) < 0, **_flags(a, b)
    ),
    logaddexp=lambda a, b: Bounds(max(a.low, b.low), max(a.high, b.high) + 1, **_flags(a, b)),
    sign=_within(-1, 1),
    sin=_within(-1, 1),
    cos=_within(-1, 1),
    erf=_within(-1, 1),
    tanh=_monotone(math.tanh),
    atan=_monotone(math.atan),
    asin=_monotone(math.asin, (-1, 1)),
    acos=_within(0, math.pi),
    atan2=_within(-2 * _TURN, 2 * _TURN),
    sinh=lambda a: Bounds(pole=a.pole, steep=True),
    tan=lambda a: Bounds(pole=a.pole),
    cosh=_even_above(1.0),
    asinh=_monotone(math.asinh),
    floor=lambda a: Bounds(a.low - 1, a.high, **_flags(a)),
    ceil=lambda a: Bounds(a.low, a.high + 1, **_flags(a)),
    round=lambda a: Bounds(a.low - 1, a.high + 1, **_flags(a)),
    trunc=lambda a: Bounds(min(a.low, 0), max(a.high, 0), **_flags(a)),
    logical_and=_within(0, 1),
    logical_or=_within(0, 1),
    logical_not=_within(0, 1),
    logical_xor=_within(0, 1),
)


def formula_bounds(formula: str, variables: Mapping[str, Bounds]) -> Bounds:
    """Return the bounds of a formula whose variables have the given bounds."""
    result: Bounds = evaluate_formula(formula, variables, ALGEBRA)
    return result


def _total(node: Node, a: Bounds) -> Bounds:
    """Return the bounds of sums: signs are kept; there may be no elements at all."""
    empty = any(type(d) is int and d == 0 for d in node.inputs[0].shape)
    if empty:
        return exactly(0.0)
    low = a.low if a.low >= 0 else -_INF
    high = a.high if a.high <= 0 else _INF
    return Bounds(low, high, False, **_flags(a))


def _contracted(node: Node, *factors: Bounds) -> Bounds:
    product = factors[0]
    for factor in factors[1:]:
        product = _multiply(product, factor)
    low, high = (0.0 if product.low >= 0 else -_INF), (0.0 if product.high <= 0 else _INF)
    return Bounds(low, high, False, **_flags(product))


#: Bounds of ops outside the pointwise family, from their operands' bounds.
_RULES: dict[str, Callable[..., Bounds]] = {
    "sum": _total,
    "mean": lambda node, a: replace(a, nonzero=False),
    "max": lambda node, a: a,
    "min": lambda node, a: a,
    "var": lambda node, a: Bounds(0.0, _INF, pole=a.pole),
    "std": lambda node, a: Bounds(0.0, _INF, pole=a.pole),
    "norm": lambda node, a: Bounds(0.0, _INF, pole=a.pole),
    "softmax": lambda node, a: Bounds(0.0, 1.0),
    "log_softmax": lambda node, a: Bounds(-_INF, 0.0),
    "einsum": _contracted,
    "concat": lambda node, *parts: hull(*parts),
    "pad": lambda node, a: hull(a, exactly(float(node.attrs["value"]))),
    "gather": lambda node, a, *indices: a,
    "take_along_axis": lambda node, a, index: a,
    "eye": lambda node: TRUTH,
}


class BoundsOf:
    """The bounds of nodes, each computed once: `bounds_of(node)`, iterative over the graph."""

    def __init__(self) -> None:
        self._known: dict[Node, Bounds] = {}

    def __call__(self, root: Node) -> Bounds:
        known, stack = self._known, [root]
        while stack:
            node = stack[-1]
            missing = [x for x in node.inputs if x not in known]
            if node in known or not missing:
                stack.pop()
                if node not in known:
                    known[node] = self._of(node)
            else:
                stack += missing
        return known[root]

    def _of(self, node: Node) -> Bounds:
        inputs = [self._known[x] for x in node.inputs]
        op = node.op
        if node.dtype.kind == "b":
            return TRUTH
        if op.name in _RULES:
            return _RULES[op.name](node, *inputs)
        if op.name == "full":
            return _bounds_of_fill(node.attrs["value"])
        if op.name == "constant":
            return _bounds_of_array(node.attrs["value"].array)
        if op is OPS["multiply"] and node.inputs[0] is node.inputs[1]:
            return _pointwise(OPS["square"], inputs[:1])
        if isinstance(op, Pointwise):
            return inputs[0] if op.formula == op.args[0] else _pointwise(op, inputs)
        return inputs[0] if op.is_view else UNBOUNDED


def _pointwise(op: Op, inputs: Sequence[Bounds]) -> Bounds:
    result: Bounds = ALGEBRA[op.name](*inputs)
    return result


def _bounds_of_fill(value: Any) -> Bounds:
    if isinstance(value, (bool, int, float)):
        return exactly(float(value)) if not math.isnan(value) else UNKNOWN
    positive = bool(value.is_positive)
    return Bounds(1.0 if positive else -_INF, _INF, positive)


def _bounds_of_array(array: Any) -> Bounds:
    if array.size == 0:
        return exactly(0.0)
    return Bounds(float(array.min()), float(array.max()), bool((array != 0).all()))
