"""Where do the parts of a cell stand? Gates in a row, what they feed above, one state on top.

The state that goes from its old value to its new one through pointwise operations alone (the cell
state of an LSTM, the state of a GRU) runs along the top; its operations stand on that line. Every
other pointwise operation has a height of its own, so that no wire runs through a foreign box.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from graphc.draw.canvas import Point
from graphc.draw.cell_parts import Cell
from graphc.ir.node import Node

BUS, GATE, ROW, COLUMN, FIRST, LANE = 30.0, 98.0, 46.0, 100.0, 120.0, 12.0


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
    over = dict.fromkeys((*_crossing(cell, xs), *_leaving(cell, xs)))
    lanes = {node: GATE + 46 + LANE * i for i, node in enumerate(over)}
    low = GATE + 40 + (LANE * len(lanes) + 8 if lanes else 0)
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
