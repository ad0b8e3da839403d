"""Passes over whole graphs: node by node, into the bodies of loops, and over loops as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from graphc.ir.body import Body
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph
from graphc.ir.naming import free_name
from graphc.ir.node import Node, rebuilt, standing_for
from graphc.ir.provenance import inherit
from graphc.ir.walk import new_nodes, reaching, substitute, topological
from graphc.ops.leaf import input_for
from graphc.ops.loop import Item, Parts, Scan, item, scan, with_body
from graphc.rewrite.engine.rule import Firing, Rule

Became: TypeAlias = "dict[Node, Node]"
#: A graph -> what a pass makes of it, and its firings.
Change: TypeAlias = "Callable[[Graph], tuple[Graph, tuple[Firing, ...]]]"
#: A loop and which of its results are used -> what stands for each of these; None: no change.
LoopChange: TypeAlias = "Callable[[Node, set[int]], dict[int, Node] | None]"


class Standing(dict[Node, Node]):
    """What stands for nodes by now: all that it does not hold stand for themselves."""

    def __missing__(self, node: Node) -> Node:
        return node


#: A node, the same over what stands for its operands, and what stands for those before it -> a
#: firing at the node; None: no change.
NodeChange: TypeAlias = "Callable[[Node, Node, Standing], Firing | None]"


def over_nodes(
    graph: Graph, change: NodeChange, became: Became
) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph with a change made to its nodes, operands first."""
    firings: list[Firing] = []
    new = Standing()
    for node in graph.nodes:
        again = rebuilt(node, tuple([new[x] for x in node.inputs])) if new else node
        firing = change(node, again, new)
        if firing is not None:
            firings.append(firing)
            again = firing.after
        if again is not node:
            new[node] = again
    if not firings:
        return graph, ()
    became.update(new)
    return graph.mapped(new, history=()), tuple(firings)


def has_loops(graph: Graph) -> bool:
    return any(isinstance(op, Scan) for op in {node.op for node in graph.nodes})


def in_bodies(graph: Graph, change: Change, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph with a change made to the body of each of its loops."""
    if not has_loops(graph):
        return graph, ()
    firings: list[Firing] = []
    new: dict[Node, Node] = {}
    for node in graph.nodes:
        again = rebuilt(node, tuple([new[x] for x in node.inputs]))
        if isinstance(node.op, Scan):
            body: Body = node.attrs["body"]
            inside, fired = change(body.graph)
            if inside is not body.graph:
                again = with_body(again, Body(inside))
                firings += fired
        new[node] = again
    return replaced(graph, new, became), tuple(firings)


def over_loops(
    graph: Graph, rule: Rule, change: LoopChange, became: Became
) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph with a change made to each of its loops as a whole."""
    used: dict[Node, set[int]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Item):
            used.setdefault(node.inputs[0], set()).add(node.attrs["index"])
    firings: list[Firing] = []
    new: dict[Node, Node] = {}
    results: dict[Node, dict[int, Node]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Item) and node.inputs[0] in results:
            found = results[node.inputs[0]][node.attrs["index"]]
            new[node] = standing_for(found, node)
            continue
        new[node] = rebuilt(node, tuple([new[x] for x in node.inputs]))
        if isinstance(node.op, Scan):
            with inherit(node.provenance):
                changed = change(new[node], used.get(node, set()))
            if changed is not None:
                results[node] = changed
                firings.append(Firing(rule, (node,), next(iter(changed.values()))))
    return replaced(graph, new, became), tuple(firings)


def replaced(graph: Graph, new: dict[Node, Node], became: Became) -> Graph:
    """Return the graph over new nodes; itself where nothing is new."""
    if all(node is again for node, again in new.items()):
        return graph
    became.update((node, again) for node, again in new.items() if node is not again)
    return graph.mapped(new, history=())


@dataclass
class Carry:
    """A carry: its name inside, its first value, its next value, and how results call it."""

    leaf: Node
    initial: Node
    following: Node


@dataclass
class Draft:
    """A loop taken apart; `built` puts it together again.

    `results` says, for each result of the original loop that is used, where it is found now.
    """

    origin: Node
    carries: list[Carry]
    sequences: list[tuple[Node, Node]]
    constants: list[tuple[Node, Node]]
    emitted: list[Node]
    names: dict[Node, str] = field(default_factory=dict)

    @property
    def length(self) -> Dim:
        length: Dim = self.origin.attrs["length"]
        return length

    def substitute(self, replacement: dict[Node, Node]) -> None:
        """Replace nodes of the body by others."""
        self._set_roots(substitute(self.roots(), replacement))

    def rework(self, replacement: dict[Node, Node]) -> None:
        """Replace nodes by others that are made of nodes which are replaced themselves.

        Each is built over what stands for these now; else the body would compute both forms.
        """
        new: dict[Node, Node] = {}
        for node in topological(self.roots()):
            value = replacement.get(node, node)
            for x in new_nodes(value, new):
                new[x] = rebuilt(x, tuple([new[operand] for operand in x.inputs]))
            new[node] = new[value]
        self._set_roots([new[root] for root in self.roots()])

    def _set_roots(self, roots: Sequence[Node]) -> None:
        for carry, following in zip(self.carries, roots, strict=False):
            carry.following = following
        self.emitted = list(roots[len(self.carries) :])

    def roots(self) -> list[Node]:
        return [carry.following for carry in self.carries] + self.emitted

    def steady(self, order: Sequence[Node]) -> set[Node]:
        """Return the nodes of the body, given operands first, that no carry enters."""
        return set(order) - reaching(order, [carry.leaf for carry in self.carries])

    def emit(self, node: Node) -> int:
        """Have each step emit a value, and return which stack it is in."""
        for j, known in enumerate(self.emitted):
            if known is node:
                return j
        self.emitted.append(node)
        return len(self.emitted) - 1

    def add_constant(self, name: str, value: Node) -> Node:
        """Return the input of the body that stands for a value from outside."""
        for leaf, known in self.constants:
            if known is value:
                return leaf
        leaf = input_for(value, name, value.shape)
        self.constants.append((leaf, value))
        return leaf

    def add_sequence(self, name: str, stack: Node, step: Node) -> Node:
        """Return the input of the body that stands for one step's part of a stack from outside."""
        for leaf, known in self.sequences:
            if known is stack:
                return leaf
        leaf = input_for(step, name, step.shape)
        self.sequences.append((leaf, stack))
        return leaf

    def built(self) -> Node:
        """Return the loop."""
        groups = (
            [(carry.leaf, carry.initial) for carry in self.carries],
            self.sequences,
            self.constants,
        )
        leaves = _uniquely_named([leaf for group in groups for leaf, _ in group])
        replacement = {old: new for old, new in leaves if old is not new}
        if replacement:
            self.substitute(dict(replacement))
        outputs: dict[str, Node] = {}
        for carry in self.carries:
            outputs[free_name(f"{carry.leaf.attrs['name']}_next", outputs)] = carry.following
        for node in self.emitted:
            wanted = self.names.get(node) or node.name or node.op.variable or node.op.name
            outputs[free_name(wanted, outputs)] = node
        body = Body.of(outputs, [new for _, new in leaves], self.origin.attrs["body"].name)
        return scan(
            *[operand for group in groups for _, operand in group],
            body=body,
            carries=len(self.carries),
            sequences=len(self.sequences),
            length=self.length,
            reverse=self.origin.attrs["reverse"],
        )

    def results(self, used: Iterable[int]) -> dict[int, Node]:
        """Return what stands for the used results of a loop that keeps all its results."""
        loop = self.built()
        return {index: item(loop, index) for index in sorted(used)}


def drafted(node: Node) -> Draft:
    """Return a loop taken apart."""
    parts = Parts(node)
    leaves, operands = parts.leaves, parts.operands
    carries = [
        Carry(leaf, initial, following)
        for leaf, initial, following in zip(
            leaves.carries, operands.carries, parts.following, strict=True
        )
    ]
    names = list(parts.body.graph.outputs)[parts.carries :]
    return Draft(
        node,
        carries,
        list(zip(leaves.sequences, operands.sequences, strict=True)),
        list(zip(leaves.constants, operands.constants, strict=True)),
        list(parts.emitted),
        dict(zip(parts.emitted, names, strict=True)),
    )


def _uniquely_named(leaves: Sequence[Node]) -> list[tuple[Node, Node]]:
    """Return each leaf with one of a name that no other has."""
    taken: dict[str, Node] = {}
    pairs = []
    for leaf in leaves:
        name = free_name(leaf.attrs["name"], taken)
        same = name == leaf.attrs["name"]
        taken[name] = leaf
        pairs.append((leaf, leaf if same else input_for(leaf, name, leaf.shape)))
    return pairs
