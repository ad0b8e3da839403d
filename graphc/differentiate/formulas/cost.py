"""What does a formula cost? Floating-point operations, equal subformulas counted once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a subformula computes: its own text, and the flops of each distinct part of it.

    `number` is its value where it is a constant; constants are computed once and cost nothing.
    """

    text: str
    parts: Mapping[str, float]
    number: float | None = None


class _CostAlgebra(dict[str, Any]):  # a read-only view of the registry
    """Formulas over costs: an op costs its flops; lowered ops cost what they are lowered to."""

    def __missing__(self, name: str) -> Callable[..., _Cost]:
        op = OPS[name]
        assert isinstance(op, Pointwise)

        def apply(*operands: _Cost) -> _Cost:
            text = f"{name}({', '.join(x.text for x in operands)})"
            if all(x.number is not None for x in operands):
                return _Cost(text, {}, math.nan)
            parts = {text: _own_cost(op, operands)}
            for operand in operands:
                parts.update(operand.parts)
            return _Cost(text, parts)

        return apply


def _own_cost(op: Pointwise, operands: Sequence[_Cost]) -> float:
    if not op.is_primitive:
        return cost_of(op.lowering)
    exponent = operands[-1].number
    if op is OPS["power"] and exponent in (2, 3, 4):
        return exponent - 1  # small powers become products
    return float(op.work)


_COSTS = _CostAlgebra(number=lambda value: _Cost(repr(value), {}, float(value)))


@cache
def cost_of(formula: str) -> float:
    """Return the flops of a formula whose variables are at hand; equal parts count once."""
    result: _Cost = evaluate_formula(formula, _FREE, _COSTS)
    return sum(result.parts.values())


class _FreeVariables(dict[str, Any]):  # every name but π is a variable at hand
    def __contains__(self, name: object) -> bool:
        return name != "pi"

    def __missing__(self, name: str) -> _Cost:
        return _Cost(name, {})


_FREE = _FreeVariables()
