"""A choice between a value and its multiple: the value times one of two slopes, without a choice.

That is the derivative of a leaky rectifier. The truth of the condition is 1 or 0, and the larger of
that and a slope below 1 is 1 or the slope: both branches are what they were to the bit.
"""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.leaf import is_fill
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import Rule


def _two_slopes(node: Node, facts: Facts) -> Node | None:
    """where(m, y, y*c) → y*max(m, c) for 0 <= c <= 1."""
    condition, y, other = node.inputs
    if other.op is not OPS["multiply"] or not facts.is_float(node):
        return None
    for same, slope in (other.inputs, other.inputs[::-1]):
        if facts.same(same, y) and is_fill(slope) and _is_part(slope.attrs["value"]):
            return OPS["multiply"](y, OPS["maximum"](OPS["cast"](condition, node.dtype), slope))
    return None


def _is_part(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= 1


TWO_SLOPES = (
    Rule(
        "two_slopes",
        "where(m, y, y*c)",
        "y*maximum(cast(m), c)",
        "NumPy looks at many elements at once, but chooses one by one",
        apply=_two_slopes,
        roots=("where",),
        operands=("multiply",),
        example="x: input(f64, 3)\nw: input(f64, 3)\ny = where(x > 0, w, w*0.01)",
    ),
)
