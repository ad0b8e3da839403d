"""What does a loop compute at each step besides its states, and what of? The y of an Elman net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.draw.silent import is_silent
from graphc.ir.body import Body
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops import OPS
from graphc.ops.loop import Item

Names = tuple[str, ...]
#: What is read: the state after the step, the one before it, a slice, what every step reads.
STATE, BEFORE, SLICE, GIVEN = "state", "before", "slice", "given"


@dataclass(frozen=True)
class Emitted:
    """A value that a loop emits and that is none of its states; `reads` has matrices by source."""

    loop: int
    node: Node  # the item that stands for the values of all steps
    name: str
    reads: Mapping[str, Names]


def emitted_by(
    loop: Node,
    number: int,
    graph: Graph,
    kinds: Mapping[Node, str],
    weights: Mapping[Node, str],
) -> list[Emitted]:
    """Return what a loop emits that the graph reads; what is a state in another form is left out.

    `kinds` says what the leaves of its body are, `weights` which products have a matrix's name.
    """
    body: Body = loop.attrs["body"]
    carries = loop.attrs["carries"]
    items = [x for x in graph.nodes if isinstance(x.op, Item) and x.inputs[0] is loop]
    emitted = [x for x in items if x.attrs["index"] >= carries]
    alike = _numbered(body.graph.nodes)
    numbers = {alike[essence(x)] for x in body.results[:carries]}
    states = {x for x in body.graph.nodes if alike[x] in numbers} | {*body.inputs[:carries]}
    return [
        Emitted(number, item, _name(item, result, graph), _reads(result, states, kinds, weights))
        for item in emitted
        for result in [body.results[item.attrs["index"]]]
        if essence(result) not in states and result.dtype.kind != "b"
    ]


def _numbered(nodes: Sequence[Node]) -> dict[Node, int]:
    """Return a number for each node; those that compute the same, one by one, share it."""
    numbers: dict[Node, int] = {}
    known: dict[object, int] = {}
    for node in nodes:
        key = (node.op.name, tuple(numbers[x] for x in node.inputs), node.attrs)
        numbers[node] = known.setdefault(key if node.inputs else node, len(known))
    return numbers


def read_by_states(loop: Node, kinds: Mapping[Node, str]) -> frozenset[str]:
    """Return of what kinds the leaves are that the next states are computed from."""
    needed = topological(loop.attrs["body"].results[: loop.attrs["carries"]])
    return frozenset(kinds[x] for x in needed if x in kinds)


def essence(node: Node) -> Node:
    """Return what a node is a view of; a choice by a mask is what holds where the mask does."""
    while True:
        is_view = is_silent(node) or (node.op.family == "movement" and len(node.inputs) == 1)
        if is_view:
            node = node.inputs[0]
        elif node.op is OPS["where"] and _is_mask(node.inputs[0]):
            node = node.inputs[1]
        else:
            return node


def _is_mask(node: Node) -> bool:
    leaves = [x for x in topological([node]) if not x.inputs]
    return all(leaf.dtype.kind == "b" for leaf in leaves if leaf.op is OPS["input"])


def _reads(
    result: Node, states: set[Node], kinds: Mapping[Node, str], weights: Mapping[Node, str]
) -> dict[str, Names]:
    """Return what a value is computed from, and by which matrices on the way."""
    found: dict[Node, dict[str, dict[str, None]]] = {}
    for node in topological([result]):
        if node in kinds or node in states:
            found[node] = {kinds.get(node, STATE): {}}
            continue
        found[node] = {}
        for x in node.inputs:
            for kind, names in found[x].items():
                found[node].setdefault(kind, {}).update(names)
        if node in weights:
            for names in found[node].values():
                names.setdefault(weights[node])
    return {kind: tuple(names) for kind, names in found[result].items()}


def _name(item: Node, result: Node, graph: Graph) -> str:
    """Return the name that a user gave the value, inside the loop or outside, or reads it by."""
    if result.name:
        return result.name
    for reader in graph.consumers.get(item, ()):
        if "body" in reader.attrs:
            pairs = zip(reader.attrs["body"].inputs, reader.inputs, strict=True)
            return next(str(leaf.attrs["name"]) for leaf, x in pairs if x is item)
    return graph.labels.get(item, "y")
