"""Which output does a derivative start from? The one that is named, or the first single float."""

from __future__ import annotations

from graphc.errors import GraphError
from graphc.ir.graph import Graph, scalar_outputs
from graphc.ir.node import Node


def scalar_output(graph: Graph, of: str | None) -> Node:
    """Return the output to derive.

    **Raises** GraphError for an unknown name, and for anything but a single float.
    """
    if of is not None:
        node = graph.find(of)
        if node.shape or node.dtype.kind != "f":
            raise GraphError(
                "a derivative starts at a single number",
                got=f"{of}: {node.type}",
                expected="a float scalar, such as a loss",
                fix="reduce it first: .sum() or .mean()",
            )
        return node
    scalars = scalar_outputs(graph)
    if scalars:
        return graph.outputs[scalars[0]]
    raise GraphError(
        "no output is a single float to derive",
        got=", ".join(f"{name}: {node.type}" for name, node in graph.outputs.items()),
        fix="reduce one first: .sum() or .mean()",
    )
