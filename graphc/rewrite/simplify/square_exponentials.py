"""Square exponentials: where exp(a/2) is known, exp(a) is its square, as in a variance and σ."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import RANKS, inherit
from graphc.ops.elementwise.multiples import multiple_of
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, Standing, over_nodes
from graphc.rewrite.engine.rule import Firing, by_whole_pass, rounding

SQUARE = rounding(
    "square_exponentials",
    "exp(a), exp(2*a)",
    "exp(a), square(exp(a))",
    "a square takes a small part of the time of an exponential",
    apply=by_whole_pass,
    example="x: input(f64, 3)\ny = cos(x)*exp(x)\nz = exp(0.5*x)*sin(x)\noutput(y, z)",
)


def square_exponentials(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph in which no exponential is computed whose square root is there already.

    The root may stand later in its block: then it is computed in both places, until they merge.
    """
    known: dict[tuple[Node, float], Node] = {}
    for node in graph.nodes:
        if node.op is OPS["exp"]:
            known.setdefault(multiple_of(node.inputs[0]), node)

    def squared(node: Node, again: Node, new: Standing) -> Firing | None:
        if node.op is not OPS["exp"]:
            return None
        root, times = _root(node, known)
        if not times:
            return None
        operand = root.inputs[0]
        base, _ = multiple_of(operand)
        if operand is not base:
            operand = rebuilt(operand, tuple([new[x] for x in operand.inputs]))
        else:
            operand = new[base]
        with inherit(node.provenance):
            result = rebuilt(root, (operand,))
            for _ in range(times):
                result = OPS["square"](result)
            result = result.named(node.name)
        return Firing(SQUARE, (node,), result)

    return over_nodes(graph, squared, became)


def _root(node: Node, known: Mapping[tuple[Node, float], Node]) -> tuple[Node, int]:
    """Return what a node is the square of, or the square of a square, and how many times."""
    base, factor = multiple_of(node.inputs[0])
    root, times = node, 0
    while factor:
        factor /= 2
        below = known.get((base, factor))
        if below is None or _rank(below) > _rank(node):
            break
        root, times = below, times + 1
    return root, times


def _rank(node: Node) -> int:
    return RANKS[node.provenance.phase]
