"""Which colour and dash has each set of matrices that the edges of a recurrence share?"""

from __future__ import annotations

from graphc.draw import palette
from graphc.draw.recurrence_emitted import Names
from graphc.draw.recurrent_loops import Recurrences

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
