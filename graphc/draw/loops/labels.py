"""How is a recurrence written? Names in circles, and all of it in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.draw.dot_source import Html, font
from graphc.draw.loops.emitted import BEFORE, GIVEN, SLICE, STATE, Names
from graphc.draw.loops.recurrences import Loop, Recurrences
from graphc.draw.palette import INK
from graphc.draw.short_names import shorts
from graphc.draw.typography import escape, fitted, italic, listed, name_text, text_width
from graphc.ir.dims import dim_text

_WIDE = 33.0
#: How wide the lines of a name may be that needs several, by their number: a circle is round.
_CHORDS = ((31.0, 31.0), (26.0, 38.0, 26.0))


@dataclass(frozen=True)
class Written:
    """A name in lines, and the size at which these fit into a circle."""

    lines: Sequence[str]
    size: float

    @property
    def is_cut(self) -> bool:
        """Whether not all of the name stands there."""
        return self.lines[-1].endswith("…")


def joint_name(names: Sequence[str]) -> str:
    """Return the name of what one circle stands for; a step's number then belongs to all of it.

    >>> joint_name(["h"]), joint_name(["h", "c"])
    ('h', '(h,c)')
    """
    text = ",".join(map(name_text, shorts(names)))
    return f"({text})" if len(names) > 1 else text


def written(name: str, step: str) -> Written:
    """Return a name as it fits into a circle with the number of its step behind it.

    Several names stand on up to three lines; where even those do not suffice, the name is cut.
    """
    size = 16.0 if text_width(name, 16) < 26 else 12.0
    while size > 9 and not _fits(name, step, size):
        size -= 1
    if _fits(name, step, size) or "," not in name:
        return Written([fitted(name, size, _WIDE)], size)
    parts = name.replace(",", ",\n").split("\n")
    for size in (10.0, 9.0, 8.0):
        for chords in _CHORDS:
            lines = _filled(parts, step, size, chords)
            if lines is not None:
                return Written(lines, size)
    while parts:
        parts = parts[:-1]
        lines = _filled([*parts, "…"], step, 8.0, _CHORDS[-1])
        if lines is not None:
            return Written(lines, 8.0)
    return Written([fitted(name, 9.0, _WIDE)], 9.0)


def _fits(name: str, step: str, size: float) -> bool:
    width = text_width(name, size)
    return width <= _WIDE and width + text_width(step, 0.7 * size) <= 38


def _filled(
    parts: Sequence[str], step: str, size: float, chords: Sequence[float]
) -> list[str] | None:
    """Return lines that are filled with parts one after the other, None where these are too few."""
    lines = [""]
    for i, part in enumerate(parts):
        room = chords[len(lines) - 1]
        behind = text_width(step, 0.7 * size) if i == len(parts) - 1 else 0.0
        if lines[-1] and text_width(lines[-1] + part, size) + behind > room:
            if len(lines) == len(chords):
                return None
            lines.append("")
            room = chords[len(lines) - 1]
        lines[-1] += part
        if text_width(lines[-1], size) + behind > room:
            return None
    return lines


def circle_label(found: Written, step: str) -> Html:
    """Return the HTML-like label of a circle."""
    *above, last = found.lines
    lines = [*map(italic, above), set_step(last, step, found.size)]
    return Html(font("<BR/>".join(lines), INK, found.size))


def set_step(name: str, step: str, size: float = 10.0) -> str:
    """Return an HTML-like label of a state's name with the number of its step below."""
    small = f'<SUB><FONT POINT-SIZE="{max(8.0, 0.7 * size):.0f}">{escape(step)}</FONT></SUB>'
    return italic(name) + (small if step else "")


def starts_as_named(loop: Loop) -> bool:
    """Say whether the states before the first step are inputs that are called so: h0."""
    named = [name_text(f"{state}0") for state in loop.states]
    return loop.starts_plainly and named == list(map(name_text, loop.start))


def abbreviations(found: Recurrences) -> list[str]:
    """Return what the short names in circles stand for: `p: prev`."""
    groups = [
        group
        for loop in found.loops
        for group in (
            loop.sequences,
            () if starts_as_named(loop) else loop.start,
            loop.given,
            loop.states,
        )
    ]
    groups += [(value.name,) for value in found.emitted]
    groups += [(reading.name,) for reading in found.readings]
    told: dict[str, None] = {}
    for group in groups:
        shown = written(joint_name(group), "")
        if shown.is_cut and len(group) > 1:
            told.setdefault(f"{''.join(shown.lines)}: {listed(list(map(name_text, group)))}")
            continue
        for cut, whole in zip(shorts(group), group, strict=True):
            if cut != whole:
                told.setdefault(f"{name_text(cut)}: {name_text(whole)}")
    return list(told)


# -- in words ------------------------------------------------------------------------------------


def told(found: Recurrences) -> str:
    """Return the recurrences in words."""
    sentences = []
    for loop in found.loops:
        state = " and ".join(loop.states)
        reads = f" reads {', '.join(loop.sequences)} step by step" if loop.sequences else ""
        begins = f", begins with {', '.join(loop.start)}" if loop.start else ""
        begins += ", begins where another loop ends" if loop.before else ""
        begins += ", reads all states of another loop at each step" if loop.whole else ""
        begins += f", reads {', '.join(loop.given)} at each step" if loop.given else ""
        shared = ", ".join(dict.fromkeys((*loop.from_below, *loop.from_before, *loop.from_whole)))
        order = "from the last step to the first" if loop.reverse else "from the first step on"
        sentences.append(
            f"Loop over {dim_text(loop.length)} steps {order}: the state {state}{reads}{begins}; "
            f"all steps share {shared or 'no matrix'}."
        )
    for emitted in found.emitted:
        sources = [_source(found, emitted.loop, *read) for read in emitted.reads.items()]
        sentences.append(f"{emitted.name} is computed at each step from {' and '.join(sources)}.")
    for reading in found.readings:
        when = "at each step" if reading.each_step else "after the last step"
        sentences.append(f"{reading.name} is computed {when} with {', '.join(reading.matrices)}.")
    return " ".join(sentences)


def _source(found: Recurrences, number: int, kind: str, matrices: Names) -> str:
    """Return what an emitted value is computed from: `the state h with Why`."""
    loop = found.loops[number]
    of = {
        STATE: f"the state {' and '.join(loop.states)}",
        BEFORE: f"the state {' and '.join(loop.states)} before the step",
        SLICE: ", ".join(loop.sequences) or "another loop",
        GIVEN: ", ".join(loop.given) or "all states of another loop",
    }
    return f"{of[kind]} with {', '.join(matrices)}" if matrices else of[kind]
