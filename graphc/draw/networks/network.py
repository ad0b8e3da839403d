"""The neural network diagram: it represents a network. Circles are units, edges carry weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from graphc.draw import palette
from graphc.draw.dot_source import (
    FONT,
    Html,
    edge_line,
    fixed,
    font,
    node_line,
    opening,
    words_line,
)
from graphc.draw.drawing import Drawing
from graphc.draw.networks.dense_layers import find_network
from graphc.draw.networks.lookups import Lookup, find_lookups, lookup_lines
from graphc.draw.networks.parts import Layer, Network
from graphc.draw.networks.states import dropped_units, weight_arrays, without_edges
from graphc.draw.networks.unit_edges import Edge, Picture, arranged
from graphc.draw.networks.unit_names import Names, names_of
from graphc.draw.networks.units import RADIUS, spline, waypoints
from graphc.draw.typography import LOWERED, escape, italic, name_text, text_width
from graphc.errors import GraphError
from graphc.ir.dims import dim_text
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.simplify.merge_common import merge_common

BIASES = (None, "badge", "node")
_FILLS = {
    "input": palette.INPUT_FILL,
    "hidden": palette.PAPER,
    "output": palette.OUTPUT_FILL,
    "bias": palette.CONSTANT_FILL,
}


@takes_graph()
def network(
    graph: Graph,
    *,
    state: Mapping[str, Any] | None = None,
    max_units: int = 8,
    max_columns: int = 12,
    weight_labels: bool | None = None,
    bias: str | None = None,
    dropped: Mapping[str, Iterable[int]] | None = None,
) -> Drawing:
    """Draw the dense layers of a graph as a network: one circle per unit, no bias, no loss.

    The layers are found by pattern, whether `nn.dense` or raw operations built them. Units that
    others make one by one, as gates and maxout do, are a layer with dotted edges; those that an
    index picks, as embeddings are, stand right of their table. `state` maps
    parameters to arrays: each edge then shows its weight's sign by colour and dash, and its size
    by width. Layers of more than `max_units` show the first few, ⋮ and the last, and networks of
    more than `max_columns` leave out the middle.
    `weight_labels` forces labels on or off; by default they stand where every unit is shown and
    there is room. `bias` is None, "badge" or "node". `dropped` names units that dropout has left
    out, counted from 0, by layer: `{"h1": [0, 3]}`; they are crossed and have no edges. Weights of
    parameters that are not trainable have hollow arrows.

    **Raises** GraphError where no layers are found, or where they meet in a way that no layer of
    units can stand for, such as attention.
    """
    if bias not in BIASES:
        raise GraphError("unknown way to draw a bias", got=repr(bias), expected="badge or node")
    if max_units < 4:
        raise GraphError("max_units must be at least 4", got=max_units)
    if max_columns < 3:
        raise GraphError("max_columns must be at least 3", got=max_columns)
    graph, _ = merge_common(graph, {}, ValueNumbers())  # exp(x @ W)/sum(exp(x @ W)) is one layer
    whole = find_network(graph)
    found = whole.shortened(max_columns)
    names = names_of(graph, found, whole)
    arrays = weight_arrays(found, state)
    picture = arranged(found, names, arrays, max_units, weight_labels, bias)
    crossed = dropped_units(picture, found, names, dropped or {})
    picture = without_edges(picture, crossed)
    lookups = find_lookups(found)
    lines = [
        *_head(graph, picture),
        *_unit_lines(picture, found, crossed),
        *lookup_lines(lookups, picture),
        *[_edge_line(picture, edge) for edge in picture.edges],
        *_label_lines(picture),
        *_caption_lines(picture, found, bool(crossed), lookups, names),
        "}",
    ]
    title = f"Neural network {graph.name}"
    told = [_told(found, names), *[f"Looked up: {lookup.told}." for lookup in lookups]]
    return Drawing("\n".join(lines) + "\n", "neato", title, " ".join(told))


def _head(graph: Graph, picture: Picture) -> list[str]:
    graph_attributes = {
        "layout": "neato",
        "splines": "line",
        "bgcolor": palette.PAPER,
        "pad": "0.15",
        "outputorder": "edgesfirst",
        "fontname": FONT,
        "tooltip": name_text(graph.name),
    }
    node = {
        "shape": "circle",
        "fixedsize": "true",
        "width": f"{2 * RADIUS / 72:g}",
        "style": "filled",
        "color": palette.INK,
        "penwidth": "1.5",
        "fontname": FONT,
        "fontcolor": palette.INK,
    }
    thin = bool(picture.arrangement.ellipses)  # a wide network has many edges and no labels
    edge = {
        "color": palette.EDGE,
        "penwidth": "0.8" if thin else "1.1",
        "arrowsize": "0.55" if thin else "0.65",
    }
    return opening(graph.name, graph_attributes, node, edge, is_fixed=True)


def _unit_lines(picture: Picture, found: Network, crossed: Set[str]) -> list[str]:
    lines = []
    sizes: dict[int, float] = {}
    for unit in picture.units:
        sizes[unit.layer] = min(sizes.get(unit.layer, 17.0), _fitting_size(unit.name))
    for unit in picture.units:
        role = found.layers[unit.layer].role if unit.layer >= 0 else "bias"
        items = {
            "pos": fixed(unit.x, unit.y),
            "label": _unit_label(unit.name, sizes[unit.layer]),
            "fillcolor": _FILLS[role],
            "id": f"unit_{unit.layer}_{dim_text(unit.row)}" if unit.layer >= 0 else unit.key,
            "class": role,
            "tooltip": unit.name,
        }
        if unit.key in crossed:
            items["label"] = Html(font("✕", palette.MUTED, 20))
            items |= {"style": "filled,dashed", "fillcolor": palette.CONSTANT_FILL}
            items |= {"class": "dropped", "tooltip": f"{unit.name}, dropped out"}
        lines.append(node_line(unit.key, items))
    for i, gap in enumerate(picture.arrangement.ellipses):
        label = Html(font("⋮", palette.MUTED, 22))
        lines.append(words_line(f"e{i}", gap.x, gap.y, label, tooltip=f"{gap.hidden} more units"))
    return lines


def _fitting_size(name: str) -> float:
    """Return the largest font size, down to 8, at which a name fits into its circle."""
    return max(8.0, min(17.0, (2 * RADIUS - 9) / max(text_width(name, 1), 0.1)))


def _unit_label(name: str, size: float) -> Html:
    """Return a unit's name; where even a small font is too wide, the stem is shortened."""
    stem = name.rstrip(LOWERED)
    index = name[len(stem) :]
    while text_width(stem + index, size) > 2 * RADIUS - 6 and len(stem) > 2:
        stem = stem.rstrip("…")[:-1] + "…"
    inside = escape(stem + index) if stem.isdigit() else italic(stem) + escape(index)
    return Html(font(inside, palette.INK, round(size, 1)))


def _edge_line(picture: Picture, edge: Edge) -> str:
    items: dict[str, object] = {"id": edge.key, "edgetooltip": edge.told or None}
    if edge.value is not None:
        negative = edge.value < 0
        items["color"] = palette.ADJOINT if negative else palette.VALUE
        items["style"] = "dashed" if negative else "solid"
        items["penwidth"] = f"{0.6 + 3.4 * abs(edge.value) / (picture.largest or 1):.2f}"
    if edge.link is not None and edge.link.is_frozen:
        items |= {"class": "frozen", "arrowhead": "empty"}
    if edge.link is not None and edge.link.weight is None:
        items["class"] = "skip"
        items["style"] = "dotted"
    points = waypoints(picture.arrangement, edge.tail, edge.head)
    if len(points) > 2:
        items["pos"] = spline(points)
    return edge_line(edge.tail.key, edge.head.key, items)


def _label_lines(picture: Picture) -> list[str]:
    lines = []
    for label in picture.labels:
        text = font(escape(label.text), palette.INK, label.size)
        table = (
            '<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0" '
            f'BGCOLOR="{palette.PAPER}"><TR><TD>{text}</TD></TR></TABLE>'
        )
        lines.append(words_line(label.key, label.box.x, label.box.y, Html(table)))
    return lines


def _caption_lines(
    picture: Picture,
    found: Network,
    has_dropped: bool,
    lookups: Sequence[Lookup],
    names: Names,
) -> list[str]:
    lines, lowest = [], picture.low + RADIUS - 92
    looked_up = {lookup.layer: lookup.role for lookup in lookups}
    for level, x in enumerate(picture.arrangement.columns):
        numbers = [i for i, layer in enumerate(found.layers) if layer.level == level]
        inside = [found.layers[i] for i in numbers]
        roles = [looked_up.get(i) or _role(found.layers[i]) for i in numbers]
        rows = list(dict.fromkeys(map(escape, roles)))
        ahead = [layer.beyond for layer in inside if layer.beyond and layer.role != "input"]
        rows += [f"on to {words}" for words in dict.fromkeys(ahead)]
        sizes = [dim_text(layer.size) for layer in inside if layer.node.ndim]
        rows += [escape(" + ".join(sizes))] if sizes else []
        if level == found.gap:
            rows = [f"{found.hidden:,} more columns"]
            lines.append(words_line("gap", x, 0.0, Html(font("⋯", palette.MUTED, 28))))
        label = Html(font("<BR/>".join(rows), palette.MUTED, 12))
        y = picture.low - 12 - 8 * len(rows)
        lowest = min(lowest, y - 8 * len(rows) - 12)
        lines.append(words_line(f"caption{level}", x, y, label))
    for i, caption in enumerate(picture.matrices):
        matrix = f"<I>{escape(caption.name)}</I>  {escape(caption.size)}"
        label = Html(font(matrix, palette.INK, 12))
        lines.append(words_line(f"w{i}", caption.x, caption.y, label, tooltip=caption.told))
    handed = [found.layers[link.head] for link in found.links if link.weight is None]
    holds = {
        picture.remark: bool(picture.remark),
        "dotted: handed on unchanged": any(not layer.joint for layer in handed),
        "dotted: unit by unit, without weights": any(layer.joint for layer in handed),
        "bold: rows that an index picks": bool(lookups),
        f"dashed: negative;  width: size, up to {picture.largest:.2g}": picture.largest > 0,
        "hollow arrows: frozen weights": any(link.is_frozen for link in found.links),
        "✕ dropped out": has_dropped,
    }
    remarks = [words for words, is_so in holds.items() if is_so]
    rows = [escape(";  ".join(words)) for words in (remarks, names.abbreviations()) if words]
    if rows:
        middle = sum(picture.arrangement.columns) / len(picture.arrangement.columns)
        words = Html(font("<BR/>".join(rows), palette.MUTED, 11))
        lines.append(words_line("remark", middle, lowest - 8 * (len(rows) - 1), words))
    return lines


def _role(layer: Layer) -> str:
    if layer.is_fed:
        return "from other layers"
    if layer.beyond and layer.role == "input":
        return f"from {layer.beyond}"
    activation = layer.activation
    return f"{layer.role} · {activation}" if activation else layer.role


def _told(found: Network, names: Names) -> str:
    """Return the network in words, layer by layer from the inputs."""
    sentences = []
    for i, layer in enumerate(found.layers):
        count = "1 unit" if layer.size == 1 else f"{dim_text(layer.size)} units"
        activation = layer.activation and f", {layer.activation}"
        sources = [names.layers[link.tail] for link in found.links if link.head == i]
        fed = f", from {' and '.join(dict.fromkeys(sources))}" if sources else ""
        role = _role(layer) if layer.role == "input" else layer.role
        fed += f", on to {layer.beyond}" if layer.beyond and layer.role != "input" else ""
        sentences.append(f"{role.capitalize()} {names.layers[i]}: {count}{activation}{fed}.")
    return " ".join(sentences)
