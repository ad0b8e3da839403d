"""What does the compiler do to a graph, stage by stage, and what becomes of each node?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from graphc.draw.silent import is_silent
from graphc.draw.typography import name_text
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.rewrite.engine.rule import Firing, PassRecord


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


def for_each_stage(stages: Sequence[Stage], make: Callable[[int], T]) -> list[T]:
    """Return what is made for each stage; one in which nothing happens has that of the one before.

    `make` gets the place of a stage.
    """
    found: list[T] = []
    for place, stage in enumerate(stages):
        is_idle = place > 0 and stage.leaves_as_it_was(stages[place - 1])
        found.append(found[-1] if is_idle else make(place))
    return found


def stages_of(records: Iterable[PassRecord]) -> list[Stage]:
    """Return the stages that the records of passes tell of."""
    return [Stage(r.name, r.title, r.graph, r.firings, r.became) for r in records]


# -- ids that stay -------------------------------------------------------------------------------

T = TypeVar("T")

ADDED, CHANGED, REMOVED = "+", "~", "-"


@dataclass(frozen=True)
class Event:
    """What one stage did to one node: its mark, the rule, and the ids that took its place."""

    stage: int
    mark: str
    rule: str = ""
    into: str = ""


@dataclass(frozen=True, eq=False)
class Lineage:
    """The id of each node in each stage, and what happened to it in each."""

    stages: Sequence[Stage]
    ids: Sequence[Mapping[Node, str]]
    events: Mapping[str, Sequence[Event]]


@dataclass(eq=False)
class _Tracing:
    """The ids given so far."""

    ids: list[dict[Node, str]] = field(default_factory=list)
    events: dict[str, list[Event]] = field(default_factory=dict)
    count: int = 0

    def fresh(self) -> str:
        self.count += 1
        return f"n{self.count}"


def lineage(stages: Sequence[Stage]) -> Lineage:
    """Return the ids of all nodes: a node keeps its id while it is there, also when it changes."""
    tracing = _Tracing()
    tracing.ids.append({node: tracing.fresh() for node in stages[0].graph.nodes})
    for place in range(1, len(stages)):
        _follow(tracing, stages, place)
    return Lineage(stages, tracing.ids, tracing.events)


def _follow(tracing: _Tracing, stages: Sequence[Stage], place: int) -> None:
    """Give ids to the nodes of a stage, and note what happened to those of the stage before."""
    before, stage = stages[place - 1], stages[place]
    known = tracing.ids[-1]
    ancestors: dict[Node, list[Node]] = {}
    for node in before.graph.nodes:
        ancestors.setdefault(stage.became.get(node, node), []).append(node)
    ids: dict[Node, str] = {}
    for node in stage.graph.nodes:
        heirs = ancestors.get(node)
        ids[node] = known[_ancestor(node, heirs)] if heirs else tracing.fresh()
    tracing.ids.append(ids)
    kept = set(ids.values())
    rules = _Rules(stage.firings, known)
    by_id = {key: node for node, key in known.items()}
    for node, key in ids.items():
        if key not in by_id:
            tracing.events.setdefault(key, []).append(Event(place, ADDED, rules.maker(node)))
        elif _differs(by_id[key], known, node, ids):
            changed = Event(place, CHANGED, rules.of(by_id[key]))
            tracing.events.setdefault(key, []).append(changed)
    for node, key in known.items():
        if key not in kept:
            into = ids.get(stage.became.get(node, node), "")
            tracing.events.setdefault(key, []).append(Event(place, REMOVED, rules.of(node), into))


def _ancestor(node: Node, candidates: Sequence[Node]) -> Node:
    """Return which of several nodes that became one is the one it was."""
    for is_same in (
        lambda old: old is node,
        lambda old: old.provenance.order == node.provenance.order,
        lambda old: old.name is not None and old.name == node.name,
    ):
        found = next(filter(is_same, candidates), None)
        if found is not None:
            return found
    return candidates[0]


def _differs(old: Node, known: Mapping[Node, str], new: Node, ids: Mapping[Node, str]) -> bool:
    """Say whether a node computes something else than before, or reads something else."""
    if old is new:
        return False
    if old.op is not new.op or old.attrs != new.attrs or old.type != new.type:
        return True
    if [known[x] for x in old.inputs] != [ids.get(x) for x in new.inputs]:
        return True
    return [known[_shown(x)] for x in old.inputs] != [ids.get(_shown(x)) for x in new.inputs]


def _shown(node: Node) -> Node:
    """Return the node that the picture shows where this one is read."""
    while is_silent(node) and node.name is None:
        node = node.inputs[0]
    return node


class _Rules:
    """Which rule touched or made a node of a stage."""

    def __init__(self, firings: Sequence[Firing], known: Mapping[Node, str]) -> None:
        self._touched: dict[int, str] = {}
        self._made: dict[int, str] = {}
        newest = max((node.provenance.order for node in known), default=-1)
        for firing in firings:
            name = firing.rule.name
            for node in firing.before:
                self._touched.setdefault(node.provenance.order, name)
            for node in made_by(firing, newest):
                self._made.setdefault(node.provenance.order, name)

    def of(self, node: Node) -> str:
        return self._touched.get(node.provenance.order, "")

    def maker(self, node: Node) -> str:
        return self._made.get(node.provenance.order, "")


def made_by(firing: Firing, newest: int) -> list[Node]:
    """Return the nodes that a firing made: those younger than all nodes of the stage before."""

    def is_old(node: Node) -> bool:
        return node.provenance.order <= newest

    return [node for node in topological([firing.after], is_old) if not is_old(node)]


def shown_names(
    found: Lineage,
    letter: str,
    number: Mapping[Node, int],
    variables: Sequence[Mapping[str, str]],
) -> dict[str, str]:
    """Return the name of each id, one for all stages and each different.

    That is the user's name where there is one; else v0, v1, … where `number` gives the node's place
    in a trace; else the variable that the code of its last stage has for it; else the next v.
    """
    names: dict[str, str] = {}
    taken = {f"{letter}{place}" for place in number.values()}
    for stage, known in zip(found.stages, found.ids, strict=True):
        for node, label in labels_of(stage.graph).items():
            names.setdefault(known[node], name_text(label))
            taken.add(name_text(label))
    for known in found.ids:
        for node, key in known.items():
            if node in number:
                names.setdefault(key, f"{letter}{number[node]}")
    for stage_variables in reversed(variables):
        for key, variable in stage_variables.items():
            if key not in names and variable not in taken:
                names[key] = variable
                taken.add(variable)
    free = (name for i in itertools.count(len(number)) if (name := f"{letter}{i}") not in taken)
    for known in found.ids:
        for key in known.values():
            if key not in names:
                names[key] = next(free)
    return names


def labels_of(graph: Graph) -> Mapping[Node, str]:
    """Return the names that the user gave, and those of outputs; unread inputs have none."""
    outputs = {node: name for name, node in reversed(list(graph.outputs.items()))}
    return {x: name for x, name in {**outputs, **graph.labels}.items() if x in graph.consumers}
