"""Short rows: what several calls read in rows of a few elements is copied into one piece first."""

from __future__ import annotations

from collections import Counter

from graphc.ir.dims import product, same
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import inherit
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, Standing, over_nodes
from graphc.rewrite.engine.rule import Firing, Rule, by_whole_pass

ROWS = Rule(
    "short_rows",
    "f(x[:, 1:]), g(x[:, 1:]), h(x[:, 1:])",
    "s = copy(x[:, 1:]); f(s), g(s), h(s)",
    "each call takes longer for many rows of few elements than for one piece",
    apply=by_whole_pass,
)
#: Rows of so few elements take NumPy longer than their elements do.
SHORT_ROW = 16
#: So many calls take longer than a copy and calls on that.
_WORTH_A_COPY = 3
#: Fewer rows are no matter.
_MANY = 64


def copy_short_rows(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph in which pointwise ops read copies of slices with short rows."""
    readers: Counter[Node] = Counter()
    for node in graph.nodes:
        if isinstance(node.op, Pointwise):
            readers.update(set(node.inputs))

    def copied(node: Node, again: Node, new: Standing) -> Firing | None:
        if readers[node] < _WORTH_A_COPY or not _has_short_rows(node):
            return None
        with inherit(node.provenance):
            copy = OPS["pack"].make([again], axes=tuple(range(node.ndim)), shape=node.shape)
        return Firing(ROWS, (node,), copy)

    return over_nodes(graph, copied, became)


def _has_short_rows(node: Node) -> bool:
    if node.op is not OPS["slice"] or node.ndim < 2:
        return False
    row, whole = node.shape[-1], node.inputs[0].shape[-1]
    is_short = isinstance(row, int) and 1 < row <= SHORT_ROW and not same(row, whole)
    rows = product(node.shape[:-1])
    return is_short and not (isinstance(rows, int) and rows < _MANY)
