"""Pieces: slices added into zeros, side by side, are one concatenation."""

from __future__ import annotations

from graphc.ir.dims import Dim, same
from graphc.ir.node import Node
from graphc.ops.leaf import is_fill
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import Rule


def _side_by_side(node: Node, facts: Facts) -> Node | None:
    """0 with a added to its left half and b to its right half → concat(a, b)."""
    written = facts.written(node)
    if written is None or not same(written, node.size):  # at once, for a part of many pieces
        return None
    pieces: list[tuple[Dim, Dim, Node]] = []
    axis: int | None = None
    at = node
    while at.op is OPS["slice_add"]:
        found = _place(at)
        if found is None or (axis is not None and found[0] != axis):
            return None
        if at is not node and facts.is_shared(at):
            return None
        axis, start, stop = found
        pieces.append((start, stop, at.inputs[1]))
        at = at.inputs[0]
    if axis is None or not is_fill(at, 0):
        return None
    ordered = _in_order(pieces, node.shape[axis])
    return None if ordered is None else OPS["concat"](*ordered, axis=axis)


def _place(node: Node) -> tuple[int, Dim, Dim] | None:
    """Return the one axis that a write does not cover whole, and the part of it that it covers."""
    parts = [
        (axis, start, stop, step)
        for axis, (start, stop, step) in enumerate(node.attrs["bounds"])
        if not (same(start, 0) and same(stop, node.shape[axis]) and step == 1)
    ]
    if len(parts) != 1 or parts[0][3] != 1:
        return None
    return parts[0][:3]


def _in_order(pieces: list[tuple[Dim, Dim, Node]], size: Dim) -> list[Node] | None:
    """Return the pieces from first to last, if they neither leave gaps nor overlap."""
    starting = {start: (stop, value) for start, stop, value in pieces}
    ordered: list[Node] = []
    end: Dim = 0
    for _ in pieces:
        if end not in starting:
            return None
        end, value = starting.pop(end)
        ordered.append(value)
    return ordered if same(end, size) else None


PIECES = (
    Rule(
        "slices_side_by_side",
        "slice_add(slice_add(0, a, left), b, right)",
        "concat(a, b)",
        "slices that cover an array one after the other are its pieces",
        apply=_side_by_side,
        roots=("slice_add",),
        operands=("slice_add",),
        example=(
            "a: input(f64, 2)\nb: input(f64, 3)\n"
            "y = slice_add(slice_add(full((5,), 0.0, dtype=f64), b, ((2, 5, 1),)), a, ((0, 2, 1),))"
        ),
    ),
)
