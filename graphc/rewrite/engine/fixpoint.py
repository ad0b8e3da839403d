"""The engine: rules are tried at every node, operands first, until none fires any more.

One worklist, no recursion over depth; every node is settled once, so the work grows linearly
with the nodes of the graph and of the replacements. The order of rules and nodes decides
everything, so two runs do the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt, standing_for
from graphc.ir.provenance import FORWARD, inherit
from graphc.ops.elementwise.algebras import NODES
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.leaf import fill
from graphc.rewrite.engine.blends import Blends
from graphc.rewrite.engine.condition import holds
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.index import Candidate, RuleIndex, indexed, kind_of
from graphc.rewrite.engine.names_of_views import with_names_of_views
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.engine.pattern import Match, match
from graphc.rewrite.engine.rule import Firing, Rule

#: Firings allowed for each node before two rules are taken to undo each other.
FIRINGS_PER_NODE = 64
#: How many layers of nodes a firing shows as what it replaced.
_SEEN = 3

Replacement: TypeAlias = "tuple[Node, tuple[Node, ...]]"


@dataclass
class Memory:
    """What one pass finds out about nodes and the next ones need not: nodes never change."""

    number: ValueNumbers = field(default_factory=ValueNumbers)
    #: For some helpers, the nodes in their normal form, each with what that rests on: which nodes
    #: are shared, of those asked for. All else that a rule may look at is the node itself and what
    #: it is made of.
    normal: dict[tuple[Rule, ...], dict[Node, dict[Node, bool]]] = field(default_factory=dict)


def rewrite(
    graph: Graph,
    rules: Sequence[Rule],
    helpers: Sequence[Rule] = (),
    memory: Memory | None = None,
    became: dict[Node, Node] | None = None,
) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph with the rules applied to a fixpoint, and every firing in order.

    `helpers` keep what the rules make in normal form. They pass by the nodes that `memory` knows to
    be in it, unless other nodes are shared now than were then; it receives those that turn out to
    be. `became` receives, for each node of the graph that does not stay, the node in its place.
    """
    run = _Run(graph, tuple(rules), tuple(helpers), memory or Memory())
    for node in graph.nodes:
        if not run.has_settled(node):
            run.settle(node)
    if not run.firings and all(run.settled[node] is node for node in graph.nodes):
        return graph, ()
    following = graph.mapped(run.settled, history=())
    following, renamed = with_names_of_views(graph, following, run.settled)
    if became is not None:
        settled = {n: renamed.get(run.settled[n], run.settled[n]) for n in graph.nodes}
        became.update((n, new) for n, new in settled.items() if new is not n)
    return following, tuple(run.firings)


class _Run:
    """One run of some rules over one graph."""

    def __init__(
        self, graph: Graph, rules: tuple[Rule, ...], helpers: tuple[Rule, ...], memory: Memory
    ) -> None:
        uses = {node: len(users) for node, users in graph.consumers.items()}
        for root in graph.roots():
            uses[root] += 1
        self.facts = Facts(uses, memory.number)
        self.blends = Blends(graph, self.facts)
        self.rules: RuleIndex = indexed(rules)
        self.helpers: RuleIndex = indexed(helpers)
        self.normal = memory.normal.setdefault(helpers, {})
        self.settled: dict[Node, Node] = {}
        self.firings: list[Firing] = []
        self.budget = 1000 + FIRINGS_PER_NODE * len(graph.nodes)
        self._original = set(graph.nodes)
        self._created: dict[int, Node] = {}

    def has_settled(self, node: Node) -> bool:
        """Settle a node of the graph whose operands stay as they are; say whether it was one."""
        settled = self.settled
        for operand in node.inputs:
            if settled[operand] is not operand:
                return False
        fired = self._fire(node)
        if fired is not None:
            self.settle(fired)
            settled[node] = settled[fired]
        else:
            settled[node] = node
        return True

    def settle(self, node: Node) -> None:
        """Bring a node, and what it needs, to the form in which no rule fires."""
        settled = self.settled
        pending: dict[Node, Node] = {}
        stack = [node]
        while stack:
            top = stack[-1]
            if top in settled:
                stack.pop()
                continue
            if top in pending:
                if pending[top] not in settled:
                    raise self._circle()
                settled[top] = settled[pending[top]]
                stack.pop()
                continue
            missing = [operand for operand in top.inputs if operand not in settled]
            if missing:
                stack += reversed(missing)
                continue
            following = self._step(top)
            if following is top:
                settled[top] = top
                stack.pop()
            else:
                pending[top] = following
                stack.append(following)

    def _step(self, node: Node) -> Node:
        """Return the node over settled operands, or what a rule makes of it."""
        current = rebuilt(node, tuple([self.settled[operand] for operand in node.inputs]))
        if current is not node:
            self.facts.becomes(node, current)
            self.blends.becomes(node, current)
            return current
        if node not in self._original:
            twin = self._created.setdefault(self.facts.number(node), node)
            if twin is not node and twin.name == node.name and _may_stand_for(twin, node):
                self.facts.is_replaced(node, twin)
                self.blends.becomes(node, twin)
                return twin
        fired = self._fire(node)
        return node if fired is None else fired

    def _fire(self, node: Node) -> Node | None:
        """Return what the first rule that fires at the node makes of it, or None."""
        kind = kind_of(node)
        fired = self._first(self.rules.at(kind), node)
        if fired is not None or not self.helpers.rules or self._is_normal(node):
            return fired
        answers = self.facts.answers = {}
        fired = self._first(self.helpers.at(kind), node)
        self.facts.answers = None
        if fired is None:
            self.normal[node] = answers
        return fired

    def _first(self, candidates: tuple[Candidate, ...], node: Node) -> Node | None:
        for candidate in candidates:
            found = self._attempt(candidate, node)
            if found is not None and found[0] is not node:
                return self._replaced(node, candidate.rule, *found)
        return None

    def _is_normal(self, node: Node) -> bool:
        """Say whether the node was in normal form, and nothing that this rests on has changed."""
        answers = self.normal.get(node)
        if answers is None:
            return False
        return not answers or all(self.facts.is_shared(x) == was for x, was in answers.items())

    def _replaced(self, node: Node, rule: Rule, new: Node, covered: tuple[Node, ...]) -> Node:
        if new.type != node.type:
            raise GraphError(
                f"rule {rule.name!r} changes the type", got=str(new.type), expected=repr(node)
            )
        new = standing_for(new, node)
        self.facts.is_replaced(node, new)
        self.blends.becomes(node, new)
        self.firings.append(Firing(rule, covered, new))
        if len(self.firings) > self.budget:
            raise self._circle()
        return new

    def _circle(self) -> GraphError:
        last = dict.fromkeys(firing.rule.name for firing in self.firings[-8:])
        return GraphError(
            f"rewrite rules undo each other: {', '.join(last)}",
            fix="compile with optimize=1, which does without most of them: this is graphc's defect",
        )

    def _attempt(self, candidate: Candidate, node: Node) -> Replacement | None:
        rule = candidate.rule
        if rule.forward_only and not _is_forward(node):
            return None
        if candidate.pattern is None:
            assert rule.apply is not None
            with inherit(node.provenance):
                new = rule.apply(node, self.facts)
            return None if new is None else (new, _covered(node, new))
        found = match(candidate.pattern, node, self.facts.same)
        if found is None:
            return None
        if rule.spares_shared and any(map(self.facts.is_worth_sharing, found.nodes[1:])):
            return None
        if rule.spares_blends and self.blends.is_share(node):
            return None
        values = {**found.names, **found.numbers}
        if rule.when and not holds(rule.when, values, self.facts.predicate):
            return None
        with inherit(node.provenance):
            return _built(rule, found, node), tuple(found.nodes)


def _built(rule: Rule, found: Match, node: Node) -> Node:
    """Return the right-hand side of a rule for what its names stand for."""
    result = evaluate_formula(rule.after, {**found.names, **found.numbers}, NODES)
    if isinstance(result, Node):
        return result
    return fill(result, node.shape, node.dtype)


def _is_forward(node: Node) -> bool:
    """Say whether a node is part of the model, not of a derivative of either mode."""
    return node.provenance.phase == FORWARD and not node.provenance.is_derivative


def _may_stand_for(twin: Node, node: Node) -> bool:
    """Say whether a value of the twin's phase may be read where the node stands."""
    return twin.provenance.phase in (FORWARD, node.provenance.phase)


def _covered(root: Node, new: Node) -> tuple[Node, ...]:
    """Return the nodes near the root that the new expression does not read."""
    kept, layer = {new}, [new]
    for _ in range(_SEEN + 1):
        layer = [operand for node in layer for operand in node.inputs]
        kept.update(layer)
    covered, layer = {root: None}, [root]
    for _ in range(_SEEN - 1):
        layer = [operand for node in layer for operand in node.inputs if operand not in kept]
        layer = [operand for operand in layer if operand.inputs]
        covered.update(dict.fromkeys(layer))
    return tuple(covered)
