"""Which variables does a trace list? v0, v1, …: inputs, parameters, then nodes in layers.

The layer of a node is the length of the longest path that leads to it, so the trace of
ln(x1) + x1*x2 - sin(x2) takes ln, product and sine before it adds. Pictures call what has no name
by the same numbers.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from graphc.draw.silent import is_silent
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.types import TupleType
from graphc.ir.walk import topological
from graphc.ops.leaf import is_fill

#: What may stand before numbers, in order.
_LETTERS = "vuwabc" + string.ascii_lowercase


@dataclass(frozen=True, eq=False)
class Use:
    """One way in which a variable enters another: as which operand, past which silent nodes."""

    consumer: Node
    index: int
    silent: tuple[Node, ...]  # from the variable towards the consumer


@dataclass(frozen=True, eq=False)
class Numbering:
    """The variables of a graph in the order of evaluation; `number[node]` is a node's place."""

    graph: Graph
    number: Mapping[Node, int]

    @cached_property
    def letter(self) -> str:
        """What stands before the numbers: v, or another letter where names of the user's are v1."""
        taken = {name[:1] for name in self.graph.labels.values() if name[1:].isdecimal()}
        return next((x for x in _LETTERS if x not in taken), _LETTERS[0])

    @cached_property
    def uses(self) -> Mapping[Node, list[Use]]:
        """Each variable's uses through which a derivative flows, in order of their consumers."""
        found: dict[Node, list[Use]] = {}
        for consumer in self.number:
            for index, operand in enumerate(consumer.inputs):
                source, path = self.source(operand)
                flows = consumer.op.is_differentiable(consumer, index)
                if source in self.number and flows and all(_passes(node) for node in path):
                    found.setdefault(source, []).append(Use(consumer, index, path))
        return found

    def source(self, operand: Node) -> tuple[Node, tuple[Node, ...]]:
        """Return the variable or constant under an operand, and the silent nodes above it."""
        path: list[Node] = []
        while operand not in self.number and is_silent(operand):
            path.append(operand)
            operand = operand.inputs[0]
        return operand, tuple(reversed(path))

    def needed_for(self, root: Node) -> set[Node]:
        """Return the variables that a node needs, itself among them."""
        return {node for node in topological([root]) if node in self.number}


def numbered(graph: Graph) -> Numbering:
    """Return the numbering of a graph's variables."""
    leaves = [*graph.inputs.values(), *graph.params.values()]
    layer: dict[Node, int] = dict.fromkeys(leaves, 0)
    layers: list[list[Node]] = [leaves]
    outputs = set(graph.outputs.values())
    for node in graph.nodes:
        if node in layer:
            continue
        deepest = max((layer[operand] for operand in node.inputs), default=0)
        is_shown = node in graph.labels or node in outputs
        is_tuple = isinstance(node.type, TupleType)  # each of its results has a number
        if is_tuple or (not is_shown and (is_silent(node) or is_fill(node))):
            layer[node] = deepest
            continue
        layer[node] = deepest + bool(node.inputs)
        while len(layers) <= layer[node]:
            layers.append([])
        layers[layer[node]].append(node)
    order = (node for nodes in layers for node in nodes)
    return Numbering(graph, {node: place for place, node in enumerate(order)})


def _passes(node: Node) -> bool:
    return node.op.is_differentiable(node, 0)
