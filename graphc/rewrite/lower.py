"""Lower: composite and derived ops become ops that have a NumPy form of their own."""

from __future__ import annotations

from dataclasses import replace

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import inherit
from graphc.ops.leaf import full
from graphc.rewrite.engine import rewrite
from graphc.rewrite.facts import Facts
from graphc.rewrite.rule import Rule


def _lower(node: Node, facts: Facts) -> Node | None:
    provenance = node.provenance
    names = [operand.name for operand in node.inputs if operand.op is not full]
    if provenance.origin.note or not all(names):
        return node.op.lower(node)
    # Readers of the primitives are told which op they come from.
    shown = [operand.name or operand.op.label(operand, []) for operand in node.inputs]
    with inherit(provenance):
        lowered = node.op.lower(node)
    if lowered is None or lowered.op.is_leaf:
        return lowered
    origin = replace(lowered.provenance.origin, note=node.op.label(node, shown))
    provenance = replace(lowered.provenance, origin=origin)
    return Node(lowered.op, lowered.inputs, lowered.attrs, lowered.type, provenance)


LOWER = Rule(
    "lower", "softmax(z)", "exp(z - max(z))/sum(exp(z - max(z)))",
    "the op has no NumPy form of its own", apply=_lower, family="*",
    example="z: input(f64, 3, 4)\ny = softmax(z, axis=1)",
)


def lower(graph: Graph) -> Graph:
    """Return the graph in ops that have a NumPy form; equal helpers are shared where they arise."""
    return rewrite(graph, (LOWER,))[0]
