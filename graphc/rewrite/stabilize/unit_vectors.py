"""Norms: x/norm(x), whose derivative at 0 is 0 and not 0/0, and norm(x)**2, which needs no root."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.reduction.spread import core, lines_up
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import REASSOCIATES, Rule


def _unit_vector(node: Node, facts: Facts) -> Node | None:
    """x divided by its own norm over some axes → normalize(x, axis)."""
    x, below = node.inputs
    found = _length(core(below))
    if found is None:
        return None
    reduction, measured = found
    if facts.number(measured) != facts.number(x) or not lines_up(below, reduction):
        return None
    return OPS["normalize"].make([x], axis=reduction.attrs["axis"])


def _length(node: Node) -> tuple[Node, Node] | None:
    """Return the reduction in norm(x) or sqrt(sum(square(x))), and the x."""
    if node.op.name == "norm":
        return node, node.inputs[0]
    if node.op.name != "sqrt":
        return None
    total = core(node.inputs[0])
    if total.op.name != "sum" or total.inputs[0].op.name != "square":
        return None
    return total, total.inputs[0].inputs[0]


def _squared_norm(node: Node, facts: Facts) -> Node | None:
    """The square of a norm → the sum of squares, over the same axes."""
    norm = node.inputs[0]
    return OPS["sum"].make([OPS["square"](norm.inputs[0])], **norm.attrs)


UNIT_VECTORS = (
    Rule(
        "unit_vector",
        "x/norm(x)",
        "normalize(x)",
        "at 0 it is 0, and so is its derivative",
        exactness=REASSOCIATES,
        apply=_unit_vector,
        roots=("divide",),
        operands=("broadcast_to", "reshape", "norm", "sqrt"),
        example="x: input(f64, 3, 4)\ny = x/norm(x, axis=1, keepdims=True)",
    ),
    Rule(
        "squared_norm",
        "square(norm(x))",
        "sum(square(x))",
        "no root, and every derivative at 0 is exact",
        exactness=REASSOCIATES,
        apply=_squared_norm,
        roots=("square",),
        operands=("norm",),
        example="x: input(f64, 3, 4)\ny = square(norm(x, axis=1, keepdims=True))",
    ),
)
