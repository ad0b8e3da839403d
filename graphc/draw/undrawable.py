"""What says that no layer of units can stand for a part of a graph?"""

from __future__ import annotations

from graphc.errors import GraphError
from graphc.ir.node import Node


def undrawable(what: str, cause: Node, why: str = "") -> GraphError:
    """Return the error for what no layer of units can stand for, because of a node before it."""
    why = why or f"layers meet in {placed(cause)}, not unit by unit"
    return GraphError(
        f"no layer of units can stand for {what}: {why}",
        where=str(cause.provenance.origin) or None,
        got=f"{cause.op.name} of {' and '.join(str(x.type) for x in cause.inputs)}",
        expected="sums of products with weights, functions of units one by one, "
        "slices and concatenations",
        fix="gc.draw.computation_graph(g) draws any graph",
    )


def placed(node: Node) -> str:
    """Return what an op is called, and in which scope it stands."""
    scope = node.provenance.scope
    return f"{node.op.name} in scope {scope!r}" if scope else node.op.name
