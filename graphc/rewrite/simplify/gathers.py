"""Simplification of gathers: what is taken whole, or out of copies, need not be found by index."""

from __future__ import annotations

from graphc.ir.dims import same
from graphc.ir.node import Node
from graphc.ops.reduction.spread import varying_axes, without_copies
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import Rule


def _gather(node: Node, facts: Facts) -> Node | None:
    """x[arange(n)] along an axis of size n is x."""
    x, *indices = node.inputs
    axis = node.attrs["axis"]
    if len(indices) != 1 or indices[0].op.name != "arange" or indices[0].ndim != 1:
        return None
    index = indices[0]
    whole = index.attrs["start"] == 0 and index.attrs["step"] == 1
    return x if whole and same(index.shape[0], x.shape[axis]) else None


def _gather_of_copies(node: Node, facts: Facts) -> Node | None:
    """broadcast_to(b)[arange, i] → b[i]: rows that are all alike need not be found."""
    x, *indices = node.inputs
    varying, start = varying_axes(x), node.attrs["axis"]
    if x.op is not OPS["broadcast_to"] or varying is None:
        return None
    places = range(start, start + len(indices))
    copied = {
        axis: index.op is OPS["arange"]
        for axis, index in zip(places, indices, strict=True)
        if axis not in varying
    }
    if not copied or len(copied) == len(indices) or not all(copied.values()):
        return None
    one = without_copies(x, tuple(copied))
    value = OPS["reshape"](one, tuple([d for a, d in enumerate(x.shape) if a not in copied]))
    kept = [index for axis, index in zip(places, indices, strict=True) if axis in varying]
    return OPS["gather"].make([value, *kept], axis=start)


GATHERS = (
    Rule(
        "gather_of_copies",
        "broadcast_to(b)[arange(n), i]",
        "b[i]",
        "rows that are all alike need not be found",
        apply=_gather_of_copies,
        roots=("gather",),
        operands=("broadcast_to",),
        example="b: input(f64, 4)\ni: input(i64, 3)\n"
        "y = gather(broadcast_to(b, (3, 4)), arange(3), i, axis=0)",
    ),
    Rule(
        "gather_everything",
        "x[arange(n)]",
        "x",
        "nothing moves",
        apply=_gather,
        roots=("gather",),
        operands=("arange",),
        example="x: input(f64, 4)\ny = gather(x, arange(4))",
    ),
)
