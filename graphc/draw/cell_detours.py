"""How does a wire of a cell get past the parts that stand in its column? Beside them, on a lane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from graphc.draw.canvas import Point
from graphc.ir.node import Node

#: Between a part and the lane beside it, from lane to lane, and from a part to where a wire turns.
_BESIDE, _BETWEEN, _TURN = 8.0, 6.0, 9.0


class Detours:
    """The boxes of a cell, and how many wires pass each column beside them."""

    def __init__(self, at: Mapping[Node, Point], halves: Mapping[Node, Point]) -> None:
        self.at, self.halves = at, halves
        self.taken: dict[float, int] = {}

    def around(self, points: Sequence[Point], own: Iterable[Node | None]) -> list[Point]:
        """Return the way, its vertical pieces led past every part that is not the wire's own."""
        ends = set(own)
        way = [points[0]]
        for (ax, ay), (bx, by) in pairwise(points):
            blocks = self._blocks(ax, ay, by, ends) if ax == bx else []
            if blocks:
                count = self.taken.get(ax, 0)
                self.taken[ax] = count + 1
                aside = max(self.at[node][0] + self.halves[node][0] for node in blocks)
                lane = aside + _BESIDE + _BETWEEN * count
                turn = _TURN if by > ay else -_TURN
                way += [(ax, ay + turn), (lane, ay + turn), (lane, by - turn), (ax, by - turn)]
            way.append((bx, by))
        return way

    def _blocks(self, x: float, a: float, b: float, own: set[Node | None]) -> list[Node]:
        """Return the parts that stand on a vertical piece."""
        low, high = min(a, b), max(a, b)
        return [
            node
            for node, (px, py) in self.at.items()
            if node not in own
            and abs(px - x) < self.halves[node][0]
            and low < py + self.halves[node][1]
            and py - self.halves[node][1] < high
        ]
