"""Where do the loops of a recurrence stand, and which of their steps are drawn?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.draw.loops.labels import joint_name
from graphc.draw.loops.recurrences import Loop, Recurrences
from graphc.draw.typography import superscript
from graphc.ir.dims import Dim, dim_text


@dataclass(frozen=True)
class Place:
    """Where a loop stands: its row, its first column, what its columns are called, its group."""

    row: int
    first: int
    steps: tuple[str | None, ...]
    group: int
    name: str
    shift: float = 0.0  # to the right, in columns, where something else stands in this row

    @property
    def columns(self) -> range:
        return range(self.first, self.first + len(self.steps))


def placed(found: Recurrences, steps: int) -> list[Place]:
    """Stack loops that read one another step by step; set others side by side.

    What loops emit besides their states comes behind them in the list, and stands above them.
    """
    places: dict[int, Place] = {}
    for index, loop in enumerate(found.loops):
        group = places[loop.below[0]].group if loop.below else _group(found, places, index)
        row = 1 + max((places[i].row for i in loop.below), default=0)
        shown = _shown_steps(loop.length, steps)
        places[index] = Place(_free(places, group, row), 0, shown, group, joint_name(loop.states))
        for i, emitted in found.numbered.items():
            if emitted.loop == index and i in found.stacked:
                row = _free(places, group, places[index].row + 1)
                places[i] = Place(row, 0, shown, group, joint_name([emitted.name]))
    tops = {place.group: 1 for place in places.values()}
    tops |= {group: 1 + max(p.row for p in places.values() if p.group == group) for group in tops}
    for i, emitted in found.numbered.items():
        if i not in places:
            below = places[emitted.loop]
            top = tops[below.group]
            above = sum(place.row >= top for place in places.values() if place.group == below.group)
            name = joint_name([emitted.name])
            row, shift = top + above // 2, above % 2 / 2
            places[i] = replace(below, row=row, name=name, shift=shift)
    return _side_by_side([places[i] for i in range(len(places))])


def _free(places: Mapping[int, Place], group: int, row: int) -> int:
    taken = {place.row for place in places.values() if place.group == group}
    while row in taken:
        row += 1
    return row


def _side_by_side(places: Sequence[Place]) -> list[Place]:
    """Return the places with the first columns of their groups; names that are shared, numbered."""
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


def _group(found: Recurrences, places: Mapping[int, Place], index: int) -> int:
    """Return the group of loops that run over the same steps."""
    loop = found.loops[index]
    if not loop.before and not loop.whole:
        for i, other in enumerate(found.loops[:index]):
            if loop.sequences and other.sequences == loop.sequences and not other.before:
                return places[i].group
    return 1 + max((place.group for place in places.values()), default=-1)


def _shown_steps(length: Dim, steps: int) -> tuple[str | None, ...]:
    """Return the numbers of the steps that are drawn; None stands for those left out."""
    if isinstance(length, int) and length <= steps + 1:
        return tuple(str(t + 1) for t in range(length))
    return (*[str(t + 1) for t in range(steps)], None, dim_text(length))


def start_of(loop: Loop) -> str:
    """Return the number of the state before the first step: T+1 where a loop runs backwards."""
    return dim_text(loop.length + 1).replace(" ", "") if loop.reverse else "0"
