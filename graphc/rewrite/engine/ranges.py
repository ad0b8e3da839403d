"""Ranges: what is known of a node's values, found by evaluating formulas over intervals.

Ops give the range of their values, given those of their operands (`ir.ranges`); that of a pointwise
op follows from its image, or from the formula that it is lowered to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from graphc.ir.node import Node
from graphc.ir.ranges import ANYTHING, TRUTH, Range, only_number
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS


def range_of(node: Node, operands: Sequence[Range]) -> Range:
    """Return the range of a node, given its operands' ranges."""
    op = node.op
    if node.dtype.kind == "b":
        return TRUTH
    found = _image(op)(*operands) if isinstance(op, Pointwise) else op.range(node, operands)
    if node.dtype.kind != "f":
        is_cut = node.op is OPS["cast"] and node.inputs[0].dtype.kind == "f"
        return _whole(found) if is_cut else Range(found.low, found.high, False)
    limit = float(np.finfo(node.dtype).max)
    return Range(_rounded(found.low, limit), _rounded(found.high, limit), found.nan)


def _whole(found: Range) -> Range:
    """Return the range of what floats are cut to; one that is no integer becomes any."""
    if found.nan or not max(abs(found.low), abs(found.high)) < 2.0**31:
        return Range(-math.inf, math.inf, False)
    return Range(math.trunc(found.low), math.trunc(found.high), False)


def _rounded(end: float, limit: float) -> float:
    """Return an end of an interval in a dtype whose largest number is `limit`."""
    return end if abs(end) <= limit else math.copysign(math.inf, end)


class _Ranges(dict[str, Callable[..., Range]]):  # a read-only view of the registry
    """Formulas over ranges: every name is the image of the op of that name."""

    def __missing__(self, name: str) -> Callable[..., Range]:
        op = OPS[name]
        assert isinstance(op, Pointwise)
        return _image(op)


def _image(op: Pointwise) -> Callable[..., Range]:
    """Return an op's own image, else that of what it is lowered to; else nothing is known."""
    if op.image.range is not None:
        return op.image.range
    if op.is_identity:
        return lambda operand: operand
    if op.cuts_to_bool:
        return lambda *operands: TRUTH
    if op.is_primitive:
        return lambda *operands: ANYTHING
    formula, args = op.lowering, op.args
    return lambda *operands: _of_formula(formula, dict(zip(args, operands, strict=True)))


def _of_formula(formula: str, variables: Mapping[str, Range]) -> Range:
    found: Range = evaluate_formula(formula, variables, _FORMULAS)
    return found


_FORMULAS = _Ranges(number=only_number)
