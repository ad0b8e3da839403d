"""A gated cell, drawn from the body of a loop: gates below, pointwise operations on the wires."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.draw import palette
from graphc.draw.canvas import Canvas
from graphc.draw.drawing import Drawing
from graphc.draw.layout import Point
from graphc.draw.loops.cell_labels import (
    RADIUS,
    boxed_label,
    emitted_labels,
    half_width,
    in_words,
    kinds_in_words,
    marked_part,
    told,
)
from graphc.draw.loops.cell_layout import (
    BUS,
    COLUMN,
    FIRST,
    GATE,
    Detours,
    Layout,
    SourceLines,
    laid_out,
)
from graphc.draw.loops.cell_parts import Cell, Part, cell_of
from graphc.draw.loops.recurrences import find_recurrences
from graphc.draw.typography import name_text, text_width
from graphc.errors import GraphError
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.ir.node import Node

_LEFT = 26.0
_BOX: Point = (46.0, 30.0)


@takes_graph()
def cell(graph: Graph, *, loop: int = 0, highlight: str | None = None) -> Drawing:
    """Draw one step of a loop as a cell: yellow boxes hold weights, round ones act unit by unit.

    Whatever a body computes is drawn, so that the picture is the graph's own: an LSTM with or
    without peepholes or coupled gates, either form of a GRU, or a cell of one's own. `loop` says
    which loop of the graph; `highlight` names a gate whose box and wires stand out.

    **Raises** GraphError for a graph without a loop, and for a gate that the cell does not have.
    """
    loops = find_recurrences(graph).loops
    if not 0 <= loop < len(loops):
        raise GraphError("no such loop", got=loop, expected=f"0 to {len(loops) - 1}")
    found = cell_of(loops[loop].node, graph.labels)
    marked = marked_part(found, highlight)
    scene = _Scene(Canvas(graph.name, wires_first=False), found, laid_out(found), marked)
    scene.draw()
    name = loops[loop].node.attrs["body"].name
    return scene.canvas.drawing(f"Cell {name} of {graph.name}", told(found))


class _Scene:
    def __init__(self, canvas: Canvas, cell: Cell, layout: Layout, marked: Node | None) -> None:
        self.canvas, self.cell, self.layout, self.marked = canvas, cell, layout, marked
        self.keys = {node: f"part{i}" for i, node in enumerate(cell.parts)}
        self.at = layout.at
        self.wires = 0
        self.exits = 0
        self.emitted = emitted_labels(cell)
        self.right = layout.right + (44.0 + self.emitted[-1][1] if self.emitted else 0.0)
        self.lines = SourceLines(cell, layout)
        halves = {n: (half_width(p), self._half_height(n)) for n, p in cell.parts.items()}
        self.detours = Detours(layout.at, halves)

    def draw(self) -> None:
        self._frame()
        for node, part in self.cell.parts.items():
            self._part(node, part)
        self._leaves()
        for node, part in self.cell.parts.items():
            if part.kind == "pointwise":
                self._into_pointwise(node, part)
            else:
                self._into_gate(node, part)
        self._results()
        words = kinds_in_words(self.cell)
        if any(not self._is_product(s) for p in self.cell.parts.values() for s in p.peeks):
            words.append("dashed: unit by unit into a gate")
        x, y = (FIRST + self.right) / 2 - 40, self.lines.low - 42
        self.canvas.words("caption", (x, y), ";  ".join(words), color=palette.MUTED, size=11)

    # -- boxes -----------------------------------------------------------------------------------

    def _frame(self) -> None:
        left, right = 36.0, self.right + 16
        low, high = self.lines.low - 6, self.layout.top + 40
        at, size = ((left + right) / 2, (low + high) / 2), (right - left, high - low)
        self.canvas.shape(
            "cell", at, size, fill=palette.CELL_FILL, frame=palette.CELL_FRAME, style="rounded",
            tooltip="one step",
        )  # fmt: skip

    def _part(self, node: Node, part: Part) -> None:
        x, y = self.at[node]
        key = self.keys[node]
        words = in_words(self.cell, part)
        marked = node is self.marked
        frame = palette.ADJOINT if marked else palette.INK
        width = 3.0 if marked else 1.4
        size = (2 * half_width(part), 2 * self._half_height(node))
        is_round = part.kind == "pointwise"
        kind, fill = ("ellipse", palette.POINTWISE_FILL) if is_round else ("box", palette.GATE_FILL)
        self.canvas.shape(
            key, (x, y), size, boxed_label(part), kind=kind, fill=fill, frame=frame, width=width,
            more="highlight" if marked else part.kind, tooltip=words,
        )  # fmt: skip
        shown = name_text(part.name)
        if part.name and len(shown) <= 3 and not self._is_next(node):
            place = (x - 13, y + 30) if part.kind != "pointwise" else (x + 22, y + 16)
            text = f"▸ {shown}" if marked else shown
            color = palette.ADJOINT if marked else palette.INK
            self.canvas.words(f"name_{key}", place, text, size=13, slanted=True, color=color)

    def _is_next(self, node: Node) -> bool:
        """Say whether a part is a state's next value and has its name, which stands outside."""
        pairs = zip(self.cell.carries, self.cell.results, strict=False)
        return any(end is node and node.name == self.cell.name(carry) for carry, end in pairs)

    # -- sources ---------------------------------------------------------------------------------

    def _leaves(self) -> None:
        """Draw the lines of the sources, from where they enter to their last reader."""
        top, main = self.layout.top, self.layout.main
        if main is not None and self.layout.path:
            end = self._side(self.layout.path[0], left=True)
            self._label("in_top", (_LEFT, top), main, "t−1")
            self._wire([(_LEFT, top), end], head=self.layout.path[0], thick=True)
        for i, leaf in enumerate(self.cell.carries):
            if leaf not in self.lines:
                continue
            y = self.lines[leaf]
            if leaf is main:
                self._wire([(58, top), (58, y), (self.lines.last_reader(leaf), y)], arrow=False)
                self.canvas.dot((58, top))
            else:
                self._label(f"in{i}", (_LEFT, y), leaf, "t−1")
                self._wire([(_LEFT, y), (self.lines.last_reader(leaf), y)], arrow=False)
        x = 54.0
        for i, leaf in enumerate(s for s in self.cell.slices if s in self.lines):
            half = max(11.0, 3 + text_width(name_text(self.cell.name(leaf)), 16) / 2)
            x, y = x + half + (11.0 if not i else 0.0), self.lines[leaf]
            self._label(f"slice{i}", (x, self.lines.low - 22), leaf, "")
            alone = not self.lines.joint or not any(c in self.lines for c in self.cell.carries)
            points = [(x, self.lines.low - 12), (x, y)]
            if alone:
                points.append((self.lines.last_reader(leaf), y))
            else:
                self.canvas.dot((x, y))
            self._wire(points, arrow=False)
            x += half

    def _label(self, key: str, at: Point, leaf: Node, step: str) -> None:
        """Write a leaf's name: at the left or right end of its line, where a step is given."""
        suffix = {"t−1": "ₜ₋₁", "t": "ₜ", "": ""}[step]
        text = f"{name_text(self.cell.name(leaf))}{suffix}"
        half = text_width(text, 16) / 2
        aside = {"t−1": -max(32.0, half + 6), "t": max(22.0, half + 6), "": 0.0}[step]
        self.canvas.words(key, (at[0] + aside, at[1]), text, size=16, slanted=True)

    # -- wires -----------------------------------------------------------------------------------

    def _into_gate(self, node: Node, part: Part) -> None:
        y = self.at[node][1]
        taps = dict.fromkeys(
            (self.lines.tap(node, s), self.lines[s]) for s in part.sources if s in self.lines
        )
        for tap, low in taps:
            self._wire([(tap, low), (tap, y - _BOX[1] / 2)], head=node)
            self.canvas.dot((tap, low))
        entering = [s for s in part.reads if s in self.cell.parts or s not in self.lines]
        entering += [s for s in part.peeks if s in self.lines]
        entering = list(dict.fromkeys(entering))
        spread = min(10.0, 18.0 / max(1, len(entering) - 1))
        first = 5.0 if len(entering) > 1 else 0.0
        for k, source in enumerate(entering):
            dashed = source in part.peeks and not self._is_product(source)
            self._from_the_left(node, source, k, first - spread * k, dashed)

    def _is_product(self, source: Node) -> bool:
        return source in self.cell.parts and source not in self.layout.on_path

    def _from_the_left(self, node: Node, source: Node, k: int, up: float, dashed: bool) -> None:
        """Lead a part's value, or a state's, into the left side of a gate."""
        x, y = self.at[node]
        entry, height = x - 33 - 8.0 * k, y + up
        end = [(entry, height), (x - half_width(self.cell.parts[node]), height)]
        style = "dashed" if dashed else "solid"
        top = self.layout.top
        if source in self.lines:
            points = [(entry, self.lines[source]), *end]
            self.canvas.dot(points[0])
        elif source is self.layout.main:
            low = GATE - 28 - 5.0 * k
            points = [(46, top), (46, low), (entry, low), *end]
            self.canvas.dot(points[0])
        elif source in self.layout.on_path and entry > self.at[source][0]:
            points = [(entry, top), *end]
            self.canvas.dot(points[0])
        else:
            sx, sy = self.at[source]
            side = self._side(source, left=sx > entry)
            points = [side, (entry, sy), *end]
            lane = self.layout.lanes.get(source)
            if lane is not None and self.cell.parts[node].kind != "pointwise" and x - sx > COLUMN:
                points = [(sx, sy + _BOX[1] / 2), (sx, lane), (entry, lane), *end]
                if source in set(self.cell.results):  # its wire goes on, out of the cell
                    self.canvas.dot((entry, lane))
                if self._readers(source) > 1:
                    self.canvas.dot((sx, lane))
        tail = source if source in self.keys and points[0] != (entry, top) else None
        self._wire(points, tail=tail, head=node, style=style, of=source)

    def _into_pointwise(self, node: Node, part: Part) -> None:
        x, y = self.at[node]
        path, on_path = self.layout.path, self.layout.on_path
        taken: list[Node] = []
        left = self._side(node, left=True)
        entered = {left} if self.layout.main in part.sources or node in on_path else set()
        for source in self._nearest_first(node, part):
            if source in on_path and node in on_path:
                ends = [self._side(source, left=False), self._side(node, left=True)]
                self._wire(ends, tail=source, head=node, thick=True)
            elif source is self.layout.main:
                if node is not path[0]:
                    tap = (46.0, self.layout.top)
                    end = self._side(node, left=True)
                    way: list[Point] = [tap, (46.0, y), end]
                    if node in on_path:  # under the operations that stand before it
                        low, x_in = y - 28, x - 9
                        way = [tap, (46.0, low), (x_in, low), (x_in, y - 0.8 * RADIUS)]
                    self._wire(way, head=node)
                    self.canvas.dot(tap)
            elif source in self.lines:
                low = self.lines[source]
                k = sum(other in self.lines for other in taken)
                taken.append(source)
                lane, height, end = x - 34 - 7.0 * k, y - 5.0 * k, self._side(node, left=True)
                points = [(lane, low), (lane, height), (end[0] + 0.5 * k, height)]
                points = self._apart(points, node, entered)
                self._wire(points, head=node)
                self.canvas.dot(points[0])
            elif source in on_path:
                top, half = self.layout.top, half_width(part)
                way = [(x, top), (x, y + RADIUS)]
                if not self.layout.column_is_free(x, y, top):  # in from the right
                    lane, height = x + COLUMN / 2, y + 0.5 * RADIUS
                    way = [(lane, top), (lane, height), (x + half - 0.1 * RADIUS, height)]
                self._wire(way, head=node, of=source)
                self.canvas.dot(way[0])
            else:
                points = self._apart(self._between(source, node), node, entered)
                self._wire(points, tail=source, head=node, of=source)
                if len(points) > 2 and points[0][0] == points[1][0] and self._readers(source) > 1:
                    self.canvas.dot(points[1])

    def _nearest_first(self, node: Node, part: Part) -> list[Node]:
        """Return the sources; of several in the node's own column, the next one enters straight."""
        x, y = self.at[node]
        far = {s: abs(self.at[s][1] - y) for s in part.sources if self.at.get(s, (None,))[0] == x}
        return sorted(part.sources, key=lambda s: far.get(s, 0.0) if len(far) > 1 else 0.0)

    def _apart(self, points: list[Point], node: Node, entered: set[Point]) -> list[Point]:
        """Let a wire end where none of the others do: below a round part, or a little lower."""
        (x, y), end = self.at[node], points[-1]
        if end in entered and len(points) == 2:  # up its own column, as the other one: from aside
            halves = [half_width(p) for n, p in self.cell.parts.items() if self.at[n][0] == x]
            lane, turn = x - max(halves) - 8, points[0][1] + 9
            points = [points[0], (x, turn), (lane, turn), (lane, y), self._side(node, left=True)]
        elif end in entered:
            height = points[-3][1] if len(points) > 3 else y
            is_free = height < y - RADIUS and self.layout.column_is_free(x, height, y)
            if is_free and (x, y - RADIUS) not in entered:
                points = [*points[:-3], (x, height), (x, y - RADIUS)]
            else:
                lower = y - 0.5 * RADIUS
                points = [*points[:-2], (points[-2][0], lower), (end[0] + 0.1 * RADIUS, lower)]
        entered.add(points[-1])
        return points

    def _readers(self, source: Node) -> int:
        inside = sum(source in part.reads for part in self.cell.parts.values())
        return inside + sum(result is source for result in self.cell.results)

    def _between(self, source: Node, node: Node) -> list[Point]:
        """Return the way from one part to another, around those between them."""
        (sx, sy), (x, y) = self.at[source], self.at[node]
        up = 1 if y > sy else -1
        start = (sx, sy + up * self._half_height(source))
        if sx == x:
            return [start, (x, y - up * RADIUS)]
        to_left = sx < x
        end = self._side(node, left=to_left)
        if up > 0 and self.layout.column_is_free(sx, sy, y) and node not in self.layout.on_path:
            return [start, (sx, y), end]
        if node in self.layout.on_path:
            side = self._side(source, left=not to_left)
            return [side, (x, sy), (x, y - RADIUS)]
        aside = 11 + half_width(self.cell.parts[node])
        lane = x - aside if to_left else x + aside
        if self.cell.parts[source].kind == "pointwise":
            return [self._side(source, left=not to_left), (lane, sy), (lane, y), end]
        height = sy + 42  # above the names of gates
        return [(sx, sy + self._half_height(source)), (sx, height), (lane, height), (lane, y), end]

    def _half_height(self, node: Node) -> float:
        return RADIUS if self.cell.parts[node].kind == "pointwise" else _BOX[1] / 2

    def _side(self, node: Node, *, left: bool) -> Point:
        x, y = self.at[node]
        half = half_width(self.cell.parts[node])
        return (x - half if left else x + half), y

    def _wire(
        self,
        points: Sequence[Point],
        *,
        tail: Node | None = None,
        head: Node | None = None,
        arrow: bool = True,
        thick: bool = False,
        style: str = "solid",
        of: Node | None = None,
    ) -> None:
        """Draw a wire; those of the highlighted gate are thick and have its colour."""
        source = of if tail is None else tail
        points = self.detours.around(points, (source, head))
        marked = self.marked is not None and (source is self.marked or head is self.marked)
        color = palette.VALUE if thick else palette.EDGE
        self.canvas.wire(
            points,
            key=f"wire{self.wires}",
            tail=self.keys.get(tail) if tail is not None else None,
            head=self.keys.get(head) if head is not None else None,
            arrow=arrow,
            color=palette.ADJOINT if marked else color,
            width=3.0 if marked else 2.6 if thick else 1.5,
            style=style,
            more="highlight" if marked else "state" if thick else "wire",
        )
        self.wires += 1

    # -- what leaves the cell -----------------------------------------------------------------

    def _results(self) -> None:
        """Lead the next states out to the right, and what is emitted out of the top."""
        carries = len(self.cell.carries)
        heights: dict[Node, float] = {}
        end = self.right + 36
        for i, node in enumerate(self.cell.results[:carries]):
            if node not in self.cell.parts:
                continue
            heights[node] = self._out(node, end)
            self._label(f"out{i}", (end, heights[node]), self.cell.carries[i], "t")
        for i, node in enumerate(self.cell.results[carries:]):
            if node not in self.cell.parts:
                continue
            text, from_the_right = self.emitted[i]
            x = self.right - from_the_right
            top = self.layout.top + 66
            if node in heights:
                self.canvas.dot((x, heights[node]))
            else:
                heights[node] = self._out(node, x, arrow=False)
            self._wire([(x, heights[node]), (x, top)], of=node)
            self.canvas.words(f"emitted{i}", (x, top + 12), text, size=16, slanted=True)

    def _out(self, node: Node, end: float, arrow: bool = True) -> float:
        """Lead a part's value to the right; return the height at which it runs."""
        x, y = self.at[node]
        if self.layout.path and node is self.layout.path[-1]:
            way = [self._side(node, left=False), (end, y)]
            self._wire(way, tail=node, thick=arrow, arrow=arrow)
            return y
        if node in self.layout.hanging or node in self.layout.on_path:
            height = BUS + 20.0 * self.exits
            self.exits += 1
            points = [(x, y - RADIUS), (x, height), (end, height)]
            self._wire(points, tail=node, arrow=arrow)
            return height
        if self.cell.parts[node].kind == "pointwise":
            self._wire([self._side(node, left=False), (end, y)], tail=node, arrow=arrow)
            return y
        lane = self.layout.lanes[node]
        points = [(x, y + _BOX[1] / 2), (x, lane), (end, lane)]
        self._wire(points, tail=node, arrow=arrow)
        if any(node in p.reads for p in self.cell.parts.values() if p.kind == "pointwise"):
            self.canvas.dot(points[1])
        return lane
