"""Ranges: what is known of a node's values, found by evaluating formulas over intervals.

They are no `ir.bounds`, which hold for finite inputs and take 0·∞ for 0: a rule that drops a guard
has to know of infinite inputs, overflow and NaN too, so here 0·∞ and ∞ − ∞ may be NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.node import Node
from graphc.ops.formula import evaluate_formula
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import OPS

INF = math.inf


@dataclass(frozen=True, slots=True)
class Range:
    """Every value that is a number lies in [low, high]; `nan` says whether one may be NaN."""

    low: float = -INF
    high: float = INF
    nan: bool = True

    @property
    def is_bounded(self) -> bool:
        return self.low > -INF and self.high < INF

    def union(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high), self.nan or other.nan)


ANYTHING = Range()
TRUTH = Range(0.0, 1.0, False)


def range_of(node: Node, operands: Sequence[Range]) -> Range:
    """Return the range of a node, given its operands' ranges."""
    found = _range(node, operands)
    if node.dtype.kind == "b":
        return TRUTH
    if node.dtype.kind != "f":
        return Range(found.low, found.high, False)
    limit = float(np.finfo(node.dtype).max)
    low = -INF if found.low < -limit else INF if found.low > limit else found.low
    high = INF if found.high > limit else -INF if found.high < -limit else found.high
    return Range(low, high, found.nan)


def _range(node: Node, operands: Sequence[Range]) -> Range:
    rule = _RULES.get(node.op.name)
    if rule is not None:
        return rule(node, operands)
    if isinstance(node.op, Pointwise):
        return _pointwise(node.op, operands)
    return ANYTHING


def _pointwise(op: Pointwise, operands: Sequence[Range]) -> Range:
    """Return the range of an op by its formula, or ANYTHING where a part of it has no rule."""
    if op.is_primitive:
        return _INTERVALS[op.name](*operands) if op.name in _INTERVALS else ANYTHING
    names = dict(zip(op.args, operands, strict=True))
    try:
        found = evaluate_formula(op.lowering, names, _ALGEBRA)
    except KeyError:
        return ANYTHING
    return found if isinstance(found, Range) else ANYTHING


# -- arithmetic on ranges ----------------------------------------------------------------------


def _as_range(value: Range | float) -> Range:
    return value if isinstance(value, Range) else Range(float(value), float(value), False)


def _add(a: Range, b: Range) -> Range:
    meets = (a.low == -INF and b.high == INF) or (a.high == INF and b.low == -INF)
    return Range(
        -INF if -INF in (a.low, b.low) else a.low + b.low,
        INF if INF in (a.high, b.high) else a.high + b.high,
        a.nan or b.nan or meets,
    )


def _negative(a: Range) -> Range:
    return Range(-a.high, -a.low, a.nan)


def _multiply(a: Range, b: Range) -> Range:
    corners = [_times(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    zero_meets_infinity = (_holds_zero(a) and not b.is_bounded) or (
        _holds_zero(b) and not a.is_bounded
    )
    return Range(min(corners), max(corners), a.nan or b.nan or zero_meets_infinity)


def _times(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y


def _holds_zero(a: Range) -> bool:
    return a.low <= 0 <= a.high


def _divide(a: Range, b: Range) -> Range:
    if _holds_zero(b):
        # The sign of a quotient is known where neither side changes its own; 0/0 is NaN.
        positive = a.low >= 0 and b.low >= 0
        return Range(0.0 if positive else -INF, INF, True)
    quotients = [_quotient(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    nan = a.nan or b.nan or not (a.is_bounded or b.is_bounded)
    return Range(min(quotients), max(quotients), nan)


def _quotient(x: float, y: float) -> float:
    if abs(y) == INF:
        return 0.0 if abs(x) != INF else math.copysign(INF, x) * math.copysign(1, y)
    return x / y


def _square(a: Range) -> Range:
    ends = (_times(a.low, a.low), _times(a.high, a.high))
    return Range(0.0 if _holds_zero(a) else min(ends), max(ends), a.nan)


def _power(a: Range, b: Range) -> Range:
    if b.low == b.high and b.low % 2 == 0 and b.low > 0:
        return Range(0.0, INF, a.nan)
    if a.low >= 0:
        return Range(0.0, INF, a.nan or b.nan)
    return ANYTHING


def _abs(a: Range) -> Range:
    ends = (abs(a.low), abs(a.high))
    return Range(0.0 if _holds_zero(a) else min(ends), max(ends), a.nan)


def _maximum(a: Range, b: Range) -> Range:
    return Range(max(a.low, b.low), max(a.high, b.high), a.nan or b.nan)


def _minimum(a: Range, b: Range) -> Range:
    return Range(min(a.low, b.low), min(a.high, b.high), a.nan or b.nan)


def _rising(name: str, low: float = -INF, high: float = INF) -> Callable[..., Range]:
    """Return the interval function of a function that rises on its domain [low, high]."""

    def interval(a: Range) -> Range:
        outside = a.low < low or a.high > high
        ends = [_at(name, min(max(end, low), high)) for end in (a.low, a.high)]
        return Range(ends[0], ends[1], a.nan or outside)

    return interval


def _at(name: str, value: float) -> float:
    op = OPS[name]
    assert isinstance(op, Pointwise) and op.ufunc is not None
    with np.errstate(all="ignore"):
        return float(getattr(np, op.ufunc)(value))


def _within(low: float, high: float) -> Callable[..., Range]:
    return lambda *a: Range(low, high, any(x.nan or not x.is_bounded for x in a))


def _logaddexp(a: Range, b: Range) -> Range:
    low = float(np.logaddexp(a.low, b.low))
    return Range(low, float(np.logaddexp(a.high, b.high)), a.nan or b.nan)


_INTERVALS: dict[str, Callable[..., Range]] = {
    "add": _add,
    "subtract": lambda a, b: _add(a, _negative(b)),
    "negative": _negative,
    "multiply": _multiply,
    "divide": _divide,
    "square": _square,
    "power": _power,
    "abs": _abs,
    "positive": lambda a: a,
    "maximum": _maximum,
    "minimum": _minimum,
    "clip": lambda a, low, high: _minimum(_maximum(a, low), high),
    "where": lambda c, a, b: a.union(b),
    "logaddexp": _logaddexp,
    "hypot": lambda a, b: Range(0.0, INF, a.nan or b.nan),
    "sign": lambda a: Range(-1.0, 1.0, a.nan),
    "sin": _within(-1.0, 1.0),
    "cos": _within(-1.0, 1.0),
    "erf": lambda a: Range(-1.0, 1.0, a.nan),
    "erfc": lambda a: Range(0.0, 2.0, a.nan),
    "log": _rising("log", low=0.0),
    "log1p": _rising("log1p", low=-1.0),
    "sqrt": _rising("sqrt", low=0.0),
    **{
        name: _rising(name)
        for name in ("exp", "expm1", "exp2", "tanh", "sinh", "atan", "asinh", "floor", "ceil")
    },
    **{name: lambda *_: TRUTH for name in ("less", "less_equal", "greater", "greater_equal")},
}


class _Intervals(dict):  # type: ignore[type-arg]  # a read-only view of the rules above
    """Formulas over ranges: a derived op's range follows from its own formula."""

    def __missing__(self, name: str) -> Callable[..., Range]:
        op = OPS[name]
        assert isinstance(op, Pointwise)

        def apply(*operands: Range | float) -> Range:
            ranges = [_as_range(operand) for operand in operands]
            if op.is_primitive:
                return _INTERVALS[name](*ranges)
            found = evaluate_formula(op.lowering, dict(zip(op.args, ranges, strict=True)), self)
            return _as_range(found)

        return apply

    def get(self, name: str, default: Any = None) -> Any:
        return default if name == "number" else self[name]


_ALGEBRA = _Intervals()

# -- ops of the other families -----------------------------------------------------------------


def _fill(node: Node, operands: Sequence[Range]) -> Range:
    value = node.attrs["value"]
    if isinstance(value, (bool, int, float)):
        number = float(value)
        return Range(-INF, INF, True) if number != number else Range(number, number, False)
    return Range(1.0, INF, False)  # a dim is a positive integer


def _constant(node: Node, operands: Sequence[Range]) -> Range:
    array = node.attrs["value"].array
    if not array.size or np.isnan(array).any():
        return ANYTHING
    return Range(float(array.min()), float(array.max()), False)


def _same(node: Node, operands: Sequence[Range]) -> Range:
    return operands[0]


def _joined(node: Node, operands: Sequence[Range]) -> Range:
    found = operands[0]
    for other in operands[1:]:
        found = found.union(other)
    return found


def _padded(node: Node, operands: Sequence[Range]) -> Range:
    value = node.attrs["value"]
    return operands[0].union(_as_range(value)) if isinstance(value, (int, float)) else ANYTHING


def _total(node: Node, operands: Sequence[Range]) -> Range:
    a = operands[0]
    low, high = (0.0 if a.low >= 0 else -INF), (0.0 if a.high <= 0 else INF)
    return Range(low, high, a.nan or (a.low == -INF and a.high == INF))


def _product(node: Node, operands: Sequence[Range]) -> Range:
    if all(a.low >= 0 for a in operands):
        return Range(0.0, INF, any(a.nan or not a.is_bounded for a in operands))
    return ANYTHING


def _probability(node: Node, operands: Sequence[Range]) -> Range:
    a = operands[0]
    return Range(0.0, 1.0, a.nan or a.high == INF)


def _spread_of_values(node: Node, operands: Sequence[Range]) -> Range:
    return Range(0.0, INF, operands[0].nan or not operands[0].is_bounded)


_RULES: dict[str, Callable[[Node, Sequence[Range]], Range]] = {
    "full": _fill,
    "constant": _constant,
    "arange": lambda node, operands: Range(-INF, INF, False),
    "eye": lambda node, operands: TRUTH,
    "cast": _same,
    "concat": _joined,
    "pad": _padded,
    "sum": _total,
    "prod": _product,
    "einsum": _product,
    "cumprod": _product,
    "softmax": _probability,
    "var": _spread_of_values,
    "std": _spread_of_values,
    "random_uniform": lambda node, _: Range(node.attrs["low"], node.attrs["high"], False),
    "random_normal": lambda node, _: Range(-INF, INF, False),
    **dict.fromkeys(
        (
            *("reshape", "transpose", "broadcast_to", "slice", "gather", "take_along_axis"),
            "recompute_from",
        ),
        _same,
    ),
    **dict.fromkeys(("mean", "max", "min"), _same),
}
