"""Which colour and dash has each set of matrices that the edges of a recurrence share?"""

from __future__ import annotations

from graphc.draw import palette
from graphc.draw.recurrence_emitted import Names
from graphc.draw.recurrent_loops import Recurrences

_COLOURS = (palette.VALUE, palette.ADJOINT, palette.GREEN, palette.PURPLE)
_DASHES = (("solid", 1.6), ("solid", 2.6), ("dashed", 1.6), ("dotted", 2.2))
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
    """Return a pair of colour and dash; sixteen of them differ."""
    style, width = _DASHES[(number + number // len(_COLOURS)) % len(_DASHES)]
    return _COLOURS[number % len(_COLOURS)], style, width
