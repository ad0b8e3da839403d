"""Backpropagation: the graph of adjoints, mirrored under the forward graph in the same columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphc.draw import palette
from graphc.draw.dim_formula import shape_formula
from graphc.draw.dot_source import (
    FONT,
    BoxLook,
    Html,
    Note,
    attributes,
    box_edge,
    caption,
    edge_line,
    opening,
)
from graphc.draw.drawing import Drawing
from graphc.draw.graphs.adjoints import Adjoint, adjoint_seeds, adjoints
from graphc.draw.graphs.computation import look, rank_gap, row_sources, variable_line
from graphc.draw.graphs.groups import Collapse, leaf_name
from graphc.draw.graphs.rows import rows_of, stacked
from graphc.draw.graphs.unrolling import unrolled
from graphc.draw.graphs.view import Box, View, view
from graphc.draw.layout import Layout, Point, arrow_pos
from graphc.draw.typography import LOWERED, bar, listed, name_text, text_width, wrapped
from graphc.draw.values import Values, evaluated, evaluated_adjoints, value_rows
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.run.gradcheck import checked_output

_LINE = 30
_BETWEEN = 14.0  # points between the two frames
_MARGIN, _TITLE = 14.0, 18.0
_LEAST_INSET = 24
_MOST_NAMES = 4


@dataclass(frozen=True)
class _Half:
    """The backward half: looks by forward box, and edges from a consumer's box to an operand's."""

    looks: Mapping[int, BoxLook]
    told: Mapping[int, str]
    edges: Sequence[tuple[int, int]]
    saved: Sequence[tuple[int, int]]  # forward box, backward box whose formula reads its value


@takes_graph("of", "wrt")
def backprop(
    graph: Graph,
    of: str | None = None,
    at: Mapping[str, Any] | None = None,
    *,
    wrt: Iterable[str] | None = None,
    saved: bool = False,
    steps: int = 3,
    max_nodes: int = 150,
    collapse: Collapse = None,
) -> Drawing:
    """Draw backpropagation from `of`: forward graph above, adjoints v̄ = d of/dv below.

    Without `of` it is the first output that is a single float.
    Each adjoint stands under its variable; a variable that is used several times shows the sum
    (Σ) over its uses. `at` maps inputs and parameters to numbers: values (▸) and adjoints (◂)
    are shown there. `wrt` names what the gradient is taken by: by default the trainable
    parameters, or the float inputs where there are none. `saved` draws dotted edges from each
    forward value to the adjoints that read it. Of a loop `steps` are drawn, the last one included,
    and what is between them in one box; with 0 the loop is one box. `collapse` and `max_nodes` are
    those of `computation_graph`.
    """
    of = checked_output(graph, None) if of is None else of
    sizes = None if at is None else evaluated(graph, at).sizes
    loops = unrolled(graph, steps, sizes) if collapse is None else None
    if loops is not None:
        graph = loops.graph
        picture = view(graph, "strict", max_nodes, loops.step_of, known=loops.known)
    else:
        picture = view(graph, "strict", max_nodes, collapse)
    target = graph.find(of)
    found = {v.node: v for box in picture.boxes for v in box.variables}
    groups = [box for box in picture.boxes if box.kind == "group"]
    hidden = {v.node: [r.node for r in box.results] for box in groups for v in box.variables}
    sent = adjoints(graph, found, target, adjoint_seeds(graph, wrt), hidden)
    point, gradients = (
        (None, {})
        if at is None
        else evaluated_adjoints(graph, target, at, [n for n in sent if n not in hidden])
    )
    half = _backward_half(picture, sent, point, gradients)
    forward = {i: look(box, point) for i, box in enumerate(picture.boxes)}
    wide, forward, backward = _matched(forward, half.looks)
    layout = _forward_layout(picture, wide)
    upper = _Stage([box.key for box in picture.boxes], forward, _insets(wide, forward), layout)
    lines = [
        *_head(graph, _caption(of, picture, point, half, saved)),
        *_forward_lines(picture, upper),
        *_backward_lines(picture, upper.below(backward, _insets(wide, backward)), half, saved),
        "}",
    ]
    told = " ".join(f"{half.told[i]}." for i in sorted(half.told, reverse=True))
    description = f"Forward: {picture.description()} Backward: {told}"
    title = f"Backpropagation of {name_text(of)} in {graph.name}"
    return Drawing("\n".join(lines) + "\n", "neato", title, description)


# -- content ---------------------------------------------------------------------------------


def _backward_half(
    picture: View,
    sent: Mapping[Node, Adjoint],
    point: Values | None,
    gradients: Mapping[Node, Any],
) -> _Half:
    looks: dict[int, BoxLook] = {}
    told: dict[int, str] = {}
    edges: dict[tuple[int, int], None] = {}
    saved: dict[tuple[int, int], None] = {}
    for place, box in enumerate(picture.boxes):
        inside = [sent[v.node] for v in box.variables if v.node in sent]
        if not inside:
            continue
        looks[place] = _adjoint_look(box, inside, point, gradients)
        told[place] = f"d/d{_shown(box)} = {' '.join(looks[place].formula)}"
        for adjoint in inside:
            for use in adjoint.uses:
                source = picture.place[use.consumer]
                if source != place:
                    edges.setdefault((source, place))
                for node in adjoint.reads:
                    if node in picture.place:
                        saved.setdefault((picture.place[node], place))
    return _Half(looks, told, list(edges), list(saved))


def _adjoint_look(
    box: Box, inside: Sequence[Adjoint], point: Values | None, gradients: Mapping[Node, Any]
) -> BoxLook:
    node = inside[-1].node
    rows: list[Note] = []
    details: list[str] = []
    is_summed_up = False
    if box.kind == "group":
        formula, details, is_summed_up = _of_group(box, inside)
        mark = "Σ" if box.holds_leaves else ""
    else:
        formula = wrapped(inside[-1].formula, _LINE)
        mark = "Σ" if len(inside[-1].uses) > 1 else ""
        if node in gradients:
            rows = value_rows(gradients[node], "◂", palette.ADJOINT)
        elif node.shape and point is None:
            rows = [Note(shape_formula(node.shape), palette.MUTED)]
    return BoxLook(
        name=f"d {box.name}" if box.kind == "group" else bar(_shown(box)),
        formula=formula,
        details=details,
        fill=palette.ADJOINT_FILL,
        frame=palette.ADJOINT,
        name_color=palette.ADJOINT,
        formula_color=palette.MUTED if is_summed_up else palette.INK,
        mark=mark,
        notes=rows,
        doubled=box.kind == "group",
    )


def _of_group(box: Box, inside: Sequence[Adjoint]) -> tuple[list[str], list[str], bool]:
    """Return the lines of a group's adjoints, small ones, and whether nothing is written out."""
    own = {x.node for x in inside if x.node.op.is_leaf}
    names = [bar(leaf_name(v, box.name)) for v in box.variables if v.node in own]
    weights, count = listed(names, _MOST_NAMES), f"{len(inside):,} adjoints"
    if box.holds_leaves:
        return [listed([bar(v.shown) for v in box.variables], _MOST_NAMES)], [], False
    told = next((x.formula for x in inside if x.node is box.node), "")
    results = [bar(v.shown) for v in box.results if v.shown]
    if told and len(box.results) == 1:
        return wrapped(f"{results[0]} = {told}", _LINE), [f"and {weights}"] * bool(names), False
    if len(results) > 1:
        return [listed(results, _MOST_NAMES)], [f"and {weights}"] * bool(names), True
    return [weights or count], [count] * bool(names), True


def _shown(box: Box) -> str:
    """Return the name that formulas call a box by, not the second one of an output."""
    return (box.kind != "group" and box.variables[-1].shown) or box.name or box.formula


def _matched(
    forward: Mapping[int, BoxLook], backward: Mapping[int, BoxLook]
) -> tuple[dict[int, BoxLook], dict[int, BoxLook], dict[int, BoxLook]]:
    """Give each pair of boxes one height, so that the lower half can repeat the upper one.

    The first result is as wide as the wider of each pair: what the layout must make room for.
    Widths that hardly differ are made equal, so that no arrow is shorter than its head.
    """
    wide, above, below = dict(forward), dict(forward), {}
    for place, lower in backward.items():
        upper = forward[place]
        width = max(upper.width, lower.width)
        above[place], below[place] = _fitted(upper, lower, width), _fitted(lower, upper, width)
        wide[place] = replace(above[place], min_width=width)
    return wide, above, below


def _insets(wide: Mapping[int, BoxLook], looks: Mapping[int, BoxLook]) -> dict[int, float]:
    """Return how far each box ends inside the place that was laid out for it."""
    return {place: (wide[place].width - look.width) / 2 for place, look in looks.items()}


def _fitted(look: BoxLook, other: BoxLook, width: int) -> BoxLook:
    missing = len(other.notes) - len(look.notes)
    return replace(
        look,
        min_width=width if width - look.width < _LEAST_INSET else look.min_width,
        min_height=max(look.height, other.height),
        notes=[*look.notes, *[Note("", palette.INK)] * missing],
    )


def _caption(of: str, picture: View, point: Values | None, half: _Half, saved: bool) -> Html:
    name = name_text(of)
    space = " " if len(name.rstrip(LOWERED)) > 1 else ""
    shown = [(f"◂ adjoint  v̄ = d{space}{name}/dv", palette.ADJOINT)]
    if point is not None:
        shown.insert(0, ("▸ value", palette.VALUE))
    if any(look.mark for look in half.looks.values()):
        shown.append(("Σ adds over all uses", palette.ADJOINT))
    if saved and half.saved:
        shown.append(("dotted: a saved value is read", palette.VALUE))
    if point is not None and point.point:
        shown.append((f"at {point.point}", palette.INK))
    if picture.remark:
        shown.append((picture.remark, palette.MUTED))
    return caption(shown)


# -- DOT ---------------------------------------------------------------------------------------


def _forward_layout(picture: View, looks: Mapping[int, BoxLook]) -> Layout:
    """Return where the forward half alone stands, in rows where both halves fill no page."""
    gap = max(rank_gap(picture), 0.6)
    head = [
        'digraph "forward" {',
        f'  graph [rankdir="LR", nodesep="0.32", ranksep="{gap:g}", splines="spline"];',
        f'  node [shape="plain", fontname="{FONT}"];',
    ]
    rows = rows_of(picture, looks, "LR", copies=2)
    return stacked(picture, looks, rows, row_sources(picture, looks, rows, head))


def _head(graph: Graph, label: Html) -> list[str]:
    graph_attributes = {
        "layout": "neato",
        "bgcolor": palette.PAPER,
        "pad": "0.2",
        "splines": "true",
        "outputorder": "nodesfirst",
        "fontname": FONT,
        "fontsize": "11",
        "labelloc": "b",
        "label": label,
    }
    return opening(graph.name, graph_attributes, is_fixed=True)


@dataclass(frozen=True)
class _Stage:
    """Where one half is drawn: its looks by box, their insets, the layout, how far below it."""

    keys: Sequence[str]
    looks: Mapping[int, BoxLook]
    inset: Mapping[int, float]
    layout: Layout
    down: float = 0.0

    def opening(self, key: str, title: str, ink: str, frame: str) -> list[str]:
        """Return the opening of a frame around the half; neato draws it where `bb` says."""
        (left, low), (right, high) = self._frame()
        items = {
            "label": Html(f"<B>{title}</B>"),
            "labeljust": "l",
            "fontcolor": ink,
            "fontname": FONT,
            "style": "rounded",
            "color": frame,
            "bb": f"{left:.2f},{low:.2f},{right:.2f},{high:.2f}",
            "lp": f"{left + 10 + 0.55 * text_width(title, 11):.2f},{high - 12:.2f}",
        }
        return [f"  subgraph cluster_{key} {{", f"    graph{attributes(items)};"]

    def _frame(self) -> tuple[Point, Point]:
        inside = [self.keys[i] for i in self.looks]
        (left, low), (right, high) = self.layout.frame(inside, _MARGIN, _TITLE)
        return (left, low - self.down), (right, high - self.down)

    def below(self, looks: Mapping[int, BoxLook], inset: Mapping[int, float]) -> _Stage:
        """Return the same layout further down, just under this half."""
        other = _Stage(self.keys, looks, inset, self.layout)
        return replace(other, down=other._frame()[1][1] - self._frame()[0][1] + _BETWEEN)

    def pos(self, place: int) -> str:
        x, y = self.layout.centres[self.keys[place]]
        return f"{x:.2f},{y - self.down:.2f}!"

    def edge_pos(self, tail: int, head: int, backward: bool = False) -> str:
        """Return the `pos` of a forward edge, or of the adjoint edge that runs against it."""
        a, b = self.keys[tail], self.keys[head]
        curve = self.layout.curve(a, b, self.inset.get(tail, 0), self.inset.get(head, 0))
        return arrow_pos(curve, self.down, backward)


def _forward_lines(picture: View, stage: _Stage) -> list[str]:
    lines = stage.opening("fwd", "forward", palette.MUTED, palette.FORWARD_FRAME)
    for i, box in enumerate(picture.boxes):
        lines.append("  " + variable_line(box, stage.looks[i], pos=stage.pos(i)))
    lines.append("  }")
    for tail, head in picture.edges:
        a, b = stage.keys[tail], stage.keys[head]
        lines.append(box_edge(a, b, pos=stage.edge_pos(tail, head)))
    return lines


def _backward_lines(picture: View, stage: _Stage, half: _Half, saved: bool) -> list[str]:
    color, keys = palette.ADJOINT, stage.keys
    lines = stage.opening("bwd", "backward", color, palette.BACKWARD_FRAME)
    for i, appearance in stage.looks.items():
        box = replace(picture.boxes[i], key=f"d_{keys[i]}", kind="adjoint", told=half.told[i])
        lines.append("  " + variable_line(box, appearance, pos=stage.pos(i)))
    lines.append("  }")
    dashed = {"class": "grad", "color": color, "style": "dashed"}
    for source, place in half.edges:
        a, b = keys[source], keys[place]
        items = {"id": f"g_{a}_{b}", "pos": stage.edge_pos(place, source, backward=True)}
        lines.append(edge_line(f"d_{a}:b", f"d_{b}:b", items | dashed))
    dotted = {"class": "saved", "color": palette.VALUE, "style": "dotted", "penwidth": "1.1"}
    for source, place in half.saved if saved else ():
        a, b = keys[source], keys[place]
        lines.append(edge_line(f"{a}:s", f"d_{b}:n", {"id": f"s_{a}_{b}", **dotted}))
    return lines
