"""The loops over layers of a program, and what they have to do with one another and the rest."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD
from graphc.plan.program import BLOCKS, Program
from graphc.plan.repeat_search import Search
from graphc.plan.repeats import Carried, Repeat


class Layers:
    """What is repeated so often in the forward and backward blocks that a loop is worth it.

    No two loops share a statement; what one keeps, later ones read.
    """

    def __init__(self, program: Program, is_body: bool = False) -> None:
        """Look for loops; not in the body of another, whose parameters have no names in a state."""
        self.search = Search(program)
        self.found = [] if is_body else self.search.best()
        #: Value -> the loop that makes it.
        self.made_by = {node: found for found in self.found for node in found.place}
        #: Loop -> what later ones read of its parts.
        self.wanted: dict[Repeat, list[int | Carried]] = {found: [] for found in self.found}
        for found in self.found:
            for kept in found.kept.values():
                if kept.value not in self.wanted[kept.source]:
                    self.wanted[kept.source].append(kept.value)
        for values in self.wanted.values():
            values.sort(key=lambda value: -1 if isinstance(value, Carried) else value)
        #: Loop -> the places of what is read of any of its parts outside of all loops.
        self.outside = {found: self._outside(found) for found in self.found}

    def _outside(self, found: Repeat) -> list[int]:
        read = self.search.read_outside(found, BLOCKS)
        return [*dict.fromkeys([found.place[x][1] for x in read])]

    @property
    def read_elsewhere(self) -> set[Node]:
        """The values of written parts that others read: they need variables."""
        read: set[Node] = set()
        for found in self.found:
            places = {c.place for c in found.carried} | {*found.gradients, *self.outside[found]}
            places.update(value for value in self.wanted[found] if isinstance(value, int))
            read.update(found.written[place].node for place in places)
            for statement in found.written:
                readers = self.search.readers.get(statement.node, ())
                if any(s.node not in self.made_by for s in readers):
                    read.add(statement.node)
        return read

    @property
    def derives(self) -> bool:
        """Whether what the loops make for callers are gradients, rather than outputs."""
        blocks = {found.written[0].block for found in self.found if found.gradients}
        return FORWARD not in blocks

    def is_read_last(self, node: Node) -> bool:
        """Say whether a value leaves the program, or is kept by a loop that takes it over."""
        values = [value for values in self.wanted.values() for value in values]
        kept = {value.first for value in values if isinstance(value, Carried)}
        return any(node in nodes for nodes in (self.search.given, self.search.observed, kept))

    def may_rebind(self, source: Repeat, later: Repeat) -> bool:
        """Say whether nobody but a later loop reads what the last part of another one left."""
        start = self.search.index[later.parts[0][0].node]
        listed = {*self.outside[source], *source.gradients}
        left = {s.node for k, s in enumerate(source.written) if k not in listed}
        seen = [*self.search.given, *self.search.observed]
        for node, statements in self.search.readers.items():
            outside = [s for s in statements if s.node not in later.place]
            if any(self.search.index[s.node] > start for s in outside):
                seen.append(node)
        return not any(self._shown(x) & left for x in seen)

    @staticmethod
    def _shown(node: Node) -> set[Node]:
        """Return a value, and what it is a view of."""
        shown = {node}
        while node.op.is_view:
            node = node.inputs[0]
            shown.add(node)
        return shown
