"""Where does dot put boxes and edges? Layouts to be drawn elsewhere, and the curves of edges."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphc.draw.drawing import render

Point = tuple[float, float]
_ARROW = 8.0


@dataclass(frozen=True)
class Layout:
    """Centres and sizes of nodes by name, and the curve of each edge from box to box."""

    centres: Mapping[str, Point]
    sizes: Mapping[str, Point]
    curves: Mapping[tuple[str, str], tuple[Point, ...]]

    def curve(
        self, tail: str, head: str, before: float = 0.0, after: float = 0.0
    ) -> tuple[Point, ...]:
        """Return an edge's curve, its ends led on straight into the boxes that were laid out.

        `before` and `after` say how far: the drawn box may be narrower than its place.
        """
        points = self.curves[tail, head]
        start, end = points[0], points[-1]
        if before:
            first = start[0] - before, start[1]
            points = (first, *thirds(first, start), *points)
        if after:
            last = end[0] + after, end[1]
            points = (*points, *thirds(end, last), last)
        return points

    def frame(self, keys: list[str], margin: float, head: float) -> tuple[Point, Point]:
        """Return the corners of a frame around nodes and their edges, `head` higher for a title."""
        inside = set(keys)
        points = [p for pair, c in self.curves.items() if inside.issuperset(pair) for p in c]
        for key in keys:
            (x, y), (width, height) = self.centres[key], self.sizes[key]
            points += [(x - width / 2, y - height / 2), (x + width / 2, y + height / 2)]
        across, along = [x for x, _ in points], [y for _, y in points]
        low, high = min(along) - margin, max(along) + margin + head
        return (min(across) - margin, low), (max(across) + margin, high)


def towards(start: Point, goal: Point, distance: float) -> Point:
    """Return the point at a distance from one point on the way to another."""
    dx, dy = goal[0] - start[0], goal[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    return start[0] + dx * distance / length, start[1] + dy * distance / length


def halfway(start: Point, goal: Point, most: float) -> Point:
    """Return the point at a distance on the way to another, at most in the middle."""
    return towards(start, goal, min(most, math.dist(start, goal) / 2))


def thirds(a: Point, b: Point) -> tuple[Point, Point]:
    """Return the control points that make a straight line of a Bézier curve."""
    return (
        (a[0] + (b[0] - a[0]) / 3, a[1] + (b[1] - a[1]) / 3),
        (a[0] + 2 * (b[0] - a[0]) / 3, a[1] + 2 * (b[1] - a[1]) / 3),
    )


def dot_json(source: str) -> dict[str, Any]:
    """Return all that dot knows of a picture when it has laid it out."""
    found: dict[str, Any] = json.loads(render(source, "dot", "json"))
    return found


def laid_out(source: str) -> Layout:
    """Return where dot puts the nodes and edges of a source."""
    drawn = dot_json(source)
    objects = drawn.get("objects", [])
    names = {item["_gvid"]: item["name"] for item in objects}
    curves: dict[tuple[str, str], tuple[Point, ...]] = {}
    for edge in drawn.get("edges", []):
        curves[names[edge["tail"]], names[edge["head"]]] = curve_of(edge["pos"])
    return Layout(
        {item["name"]: _point(item["pos"]) for item in objects},
        {i["name"]: (72 * float(i["width"]), 72 * float(i["height"])) for i in objects},
        curves,
    )


def _point(text: str) -> Point:
    x, y = text.split(",")
    return float(x), float(y)


def curve_of(pos: str) -> tuple[Point, ...]:
    """Return the curve with its ends on the boxes, whether or not an arrow ends there."""
    words = pos.split()
    start = [_point(w[2:]) for w in words if w.startswith("s,")]
    end = [_point(w[2:]) for w in words if w.startswith("e,")]
    points = [_point(w) for w in words if w[:2] not in ("s,", "e,")]
    points[0] = start[0] if start else points[0]
    points[-1] = end[0] if end else points[-1]
    return tuple(points)


def arrow_pos(curve: tuple[Point, ...], down: float = 0.0, backward: bool = False) -> str:
    """Return graphviz's `pos` of a curve with an arrow at its end, `down` points lower."""
    points = [(x, y - down) for x, y in (reversed(curve) if backward else curve)]
    tip = points[-1]
    points[-1] = halfway(tip, points[-2], _ARROW)
    body = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f"e,{tip[0]:.2f},{tip[1]:.2f} {body}"
