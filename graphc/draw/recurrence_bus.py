"""How do all states of one loop reach each step of another? Along one line beside their rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.draw.canvas import Point, towards

#: How far beside a circle's centre a line leaves it or ends, where it turns on a way that is far.
_ASIDE, _TURN, _FAR = 30.0, 39.0, 60.0


@dataclass(frozen=True)
class Bus:
    """A horizontal line that circles feed, and that others read; junctions are where they meet."""

    line: tuple[Point, Point]
    fed: Sequence[list[Point]]
    read: Sequence[list[Point]]
    junctions: Sequence[Point]


def bus(y: float, sources: Sequence[Point], targets: Sequence[Point], radius: float) -> Bus:
    """Return the line at a height, fed from the right of its sources, read from the left."""
    fed = [_way(at, y, _ASIDE, radius) for at in sources]
    read = [_way(at, y, -_ASIDE, radius)[::-1] for at in targets]
    met = sorted({way[-1] for way in fed} | {way[0] for way in read})
    return Bus((met[0], met[-1]), fed, read, met[1:-1])


def _way(at: Point, y: float, aside: float, radius: float) -> list[Point]:
    """Return the way from a circle to a height: aside, and straight up or down where it is far."""
    up = y - at[1]
    turn = at[0] + aside, at[1] + (up if abs(up) < _FAR else math.copysign(_TURN, up))
    start = towards(at, turn, radius)
    return [start, turn] if abs(up) < _FAR else [start, turn, (turn[0], y)]
