"""Which values can a node take? From which follows, for one, that a divisor is never zero.

Ops give the bounds of their values, given those of their operands (`ir.bounds`); here that goes
along graphs, and along the formulas of ops that name no image of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphc.ir.bounds import TRUTH, UNKNOWN, Bounds, exactly
from graphc.ir.node import Node
from graphc.ir.walk import BottomUp
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import OUTPUT, Pointwise
from graphc.ops.leaf import is_fill
from graphc.ops.reduction.spread import reduction_under
from graphc.ops.registry import OPS


class _BoundsAlgebra(dict[str, Any]):  # a read-only view of the registry
    """Formulas over bounds: an op's own image, else that of its formula, else nothing is known."""

    def __missing__(self, name: str) -> Callable[..., Bounds]:
        op = OPS.get(name)
        if not isinstance(op, Pointwise):
            return _unknown
        if op.image.bounds is not None:
            return op.image.bounds
        if not has_image(op):
            return _unknown
        if op.cuts_to_bool:
            return lambda *operands: TRUTH
        formula, args = op.formula, op.args
        return lambda *operands: formula_bounds(formula, dict(zip(args, operands, strict=True)))


def _unknown(*operands: Bounds) -> Bounds:
    return UNKNOWN


def _number(value: Any) -> Bounds:
    return exactly(float(value))


_ALGEBRA = _BoundsAlgebra(number=_number)


def formula_bounds(formula: str, variables: Mapping[str, Bounds]) -> Bounds:
    """Return the bounds of a formula whose variables have the given bounds."""
    result: Bounds = evaluate_formula(formula, variables, _ALGEBRA)
    return result


def has_image(op: Pointwise) -> bool:
    """Say whether an op tells where its values lie: by an image, or a formula of other ops."""
    return op.image.bounds is not None or not op.formula.startswith(f"{op.name}(")


def image_of(op: Pointwise, operands: Sequence[Bounds]) -> Bounds:
    """Return the bounds of a pointwise op's values where its arguments have the given bounds."""
    result: Bounds = _ALGEBRA[op.name](*operands)
    return result


class BoundsOf(BottomUp[Bounds]):
    """The bounds of nodes, each computed once: `bounds_of(node)`.

    `given` are the bounds of some nodes, for one of inputs that a caller draws.
    """

    def __init__(self, given: Mapping[Node, Bounds] | None = None) -> None:
        super().__init__(_bounds)
        self.known.update(given or {})


def _bounds(node: Node, operands: Sequence[Bounds]) -> Bounds:
    op = node.op
    if node.dtype.kind == "b":
        return TRUTH
    if not isinstance(op, Pointwise):
        return op.bounds(node, operands)
    if op is OPS["multiply"] and node.inputs[0] is node.inputs[1]:
        return formula_bounds("square(x)", {"x": operands[0]})
    if op is OPS["subtract"]:
        return _against_its_extremes(image_of(op, operands), *node.inputs)
    if op is OPS["where"] and _is_replaced_at_zero(node):
        operands = [*operands[:2], replace(operands[2], nonzero=True)]
    return operands[0] if op.is_identity else image_of(op, operands)


def _is_replaced_at_zero(choice: Node) -> bool:
    """Say whether a choice takes its second value only where that is not 0: x == 0 ? c : x."""
    test, _, kept = choice.inputs
    return test.op is OPS["equal"] and test.inputs[0] is kept and is_fill(test.inputs[1], 0)


def _against_its_extremes(found: Bounds, a: Node, b: Node) -> Bounds:
    """Return the bounds of a - b, narrower where one is an extreme of the other: x - max(x)."""
    if _is_extreme("max", b, a) or _is_extreme("min", a, b):
        return replace(found, high=min(found.high, 0.0))
    if _is_extreme("min", b, a) or _is_extreme("max", a, b):
        return replace(found, low=max(found.low, 0.0))
    return found


def _is_extreme(name: str, node: Node, x: Node) -> bool:
    """Say whether a node spreads the max, or the min, of x over x."""
    reduction = reduction_under(node, name)
    return reduction is not None and reduction.inputs[0] is x


def bounds_of_call(
    op: Pointwise, inputs: Sequence[Bounds], constants: Sequence[tuple[int, float]]
) -> dict[str, Bounds]:
    """Return the bounds of an op's arguments and of its output `y`."""
    variables = dict(zip(op.args, inputs, strict=True))
    variables.update({op.args[i]: exactly(value) for i, value in constants})
    # The arguments are finite: a division that made one infinite is not this op's pole.
    variables = {name: replace(b, pole=False) for name, b in variables.items()}
    variables[OUTPUT] = image_of(op, list(variables.values()))
    return variables
