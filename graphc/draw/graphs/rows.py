"""How does a long picture fit on a page? In rows, as a text does, or in columns.

Rows are cut where all that follows reads one value, as between layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from graphc.draw.dot_source import FORMULA_SIZE, NAME_HEIGHT, VALUE_SIZE, BoxLook
from graphc.draw.graphs.view import View
from graphc.draw.layout import Layout, Point, halfway, laid_out, thirds
from graphc.draw.typography import text_width

#: A page in points, 16 by 9: a slide.
_PAGE = (960.0, 540.0)
_MOST_ROWS = 6
#: How much more legible a picture must be to be cut, or to run from top to bottom.
_WORTH = 1.25
_GAP, _LANE = 40.0, 20.0


@dataclass(frozen=True)
class Rows:
    """The row of each box, whether rows are columns, and the scale at which all fit on a page."""

    row: tuple[int, ...]
    sideways: bool
    scale: float

    def crosses(self, tail: int, head: int) -> bool:
        """Say whether an edge leads from one row to another."""
        return self.row[tail] != self.row[head]

    @property
    def count(self) -> int:
        return max(self.row, default=0) + 1


def rows_of(
    picture: View,
    looks: Mapping[int, BoxLook],
    direction: str | None = None,
    copies: int = 1,
    is_whole: bool = False,
) -> Rows:
    """Return the rows in which a picture is most legible on a page.

    `copies` of it stand one below another. One that `is_whole` is not cut.
    """
    level = _levels(picture)
    best: Rows | None = None
    for sideways in (False, True) if direction is None else (direction == "TB",):
        along, across = _extent(looks, level, sideways)
        for count in range(1, 2 if is_whole else _MOST_ROWS + 1):
            cuts = _cuts(picture, level, along, count)
            if cuts is None:
                continue
            row = _row_of_each(picture, [sum(cut <= at for cut in cuts) for at in level])
            spans = [slice(a, b) for a, b in pairwise([0, *cuts, len(along)])]
            long, high = max(sum(along[s]) for s in spans), sum(max(across[s]) for s in spans)
            width, height = (high, long) if sideways else (long, high)
            scale = min(1.0, _PAGE[0] / max(width, 1.0), _PAGE[1] / max(height * copies, 1.0))
            if best is None or scale > _WORTH * best.scale:
                best = Rows(tuple(row), sideways, scale)
    assert best is not None
    return best


def _levels(picture: View) -> list[int]:
    """Return the rank of each box: just before the first that reads it; the last ones as early."""
    level = [0] * len(picture.boxes)
    edges = [(tail, head) for tail, head in picture.edges if tail < head]
    for tail, head in sorted(edges, key=lambda edge: edge[1]):
        level[head] = max(level[head], level[tail] + 1)
    for tail, places in _readers(edges).items():
        level[tail] = min(level[head] for head in places) - 1
    return level


def _readers(edges: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    """Return the boxes that read each one, those of the last box first."""
    found: dict[int, list[int]] = {}
    for tail, head in sorted(edges, reverse=True):
        found.setdefault(tail, []).append(head)
    return found


def _row_of_each(picture: View, row: list[int]) -> list[int]:
    """Return the rows, each leaf in that of what reads it first."""
    first: dict[int, int] = {}
    reads = {head for _, head in picture.edges}
    for tail, head in picture.edges:
        first[tail] = min(first.get(tail, row[head]), row[head])
    return [at if i in reads else first.get(i, at) for i, at in enumerate(row)]


def _extent(
    looks: Mapping[int, BoxLook], level: Sequence[int], sideways: bool
) -> tuple[list[float], list[float]]:
    """Return the size of each rank along the way and across it."""
    along, across = ([0.0] * (max(level, default=0) + 1) for _ in range(2))
    for i, at in enumerate(level):
        look = looks[i]
        width, height = float(look.width), float(look.height)
        if sideways:
            notes = max((text_width(note.text, VALUE_SIZE) for note in look.notes), default=0.0)
            width += text_width(look.name, FORMULA_SIZE) + notes + 16
        else:
            height += NAME_HEIGHT + 15 * len(look.notes)
        across[at] += (width if sideways else height) + 23
        along[at] = max(along[at], (height if sideways else width) + _GAP)
    return along, across


def _cuts(
    picture: View, level: Sequence[int], along: Sequence[float], count: int
) -> list[int] | None:
    """Return where rows begin but for the first; None where several values would cross."""
    crossing = [0] * (len(along) + 1)
    last = list(level)  # where each box is read for the last time
    for tail, head in picture.edges:
        last[tail] = max(last[tail], level[head])
    for tail, end in enumerate(last):
        for at in range(level[tail] + 1, end + 1):
            crossing[at] += 1
    ends = [0.0, *accumulate(along)]
    cuts: list[int] = []
    for k in range(1, count):
        ideal, slack = ends[-1] * k / count, ends[-1] / count / 3
        start = cuts[-1] + 2 if cuts else 2
        near = [
            at
            for at in range(start, len(along) - 1)
            if abs(ends[at] - ideal) <= slack and crossing[at] <= 1
        ]
        if not near:
            return None
        cuts.append(min(near, key=lambda at: (crossing[at], abs(ends[at] - ideal))))
    return cuts


# -- the layout of several rows ------------------------------------------------------------------

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
        start, end = halfway(corner, before, _RADIUS), halfway(corner, after, _RADIUS)
        points += [*thirds(points[-1], start), start, *_bend(start, corner, end), end]
    return (*points, *thirds(points[-1], corners[-1]), corners[-1])


def _bend(start: Point, corner: Point, end: Point) -> tuple[Point, Point]:
    (a, b), (x, y), (c, d) = start, corner, end
    return ((a + 2 * x) / 3, (b + 2 * y) / 3), ((c + 2 * x) / 3, (d + 2 * y) / 3)
