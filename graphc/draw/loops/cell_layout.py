"""Where do the parts of a cell stand? Gates in a row, what they feed above, one state on top.

The state that goes from its old value to its new one through pointwise operations alone (the cell
state of an LSTM, the state of a GRU) runs along the top; its operations stand on that line. Every
other pointwise operation has a height of its own, so that no wire runs through a foreign box.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from graphc.draw.layout import Point
from graphc.draw.loops.cell_parts import Cell, Part
from graphc.ir.node import Node

BUS, GATE, ROW, COLUMN, FIRST, LANE = 30.0, 98.0, 46.0, 100.0, 120.0, 12.0
#: From a lane at whose end a name stands to the next one.
NAMED_LANE = 22.0


@dataclass
class Layout:
    """The centre of each part, the top line's operations in order, and whose line it is."""

    at: dict[Node, Point]
    path: tuple[Node, ...]
    main: Node | None
    hanging: frozenset[Node]  # parts fed from above
    top: float
    right: float
    lanes: dict[Node, float]  # the height at which a gate's value passes other gates, or leaves

    @property
    def on_path(self) -> frozenset[Node]:
        return frozenset(self.path)

    def column_is_free(self, x: float, a: float, b: float) -> bool:
        """Say whether no part stands in a column between two heights."""
        low, high = min(a, b), max(a, b)
        return not any(px == x and low < py < high for px, py in self.at.values())


@dataclass
class _Columns:
    """Where the next part may stand."""

    next: float = FIRST
    upper: dict[float, Node] = field(default_factory=dict)  # the uppermost part of a column
    lower: dict[float, Node] = field(default_factory=dict)  # the lowest hanging part

    def fresh(self) -> float:
        self.next += COLUMN
        return self.next - COLUMN


def laid_out(cell: Cell) -> Layout:
    """Return the places of all parts."""
    main, path = _top_line(cell)
    columns, on_path = _Columns(), set(path)
    xs: dict[Node, float] = {}
    ups: list[Node] = []
    downs: dict[Node, None] = {}
    last = -1.0
    for node in _order(cell, path):
        part = cell.parts[node]
        below = [s for s in part.sources if s in cell.parts and s not in on_path]
        under = xs[below[-1]] if below else None
        if part.kind != "pointwise":
            x = columns.fresh()
            columns.upper[x] = node
        elif node in on_path:
            stacked = under is not None and columns.upper.get(under) is below[-1] and under > last
            x = under if stacked and under is not None else columns.fresh()
            columns.upper[x] = node
            last = x
        elif any(s in on_path or s in downs for s in part.sources) or not below:
            hung = under is not None and columns.lower.get(under) is below[-1]
            x = under if hung and under is not None else columns.fresh()
            columns.lower[x] = node
            downs[node] = None
        else:
            assert under is not None
            x = under if columns.upper.get(under) is below[-1] else columns.fresh()
            columns.upper[x] = node
            ups.append(node)
        xs[node] = x
    leaving = dict.fromkeys(_leaving(cell, xs))
    over = dict.fromkeys((*_crossing(cell, xs), *leaving))
    steps = [NAMED_LANE if node in leaving else LANE for node in over]
    lanes = {node: GATE + 46 + sum(steps[:i]) for i, node in enumerate(over)}
    low = GATE + 40 + (sum(steps) + 8 if lanes else 0)
    top = low + ROW * (len(ups) + len(downs) + bool(ups or downs))
    heights = {node: low + ROW * (i + 0.6) for i, node in enumerate(ups)}
    heights |= {node: top - ROW * (i + 1.1) for i, node in enumerate(downs)}
    heights |= dict.fromkeys(path, top)
    at = {node: (x, heights.get(node, GATE)) for node, x in xs.items()}
    return Layout(at, path, main, frozenset(downs), top, columns.next - COLUMN + 70, lanes)


def _crossing(cell: Cell, xs: dict[Node, float]) -> list[Node]:
    """Return the gates that a gate reads across others, from left to right."""
    row = sorted(xs[node] for node, part in cell.parts.items() if part.kind != "pointwise")
    found: dict[Node, None] = {}
    for node, part in cell.parts.items():
        for s in part.reads if part.kind != "pointwise" else ():
            if s in cell.parts and cell.parts[s].kind != "pointwise":
                left, right = sorted((xs[s], xs[node]))
                if any(left < x < right for x in row):
                    found.setdefault(s)
    return sorted(found, key=lambda node: xs[node])


def _leaving(cell: Cell, xs: dict[Node, float]) -> list[Node]:
    """Return the gates whose values leave the cell, from right to left: none crosses another."""
    found = {x for x in cell.results if x in cell.parts and cell.parts[x].kind != "pointwise"}
    return sorted(found, key=lambda node: -xs[node])


def _top_line(cell: Cell) -> tuple[Node | None, tuple[Node, ...]]:
    """Return the state on top and the operations that it passes: the state that passes most."""
    best: tuple[Node | None, tuple[Node, ...]] = (None, ())
    for carry, result in zip(cell.carries, cell.results, strict=False):
        passing: set[Node] = {carry}
        for node, part in cell.parts.items():
            if part.kind == "pointwise" and any(s in passing for s in part.sources):
                passing.add(node)
        if result not in passing or result is carry:
            continue
        path, node = [], result
        while node is not carry:
            path.append(node)
            node = next(s for s in cell.parts[node].sources if s in passing)
        if len(path) > len(best[1]):
            best = carry, tuple(reversed(path))
    return best


def _order(cell: Cell, path: Iterable[Node]) -> list[Node]:
    """Return the parts, operands first, in the order in which the top line meets them."""
    found: dict[Node, None] = {}
    for root in (*path, *cell.results, *cell.parts):
        stack = [root]
        while stack:
            node = stack[-1]
            reads = cell.parts[node].reads if node in cell.parts else ()
            waiting = [s for s in reads if s in cell.parts and s not in found]
            if waiting:
                stack.append(waiting[0])
                continue
            stack.pop()
            if node in cell.parts:
                found.setdefault(node)
    return list(found)


# -- the lines of old states and slices, below the gates -----------------------------------------

#: The height from one line to the next below it.
_BETWEEN = 26.0


class SourceLines:
    """The height of the line of each leaf that runs below the gates.

    Where every gate reads the same leaves they are `joint`: they share one line, as if joined to
    one vector.
    """

    def __init__(self, cell: Cell, layout: Layout) -> None:
        self.cell, self.layout = cell, layout
        gates = [part for part in cell.parts.values() if part.kind != "pointwise"]
        read = [
            [s for s in gate.reads if s not in cell.parts and self._runs_below(s)] for gate in gates
        ]
        sets = {tuple(sorted(map(cell.name, leaves))) for leaves in read if leaves}
        leaves = [leaf for leaf in (*cell.carries, *cell.slices) if self._runs_below(leaf)]
        alone = [
            leaf
            for part in cell.parts.values()
            for leaf in (part.reads if part.kind == "pointwise" else part.peeks)
            if leaf is not layout.main
        ]
        self.joint = len(sets) <= 1 and not set(alone) & set(leaves)
        between = 0.0 if self.joint else _BETWEEN
        self.heights = {leaf: BUS - between * i for i, leaf in enumerate(leaves)}

    def __contains__(self, leaf: Node) -> bool:
        return leaf in self.heights

    def __getitem__(self, leaf: Node) -> float:
        return self.heights[leaf]

    def _runs_below(self, leaf: Node) -> bool:
        """Say whether a leaf is multiplied by a matrix, or read by anything but the top line."""
        parts = self.cell.parts.values()
        through_matrix = any(leaf in p.sources for p in parts if p.kind != "pointwise")
        if leaf is self.layout.main:
            return through_matrix
        return through_matrix or any(leaf in p.reads for p in parts)

    @property
    def low(self) -> float:
        """Below this height there is no line."""
        return min(self.heights.values(), default=BUS) - 20

    def last_reader(self, leaf: Node) -> float:
        """Return how far to the right a line runs."""
        at, found = self.layout.at, []
        for node, part in self.cell.parts.items():
            if part.kind != "pointwise" and leaf in part.sources:
                found.append(self.tap(node, leaf))
            elif leaf in part.reads and leaf is not self.layout.main:
                found.append(at[node][0] - 34)
        if self.joint:
            found += [at[node][0] for node, p in self.cell.parts.items() if self._reads_line(p)]
        return max(found, default=FIRST)

    def _reads_line(self, part: Part) -> bool:
        return part.kind != "pointwise" and any(s in self.heights for s in part.sources)

    def tap(self, node: Node, leaf: Node) -> float:
        """Return where a gate's wire leaves a leaf's line."""
        x = self.layout.at[node][0]
        if self.joint:
            return x
        leaves = [s for s in self.heights if s in self.cell.parts[node].sources]
        place = next(i for i, s in enumerate(leaves) if s is leaf)
        return x + 12 * (place - (len(leaves) - 1) / 2)


# -- how wires get past parts --------------------------------------------------------------------

#: Between a part and the lane beside it, from lane to lane, and from a part to where a wire turns.
_BESIDE, _APART, _TURN = 8.0, 6.0, 9.0


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
                lane = aside + _BESIDE + _APART * count
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
