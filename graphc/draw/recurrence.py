"""A recurrence, rolled up and unrolled: one colour for each shared matrix, h₀ shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from graphc.draw import palette
from graphc.draw.canvas import Canvas, Point, towards
from graphc.draw.dot_source import Html, font
from graphc.draw.drawing import Drawing
from graphc.draw.recurrence_bus import bus
from graphc.draw.recurrence_layout import Place, joint_name, placed
from graphc.draw.recurrence_looks import looks_of
from graphc.draw.recurrence_told import told
from graphc.draw.recurrent_loops import Loop, Names, Reading, Recurrences, find_recurrences
from graphc.draw.short_names import short
from graphc.draw.typography import (
    escape,
    fitted,
    italic,
    listed,
    name_text,
    text_width,
)
from graphc.errors import GraphError
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph

_RADIUS = 22.0
_COLUMN, _ROW = 92.0, 88.0


@takes_graph()
def recurrence(graph: Graph, *, steps: int = 3, truncate: int | None = None) -> Drawing:
    """Draw the loops of a graph rolled up, and beside that unrolled over their steps.

    Edges that share a matrix share colour and dash, and the rolled form names it. The first
    `steps` steps and the last one are drawn. `truncate` cuts the backward pass after every so many
    steps. The loops may be recurrent layers or any `gc.scan`: stacked, in both directions, or one
    after the other, as encoder and decoder are.

    **Raises** GraphError for a graph without a loop.
    """
    if steps < 1:
        raise GraphError("a recurrence shows at least one step", got=steps)
    if truncate is not None and truncate < 1:
        raise GraphError("steps between two cuts must be at least 1", got=truncate)
    found = find_recurrences(graph)
    scene = _Scene(Canvas(graph.name), found, placed(found, steps), looks_of(found))
    scene.draw(truncate)
    title = f"Recurrence of {graph.name}, rolled and unrolled"
    return scene.canvas.drawing(title, told(found))


# -- the drawing -------------------------------------------------------------------------------


@dataclass
class _Scene:
    canvas: Canvas
    found: Recurrences
    places: list[Place]
    looks: dict[Names, tuple[str, str, float]]
    at: dict[str, Point] = field(default_factory=dict)
    named: set[Names] = field(default_factory=set)
    #: The inputs that loops start from, by name and column.
    starts: dict[tuple[str, int], str] = field(default_factory=dict)
    has_bus: bool = False

    @property
    def top(self) -> int:
        return 1 + max(place.row for place in self.places)

    def draw(self, truncate: int | None) -> None:
        groups = sorted({place.group for place in self.places})
        middle = -(1.55 if self._starts_outside() else 0.55) * _COLUMN
        left = middle + (0.2 - len(groups) * 1.9) * _COLUMN
        for index in range(len(self.places)):
            self._rolled(index, left + self.places[index].group * 1.9 * _COLUMN)
        for reading in range(len(self.found.readings)):
            self._rolled_reading(reading, left)
        height = _ROW * (1 + (self.top - 2) / 2)
        self.canvas.words("arrow", (middle, height), "⇒", color=palette.MUTED, size=28)
        for index in range(len(self.places)):
            self._unrolled(index, truncate)
        for index in range(len(self.places)):
            self._whole(index)
        for reading in range(len(self.found.readings)):
            self._unrolled_reading(reading)
        self._caption(left, truncate)

    def _starts_outside(self) -> bool:
        """Say whether an upper loop starts from inputs of its own, which then stand beside it."""
        loops = zip(self.found.loops, self.places, strict=True)
        starts = {loop.start for loop, place in loops if not place.group and not loop.reverse}
        return len(starts - {()}) > 1

    # -- rolled up -----------------------------------------------------------------------------

    def _rolled(self, index: int, x: float) -> None:
        loop, place = self.found.loops[index], self.places[index]
        y = place.row * _ROW
        key = f"r{index}"
        self._circle(key, (x, y), place.name, "t", palette.PAPER, "state")
        if loop.sequences and not loop.below:
            below = f"rx{place.group}"
            if below not in self.at:
                self._circle(
                    below, (x, 0), joint_name(loop.sequences), "t", palette.INPUT_FILL, "input"
                )
            self._edge(below, key, loop.from_below, named=True)
        for lower in loop.below:
            self._edge(f"r{lower}", key, loop.from_below, named=True)
        for earlier in dict.fromkeys((*loop.before, *loop.whole)):
            (ax, ay), (bx, by) = self.at[f"r{earlier}"], self.at[key]
            arc = [(ax + 9, ay + 20), (ax + 20, ay + 118), (bx - 20, by + 118), (bx - 9, by + 20)]
            if ax == bx:  # one above the other
                out = ax - 50
                arc = [(ax - 16, ay + 15), (out, ay + 40), (out, by - 40), (bx - 16, by - 15)]
            matrices = loop.from_whole if earlier in loop.whole else ()
            color, style, width = self.looks[matrices]
            words = "the last state is the first one here" if earlier in loop.before else ""
            if earlier in loop.whole:
                words = f"{words and 'first, and '}at each step"
                text = f"{self._matrix_text(matrices)}: {words}" if matrices else words
                middle = min((ax + bx) / 2, bx - _RADIUS - 6 - text_width(text, 10) / 2)
                high = middle, max(ay, by) + 103
                self.canvas.words(f"m_r{earlier}_{key}", high, text, color=color, size=10)
            self.canvas.wire(
                arc, key=f"e_r{earlier}_{key}", tail=f"r{earlier}", head=key, curved=True,
                more="handed", tooltip=words, color=color, style=style, width=width,
            )  # fmt: skip
        if loop.given:
            beside = (x - 0.75 * _COLUMN, y - 0.9 * _ROW)
            name = joint_name(loop.given)
            self._circle(f"rg{index}", beside, name, "", palette.INPUT_FILL, "input")
            self._edge(f"rg{index}", key, loop.from_whole, named=True)
        self._own_loop(key, (x, y), loop.from_before)

    def _own_loop(self, key: str, at: Point, matrices: Names) -> None:
        """Draw the edge from a state to itself, and its matrices to the right of it."""
        x, y = at
        c = 0.7071 * _RADIUS
        curve = [(x + c, y + c), (x + 62, y + 46), (x + 62, y - 46), (x + c, y - c)]
        color, style, width = self.looks[matrices]
        self.canvas.wire(
            curve, key=f"e_{key}_{key}", tail=key, head=key, curved=True, color=color, style=style,
            width=width, more="next", tooltip=listed(list(matrices)) or "handed on",
        )  # fmt: skip
        if matrices:
            text = self._matrix_text(matrices)
            middle = x + 57 + text_width(text, 11) / 2
            self.canvas.words(
                f"m_{key}_{key}", (middle, y), text, color=color, size=11, slanted=True, over=True
            )

    def _rolled_reading(self, number: int, left: float) -> None:
        reading = self.found.readings[number]
        key = f"ry{number}"
        group = max(self.places[i].group for i in reading.loops)
        same = [r for r in self.found.readings[:number] if self._column(r) == group]
        x = left + group * 1.9 * _COLUMN + 0.6 * _COLUMN * len(same)
        suffix = "t" if reading.each_step else self._once(reading)
        name = name_text(short(reading.name))
        self._circle(key, (x, self.top * _ROW), name, suffix, palette.OUTPUT_FILL, "output")
        for loop in reading.loops:
            self._edge(f"r{loop}", key, reading.matrices, named=True)

    def _column(self, reading: Reading) -> int:
        return max(self.places[i].group for i in reading.loops)

    def _once(self, reading: Reading) -> str:
        """Return the number of the last step, if what is computed once is its alone."""
        places = [self.places[i] for i in reading.loops]
        of_all = any(reading.loops.values()) or len({place.group for place in places}) > 1
        return "" if of_all or not places[0].steps else str(places[0].steps[-1])

    # -- unrolled ------------------------------------------------------------------------------

    def _unrolled(self, index: int, truncate: int | None) -> None:
        loop, place = self.found.loops[index], self.places[index]
        y = place.row * _ROW
        columns = list(place.columns)
        for column, step in zip(columns, place.steps, strict=True):
            at = (column * _COLUMN, y)
            if step is None:
                key = f"s{index}_{column}"
                self.canvas.words(key, at, "···", size=20, tooltip="more steps")
                self.at[key] = at
                continue
            self._circle(f"s{index}_{column}", at, place.name, step, palette.PAPER, "state")
            self._feed(loop, place, index, column, step)
        before = place.first + len(columns) if loop.reverse else place.first - 1
        self._start(loop, place, index, before)
        order = [before, *(reversed(columns) if loop.reverse else columns)]
        for count, (a, b) in enumerate(pairwise(order)):
            self._edge(f"s{index}_{a}", f"s{index}_{b}", loop.from_before)
            step = place.steps[a - place.first] if count else None
            if truncate and step and step.isdigit() and int(step) % truncate == 0:
                self._cut(f"cut{index}_{a}", ((a + b) / 2 * _COLUMN, y))

    def _feed(self, loop: Loop, place: Place, index: int, column: int, step: str) -> None:
        key = f"s{index}_{column}"
        if loop.sequences and not loop.below:
            below = f"x{place.group}_{column}"
            if below not in self.at:
                at = (column * _COLUMN, 0.0)
                name = joint_name(loop.sequences)
                self._circle(below, at, name, step, palette.INPUT_FILL, "input")
            self._edge(below, key, loop.from_below)
        for lower in loop.below:
            self._edge(f"s{lower}_{column}", key, loop.from_below)

    def _start(self, loop: Loop, place: Place, index: int, column: int) -> None:
        """Draw the state before the first step, and what it comes from."""
        at = (column * _COLUMN, place.row * _ROW)
        key = f"s{index}_{column}"
        self._circle(key, at, place.name, "0", palette.CONSTANT_FILL, "start")
        for earlier in loop.before:
            self._edge(self._end(earlier), key, ())
        if loop.start:
            name = joint_name(loop.start)
            source = self.starts.get((name, column), f"i{index}")
            if source not in self.at:
                outside = at[0] + (_COLUMN if loop.reverse else -_COLUMN)
                below = at[0], at[1] - _ROW
                place_of_it = (outside, at[1]) if below in self.at.values() else below
                self._circle(source, place_of_it, name, "", palette.INPUT_FILL, "input")
                self.starts[name, column] = source
            self._edge(source, key, ())

    def _end(self, index: int) -> str:
        """Return the key of a loop's last state; without a step it is the first one."""
        place, reverse = self.places[index], self.found.loops[index].reverse
        if not place.steps:
            return f"s{index}_{place.first - (not reverse)}"
        return f"s{index}_{place.columns[0] if reverse else place.columns[-1]}"

    def _unrolled_reading(self, number: int) -> None:
        reading = self.found.readings[number]
        name = name_text(short(reading.name))
        group = self._column(reading)
        place = next(
            p for i, p in enumerate(self.places) if i in reading.loops and p.group == group
        )
        shift = 0.5 * sum(self._column(r) == group for r in self.found.readings[:number])
        keys, far = [], []
        for column, step in zip(place.columns, place.steps, strict=True):
            if step is None or (not reading.each_step and step != place.steps[-1]):
                continue
            keys.append(f"y{number}_{column}")
            at = ((column + shift) * _COLUMN, self.top * _ROW)
            suffix = step if reading.each_step else self._once(reading)
            self._circle(keys[-1], at, name, suffix, palette.OUTPUT_FILL, "output")
            for loop, every in reading.loops.items():
                if self.places[loop].group == group and every == reading.each_step:
                    source = f"s{loop}_{column}" if every else self._end(loop)
                    self._edge(source, keys[-1], reading.matrices)
                elif column == place.columns[-1]:
                    far += self._states(loop) if every else [self._end(loop)]
        self._bus(f"b{number}", (self.top - 0.36) * _ROW, far, keys, reading.matrices)

    def _states(self, index: int) -> list[str]:
        """Return the keys of a loop's states that are drawn, without the one before the first."""
        place = self.places[index]
        steps = zip(place.columns, place.steps, strict=True)
        return [f"s{index}_{column}" for column, step in steps if step is not None]

    def _whole(self, index: int) -> None:
        """Draw what every step of a loop reads."""
        loop, place = self.found.loops[index], self.places[index]
        sources: list[str] = []
        for other, every in loop.whole.items():
            sources += self._states(other) if every else [self._end(other)]
        if loop.given:
            x = (place.first - 1) * _COLUMN
            row = next(
                r
                for r in range(place.row + 1, 2 * self.top)
                if (x, r * _ROW) not in self.at.values()
            )
            name = joint_name(loop.given)
            self._circle(f"g{index}", (x, row * _ROW), name, "", palette.INPUT_FILL, "input")
            sources.append(f"g{index}")
        height = (place.row + 0.44) * _ROW
        self._bus(f"w{index}", height, sources, self._states(index), loop.from_whole)

    def _bus(
        self, key: str, y: float, sources: list[str], targets: list[str], matrices: Names
    ) -> None:
        """Draw a line that all of the sources feed, and each of the targets reads."""
        if not sources or not targets:
            return
        color, style, width = self.looks[matrices]
        look: dict[str, Any] = {"color": color, "style": style, "width": width}
        told = listed(list(matrices)) or "handed on"
        found = bus(y, [self.at[k] for k in sources], [self.at[k] for k in targets], _RADIUS)
        self.canvas.wire(found.line, key=key, arrow=False, more="shared", tooltip=told, **look)
        for source, way in zip(sources, found.fed, strict=True):
            self.canvas.wire(way, key=f"{key}_{source}", tail=source, arrow=False, **look)
        for target, way in zip(targets, found.read, strict=True):
            self.canvas.wire(way, key=f"{key}_{target}", head=target, tooltip=told, **look)
        for at in found.junctions:
            self.canvas.dot(at, color)
        self.has_bus |= len(sources) + len(targets) > 2

    # -- pieces --------------------------------------------------------------------------------

    def _circle(self, key: str, at: Point, name: str, step: str, fill: str, role: str) -> None:
        size = 16.0 if text_width(name, 16) < 26 else 12.0
        while text_width(name, size) > 33 and size > 9:
            size -= 1
        name = fitted(name, size, 33)
        below = (
            f'<SUB><FONT POINT-SIZE="{max(8.0, 0.7 * size):.0f}">{escape(step)}</FONT></SUB>'
            if step
            else ""
        )
        label = Html(font(italic(name) + below, palette.INK, size))
        self.at[key] = at
        self.canvas.shape(
            key, at, (2 * _RADIUS, 2 * _RADIUS), label, kind="circle", fill=fill, more=role,
            tooltip=f"{name} {step}".strip(),
        )  # fmt: skip

    def _edge(self, tail: str, head: str, matrices: Names, *, named: bool = False) -> None:
        color, style, width = self.looks[matrices]
        a, b = self.at[tail], self.at[head]
        passes = abs(b[1] - a[1]) > 1.5 * _ROW and abs(b[0] - a[0]) < 1
        if passes:  # around the circle between them
            out = a[0] - 1.0 * _RADIUS * 2.6
            curve = [
                (a[0] - 16, a[1] + 15),
                (out, a[1] + 40),
                (out, b[1] - 40),
                (b[0] - 16, b[1] - 15),
            ]
        else:
            curve = [towards(a, b, _RADIUS), towards(b, a, _RADIUS)]
        self.canvas.wire(
            curve, key=f"e_{tail}_{head}", tail=tail, head=head, curved=passes, color=color,
            style=style, width=width, more="shared" if matrices else "handed",
            tooltip=listed(list(matrices)) or "handed on",
        )  # fmt: skip
        if named and matrices and matrices not in self.named:
            self.named.add(matrices)
            text = self._matrix_text(matrices)
            half = text_width(text, 11) / 2 + 6
            middle = (a[0] + half if not passes else a[0] - 46 - half), (a[1] + b[1]) / 2
            if a[0] < b[0]:
                middle = (a[0] + b[0]) / 2 - half, middle[1] + 6
            key = f"m_{tail}_{head}"
            self.canvas.words(key, middle, text, color=color, size=11, slanted=True, over=True)

    def _matrix_text(self, matrices: Names) -> str:
        """Return the names of matrices, without their layer's where that is unambiguous."""
        every = dict.fromkeys(name for names in self.looks for name in names)
        lasts = [name.rpartition(".")[2] for name in every]
        shown = [
            last if lasts.count(last := name.rpartition(".")[2]) == 1 else name for name in matrices
        ]
        return ", ".join(map(name_text, shown))

    def _cut(self, key: str, at: Point) -> None:
        """Draw two strokes across an edge, and the word that says what they mean."""
        x, y = at
        for i, dx in enumerate((-3.0, 3.0)):
            stroke = [(x + dx - 4, y - 11), (x + dx + 4, y + 11)]
            self.canvas.wire(
                stroke, key=f"{key}_{i}", arrow=False, color=palette.INK, width=1.8, more="cut"
            )
        self.canvas.words(key, (x, y + 20), "cut", color=palette.INK, size=10)

    def _caption(self, left: float, truncate: int | None) -> None:
        most = max(map(len, self.looks))
        shared = "one matrix" if most == 1 else "their matrices"
        words = [f"edges of one colour and dash share {shared}"] if most else []
        if self.has_bus:
            words.append("joined lines: all of them are read")
        if truncate:
            words.append("cut: the value goes on, no gradient comes back")
        right = max(x for x, _ in self.at.values())
        low = min(y for _, y in self.at.values()) - 52
        text = ";  ".join(words)
        self.canvas.words("caption", ((left + right) / 2, low), text, color=palette.MUTED, size=12)
