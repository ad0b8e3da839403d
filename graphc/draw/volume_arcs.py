"""Where do the lines run that skip volumes? Above them, the longer the higher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.draw.canvas import Point
from graphc.draw.typography import text_width

WORDS_SIZE = 11.0
_STEP = 26.0  # from one line to the next above it
_PORT = 10.0  # between two lines that end at one volume
_ARM = 30.0  # how far the line of an input of its own reaches


@dataclass(frozen=True)
class Top:
    """The upper side of a volume: its middle, how wide it is."""

    middle: Point
    width: float


@dataclass(frozen=True)
class Arc:
    """A line from the top of one volume, or from words alone, to the top of a later one."""

    start: int | None
    end: int
    words: str
    points: tuple[Point, ...]
    words_at: Point


def arcs(lines: Sequence[tuple[int | None, int, str]], tops: Sequence[Top]) -> list[Arc]:
    """Return the arcs of lines (start, end, words) above volumes, none over another's words."""
    ports = _ports(lines, tops)
    base = max(top.middle[1] for top in tops) + 20
    levels: dict[int, int] = {}
    spans = [_span(line, ports[i]) for i, line in enumerate(lines)]
    for i in sorted(range(len(lines)), key=lambda i: (spans[i][1] - spans[i][0], i)):
        under = [levels[j] for j in levels if _overlap(spans[i], spans[j])]
        levels[i] = max(under, default=-1) + 1
    found = []
    for i, (start, end, words) in enumerate(lines):
        (x0, y0), (x1, y1) = ports[i]
        y = base + _STEP * levels[i]
        if start is None:
            points: tuple[Point, ...] = ((x0, y), (x1, y), (x1, y1))
            words_at = (x0 - text_width(words, WORDS_SIZE) / 2 - 6, y)
        else:
            points = ((x0, y0), (x0, y), (x1, y), (x1, y1))
            words_at = ((x0 + x1) / 2, y + 9)
        found.append(Arc(start, end, words, points, words_at))
    return found


def _ports(
    lines: Sequence[tuple[int | None, int, str]], tops: Sequence[Top]
) -> Mapping[int, tuple[Point, Point]]:
    """Return the two ends of each line, side by side where a volume has several.

    Those that arrive stand left of those that leave, and no line crosses one of its neighbours.
    """
    ends: dict[tuple[int, int], Point] = {}
    for at, top in enumerate(tops):
        near = sorted(
            (i for i, line in enumerate(lines) if line[1] == at),
            key=lambda i: (lines[i][0] is not None, -(lines[i][0] or 0)),
        )
        far = sorted(
            (i for i, line in enumerate(lines) if line[0] == at), key=lambda i: (-lines[i][1], -i)
        )
        all_here = [*((i, 1) for i in near), *((i, 0) for i in far)]
        pitch = min(_PORT, top.width / max(len(all_here), 1))
        for place, key in enumerate(all_here):
            ends[key] = (
                top.middle[0] + (place - (len(all_here) - 1) / 2) * pitch,
                top.middle[1],
            )
    for i, line in enumerate(lines):
        if line[0] is None:
            x, y = ends[i, 1]
            ends[i, 0] = (x - _ARM, y)
    return {i: (ends[i, 0], ends[i, 1]) for i in range(len(lines))}


def _span(line: tuple[int | None, int, str], ends: tuple[Point, Point]) -> tuple[float, float]:
    """Return how far a line and its words reach."""
    (left, _), (right, _) = ends
    wide = text_width(line[2], WORDS_SIZE)
    if line[0] is None:
        return left - wide - 12, right
    middle = (left + right) / 2
    return min(left, middle - wide / 2), max(right, middle + wide / 2)


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1]
