"""Stabilization: softmax over the edges that meet in each node of a graph of messages.

`exp(e)/scatter_add(0, exp(e), to)[to]` overflows as softmax does, so the scores that meet in a node
are shifted by their largest.
"""

from __future__ import annotations

import math

from graphc.ir.node import Node
from graphc.ops.leaf import fill, is_fill
from graphc.ops.reduction.spread import core, spread_as
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import factors_of, product_of
from graphc.rewrite.engine.facts import Facts, exponent_of
from graphc.rewrite.engine.rule import rounding


def _softmax_over_edges(node: Node, facts: Facts) -> Node | None:
    """w·exp(e)/scatter_add(0, exp(e), i)[i] → the same with e less its largest at each i."""
    top, bottom = node.inputs
    read = core(bottom)
    total = core(read.inputs[0]) if read.op.name == "gather" else read
    terms = total.inputs[1] if _adds_at(total, read, facts) else None
    exponent = None if terms is None else exponent_of(terms)
    if terms is None or exponent is None or not facts.uncovers_log(terms):
        return None
    factors = factors_of(top)
    for i, (factor, divides) in enumerate(factors):
        if divides or not facts.same(core(factor), terms) or _is_shifted(exponent):
            continue
        shifted = OPS["exp"](OPS["subtract"](exponent, _largest(exponent, total, read)))
        again = total.op.make([total.inputs[0], shifted, *total.inputs[2:]], **total.attrs)
        again = read.op.make([spread_as(read.inputs[0], again), *read.inputs[1:]], **read.attrs)
        factors[i] = (spread_as(factor, shifted), False)
        return OPS["divide"](product_of(factors), spread_as(bottom, again))
    return None


def _adds_at(total: Node, read: Node, facts: Facts) -> bool:
    """Say whether one node adds values up at the places of zeros where the other reads them."""
    if total.op.name != "scatter_add" or not is_fill(total.inputs[0], 0):
        return False
    pairs = zip(total.inputs[2:], read.inputs[1:], strict=False)
    is_whole = read.inputs[0] is total and len(total.inputs) == len(read.inputs) + 1
    return is_whole and total.attrs == read.attrs and all(facts.same(a, b) for a, b in pairs)


def _is_shifted(exponent: Node) -> bool:
    """Say whether an exponent is a difference from what is largest at a place already."""
    shift = exponent.inputs[1] if exponent.op.name == "subtract" else exponent
    while shift.op.name in ("gather", "where", "stop_gradient", "reshape", "broadcast_to"):
        shift = shift.inputs[1 if shift.op.name == "where" else 0]
    return shift.op.name == "scatter_max"


def _largest(exponent: Node, total: Node, read: Node) -> Node:
    """Return, for each edge, the largest exponent of those that meet it; 0 where all are -inf."""
    none = fill(-math.inf, total.shape, total.dtype)
    largest = OPS["scatter_max"].make([none, exponent, *total.inputs[2:]], **total.attrs)
    largest = OPS["where"](OPS["isfinite"](largest), largest, 0.0)
    return OPS["stop_gradient"](read.op.make([largest, *read.inputs[1:]], **read.attrs))


SOFTMAX_OVER_EDGES = (
    rounding(
        "softmax_over_edges",
        "w*exp(e)/scatter_add(0, exp(e), i)[i]",
        "w*exp(e - m)/scatter_add(0, exp(e - m), i)[i] with m = scatter_max(-inf, e, i)[i]",
        "exp overflows, and the quotient would be inf/inf",
        apply=_softmax_over_edges,
        roots=("divide",),
        operands=("gather", "broadcast_to", "reshape"),
        example="e: input(f64, 4)\ns = scatter_add(zeros((3,), dtype=f64), exp(e), "
        "constant([0, 2, 0, 1]))\ny = exp(e)/gather(s, constant([0, 2, 0, 1]))",
    ),
)
