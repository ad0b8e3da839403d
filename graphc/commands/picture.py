"""Draw the picture of a model that a word asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc import draw
from graphc.draw.drawing import Drawing
from graphc.errors import GraphError
from graphc.ir.graph import Graph


def picture(
    graph: Graph,
    kind: str,
    values: Mapping[str, Any] | None,
    of: str | None = None,
    highlight: str | None = None,
) -> Drawing:
    """Return a drawing of one kind; `of` is what backprop derives, `highlight` a gate of a cell."""
    pictures: dict[str, Callable[[], Drawing]] = {
        "computation": lambda: draw.computation_graph(graph, values=values),
        "backprop": lambda: draw.backprop(graph, of=of or _scalar(graph), at=values),
        "network": lambda: draw.network(graph),
        "recurrence": lambda: draw.recurrence(graph),
        "cell": lambda: draw.cell(graph, highlight=highlight),
        "volumes": lambda: draw.volumes(graph),
        "chain": lambda: draw.unit_chain(graph, of=of, at=values),
    }
    if kind not in pictures:
        raise GraphError("unknown kind", got=kind, expected=", ".join(pictures))
    return pictures[kind]()


def _scalar(graph: Graph) -> str:
    """Return the first output that is a single float."""
    for name, node in graph.outputs.items():
        if node.shape == () and node.dtype.kind == "f":
            return name
    raise GraphError("no output is a single float to derive", fix="--of OUTPUT")
