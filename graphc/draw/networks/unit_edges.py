"""Which edges does a network diagram draw, and where do their labels find room?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from graphc.draw.networks.parts import Link, Network, source_of
from graphc.draw.networks.unit_names import Names
from graphc.draw.networks.units import RADIUS, Arrangement, Unit, arrange, waypoints
from graphc.draw.typography import name_text, number_text, text_width
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
    scene = _Scene(found, names, arrays, bias, arrange(found, names, max_units, gap, pitch))
    wanted = weight_labels
    if wanted is None:
        wanted = not scene.place.ellipses and len(scene.edges) <= _MOST_LABELS
    labels: list[Label] | None = None
    for _ in range(_ATTEMPTS if wanted else 0):
        labels = scene.labels()
        if labels is not None:
            break
        gap, pitch = gap * 1.2, pitch * 1.1
        scene = replace(scene, place=arrange(found, names, max_units, gap, pitch))
    if labels is None:
        scene = replace(scene, place=arrange(found, names, max_units, 190.0, 62.0))
    place, edges, units = scene.place, scene.edges, scene.units
    values = [abs(edge.value) for edge in edges if edge.value is not None]
    ways = [waypoints(place, edge.tail, edge.head) for edge in edges]
    past = [y for way in ways for _, y in way[1:-1]]  # of edges that pass a column
    return Picture(
        arrangement=place,
        units=units,
        edges=edges,
        labels=labels or scene.badges(),
        matrices=[] if labels else scene.matrices(max([place.top + RADIUS, *past])),
        largest=max(values, default=0.0),
        remark="weights are not labelled: there is no room" if wanted and labels is None else "",
        low=min([unit.y - RADIUS for unit in units] + past, default=0.0),
    )


@dataclass(frozen=True)
class _Scene:
    """A network with its units in their places; `arrays` are the weights, where they are known."""

    found: Network
    names: Names
    arrays: Mapping[Node, np.ndarray] | None
    bias: str | None
    place: Arrangement

    @cached_property
    def units(self) -> list[Unit]:
        return [*self.place.all_units(), *self._bias_units]

    @cached_property
    def _bias_units(self) -> list[Unit]:
        """A unit with the constant value 1 for each layer with a bias, left of its column."""
        units: list[Unit] = []
        for index, layer in enumerate(self.found.layers):
            if self.bias == "node" and layer.biases and self.place.units[index]:
                x = self.place.columns[layer.level - 1]
                used = sum(unit.x == x for unit in units)
                y = self.place.bottom - 2.9 * RADIUS * (used + 1)
                units.append(Unit(f"bias_{index}", -1, 0, "1", x, y))
        return units

    # -- edges -----------------------------------------------------------------------------------

    @cached_property
    def edges(self) -> list[Edge]:
        joined: dict[tuple[str, str, Node | None, bool], list[Edge]] = {}
        for number, link in enumerate(self.found.links):
            for tail in self.place.units[link.tail]:
                for head in self.place.units[link.head]:
                    if link.joins(tail.row, head.row):
                        ends = (tail.key, head.key, link.read, link.is_frozen)
                        joined.setdefault(ends, []).append(self._edge(number, link, tail, head))
        edges = [_added_up(parallel) for parallel in joined.values()]
        for unit in self._bias_units:
            layer = int(unit.key.removeprefix("bias_"))
            node = self.found.layers[layer].biases[0]
            for head in self.place.units[layer]:
                key = f"w_{unit.key}_{dim_text(head.row)}"
                name = self.names.bias(node, head.row) if node.ndim else self.names.array(node)
                value = self._number(node, (head.row,))
                edges.append(_labelled(key, unit, head, None, name, self.names.whole(node), value))
        return edges

    def _edge(self, number: int, link: Link, tail: Unit, head: Unit) -> Edge:
        key = f"w_{number}_{dim_text(head.row)}_{dim_text(tail.row)}"
        if link.weight is None:
            return Edge(key, tail, head, link, "", "unchanged", None)
        name = self.names.weight(link, tail.row, head.row)
        first = link.row(tail.row)
        assert first is not None
        value = self._number(
            link.weight, (first, head.row) if link.rows_are_inputs else (head.row, first)
        )
        return _labelled(key, tail, head, link, name, self.names.whole(link.weight), value)

    def _number(self, node: Node, index: tuple[Dim, ...]) -> float | None:
        """Return one weight; a symbolic index has no number."""
        if self.arrays is None or not all(type(i) is int for i in index):
            return None
        array = self.arrays[node]
        return float(array[tuple(map(int, index))[: array.ndim]])

    # -- labels ----------------------------------------------------------------------------------

    def labels(self) -> list[Label] | None:
        """Return the labels of edges and biases; None where they have no room."""
        size = _NAME_SIZE if self.arrays is None else _NUMBER_SIZE
        badges = self.badges()
        obstacles = [Rectangle(u.x, u.y, 2 * RADIUS + 2, 2 * RADIUS + 2) for u in self.units]
        obstacles += [badge.box for badge in badges]
        shown = [edge for edge in self.edges if edge.label]
        segments = _labelled_segments(self.place, shown)
        if segments is None:
            return None
        sizes = [(text_width(edge.label, size) + 3, 1.3 * size + 2) for edge in shown]
        ways = zip(segments, sizes, strict=True)
        if any(width > _COVERED * abs(way.x1 - way.x0) for way, (width, _) in ways):
            return None
        boxes = place_labels(segments, sizes, obstacles)
        if boxes is None:
            return None
        pairs = zip(shown, boxes, strict=True)
        return [*[Label(f"l{edge.key}", edge.label, size, box) for edge, box in pairs], *badges]

    def badges(self) -> list[Label]:
        """Return a small `+b₁`, or its value, at the foot of every unit that has a bias."""
        badges = []
        for index, layer in enumerate(self.found.layers if self.bias == "badge" else ()):
            for unit in self.place.units[index] if layer.biases else ():
                text = " ".join(self._bias_text(node, unit.row) for node in layer.biases)
                box = Rectangle(unit.x, unit.y - RADIUS - 8, text_width(text, 10) + 3, 14)
                badges.append(Label(f"badge_{unit.key}", text, 10, box))
        return badges

    def _bias_text(self, node: Node, row: Dim) -> str:
        value = self._number(node, (row,))
        return f"+{self.names.bias(node, row)}" if value is None else _signed(_short(value))

    def matrices(self, top: float) -> list[Matrix]:
        """Return the captions `W  784×128` of the weights, above all edges: they begin at `top`."""
        captions = []
        stacked: Counter[float] = Counter()
        for link in self.found.links:
            if link.weight is None:
                continue
            tail, head = self.found.layers[link.tail], self.found.layers[link.head]
            x = (self.place.columns[tail.level] + self.place.columns[head.level]) / 2
            size = "×".join(map(dim_text, source_of(link.weight)[0].shape))
            inputs = dim_text(tail.size if link.rows is None else len(link.rows))
            outputs = dim_text(head.size)
            told = f"{inputs} units to {outputs} units: {outputs}×{inputs} weights"
            y = top + 14 + 18 * stacked[x]
            captions.append(Matrix(self.names.array(link.weight), size, told, x, y))
            stacked[x] += 1
        return captions


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


def _short(value: float) -> str:
    """Return a weight as its label shows it: two decimals, or as many as it needs to be seen."""
    text = f"{value:.2f}" if abs(value) >= 0.005 or value == 0 else f"{value:.0e}"
    return text.replace("-", "−").replace("e−0", "e−")


def _signed(text: str) -> str:
    return text if text.startswith("−") else f"+{text}"


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


# -- places of labels: on their own edge, on no circle, never on one another ---------------------

#: Places along an edge, in order of preference: near the tail, then further and further away.
_STEPS = tuple(
    sorted((0.12 + 0.02 * i for i in range(36)), key=lambda t: abs(t - 0.27) + (t > 0.27) * 0.01)
)
_GAP = 1.5


@dataclass(frozen=True)
class Rectangle:
    """An axis-parallel box by its centre and size, in points."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Rectangle) -> bool:
        return (
            abs(self.x - other.x) < (self.width + other.width) / 2 + _GAP
            and abs(self.y - other.y) < (self.height + other.height) / 2 + _GAP
        )


@dataclass(frozen=True)
class Segment:
    """A straight edge between two circle centres."""

    x0: float
    y0: float
    x1: float
    y1: float

    def at(self, t: float) -> tuple[float, float]:
        return self.x0 + t * (self.x1 - self.x0), self.y0 + t * (self.y1 - self.y0)

    def crosses(self, box: Rectangle) -> bool:
        """Say whether the segment passes through the box (clipping against its four sides)."""
        low, high = 0.0, 1.0
        for start, span, middle, half in (
            (self.x0, self.x1 - self.x0, box.x, box.width / 2),
            (self.y0, self.y1 - self.y0, box.y, box.height / 2),
        ):
            if span == 0:
                if abs(start - middle) > half:
                    return False
                continue
            near, far = sorted(((middle - half - start) / span, (middle + half - start) / span))
            low, high = max(low, near), min(high, far)
        return low < high


def place_labels(
    edges: Sequence[Segment],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Rectangle],
) -> list[Rectangle] | None:
    """Return a box for each edge's label such that no two overlap, or None where they cannot.

    Among the free places of an edge the first one that covers no other edge is taken, else the
    one that covers the fewest.
    """
    placed: list[Rectangle] = []
    for i, (edge, (width, height)) in enumerate(zip(edges, sizes, strict=True)):
        best: tuple[int, Rectangle] | None = None
        for t in _STEPS:
            box = Rectangle(*edge.at(t), width, height)
            if any(box.overlaps(other) for other in (*placed, *obstacles)):
                continue
            covered = sum(other.crosses(box) for j, other in enumerate(edges) if j != i)
            if best is None or covered < best[0]:
                best = covered, box
            if not covered:
                break
        if best is None:
            return None
        placed.append(best[1])
    return placed
