"""What does the compiler do to a graph, one stage after another? As the explorer shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.rewrite.rule import Firing, PassRecord


@dataclass(frozen=True, eq=False)
class Stage:
    """A graph on its way through the compiler, and what was done to get there.

    `became` gives, for each node of the stage before that does not stay, the node in its place.
    """

    name: str
    title: str
    graph: Graph
    firings: tuple[Firing, ...] = ()
    became: Mapping[Node, Node] = field(default_factory=dict)
    #: Whether the graph is differentiated here; what comes before has no backward pass.
    differentiates: bool = False

    def leaves_as_it_was(self, before: Stage) -> bool:
        """Say whether nothing was done: the very nodes of the stage before, in the same order."""
        old, new = before.graph.nodes, self.graph.nodes
        return len(old) == len(new) and all(a is b for a, b in zip(old, new, strict=True))


def stages_of(records: Iterable[PassRecord]) -> list[Stage]:
    """Return the stages that the records of passes tell of."""
    return [Stage(r.name, r.title, r.graph, r.firings, r.became) for r in records]
