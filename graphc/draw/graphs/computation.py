"""The computation graph: it represents an algorithm, one rectangle per variable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphc.draw import palette
from graphc.draw.dot_source import (
    FONT,
    BoxLook,
    Html,
    box_edge,
    box_label,
    caption,
    node_line,
    opening,
)
from graphc.draw.drawing import Drawing, can_render
from graphc.draw.graphs.groups import Collapse
from graphc.draw.graphs.loop_bodies import LoopBody, opened_loops, outer_edges, result_text
from graphc.draw.graphs.rows import Rows, rows_of, stacked
from graphc.draw.graphs.view import Box, View, view
from graphc.draw.layout import arrow_pos
from graphc.draw.typography import name_text, wrapped
from graphc.draw.values import Values, evaluated, notes
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph

_LINE, _DETAIL = 34, 40

FILLS = {
    "input": palette.INPUT_FILL,
    "parameter": palette.PARAMETER_FILL,
    "constant": palette.CONSTANT_FILL,
    "operation": palette.PAPER,
    "output": palette.OUTPUT_FILL,
    "group": palette.GROUP_FILL,
}


@takes_graph()
def computation_graph(
    graph: Graph,
    values: Mapping[str, Any] | None = None,
    style: str = "strict",
    *,
    max_nodes: int = 150,
    collapse: Collapse = None,
    direction: str | None = None,
    bodies: bool = True,
) -> Drawing:
    """Draw a graph: function inside each rectangle, the variable's name outside, plain edges.

    `values` maps inputs and parameters to numbers; each box then shows its value (▸).
    `style="strict"` gives every operation its rectangle; `"compact"` writes unnamed results that
    are used once, and constants, into their user's formula. `collapse` names what shares one box:
    True (top scopes), a depth, scopes by name, a function node -> name, or False (nothing, and the
    steps of a convolution are drawn too). By default each layer is one box where a page would not
    hold all variables, and the caption says so; of what is still larger than `max_nodes` the middle
    is left out. `direction` is "LR" or "TB". `bodies` draws one step of each loop in a frame, else
    a loop is one box.
    """
    picture = view(graph, style, max_nodes, collapse)
    loops = opened_loops(picture, style, max_nodes) if bodies else {}
    point = None if values is None else evaluated(graph, values)
    looks = {i: look(box, point) for i, box in enumerate(picture.boxes)}
    rows = rows_of(picture, looks, direction, is_whole=bool(loops) or not can_render())
    title = f"Computation graph of {graph.name}"
    label = _caption(picture, point, bool(loops))
    head = _head(graph, rows.sideways, rank_gap(picture, loops), label)
    if rows.count > 1:
        source = _in_rows(picture, looks, rows, head)
        return Drawing(source, "neato", title, picture.description())
    lines = [
        *head,
        *_box_lines(picture, loops, point, rows.sideways),
        *edge_lines(picture, loops),
        *outer_edges(picture, loops),
        "}",
    ]
    source = "\n".join(lines) + "\n"
    return Drawing(source, "dot", title, picture.description())


def _box_lines(
    picture: View, loops: Mapping[int, LoopBody], point: Values | None, sideways: bool
) -> list[str]:
    """Return the statements of all boxes; those of a step stand in its loop's frame."""
    opened = {picture.boxes[place].node: loop for place, loop in loops.items()}
    lines = []
    for place, box in enumerate(picture.boxes):
        loop = loops.get(place)
        if loop is not None:
            inner = [variable_line(b, look(b, None), sideways) for b in loop.boxes]
            lines += [*loop.opening(sideways), *[f"  {line}" for line in inner], "  }"]
            lines += loop.inner_edges(sideways)
            continue
        source = box.node.inputs[0] if box.node.inputs else None
        if box.kind != "group" and source in opened:
            box = replace(box, formula=result_text(box.node))
        lines.append(variable_line(box, look(box, point), sideways))
    return lines


def _in_rows(picture: View, looks: Mapping[int, BoxLook], rows: Rows, head: Sequence[str]) -> str:
    """Return the DOT text of a picture in several rows, in which every position is fixed."""
    layout = stacked(picture, looks, rows, row_sources(picture, looks, rows, head))
    first, *others = head
    lines = [first, "  // every position is fixed; render with  neato -n2", *others]
    for i, box in enumerate(picture.boxes):
        x, y = layout.centres[box.key]
        lines.append(variable_line(box, looks[i], rows.sideways, pos=f"{x:.2f},{y:.2f}!"))
    for tail, end in picture.edges:
        a, b = picture.boxes[tail].key, picture.boxes[end].key
        lines.append(box_edge(a, b, pos=arrow_pos(layout.curve(a, b))))
    return "\n".join([*lines, "}"]) + "\n"


def row_sources(
    picture: View, looks: Mapping[int, BoxLook], rows: Rows, head: Sequence[str]
) -> list[str]:
    """Return a DOT text for each row, its boxes and the edges among them."""
    found = []
    edges = [edge for edge in picture.edges if not rows.crosses(*edge)]
    for row in range(rows.count):
        inside = [i for i, at in enumerate(rows.row) if at == row]
        lines = [variable_line(picture.boxes[i], looks[i], rows.sideways) for i in inside]
        own = tuple(edge for edge in edges if rows.row[edge[0]] == row)
        lines += edge_lines(replace(picture, edges=own))
        found.append("\n".join([*head, *lines, "}"]) + "\n")
    return found


def look(box: Box, values: Values | None) -> BoxLook:
    """Return how a box is drawn."""
    formula_color = palette.INK
    if box.kind in ("input", "parameter") or (box.kind == "group" and " = " not in box.formula):
        formula_color = palette.MUTED
    return BoxLook(
        name=box.name,
        formula=wrapped(box.formula, _LINE),
        details=wrapped(box.detail, _DETAIL) if box.detail else (),
        fill=FILLS[box.kind],
        formula_color=formula_color,
        notes=() if box.kind == "constant" or box.holds_leaves else notes(box.node, values),
        doubled=box.kind == "group",
    )


def _caption(picture: View, values: Values | None, loops: bool) -> Html | None:
    """Return the line under the picture: what the marks mean, where, and what is left out."""
    parts = []
    if values is not None:
        parts.append(("▸ value", palette.VALUE))
        if values.point:
            parts.append((f"at {values.point}", palette.INK))
    if loops:
        parts.append(("dashed edge: on to the next step", palette.MUTED))
    if picture.remark:
        parts.append((picture.remark, palette.MUTED))
    return caption(parts, gap="    ") if parts else None


def _head(graph: Graph, sideways: bool, gap: float, label: Html | None) -> list[str]:
    graph_attributes = {
        "rankdir": "TB" if sideways else "LR",
        "bgcolor": palette.PAPER,
        "pad": "0.2",
        "nodesep": "0.32",
        "ranksep": f"{max(gap, 0.6 if sideways else 0.55):g}",
        "splines": "spline",
        "fontname": FONT,
        "fontsize": "11",
        "labelloc": "b",
        "label": label,
        "tooltip": graph.doc.strip().partition("\n")[0] or name_text(graph.name),
    }
    return opening(graph.name, graph_attributes)


def rank_gap(picture: View, without: Collection[int] = ()) -> float:
    """Return the inches between ranks in which all edges into one box bend without a tangle."""
    into = Counter(head for _, head in picture.edges if head not in without)
    return min(1.6, round(0.13 * max(into.values(), default=0), 2))


def variable_line(box: Box, appearance: BoxLook, sideways: bool = False, **more: object) -> str:
    """Return the DOT statement of a box."""
    label = box_label(appearance, sideways)
    items = {"id": box.key, "class": box.kind, "tooltip": box.told, "label": label, **more}
    return node_line(box.key, items)


def edge_lines(picture: View, without: Collection[int] = ()) -> list[str]:
    """Return the DOT statements of all edges but those of the boxes `without`.

    The only path between two boxes is kept straight.
    """
    outgoing = [0] * len(picture.boxes)
    incoming = [0] * len(picture.boxes)
    for tail, head in picture.edges:
        outgoing[tail] += 1
        incoming[head] += 1
    lines = []
    for tail, head in picture.edges:
        if tail in without or head in without:
            continue
        a, b = picture.boxes[tail].key, picture.boxes[head].key
        straight = "8" if outgoing[tail] == 1 == incoming[head] else None
        lines.append(box_edge(a, b, weight=straight))
    return lines
