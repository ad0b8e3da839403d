"""Where do the loops of a recurrence stand, and which of their steps are drawn?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.draw.recurrent_loops import Recurrences
from graphc.draw.short_names import short
from graphc.draw.typography import name_text, superscript
from graphc.ir.dims import Dim, dim_text


@dataclass(frozen=True)
class Place:
    """Where a loop stands: its row, its first column, what its columns are called, its group."""

    row: int
    first: int
    steps: tuple[str | None, ...]
    group: int
    name: str

    @property
    def columns(self) -> range:
        return range(self.first, self.first + len(self.steps))


def placed(found: Recurrences, steps: int) -> list[Place]:
    """Stack loops that read one another step by step; set others side by side."""
    places: list[Place] = []
    taken: dict[tuple[int, int], int] = {}
    for index, loop in enumerate(found.loops):
        group = places[loop.below[0]].group if loop.below else _group(found, places, index)
        row = 1 + max((places[i].row for i in loop.below), default=0)
        while (group, row) in taken:
            row += 1
        taken[group, row] = index
        name = joint_name(loop.states)
        places.append(Place(row, 0, _shown_steps(loop.length, steps), group, name))
    first, starts = 1, {}
    for group in sorted({place.group for place in places}):
        starts[group] = first
        first += max(len(p.steps) for p in places if p.group == group) + 1
    names = [place.name for place in places]
    shown = []
    for i, place in enumerate(places):
        number = names[: i + 1].count(place.name)
        name = (
            place.name
            if names.count(place.name) == 1
            else place.name + str(superscript(str(number)))
        )
        shown.append(replace(place, first=starts[place.group], name=name))
    return shown


def _group(found: Recurrences, places: Sequence[Place], index: int) -> int:
    """Return the group of loops that run over the same steps."""
    loop = found.loops[index]
    if not loop.before and not loop.whole:
        for other, place in zip(found.loops, places, strict=False):
            if loop.sequences and other.sequences == loop.sequences and not other.before:
                return place.group
    return 1 + max((place.group for place in places), default=-1)


def _shown_steps(length: Dim, steps: int) -> tuple[str | None, ...]:
    """Return the numbers of the steps that are drawn; None stands for those left out."""
    if isinstance(length, int) and length <= steps + 1:
        return tuple(str(t + 1) for t in range(length))
    return (*[str(t + 1) for t in range(steps)], None, dim_text(length))


def joint_name(names: Sequence[str]) -> str:
    """Return the name of what one circle stands for; a step's number then belongs to all of it.

    >>> joint_name(["h"]), joint_name(["h", "c"])
    ('h', '(h,c)')
    """
    text = ",".join(name_text(short(name)) for name in names)
    return f"({text})" if len(names) > 1 else text
