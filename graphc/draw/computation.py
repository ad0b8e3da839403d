"""The computation graph: it represents an algorithm, one rectangle per variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.draw import palette
from graphc.draw.collapse import Collapse
from graphc.draw.dot_source import (
    FONT,
    BoxLook,
    Html,
    attributes,
    box_label,
    edge_line,
    font,
    node_line,
    quote,
)
from graphc.draw.drawing import Drawing
from graphc.draw.typography import escape, name_text, wrapped
from graphc.draw.values import Values, evaluated, notes
from graphc.draw.view import Box, View, view
from graphc.ir.graph import Graph

#: Above this many columns a picture reads better from top to bottom.
_WIDEST = 18
_LINE = 34

FILLS = {
    "input": palette.INPUT_FILL,
    "parameter": palette.PARAMETER_FILL,
    "constant": palette.CONSTANT_FILL,
    "operation": palette.PAPER,
    "output": palette.OUTPUT_FILL,
    "group": palette.GROUP_FILL,
}


def computation_graph(
    graph: Graph,
    values: Mapping[str, Any] | None = None,
    style: str = "strict",
    *,
    max_nodes: int = 150,
    collapse: Collapse = None,
    direction: str | None = None,
) -> Drawing:
    """Draw a graph: function inside each rectangle, the variable's name outside, plain edges.

    `values` maps inputs and parameters to numbers; each box then shows its value (▸).
    `style="strict"` gives every operation its rectangle; `"compact"` writes unnamed results that
    are used once, and constants, into their user's formula. `collapse` names what shares one box:
    True (top scopes), a depth, scopes by name, a function node -> name, or False (nothing); by
    default scopes collapse only above `max_nodes`, and the caption says so. `direction` is "LR"
    or "TB".
    """
    picture = view(graph, style, max_nodes, collapse)
    point = None if values is None else evaluated(graph, values)
    sideways = (direction or ("LR" if picture.depth <= _WIDEST else "TB")) == "TB"
    lines = [
        *_head(graph, sideways, caption(picture, point)),
        *[variable_line(box, look(box, point), sideways) for box in picture.boxes],
        *edge_lines(picture),
        "}",
    ]
    source = "\n".join(lines) + "\n"
    title = f"Computation graph of {graph.name}"
    return Drawing(source, "dot", title, picture.description())


def look(box: Box, values: Values | None) -> BoxLook:
    """Return how a box is drawn."""
    formula_color = palette.INK
    if box.kind in ("input", "parameter", "group"):
        formula_color = palette.MUTED
    return BoxLook(
        name=box.name,
        formula=wrapped(box.formula, _LINE),
        fill=FILLS[box.kind],
        formula_color=formula_color,
        notes=() if box.kind == "constant" else notes(box.node, values),
        doubled=box.kind == "group",
    )


def caption(picture: View, values: Values | None) -> Html | None:
    """Return the line under the picture: what the marks mean, where, and what is left out."""
    parts = []
    if values is not None:
        parts.append(font("▸ value", palette.VALUE, 11))
        if values.point:
            parts.append(font(escape(f"at {values.point}"), palette.INK, 11))
    if picture.remark:
        parts.append(font(escape(picture.remark), palette.MUTED, 11))
    return Html("    ".join(parts)) if parts else None


def _head(graph: Graph, sideways: bool, label: Html | None) -> list[str]:
    graph_attributes = {
        "rankdir": "TB" if sideways else "LR",
        "bgcolor": palette.PAPER,
        "pad": "0.2",
        "nodesep": "0.32",
        "ranksep": "0.45" if sideways else "0.55",
        "splines": "spline",
        "fontname": FONT,
        "fontsize": "11",
        "labelloc": "b",
        "label": label,
        "tooltip": graph.doc.strip().partition("\n")[0] or name_text(graph.name),
    }
    edge = {"color": palette.EDGE, "arrowsize": "0.75", "penwidth": "1.4"}
    return [
        f"digraph {quote(graph.name)} {{",
        f"  graph{attributes(graph_attributes)};",
        f"  node{attributes({'shape': 'plain', 'fontname': FONT})};",
        f"  edge{attributes(edge)};",
    ]


def variable_line(box: Box, appearance: BoxLook, sideways: bool = False, **more: object) -> str:
    """Return the DOT statement of a box."""
    label = box_label(appearance, sideways)
    items = {"id": box.key, "class": box.kind, "tooltip": box.told, "label": label, **more}
    return node_line(box.key, items)


def edge_lines(picture: View) -> list[str]:
    """Return the DOT statements of all edges; the only path between two boxes is kept straight."""
    outgoing = [0] * len(picture.boxes)
    incoming = [0] * len(picture.boxes)
    for tail, head in picture.edges:
        outgoing[tail] += 1
        incoming[head] += 1
    lines = []
    for tail, head in picture.edges:
        a, b = picture.boxes[tail].key, picture.boxes[head].key
        straight = "8" if outgoing[tail] == 1 == incoming[head] else None
        lines.append(edge_line(f"{a}:b", f"{b}:b", {"id": f"e_{a}_{b}", "weight": straight}))
    return lines
