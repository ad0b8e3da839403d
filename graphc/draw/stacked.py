"""Where does all stand in a picture of several rows? Each row as dot lays it out, stacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.draw.dot_source import BoxLook
from graphc.draw.mirror import Layout, Point, laid_out, thirds
from graphc.draw.view import View
from graphc.draw.wrapping import Rows

#: Between two rows runs the edge that joins them, so far from boxes, round its corners.
_BETWEEN, _ASIDE, _RADIUS = 34.0, 18.0, 12.0


def stacked(
    picture: View, looks: Mapping[int, BoxLook], rows: Rows, sources: Sequence[str]
) -> Layout:
    """Return the layout of all rows one below another, or of columns side by side.

    `sources` are the rows' DOT texts; edges between rows run between them.
    """
    centres: dict[str, Point] = {}
    sizes: dict[str, Point] = {}
    curves: dict[tuple[str, str], tuple[Point, ...]] = {}
    ends: list[float] = []  # where each row begins across the rows, in the direction of stacking
    at = 0.0
    for source in sources:
        layout = laid_out(source)
        (left, low), (right, high) = layout.frame(list(layout.centres), 0.0, 0.0)
        dx, dy = (at - left, -high) if rows.sideways else (-left, at - high)
        ends.append(at)
        at += (right - left + _BETWEEN) if rows.sideways else -(high - low + _BETWEEN)
        centres |= {key: (x + dx, y + dy) for key, (x, y) in layout.centres.items()}
        sizes |= layout.sizes
        curves |= {
            pair: tuple((x + dx, y + dy) for x, y in curve) for pair, curve in layout.curves.items()
        }
    for tail, head in picture.edges:
        if rows.crosses(tail, head):
            a, b = picture.boxes[tail].key, picture.boxes[head].key
            out = _side(a, looks[tail], rows.sideways, 1, centres, curves)
            into = _side(b, looks[head], rows.sideways, -1, centres, curves)
            curves[a, b] = _around(out, into, ends[rows.row[head]], rows.sideways)
    return Layout(centres, sizes, curves)


def _side(
    key: str,
    look: BoxLook,
    sideways: bool,
    sign: int,
    centres: Mapping[str, Point],
    curves: Mapping[tuple[str, str], tuple[Point, ...]],
) -> Point:
    """Return the middle of the side of a box at which an edge leaves (1) or enters it (-1).

    Other edges tell where the box is beside its name and its notes.
    """
    ends = [c[0] if a == key else c[-1] for (a, b), c in curves.items() if key in (a, b)]
    x, y = ends[0] if ends else centres[key]
    if sideways:
        return x, centres[key][1] - sign * look.height / 2
    return centres[key][0] + sign * look.width / 2, y


def _around(out: Point, into: Point, lane: float, sideways: bool) -> tuple[Point, ...]:
    """Return the way from the end of a row to the start of another, along the lane before it."""
    if sideways:
        down, up, x = out[1] - _ASIDE, into[1] + _ASIDE, lane - _BETWEEN / 2
        corners = [out, (out[0], down), (x, down), (x, up), (into[0], up), into]
    else:
        right, left, y = out[0] + _ASIDE, into[0] - _ASIDE, lane + _BETWEEN / 2
        corners = [out, (right, out[1]), (right, y), (left, y), (left, into[1]), into]
    return _rounded(corners)


def _rounded(corners: Sequence[Point]) -> tuple[Point, ...]:
    """Return the Bézier curve along straight lines, round at their corners."""
    points = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        start, end = _towards(corner, before), _towards(corner, after)
        points += [*thirds(points[-1], start), start, *_bend(start, corner, end), end]
    return (*points, *thirds(points[-1], corners[-1]), corners[-1])


def _towards(corner: Point, other: Point) -> Point:
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    share = min(_RADIUS, length / 2) / length
    return corner[0] + dx * share, corner[1] + dy * share


def _bend(start: Point, corner: Point, end: Point) -> tuple[Point, Point]:
    (a, b), (x, y), (c, d) = start, corner, end
    return ((a + 2 * x) / 3, (b + 2 * y) / 3), ((c + 2 * x) / 3, (d + 2 * y) / 3)
