"""Where do units stand? Columns by level, centred; ⋮ for those that a wide layer leaves out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from graphc.draw.layout import towards
from graphc.draw.networks.parts import Network
from graphc.draw.networks.unit_names import Names
from graphc.ir.dims import Dim, dim_text

RADIUS = 21.6
#: How many units stand before the ⋮ of a wide layer.
_SHOWN_FIRST = 3
_ARROW = 8.0


@dataclass(frozen=True)
class Unit:
    """A circle: its layer, its true index there (a dim where the size is one), name and place."""

    key: str
    layer: int
    row: Dim
    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Ellipsis:
    """A ⋮ and how many units it stands for."""

    layer: int
    hidden: str
    x: float
    y: float


@dataclass(frozen=True)
class Arrangement:
    units: Mapping[int, Sequence[Unit]]
    ellipses: Sequence[Ellipsis]
    columns: Sequence[float]
    top: float
    bottom: float

    def all_units(self) -> list[Unit]:
        return [unit for units in self.units.values() for unit in units]


def arrange(
    network: Network, names: Names, max_units: int, gap: float, pitch: float
) -> Arrangement:
    """Return the places of all units: `gap` between columns, `pitch` between units."""
    units: dict[int, list[Unit]] = {i: [] for i in range(len(network.layers))}
    ellipses: list[Ellipsis] = []
    levels = network.columns
    extent = 0.0
    for level in range(levels):
        slots = _slots(network, level, max_units)
        height = slots[-1][2] * pitch if slots else 0.0
        extent = max(extent, height / 2)
        for layer, row, offset in slots:
            x, y = level * gap, height / 2 - offset * pitch
            if row is None:
                hidden = network.layers[layer].size - _SHOWN_FIRST - 1
                ellipses.append(Ellipsis(layer, dim_text(hidden), x, y))
                continue
            key = f"u{layer}_{len(units[layer])}"
            name = names.unit(network, layer, row)
            units[layer].append(Unit(key, layer, row, name, x, y))
    columns = [level * gap for level in range(levels)]
    return Arrangement(units, ellipses, columns, extent, -extent)


def _slots(network: Network, level: int, max_units: int) -> list[tuple[int, Dim | None, float]]:
    """Return (layer, row or None for ⋮, offset in pitches) from the top of one column."""
    slots: list[tuple[int, Dim | None, float]] = []
    offset = 0.0
    for index, layer in enumerate(network.layers):
        if layer.level != level:
            continue
        if slots and (layer.node.ndim or network.layers[slots[-1][0]].node.ndim):
            offset += 0.5  # a little air between two layers in one column
        for row in _rows(layer.size, max_units):
            slots.append((index, row, offset))
            offset += 1
    return slots


def _rows(size: Dim, max_units: int) -> list[Dim | None]:
    if type(size) is int and size <= max_units:
        return list(range(size))
    return [*range(_SHOWN_FIRST), None, size - 1]


def waypoints(arrangement: Arrangement, tail: Unit, head: Unit) -> list[tuple[float, float]]:
    """Return the points of an edge that passes other columns: through the gaps between circles."""
    points = [(tail.x, tail.y)]
    after = bisect_right(arrangement.columns, tail.x)
    for x in arrangement.columns[after : bisect_left(arrangement.columns, head.x)]:
        y = tail.y + (head.y - tail.y) * (x - tail.x) / (head.x - tail.x)
        points.append((x, _nearest_gap(arrangement, x, y)))
    return [*points, (head.x, head.y)]


def _nearest_gap(arrangement: Arrangement, x: float, y: float) -> float:
    taken = sorted(
        [u.y for u in arrangement.all_units() if u.x == x]
        + [e.y for e in arrangement.ellipses if e.x == x]
    )
    if not taken:
        return y
    middles = [(a + b) / 2 for a, b in pairwise(taken)]
    free = [taken[0] - 2 * RADIUS, *middles, taken[-1] + 2 * RADIUS]
    return min(free, key=lambda place: abs(place - y))


def spline(points: Sequence[tuple[float, float]]) -> str:
    """Return graphviz's `pos` of a smooth edge through the points, from circle to circle."""
    start = towards(points[0], points[1], RADIUS)
    tip = towards(points[-1], points[-2], RADIUS + 1)
    end = towards(points[-1], points[-2], RADIUS + 1 + _ARROW)
    knots = [start, *points[1:-1], end]
    places = [knots[0]]
    for i in range(len(knots) - 1):
        before, a, b, after = (knots[max(0, min(j, len(knots) - 1))] for j in range(i - 1, i + 3))
        places.append((a[0] + (b[0] - before[0]) / 6, a[1] + (b[1] - before[1]) / 6))
        places.append((b[0] - (after[0] - a[0]) / 6, b[1] - (after[1] - a[1]) / 6))
        places.append(b)
    body = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f"e,{tip[0]:.1f},{tip[1]:.1f} {body}"
