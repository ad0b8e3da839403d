"""Merge common: expressions that are computed twice are computed once."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import RANKS
from graphc.ops.leaf import full
from graphc.rewrite.engine.bodies import Became, replaced
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.engine.rule import Firing, Rule, by_whole_pass

MERGE = Rule(
    "merge_common",
    "f(x), f(x)",
    "f(x)",
    "the same expression has the same value",
    apply=by_whole_pass,
)


def merge_common(
    graph: Graph, became: Became, number: ValueNumbers
) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph with equal expressions merged. Random draws stay apart.

    The merged node belongs to the earliest phase of all, and keeps the first name it was given.
    """
    groups: dict[int, list[Node]] = {}
    for node in graph.nodes:
        groups.setdefault(number(node), []).append(node)
    merged: dict[int, Node] = {}
    firings: list[Firing] = []
    for at, twins in groups.items():
        first = twins[0]
        # A uniform constant is written where it is read, so sharing it would gain nothing.
        operands = tuple([x if x.op is full else merged[number(x)] for x in first.inputs])
        node = rebuilt(first, operands)
        if len(twins) > 1 and node.op is not full:
            node = _standing_for_all(node, twins)
            firings.append(Firing(MERGE, tuple(twins), node))
        merged[at] = node
    if not firings:
        return graph, ()
    new = {node: merged[number(node)] for node in graph.nodes}
    return replaced(graph, new, became), tuple(firings)


def _standing_for_all(node: Node, twins: list[Node]) -> Node:
    """Return the node with the first name and the earliest phase among its twins."""
    if node.op.is_leaf:
        return node
    earliest = min(twins, key=lambda twin: RANKS[twin.provenance.phase]).provenance
    name = next((twin.name for twin in twins if twin.name), None)
    provenance = earliest.renamed(name)
    if provenance == node.provenance:
        return node
    return Node(node.op, node.inputs, node.attrs, node.type, provenance)
