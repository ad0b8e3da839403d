"""Unit vectors: x/norm(x) is recognized, so that its derivative at 0 is 0 and not 0/0."""

from __future__ import annotations

from graphc.ir.dims import same_shape
from graphc.ir.node import Node
from graphc.ops.axes import without_axes
from graphc.ops.registry import OPS
from graphc.rewrite.facts import Facts
from graphc.rewrite.rule import REASSOCIATES, Rule


def _unit_vector(node: Node, facts: Facts) -> Node | None:
    """x divided by its own norm over some axes → normalize(x, axis)."""
    x, below = node.inputs
    while below.op.name in ("broadcast_to", "reshape"):
        kept = below
        below = below.inputs[0]
        if below.op.name == "norm" and not _lines_up(kept, below, x):
            return None
    if below.op.name != "norm" or facts.number(below.inputs[0]) != facts.number(x):
        return None
    return OPS["normalize"].make([x], axis=below.attrs["axis"])


def _lines_up(view: Node, norm: Node, x: Node) -> bool:
    """Say whether a view of the norm has the reduced axes where they were, as axes of size 1."""
    over_all = len(norm.attrs["axis"]) == x.ndim
    wanted = without_axes(x.shape, norm.attrs["axis"], True)
    return over_all or norm.attrs["keepdims"] or same_shape(view.shape, wanted)


UNIT_VECTORS = (
    Rule(
        "unit_vector",
        "x/norm(x)",
        "normalize(x)",
        "at 0 it is 0, and so is its derivative",
        exactness=REASSOCIATES,
        apply=_unit_vector,
        roots=("divide",),
        operands=("broadcast_to", "reshape", "norm"),
        example="x: input(f64, 3, 4)\ny = x/norm(x, axis=1, keepdims=True)",
    ),
)
