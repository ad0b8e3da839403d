"""What is a pass? Rules that are applied to a fixpoint, or a function of the whole graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeAlias

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.rewrite.engine.bodies import in_bodies
from graphc.rewrite.engine.fixpoint import Memory, rewrite
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.engine.rule import Firing, Rule

Whole: TypeAlias = Callable[[Graph, dict[Node, Node]], tuple[Graph, tuple[Firing, ...]]]
Numbered: TypeAlias = Callable[
    [Graph, dict[Node, Node], ValueNumbers], tuple[Graph, tuple[Firing, ...]]
]


@dataclass(frozen=True)
class Pass:
    """One step of the pipeline: rules to a fixpoint, or a function of the whole graph.

    `helpers` keep the normal form meanwhile; a pass with nothing but helpers establishes it.
    """

    name: str
    title: str
    rules: tuple[Rule, ...] = ()
    helpers: tuple[Rule, ...] = ()
    whole: Whole | None = None
    #: A function of the whole graph that compares expressions.
    numbered: Numbered | None = None
    #: Has nothing to do in a graph without loops.
    is_for_loops: bool = False
    #: Style `readable` does without it, and so does level 1, which is for what is cheap.
    is_for_speed: bool = False

    @cached_property
    def level(self) -> int:
        """The optimization level from which it runs: that of the first of its rules."""
        rules = self.rules or self.helpers
        lowest = 2 if self.is_for_speed else 1
        return max(lowest, min((rule.level for rule in rules), default=1))

    def apply(
        self,
        graph: Graph,
        allowed: Callable[[Rule], bool],
        memory: Memory,
        became: dict[Node, Node],
    ) -> tuple[Graph, tuple[Firing, ...]]:
        """Return the rewritten graph and the firings, by the rules that are allowed.

        `memory` holds what is known of nodes already, in loops and around them.
        `became` receives, for each node that does not stay, the node in its place.
        """
        inner: dict[Node, Node] = {}
        inside = partial(self._apply_inside, allowed, memory)
        graph, first = in_bodies(graph, inside, inner)
        following, firings = self._apply_around(graph, allowed, memory, became)
        became.update((old, became.get(new, new)) for old, new in inner.items())
        return following, first + firings

    def _apply_inside(
        self, allowed: Callable[[Rule], bool], memory: Memory, graph: Graph
    ) -> tuple[Graph, tuple[Firing, ...]]:
        """Rewrite the body of a loop."""
        return self.apply(graph, allowed, memory, {})

    def _apply_around(
        self,
        graph: Graph,
        allowed: Callable[[Rule], bool],
        memory: Memory,
        became: dict[Node, Node],
    ) -> tuple[Graph, tuple[Firing, ...]]:
        if self.whole is not None:
            return self.whole(graph, became)
        if self.numbered is not None:
            return self.numbered(graph, became, memory.number)
        rules, helpers = (
            [rule for rule in group if allowed(rule)] for group in (self.rules, self.helpers)
        )
        return rewrite(graph, rules, helpers, memory, became)
