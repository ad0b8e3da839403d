"""Share exponentials: where exp(a) is known, exp(−a) is a quotient."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import inherit
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, Standing, over_nodes
from graphc.rewrite.engine.rule import Firing, by_whole_pass, rounding

SHARE = rounding(
    "share_exponentials",
    "exp(a), exp(-a)",
    "exp(a), 1/exp(a)",
    "a quotient takes a third of the time of an exponential",
    apply=by_whole_pass,
)


def share_exponentials(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph in which no exponential is computed whose reciprocal is there already."""
    exponentials: dict[Node, Node] = {}

    def shared(node: Node, again: Node, new: Standing) -> Firing | None:
        if node.op is not OPS["exp"]:
            return None
        operand = node.inputs[0]
        known = exponentials.get(operand.inputs[0]) if operand.op.name == "negative" else None
        if known is None:
            exponentials[operand] = again
            return None
        with inherit(node.provenance):
            return Firing(SHARE, (node,), OPS["opposite_exponential"](known))

    return over_nodes(graph, shared, became)
