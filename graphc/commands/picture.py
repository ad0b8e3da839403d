"""Draw the picture of a model that a word asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc import draw
from graphc.draw.drawing import Drawing
from graphc.errors import GraphError, did_you_mean
from graphc.ir.graph import Graph, first_scalar


def picture(
    graph: Graph,
    kind: str,
    values: Mapping[str, Any] | None,
    of: str | None = None,
    highlight: str | None = None,
    wrt: Sequence[str] | None = None,
    is_open: bool = False,
) -> Drawing:
    """Return a drawing of one kind; `of` is what backprop derives, `highlight` a gate of a cell.

    `wrt` names what backprop derives by. The weights of a network are those of its parameters that
    `values` holds. In a graph that `is_open`, nothing shares a box.
    """
    collapse = False if is_open else None
    pictures: dict[str, Callable[[], Drawing]] = {
        "computation": lambda: draw.computation_graph(graph, values=values, collapse=collapse),
        "backprop": lambda: draw.backprop(
            graph, of=of or first_scalar(graph), at=values, wrt=wrt, collapse=collapse
        ),
        "network": lambda: draw.network(graph, state=_weights(graph, values)),
        "recurrence": lambda: draw.recurrence(graph),
        "cell": lambda: draw.cell(graph, highlight=highlight),
        "volumes": lambda: draw.volumes(graph),
        "chain": lambda: draw.unit_chain(graph, of=of, at=values),
    }
    if kind not in pictures:
        raise GraphError("unknown kind", got=kind, expected=", ".join(pictures))
    if is_open and kind not in ("computation", "backprop"):
        raise GraphError(f"a picture of kind {kind} has no boxes to open", fix="leave --all out")
    if wrt and kind != "backprop":
        raise GraphError(f"a picture of kind {kind} derives nothing", fix="--kind backprop")
    return pictures[kind]()


def _weights(graph: Graph, values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the parameters among the values; None where there is none."""
    for name in values or {}:
        if name not in graph.params and name not in graph.inputs:
            raise GraphError(
                f"no parameter is called {name!r}",
                expected=", ".join(graph.params) or "no values: the graph has no parameters",
                fix=did_you_mean(name, graph.params),
            )
    found = {name: value for name, value in (values or {}).items() if name in graph.params}
    return found or None
