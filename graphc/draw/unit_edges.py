"""Which edges does a network diagram draw, and where do their labels find room?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphc.draw.label_places import Rectangle, Segment, place_labels
from graphc.draw.network_parts import Link, Network, source_of
from graphc.draw.typography import name_text, number_text, text_width
from graphc.draw.unit_names import Names
from graphc.draw.units import RADIUS, Arrangement, Unit, arrange, waypoints
from graphc.ir.dims import Dim, dim_text
from graphc.ir.node import Node

_MOST_LABELS = 64
_NAME_SIZE, _NUMBER_SIZE = 13, 10
_ATTEMPTS = 8
#: How much of the way between two columns a label may cover.
_COVERED = 0.6


@dataclass(frozen=True)
class Edge:
    """A drawn edge: its ends, its label, its sentence, and its value where there is one."""

    key: str
    tail: Unit
    head: Unit
    link: Link | None
    label: str
    told: str
    value: float | None


@dataclass(frozen=True)
class Label:
    key: str
    text: str
    size: float
    box: Rectangle


@dataclass(frozen=True)
class Matrix:
    """A caption between two columns: the weights' name and size."""

    name: str
    size: str
    told: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """Everything that a network diagram shows, in its place."""

    arrangement: Arrangement
    units: Sequence[Unit]
    edges: Sequence[Edge]
    labels: Sequence[Label]
    matrices: Sequence[Matrix]
    largest: float
    remark: str
    low: float  # below this there is neither a unit nor an edge


def arranged(
    found: Network,
    names: Names,
    arrays: Mapping[Node, np.ndarray] | None,
    max_units: int,
    weight_labels: bool | None,
    bias: str | None,
) -> Picture:
    """Return a network with all units, edges and labels placed.

    Columns move apart until every label has room; where that fails, or labels are off, the
    weights' names and sizes stand above.
    """
    gap, pitch = 225.0, 92.0
    place = arrange(found, names, max_units, gap, pitch)
    edges = _edges(place, found, names, arrays, bias)
    wanted = weight_labels
    if wanted is None:
        wanted = not place.ellipses and len(edges) <= _MOST_LABELS
    labels: list[Label] | None = None
    for _ in range(_ATTEMPTS if wanted else 0):
        labels = _labels(place, found, names, edges, arrays, bias)
        if labels is not None:
            break
        gap, pitch = gap * 1.2, pitch * 1.1
        place = arrange(found, names, max_units, gap, pitch)
        edges = _edges(place, found, names, arrays, bias)
    if labels is None:
        place = arrange(found, names, max_units, 190.0, 62.0)
        edges = _edges(place, found, names, arrays, bias)
    values = [abs(edge.value) for edge in edges if edge.value is not None]
    units = [*place.all_units(), *_bias_units(place, found, bias)]
    ways = [waypoints(place, edge.tail, edge.head) for edge in edges]
    past = [y for way in ways for _, y in way[1:-1]]  # of edges that pass a column
    return Picture(
        arrangement=place,
        units=units,
        edges=edges,
        labels=labels or _badges(place, found, names, arrays, bias),
        matrices=[] if labels else _matrices(place, found, names, max([place.top + RADIUS, *past])),
        largest=max(values, default=0.0),
        remark="weights are not labelled: there is no room" if wanted and labels is None else "",
        low=min([unit.y - RADIUS for unit in units] + past, default=0.0),
    )


# -- edges -----------------------------------------------------------------------------------


def _edges(
    place: Arrangement,
    found: Network,
    names: Names,
    arrays: Mapping[Node, np.ndarray] | None,
    bias: str | None,
) -> list[Edge]:
    joined: dict[tuple[str, str, Node | None, bool], list[Edge]] = {}
    for number, link in enumerate(found.links):
        for tail in place.units[link.tail]:
            for head in place.units[link.head]:
                if link.joins(tail.row, head.row):
                    edge = _edge(number, link, tail, head, names, arrays)
                    ends = (tail.key, head.key, link.read, link.is_frozen)
                    joined.setdefault(ends, []).append(edge)
    edges = [_added_up(parallel) for parallel in joined.values()]
    for unit in _bias_units(place, found, bias):
        layer = int(unit.key.removeprefix("bias_"))
        node = found.layers[layer].biases[0]
        for head in place.units[layer]:
            name = names.bias(node, head.row) if node.ndim else names.array(node)
            value = None if arrays is None else _number(arrays[node], (head.row,))
            key = f"w_{unit.key}_{dim_text(head.row)}"
            edges.append(_labelled(key, unit, head, None, name, names.whole(node), value))
    return edges


def _edge(
    number: int,
    link: Link,
    tail: Unit,
    head: Unit,
    names: Names,
    arrays: Mapping[Node, np.ndarray] | None,
) -> Edge:
    key = f"w_{number}_{dim_text(head.row)}_{dim_text(tail.row)}"
    if link.weight is None:
        return Edge(key, tail, head, link, "", "unchanged", None)
    name = names.weight(link, tail.row, head.row)
    if arrays is None:
        return _labelled(key, tail, head, link, name, names.whole(link.weight), None)
    first = link.row(tail.row)
    assert first is not None
    index = (first, head.row) if link.rows_are_inputs else (head.row, first)
    value = _number(arrays[link.weight], index)
    return _labelled(key, tail, head, link, name, names.whole(link.weight), value)


def _added_up(edges: Sequence[Edge]) -> Edge:
    """Return one edge for those of one unit to another: x·U + x·V has the weights U + V."""
    first = edges[0]
    if len(edges) == 1 or not first.label:
        return first
    label = " + ".join(edge.label for edge in edges)
    told = " + ".join(edge.told for edge in edges)
    if first.value is None:
        return replace(first, label=label, told=told)
    value = sum(edge.value for edge in edges if edge.value is not None)
    return replace(first, label=_signed(_short(value)), told=told, value=value)


def _labelled(
    key: str, tail: Unit, head: Unit, link: Link | None, name: str, whole: str, value: float | None
) -> Edge:
    of = f" of {name_text(whole)}" if whole else ""
    if value is None:
        return Edge(key, tail, head, link, name, name + of, None)
    told = f"{name} = {_signed(number_text(value))}{of}"
    return Edge(key, tail, head, link, _signed(_short(value)), told, value)


def _number(array: np.ndarray, index: tuple[Dim, ...]) -> float | None:
    """Return one weight; a symbolic index has no number."""
    numbers = tuple(i for i in index if type(i) is int)
    return float(array[numbers[: array.ndim]]) if len(numbers) == len(index) else None


def _short(value: float) -> str:
    """Return a weight as its label shows it: two decimals, or as many as it needs to be seen."""
    text = f"{value:.2f}" if abs(value) >= 0.005 or value == 0 else f"{value:.0e}"
    return text.replace("-", "−").replace("e−0", "e−")


def _signed(text: str) -> str:
    return text if text.startswith("−") else f"+{text}"


def _bias_units(place: Arrangement, found: Network, bias: str | None) -> list[Unit]:
    """Return a unit with the constant value 1 for each layer with a bias, left of its column."""
    if bias != "node":
        return []
    units: list[Unit] = []
    for index, layer in enumerate(found.layers):
        if layer.biases and place.units[index]:
            x = place.columns[layer.level - 1]
            used = sum(unit.x == x for unit in units)
            y = place.bottom - 2.9 * RADIUS * (used + 1)
            units.append(Unit(f"bias_{index}", -1, 0, "1", x, y))
    return units


# -- labels ----------------------------------------------------------------------------------


def _labels(
    place: Arrangement,
    found: Network,
    names: Names,
    edges: Sequence[Edge],
    arrays: Mapping[Node, np.ndarray] | None,
    bias: str | None,
) -> list[Label] | None:
    size = _NAME_SIZE if arrays is None else _NUMBER_SIZE
    badges = _badges(place, found, names, arrays, bias)
    units = [*place.all_units(), *_bias_units(place, found, bias)]
    obstacles = [Rectangle(u.x, u.y, 2 * RADIUS + 2, 2 * RADIUS + 2) for u in units]
    obstacles += [badge.box for badge in badges]
    shown = [edge for edge in edges if edge.label]
    segments = _labelled_segments(place, shown)
    if segments is None:
        return None
    sizes = [(text_width(edge.label, size) + 3, 1.3 * size + 2) for edge in shown]
    ways = zip(segments, sizes, strict=True)
    if any(width > _COVERED * abs(way.x1 - way.x0) for way, (width, _) in ways):
        return None
    boxes = place_labels(segments, sizes, obstacles)
    if boxes is None:
        return None
    labels = [
        Label(f"l{edge.key}", edge.label, size, box) for edge, box in zip(shown, boxes, strict=True)
    ]
    return [*labels, *badges]


def _labelled_segments(place: Arrangement, edges: Sequence[Edge]) -> list[Segment] | None:
    """Return on which segment of each edge its label stands: the first, if no other runs there.

    Edges past a column run through the same gaps; None where some end together as well, so that
    nobody could tell which label belongs to which.
    """
    ways = [waypoints(place, edge.tail, edge.head) for edge in edges]
    alike = Counter(tuple(way[:2]) for way in ways)
    ends = [way[:2] if alike[tuple(way[:2])] == 1 else way[-2:] for way in ways]
    bent = Counter(tuple(end) for way, end in zip(ways, ends, strict=True) if len(way) > 2)
    if any(count > 1 for count in bent.values()):
        return None
    return [Segment(*start, *end) for start, end in ends]


def _badges(
    place: Arrangement,
    found: Network,
    names: Names,
    arrays: Mapping[Node, np.ndarray] | None,
    bias: str | None,
) -> list[Label]:
    """Return a small `+b₁`, or its value, at the foot of every unit that has a bias."""
    if bias != "badge":
        return []
    badges = []
    for index, layer in enumerate(found.layers):
        for unit in place.units[index] if layer.biases else ():
            text = " ".join(_bias_text(node, unit.row, names, arrays) for node in layer.biases)
            box = Rectangle(unit.x, unit.y - RADIUS - 8, text_width(text, 10) + 3, 14)
            badges.append(Label(f"badge_{unit.key}", text, 10, box))
    return badges


def _bias_text(node: Node, row: Dim, names: Names, arrays: Mapping[Node, np.ndarray] | None) -> str:
    value = None if arrays is None else _number(arrays[node], (row,))
    return f"+{names.bias(node, row)}" if value is None else _signed(_short(value))


def _matrices(place: Arrangement, found: Network, names: Names, top: float) -> list[Matrix]:
    """Return the captions `W  784×128` of the weights, above all edges: they begin at `top`."""
    captions = []
    stacked: dict[float, int] = {}
    for link in found.links:
        if link.weight is None:
            continue
        left = place.columns[found.layers[link.tail].level]
        right = place.columns[found.layers[link.head].level]
        x = (left + right) / 2
        height = stacked.get(x, 0)
        stacked[x] = height + 1
        weight, _ = source_of(link.weight)
        read = found.layers[link.tail].size if link.rows is None else len(link.rows)
        inputs = dim_text(read)
        outputs = dim_text(found.layers[link.head].size)
        captions.append(
            Matrix(
                names.array(link.weight),
                "×".join(map(dim_text, weight.shape)),
                f"{inputs} units to {outputs} units: {outputs}×{inputs} weights",
                x,
                top + 14 + 18 * height,
            )
        )
    return captions
