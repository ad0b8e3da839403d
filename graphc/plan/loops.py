"""Loops in a program: the body as a program of its own, and where its results live."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import substitute
from graphc.ops.loop import Item, Parts, Scan, item
from graphc.ops.registry import OPS
from graphc.plan.program import Program


@dataclass(frozen=True)
class Loop:
    """How one scan runs.

    Inside, carries are parameters, which each step updates; sequences and constants are inputs.
    `items` are the nodes of the surrounding graph that hold the results, one for each.
    """

    node: Node
    inside: Program
    carries: tuple[Node, ...]
    sequences: tuple[Node, ...]
    constants: tuple[Node, ...]
    #: What the steps emit, in the order of the stacks.
    emitted: tuple[Node, ...]
    #: The next values of the carries.
    following: tuple[Node, ...]
    items: tuple[Node, ...]

    @property
    def stacks(self) -> tuple[Node, ...]:
        """The items that hold what each step emitted."""
        return self.items[len(self.carries) :]

    @cached_property
    def in_order(self) -> tuple[int, ...]:
        """The stacks in the order in which a step computes what they hold."""
        place = {s.node: i for i, s in enumerate(self.inside.statements)}
        return tuple(sorted(range(len(self.emitted)), key=lambda j: place.get(self.emitted[j], -1)))

    @cached_property
    def slots(self) -> Mapping[int, int]:
        """Carry -> the first stack that holds all its values, for those that are emitted."""
        place: dict[Node, int] = {}
        for j, node in enumerate(self.emitted):
            place.setdefault(node, j)
        return {
            i: place[node]
            for i, node in enumerate(self.following)
            if node in place and node.inputs and not node.op.is_view
        }


def loops_of(nodes: Sequence[Node], plan: Callable[[Graph], Program]) -> dict[Node, Loop]:
    """Return the loops among nodes, each with its body planned."""
    taken: dict[Node, dict[int, Node]] = {node: {} for node in nodes if isinstance(node.op, Scan)}
    for node in nodes:
        if isinstance(node.op, Item):
            taken[node.inputs[0]].setdefault(node.attrs["index"], node)
    return {node: _planned(node, found, plan) for node, found in taken.items()}


def _planned(node: Node, found: Mapping[int, Node], plan: Callable[[Graph], Program]) -> Loop:
    parts = Parts(node)
    body, leaves, first = parts.body, parts.leaves, parts.carries
    carries = [
        OPS["param"](leaf.attrs["name"], leaf.shape, leaf.dtype, trainable=False)
        for leaf in leaves.carries
    ]
    replacement = dict(zip(leaves.carries, carries, strict=True))
    results = substitute(body.results, replacement)
    following, emitted = results[:first], results[first:]
    updates = {leaf.attrs["name"]: x for leaf, x in zip(carries, following, strict=True)}
    names, shown = list(body.graph.outputs)[first:], set(following)
    outputs = {name: x for name, x in zip(names, emitted, strict=True) if x not in shown}
    inputs = [*leaves.sequences, *leaves.constants]
    graph = Graph(
        outputs, updates=updates, name=body.name, inputs=inputs, params=carries, warns=False
    )
    return Loop(
        node,
        plan(graph),
        tuple(carries),
        tuple(leaves.sequences),
        tuple(leaves.constants),
        tuple(emitted),
        tuple(following),
        tuple([found[i] if i in found else item(node, i) for i in range(len(results))]),
    )
