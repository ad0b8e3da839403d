"""Statements that run through their arrays together, a few rows at a time, as they are gathered."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.plan.program import BLOCK, Run, Statement

#: Arrays of a fixed size below this stay in the cache anyway.
LARGE = BLOCK


@dataclass
class Gathered:
    """A run while it grows: its statements, and those that move in front of it and behind it.

    `values` are computed by the run, `results` are its totals and what is computed from them
    behind it. `rows` gives, for each array that every block sees its own rows of, how many of them
    belong to one step; arrays in `entire` come from outside and are read as they are.
    """

    extent: Dim
    inside: list[Statement] = field(default_factory=list)
    before: list[Statement] = field(default_factory=list)
    behind: list[Statement] = field(default_factory=list)
    values: set[Node] = field(default_factory=set)
    results: set[Node] = field(default_factory=set)
    rows: dict[Node, int] = field(default_factory=dict)
    entire: set[Node] = field(default_factory=set)

    @property
    def row(self) -> Dim:
        """The elements of one step in the largest array."""
        raise NotImplementedError("each kind of run says by which array blocks are measured")

    def admits(self, statement: Statement, rows: Mapping[Node, int]) -> bool:
        """Take in a statement that sees `rows`, unless an array would be seen in two ways."""
        operands = statement.operands
        entire = {x for x in operands if x not in rows and x not in self.values}
        split = {x for x in rows if x not in self.values}
        if entire & self.rows.keys() or split & self.entire:
            return False
        if any(self.rows.get(x, count) != count for x, count in rows.items()):
            return False
        self.rows |= rows
        self.entire |= entire
        self.inside.append(statement)
        self.values.add(statement.node)
        if statement.node not in rows:
            self.results.add(statement.node)
        return True


def runs_of(
    ordered: Sequence[Statement], gathered: Sequence[Gathered], kept: Container[Node]
) -> dict[Node, Run]:
    """Return the run of each node in one, with what outlives it."""
    owner = {s.node: i for i, own in enumerate(gathered) for s in own.inside}
    shown = {s.node: s.operands[0] for g in gathered for s in g.inside if s.node.op.is_view}
    outside: set[Node] = {node for node in owner if node in kept}
    for statement in ordered:
        own = owner.get(statement.node)
        outside.update(x for x in statement.operands if own is None or owner.get(x) != own)
    # What shows an array outlives the run together with the array.
    for statement in reversed([s for s in ordered if s.node in shown]):
        if statement.node in outside:
            outside.add(shown[statement.node])
    runs: dict[Node, Run] = {}
    for each in gathered:
        nodes = [s.node for s in each.inside]
        totals = frozenset(each.results.intersection(nodes))
        whole = frozenset(node for node in nodes if node not in totals and node in outside)
        run = Run(tuple(each.inside), each.extent, each.row, each.rows, whole, totals)
        runs.update(dict.fromkeys(nodes, run))
    return runs
