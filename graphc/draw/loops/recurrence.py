"""A recurrence, rolled up and unrolled: one colour for each shared matrix, h₀ shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from graphc.draw import palette
from graphc.draw.canvas import Canvas
from graphc.draw.dot_source import Html
from graphc.draw.drawing import Drawing
from graphc.draw.layout import Point
from graphc.draw.loops.emitted import BEFORE, GIVEN, SLICE, STATE, Names
from graphc.draw.loops.labels import abbreviations, joint_name, set_step, starts_as_named, told
from graphc.draw.loops.pieces import COLUMN, RADIUS, ROW, Pieces, looks_of, widest
from graphc.draw.loops.places import Place, placed, start_of
from graphc.draw.loops.recurrences import Loop, Reading, Recurrences, find_recurrences
from graphc.draw.short_names import short
from graphc.draw.typography import (
    listed,
    name_text,
)
from graphc.errors import GraphError
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph


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
    places = placed(found, steps)
    scene = _Scene(Canvas(graph.name), looks_of(found), found=found, places=places)
    scene.draw(truncate)
    title = f"Recurrence of {graph.name}, rolled and unrolled"
    return scene.canvas.drawing(title, told(found))


#: How far from the middle of a state the names of the matrices begin by which it reads itself.
_BESIDE = 57.0

# -- the drawing -------------------------------------------------------------------------------


@dataclass
class _Scene(Pieces):
    found: Recurrences = field(kw_only=True)
    places: list[Place] = field(kw_only=True)
    #: The inputs that loops start from, by name and column.
    starts: dict[tuple[str, int], str] = field(default_factory=dict)

    @property
    def top(self) -> int:
        return 1 + max(place.row for place in self.places)

    def draw(self, truncate: int | None) -> None:
        groups = sorted({place.group for place in self.places})
        middle = -(1.55 if self._starts_outside() else 0.55) * COLUMN
        left = middle + 0.2 * COLUMN - len(groups) * self._pitch
        loops = range(len(self.found.loops))
        for index in loops:
            self._rolled(index, left + self.places[index].group * self._pitch)
            for number in self._emitted_by(index):
                self._rolled_emitted(number)
        for reading in range(len(self.found.readings)):
            self._rolled_reading(reading, left)
        height = ROW * (1 + (self.top - 2) / 2)
        self.canvas.words("arrow", (middle, height), "⇒", color=palette.MUTED, size=28)
        for index in loops:
            self._unrolled(index, truncate)
            for number in self._emitted_by(index):
                self._unrolled_emitted(number)
        for index in loops:
            self._whole(index)
        for reading in range(len(self.found.readings)):
            self._unrolled_reading(reading)
        self._caption(left, truncate)

    @cached_property
    def _pitch(self) -> float:
        """The distance of two groups when rolled up: the names beside a state have room."""
        names = [self.matrix_text(loop.from_before) for loop in self.found.loops]
        room = _BESIDE + max(widest(name, 11) for name in names) + 12 + RADIUS
        return max(1.9 * COLUMN, room)

    def _starts_outside(self) -> bool:
        """Say whether an upper loop starts from inputs of its own, which then stand beside it."""
        loops = enumerate(self.found.loops)
        first = {i: loop for i, loop in loops if not self.places[i].group and not loop.reverse}
        starts = {loop.start for i, loop in first.items() if not self._starts_as_named(i)}
        return len(starts - {()}) > 1

    def _starts_as_named(self, index: int) -> bool:
        """Say whether the state before the first step is an input that is called so: h0."""
        loop, place = self.found.loops[index], self.places[index]
        return place.name == joint_name(loop.states) and starts_as_named(loop)

    # -- rolled up -----------------------------------------------------------------------------

    def _rolled(self, index: int, x: float) -> None:
        loop, place = self.found.loops[index], self.places[index]
        y = place.row * ROW
        key = f"r{index}"
        self.circle(key, (x, y), place.name, "t", palette.PAPER, "state")
        below = f"rx{place.group}"
        if loop.sequences and not loop.below and below not in self.at:
            name = joint_name(loop.sequences)
            self.circle(below, (x, 0), name, "t", palette.INPUT_FILL, "input")
        for source in self._slices(index, below, "r{}") if SLICE in loop.reads else ():
            self.edge(source, key, loop.from_below, named=True)
        for earlier in dict.fromkeys((*loop.before, *loop.whole)):
            (ax, ay), (bx, by) = self.at[f"r{earlier}"], self.at[key]
            arc = [(ax + 9, ay + 20), (ax + 20, ay + 118), (bx - 20, by + 118), (bx - 9, by + 20)]
            if ax == bx:  # one above the other
                out = ax - 50
                arc = [(ax - 16, ay + 15), (out, ay + 40), (out, by - 40), (bx - 16, by - 15)]
            matrices = loop.from_whole if earlier in loop.whole else ()
            color, style, width = self.looks[matrices]
            words = "the last state is the first one here" if earlier in loop.before else ""
            text: str | Html = self._handed_on(earlier, index)
            if earlier in loop.whole:
                words = f"{words and 'first, and '}at each step"
                text = f"{self.matrix_text(matrices)}: {words}" if matrices else words
            half = widest(text, 10) / 2 if isinstance(text, str) else 30
            middle = min((ax + bx) / 2, bx - RADIUS - 6 - half)
            high = (middle, max(ay, by) + 103) if ax != bx else (ax - 50 - half, (ay + by) / 2)
            self.canvas.words(f"m_r{earlier}_{key}", high, text, color=color, size=10)
            self.canvas.wire(
                arc, key=f"e_r{earlier}_{key}", tail=f"r{earlier}", head=key, curved=True,
                more="handed", tooltip=words, color=color, style=style, width=width,
            )  # fmt: skip
        if loop.given:
            beside = (x - 0.75 * COLUMN, y - 0.9 * ROW)
            name = joint_name(loop.given)
            self.circle(f"rg{index}", beside, name, "", palette.INPUT_FILL, "input")
            if GIVEN in loop.reads:
                self.edge(f"rg{index}", key, loop.from_whole, named=True)
        self._own_loop(key, (x, y), loop.from_before)

    def _slices(self, index: int, inputs: str, loops: str) -> list[str]:
        """Return the keys of the circles that a loop reads step by step."""
        loop = self.found.loops[index]
        keys = [loops.format(lower) for lower in loop.below]
        return keys or ([inputs] if loop.sequences else [])

    def _handed_on(self, earlier: int, index: int) -> Html:
        """Return the words on the edge from a loop to the one that starts where it ends."""
        place, loop = self.places[earlier], self.found.loops[earlier]
        last = (place.steps[0 if loop.reverse else -1] or "") if place.steps else "0"
        start = set_step(self.places[index].name, start_of(self.found.loops[index]))
        return Html(f"{set_step(place.name, last)} → {start}")

    def _emitted_by(self, index: int) -> list[int]:
        """Return the numbers of what a loop emits besides its states."""
        return [number for number, value in self.found.numbered.items() if value.loop == index]

    def _look_of(self, number: int) -> tuple[str, str]:
        """Return fill and role of an emitted value: an output, or what others read."""
        is_inner = number in self.found.handed_on
        return (palette.PAPER, "state") if is_inner else (palette.OUTPUT_FILL, "output")

    def _rolled_emitted(self, number: int) -> None:
        emitted, place = self.found.numbered[number], self.places[number]
        loop, state, key = self.found.loops[emitted.loop], f"r{emitted.loop}", f"r{number}"
        at = self.at[state][0] + 1.2 * place.shift * COLUMN, place.row * ROW
        self.circle(key, at, place.name, "t", *self._look_of(number))
        for kind, matrices in emitted.reads.items():
            if kind == STATE:
                self.edge(state, key, matrices, named=True)
            elif kind == BEFORE:
                aside = STATE in emitted.reads
                self.edge(state, key, matrices, named=True, mark="t−1", aside=aside)
            elif kind == SLICE:
                for source in self._slices(emitted.loop, f"rx{place.group}", "r{}"):
                    self.edge(source, key, matrices, named=True)
            elif loop.given:
                self.edge(f"rg{emitted.loop}", key, matrices, named=True)

    def _own_loop(self, key: str, at: Point, matrices: Names) -> None:
        """Draw the edge from a state to itself, and its matrices to the right of it."""
        x, y = at
        c = 0.7071 * RADIUS
        curve = [(x + c, y + c), (x + 62, y + 46), (x + 62, y - 46), (x + c, y - c)]
        color, style, width = self.looks[matrices]
        self.canvas.wire(
            curve, key=f"e_{key}_{key}", tail=key, head=key, curved=True, color=color, style=style,
            width=width, more="next", tooltip=listed(list(matrices)) or "handed on",
        )  # fmt: skip
        if matrices:
            text = self.matrix_text(matrices)
            middle = x + _BESIDE + widest(text, 11) / 2
            self.canvas.words(
                f"m_{key}_{key}", (middle, y), text, color=color, size=11, slanted=True, over=True
            )

    def _rolled_reading(self, number: int, left: float) -> None:
        reading = self.found.readings[number]
        key = f"ry{number}"
        group = max(self.places[i].group for i in reading.loops)
        same = [r for r in self.found.readings[:number] if self._column(r) == group]
        x = left + group * self._pitch + 0.6 * COLUMN * len(same)
        suffix = "t" if reading.each_step else self._once(reading)
        name = name_text(short(reading.name))
        self.circle(key, (x, self.top * ROW), name, suffix, palette.OUTPUT_FILL, "output")
        for loop in reading.loops:
            self.edge(f"r{loop}", key, reading.matrices, named=True)

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
        y = place.row * ROW
        columns = list(place.columns)
        for column, step in zip(columns, place.steps, strict=True):
            at = (column * COLUMN, y)
            if step is None:
                key = f"s{index}_{column}"
                self.canvas.words(key, at, "···", size=20, tooltip="more steps")
                self.at[key] = at
                continue
            self.circle(f"s{index}_{column}", at, place.name, step, palette.PAPER, "state")
            self._feed(loop, place, index, column, step)
        before = place.first + len(columns) if loop.reverse else place.first - 1
        self._start(loop, place, index, before)
        order = [before, *(reversed(columns) if loop.reverse else columns)]
        for count, (a, b) in enumerate(pairwise(order)):
            self.edge(f"s{index}_{a}", f"s{index}_{b}", loop.from_before)
            step = place.steps[a - place.first] if count else None
            if truncate and step and step.isdigit() and int(step) % truncate == 0:
                self.cut(f"cut{index}_{a}", ((a + b) / 2 * COLUMN, y))

    def _feed(self, loop: Loop, place: Place, index: int, column: int, step: str) -> None:
        below = f"x{place.group}_{column}"
        if loop.sequences and not loop.below and below not in self.at:
            at, name = (column * COLUMN, 0.0), joint_name(loop.sequences)
            self.circle(below, at, name, step, palette.INPUT_FILL, "input")
        for source in self._slices(index, below, f"s{{}}_{column}") if SLICE in loop.reads else ():
            if source in self.at:  # a loop below may have fewer steps
                self.edge(source, f"s{index}_{column}", loop.from_below)

    def _unrolled_emitted(self, number: int) -> None:
        emitted, place = self.found.numbered[number], self.places[number]
        index, look = emitted.loop, self._look_of(number)
        back = 1 if self.found.loops[index].reverse else -1
        for column, step in zip(place.columns, place.steps, strict=True):
            key, at = f"s{number}_{column}", ((column + place.shift) * COLUMN, place.row * ROW)
            if step is None:
                self.at[key] = at
                continue
            self.circle(key, at, place.name, step, *look)
            inputs = f"x{place.group}_{column}"
            sources = {
                STATE: [f"s{index}_{column}"],
                BEFORE: [f"s{index}_{column + back}"],
                SLICE: self._slices(index, inputs, f"s{{}}_{column}"),
            }
            for kind, matrices in emitted.reads.items():
                for source in sources.get(kind, ()):
                    self.edge(source, key, matrices)

    def _start(self, loop: Loop, place: Place, index: int, column: int) -> None:
        """Draw the state before the first step, and what it comes from."""
        at = (column * COLUMN, place.row * ROW)
        key = f"s{index}_{column}"
        is_input = self._starts_as_named(index)
        fill = palette.INPUT_FILL if is_input else palette.CONSTANT_FILL
        step = "0" if is_input else start_of(loop)
        self.circle(key, at, place.name, step, fill, "input" if is_input else "start")
        for earlier in loop.before:
            self.edge(self._end(earlier), key, ())
        if loop.start and not is_input:
            name = joint_name(loop.start)
            source = self.starts.get((name, column), f"i{index}")
            if source not in self.at:
                outside = at[0] + (COLUMN if loop.reverse else -COLUMN)
                below = at[0], at[1] - ROW
                place_of_it = (outside, at[1]) if below in self.at.values() else below
                self.circle(source, place_of_it, name, "", palette.INPUT_FILL, "input")
                self.starts[name, column] = source
            self.edge(source, key, ())

    def _end(self, index: int) -> str:
        """Return the key of a loop's last state; without a step it is the first one."""
        emitted = self.found.numbered.get(index)
        reverse = self.found.loops[index if emitted is None else emitted.loop].reverse
        place = self.places[index]
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
            at = ((column + shift) * COLUMN, self.top * ROW)
            suffix = step if reading.each_step else self._once(reading)
            self.circle(keys[-1], at, name, suffix, palette.OUTPUT_FILL, "output")
            for loop, every in reading.loops.items():
                if self.places[loop].group == group and every == reading.each_step:
                    source = f"s{loop}_{column}" if every else self._end(loop)
                    self.edge(source, keys[-1], reading.matrices)
                elif column == place.columns[-1]:
                    far += self._states(loop) if every else [self._end(loop)]
        self.bus(f"b{number}", (self.top - 0.36) * ROW, far, keys, reading.matrices)

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
            x = (place.first - 1) * COLUMN
            row = next(
                r
                for r in range(place.row + 1, 2 * self.top)
                if (x, r * ROW) not in self.at.values()
            )
            name = joint_name(loop.given)
            self.circle(f"g{index}", (x, row * ROW), name, "", palette.INPUT_FILL, "input")
            sources.append(f"g{index}")
        readers = [(index, loop.from_whole)] if GIVEN in loop.reads else []
        emitted = [(i, self.found.numbered[i]) for i in self._emitted_by(index)]
        readers += [(i, value.reads[GIVEN]) for i, value in emitted if GIVEN in value.reads]
        for reader, matrices in readers:
            height = (self.places[reader].row + 0.44) * ROW
            self.bus(f"w{reader}", height, sources, self._states(reader), matrices)

    def _caption(self, left: float, truncate: int | None) -> None:
        most = max(map(len, self.looks))
        shared = "one matrix" if most == 1 else "their matrices"
        words = [f"edges of one colour and dash share {shared}"] if most else []
        if self.has_bus:
            words.append("joined lines: all of them are read")
        if any(BEFORE in emitted.reads for emitted in self.found.emitted):
            words.append("t−1: of the state before")
        if truncate:
            words.append("cut: the value goes on, no gradient comes back")
        words += abbreviations(self.found)
        right = max(x for x, _ in self.at.values())
        low = min(y for _, y in self.at.values()) - 52
        text = ";  ".join(words)
        self.canvas.words("caption", ((left + right) / 2, low), text, color=palette.MUTED, size=12)
