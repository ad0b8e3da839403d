"""Layers that are alike: statements that a model repeats block after block may share one loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from graphc.ir.node import Node
from graphc.plan.program import Statement


@dataclass(frozen=True, eq=False)
class Carried:
    """A value that each part takes over from the one before: `first` at first, then `place`."""

    first: Node
    place: int


@dataclass(frozen=True)
class Kept:
    """What the parts of an earlier loop made or took over, and those of a later one read.

    Part i reads what part `order[i]` of the `source` made at a place, or took over.
    """

    source: Repeat
    order: tuple[int, ...]
    value: int | Carried


@dataclass(frozen=True, eq=False)
class Repeat:
    """Statements that do the same for one layer after the other.

    What a part reads and does not make is `carried` over from the part before, or belongs to a
    column of values, one for each part: parameters by their names, or what an earlier loop `kept`;
    `views` of these that the earlier loop has made, too, need not be kept, but are written again.
    Anything else is the same for all. `gradients` are those that a caller may ask for, of the
    parameters by name, and where in a part they are made.
    """

    parts: tuple[tuple[Statement, ...], ...]
    carried: tuple[Carried, ...]
    params: Mapping[tuple[Node, ...], tuple[str, ...]]
    kept: Mapping[tuple[Node, ...], Kept]
    views: tuple[tuple[Node, ...], ...]
    gradients: Mapping[int, tuple[str, ...]]

    @cached_property
    def place(self) -> dict[Node, tuple[int, int]]:
        """The part that makes each value, and the place in the part."""
        return {s.node: (i, k) for i, part in enumerate(self.parts) for k, s in enumerate(part)}

    @property
    def written(self) -> tuple[Statement, ...]:
        """The part that stands for all: the last one, since others read its values afterwards."""
        return self.parts[-1]

    @property
    def sources(self) -> list[tuple[Repeat, tuple[int, ...]]]:
        """The earlier loops, and the order of their parts, that kept values come from."""
        return [*dict.fromkeys([(kept.source, kept.order) for kept in self.kept.values()])]

    @property
    def spared(self) -> int:
        """How many statements need not be written a second time."""
        return (len(self.parts) - 1) * len(self.written)

    @property
    def columns(self) -> Iterator[tuple[Node, ...]]:
        """The nodes that are the same but for the part that they belong to."""
        yield from zip(*[[s.node for s in part] for part in self.parts], strict=True)

    def taken(self, carried: Carried) -> tuple[Node, ...]:
        """Return what the parts take over."""
        return (carried.first, *[part[carried.place].node for part in self.parts[:-1]])
