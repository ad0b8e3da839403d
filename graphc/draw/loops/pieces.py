"""Of what is a recurrence drawn? Circles, edges with the look of their matrices, joined lines."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from graphc.draw import palette
from graphc.draw.canvas import Canvas
from graphc.draw.layout import Point, towards
from graphc.draw.loops.emitted import Names
from graphc.draw.loops.labels import circle_label, written
from graphc.draw.loops.recurrences import Recurrences
from graphc.draw.typography import listed, name_text, text_width

RADIUS = 22.0
COLUMN, ROW = 92.0, 88.0
_WIDEST = 90.0  # of names that stand on one line
#: How far beside a circle's centre a line leaves it or ends, where it turns on a way that is far.
_ASIDE, _TURN, _FAR = 30.0, 39.0, 60.0


@dataclass
class Pieces:
    """The canvas, where its circles stand by key, and which matrices have been named."""

    canvas: Canvas
    looks: dict[Names, tuple[str, str, float]]
    at: dict[str, Point] = field(default_factory=dict)
    named: set[Names] = field(default_factory=set)
    has_bus: bool = False

    def circle(self, key: str, at: Point, name: str, step: str, fill: str, role: str) -> None:
        label = circle_label(written(name, step), step)
        self.at[key] = at
        self.canvas.shape(
            key, at, (2 * RADIUS, 2 * RADIUS), label, kind="circle", fill=fill, more=role,
            tooltip=f"{name} {step}".strip(),
        )  # fmt: skip

    def edge(
        self,
        tail: str,
        head: str,
        matrices: Names,
        *,
        named: bool = False,
        mark: str = "",
        aside: bool = False,
    ) -> None:
        """Draw an edge, with its matrices if they have not been `named`, and with a `mark`.

        An edge past another circle bends around it, and so does one `aside` of another edge.
        """
        color, style, width = self.looks[matrices]
        a, b = self.at[tail], self.at[head]
        far, right = abs(b[1] - a[1]) > 1.5 * ROW, b[0] - a[0]
        passes = aside or (far and abs(right) < 1)
        curve = [towards(a, b, RADIUS), towards(b, a, RADIUS)]
        if passes:
            out = a[0] - (2.6 if far else 1.7) * RADIUS
            turn = 40 if far else 26
            ends = (a[0] - 16, a[1] + 15), (b[0] - 16, b[1] - 15)
            curve = [ends[0], (out, a[1] + turn), (out, b[1] - turn), ends[1]]
        elif far and 0 < right < 0.75 * COLUMN:  # beside the circle that stands over the tail
            curve = [(a[0] + 19, a[1] + 11), (b[0] + 4, b[1] - 21.6)]
        key = f"{tail}_{head}_aside" if aside else f"{tail}_{head}"
        self.canvas.wire(
            curve, key=f"e_{key}", tail=tail, head=head, curved=passes, color=color,
            style=style, width=width, more="shared" if matrices else "handed",
            tooltip=" ".join(filter(None, [listed(list(matrices)) or "handed on", mark])),
        )  # fmt: skip
        is_new = named and matrices and matrices not in self.named
        text = " ".join(filter(None, [self.matrix_text(matrices) if is_new or mark else "", mark]))
        if not text or not named:
            return
        self.named.add(matrices)
        half = widest(text, 11) / 2 + 6
        x, y = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
        if passes:
            x = a[0] - (46 if far else 30) - half
        elif abs(right) < 1:
            x += -half if mark else half
        elif far and right > 0:
            x, y = a[0] + 0.8 * right + half, a[1] + 0.78 * (b[1] - a[1])
        else:
            x, y = x + (half if mark else -half), y + (-4 if mark else 6)
        words = f"m_{key}"
        self.canvas.words(words, (x, y), text, color=color, size=11, slanted=True, over=True)

    def matrix_text(self, matrices: Names) -> str:
        """Return the names of matrices, without their layers' where no two are called alike.

        Several long ones stand one below another.
        """
        every = dict.fromkeys(name for names in self.looks for name in names)
        lasts = [name.rpartition(".")[2] for name in every]
        is_clear = len(set(lasts)) == len(lasts)
        shown = [name.rpartition(".")[2] if is_clear else name for name in matrices]
        text = ", ".join(map(name_text, shown))
        return text if text_width(text, 11) <= _WIDEST else text.replace(", ", ",\n")

    def cut(self, key: str, at: Point) -> None:
        """Draw two strokes across an edge, and the word that says what they mean."""
        x, y = at
        for i, dx in enumerate((-3.0, 3.0)):
            stroke = [(x + dx - 4, y - 11), (x + dx + 4, y + 11)]
            self.canvas.wire(
                stroke, key=f"{key}_{i}", arrow=False, color=palette.INK, width=1.8, more="cut"
            )
        self.canvas.words(key, (x, y + 20), "cut", color=palette.INK, size=10)

    def bus(
        self, key: str, y: float, sources: list[str], targets: list[str], matrices: Names
    ) -> None:
        """Draw a line that all of the sources feed, and each of the targets reads.

        It is fed from the right of its sources, and read from the left.
        """
        if not sources or not targets:
            return
        color, style, width = self.looks[matrices]
        look: dict[str, Any] = {"color": color, "style": style, "width": width}
        told = listed(list(matrices)) or "handed on"
        fed = {source: _way(self.at[source], y, _ASIDE) for source in sources}
        read = {target: _way(self.at[target], y, -_ASIDE)[::-1] for target in targets}
        met = sorted({way[-1] for way in fed.values()} | {way[0] for way in read.values()})
        line = met[0], met[-1]
        self.canvas.wire(line, key=key, arrow=False, more="shared", tooltip=told, **look)
        for source, way in fed.items():
            self.canvas.wire(way, key=f"{key}_{source}", tail=source, arrow=False, **look)
        for target, way in read.items():
            self.canvas.wire(way, key=f"{key}_{target}", head=target, tooltip=told, **look)
        for at in met[1:-1]:  # where ways meet the line
            self.canvas.dot(at, color)
        self.has_bus |= len(sources) + len(targets) > 2


def widest(text: str, size: float) -> float:
    """Return the width of the widest line of a text, in points."""
    return max(text_width(line, size) for line in text.split("\n"))


def _way(at: Point, y: float, aside: float) -> list[Point]:
    """Return the way from a circle to a height: aside, and straight up or down where it is far."""
    up = y - at[1]
    turn = at[0] + aside, at[1] + (up if abs(up) < _FAR else math.copysign(_TURN, up))
    start = towards(at, turn, RADIUS)
    return [start, turn] if abs(up) < _FAR else [start, turn, (turn[0], y)]


# -- the colour and dash of each set of matrices -------------------------------------------------

_COLOURS = (palette.VALUE, palette.ADJOINT, palette.GREEN, palette.PURPLE)
_DASHES = (("solid", 1.6), ("solid", 2.6), ("dashed", 1.6), ("dotted", 2.2))
#: By how many dashes each round of the colours is ahead: the second shares no dash with the first.
_AHEAD = (0, 2, 1, 3)
_PLAIN = (palette.EDGE, "solid", 1.4)


def looks_of(found: Recurrences) -> dict[Names, tuple[str, str, float]]:
    """Return colour, dash and width of each set of matrices; without a matrix an edge is plain."""
    sets = [
        names
        for loop in found.loops
        for names in (loop.from_below, loop.from_before, loop.from_whole)
    ]
    sets += [names for emitted in found.emitted for names in emitted.reads.values()]
    sets += [reading.matrices for reading in found.readings]
    shared = list(filter(None, dict.fromkeys(sets)))
    looks = {names: _look(i) for i, names in enumerate(shared)}
    return looks | {(): _PLAIN}


def _look(number: int) -> tuple[str, str, float]:
    """Return colour, dash and width: eight differ in colour or dash, sixteen in width as well."""
    turn, place = divmod(number, len(_COLOURS))
    style, width = _DASHES[(place + _AHEAD[turn % len(_AHEAD)]) % len(_DASHES)]
    return _COLOURS[place], style, width
