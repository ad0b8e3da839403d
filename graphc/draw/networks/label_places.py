"""Where do weight labels stand? On their own edge, on no circle, never on one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
