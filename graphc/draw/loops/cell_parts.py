"""What is the body of a loop made of, as a cell? Gates, pointwise operations, and their wires.

A gate is a function of one argument applied to something linear in its sources: products with
weights, sums, biases, slices. What is linear and not inside a gate is a part of its own. A weight
for each unit, as a peephole has, is a `peek`: that source is read without a matrix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.draw.loops.recurrences import given_leaves
from graphc.draw.products import weight_nodes, weight_of
from graphc.draw.silent import is_silent
from graphc.draw.typography import literal_text, name_text
from graphc.ir.body import Body
from graphc.ir.node import Node
from graphc.ir.walk import reached
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.loop import Item, Parts

_HOLE = "\N{BULLET}"


@dataclass(frozen=True)
class Part:
    """A box of a cell. `sources` are leaves or parts, read through weights if it is a gate."""

    node: Node
    kind: str  # gate, linear or pointwise
    label: str
    name: str
    sources: Mapping[Node, None]  # ordered, and asked for membership
    peeks: Mapping[Node, None] = field(default_factory=dict)

    @property
    def reads(self) -> Mapping[Node, None]:
        return {**self.sources, **self.peeks}


@dataclass(frozen=True)
class Cell:
    """The parts of a body in topological order, its leaves, and what leaves it.

    `slices` hold what differs from step to step, and what every step reads alike.
    """

    carries: tuple[Node, ...]
    slices: tuple[Node, ...]
    parts: Mapping[Node, Part]
    results: tuple[Node, ...]  # next carries, then what is emitted: parts or leaves
    given: Mapping[Node, str]  # what the graph calls the leaves that every step reads alike

    def name(self, leaf: Node) -> str:
        return self.given.get(leaf) or str(leaf.attrs["name"])


def cell_of(loop: Node, labels: Mapping[Node, str] | None = None) -> Cell:
    """Return the parts of a loop's body; `labels` are the names that stand around it."""
    loop_parts = Parts(loop)
    body, carries = loop_parts.body, loop_parts.carries
    known = labels or {}
    given = {x: known.get(outer, outer.name or "") for x, outer in given_leaves(loop)}
    leaves = (*body.inputs[: loop_parts.constants_from], *given)
    read, outer = set(leaves), dict(zip(body.inputs, loop.inputs, strict=True))
    weights = {x: outer[x].name or "" for x in body.inputs if x not in read}
    finder = _Finder(body, leaves, weights, given)
    for node in body.graph.nodes:
        finder.visit(node)
    results = tuple(finder.signal_of(result) for result in body.results)
    parts = finder.parts
    wanted = reached(results, lambda node: parts[node].reads if node in parts else ())
    parts = {node: part for node, part in parts.items() if node in wanted}
    return Cell(leaves[:carries], leaves[carries:], parts, results, given)


@dataclass(frozen=True)
class _Linear:
    """What a linear expression reads: through matrices, and unit by unit."""

    sources: dict[Node, None] = field(default_factory=dict)
    peeks: dict[Node, None] = field(default_factory=dict)
    matrices: dict[str, None] = field(default_factory=dict)

    @property
    def rest(self) -> dict[Node, None]:
        """What is read unit by unit only."""
        return {node: None for node in self.peeks if node not in self.sources}

    def joined(self, other: _Linear) -> _Linear:
        matrices = self.matrices | other.matrices
        return _Linear(self.sources | other.sources, self.peeks | other.peeks, matrices)


class _Finder:
    """One pass over a body's nodes."""

    def __init__(
        self,
        body: Body,
        leaves: Sequence[Node],
        weights: Mapping[Node, str],
        given: Mapping[Node, str],
    ) -> None:
        self.graph = body.graph
        self.given = {x: name for x, name in given.items() if name}
        self.named = {x: name for x, name in weights.items() if name}  # as they stand in labels
        self.results = set(body.results)
        self.leaves = set(leaves)
        self.weights = weight_nodes(body.graph.nodes, weights)
        self.parts: dict[Node, Part] = {}
        self.linear: dict[Node, _Linear] = {}
        self.signal: dict[Node, Node] = {}  # node -> the leaf or part whose value it is
        self.joined: dict[Node, tuple[Node, ...]] = {}
        self.free: set[Node] = set()

    def visit(self, node: Node) -> None:
        if node in self.leaves:
            self.signal[node] = node
        elif node in self.weights or node in self.signal:
            return
        elif all(x in self.free for x in node.inputs):
            self.free.add(node)
        elif not self._view(node) and not self._product(node) and not self._sum(node):
            self._box(node)

    def _view(self, node: Node) -> bool:
        """Take slices, broadcasts and concatenations for what they are views of."""
        if node.op is OPS["concat"]:
            data = [x for x in node.inputs if x not in self.weights and x not in self.free]
            self.joined[node] = tuple(dict.fromkeys(s for x in data for s in self._sources(x)))
            return True
        is_moved = node.op.family == "movement" or isinstance(node.op, Item)
        if not is_silent(node) and not is_moved:
            return False
        data = [x for x in node.inputs if x not in self.free and x not in self.weights]
        if len(data) > 1:
            return False  # picked by an index that is data too
        operand = node.inputs[0]
        if operand in self.weights and data:  # rows of a table: the product with one-hot vectors
            found, matrices = dict.fromkeys(self._sources(data[0])), {self._matrix(operand): None}
            self.linear[node] = _Linear(found, {}, matrices)
            return True
        tables: tuple[dict[Node, Any], ...] = (self.linear, self.joined, self.signal)
        for table in tables:
            if operand in table:
                table[node] = table[operand]
        return True

    def _sources(self, node: Node) -> tuple[Node, ...]:
        if node in self.linear:
            found = self.linear[node]
            return (*found.sources, *found.peeks)
        return self.joined.get(node) or (self.signal_of(node),)

    def _product(self, node: Node) -> bool:
        weight = weight_of(node, self.weights)
        if weight is None:
            return False
        data = node.inputs[1] if node.inputs[0] is weight else node.inputs[0]
        found = dict.fromkeys(self._sources(data))
        is_matrix = node.op.family == "contraction"
        matrices = {self._matrix(weight): None}
        self.linear[node] = _Linear(found, {}, matrices) if is_matrix else _Linear({}, found)
        return True

    def _sum(self, node: Node) -> bool:
        """Take a sum with something linear in it as linear."""
        if node.op.infix not in ("+", "-"):
            return False
        if not any(x in self.linear for x in node.inputs):
            return False
        total = _Linear()
        for x in node.inputs:
            if x in self.linear:
                total = total.joined(self.linear[x])
            elif x not in self.weights and x not in self.free:
                total = total.joined(_Linear({}, dict.fromkeys(self._sources(x))))
        self.linear[node] = total
        return True

    def _box(self, node: Node) -> None:
        """Make a part: a gate where one function is applied to something linear."""
        data = [x for x in node.inputs if x not in self.free and x not in self.weights]
        is_gate = len(data) == 1 and data[0] in self.linear and data[0] not in self.results
        if is_gate and isinstance(node.op, Pointwise):
            self._gate(node, self.linear[data[0]])
            return
        if isinstance(node.op, Pointwise):  # its label holds what is given by name: `− C`
            data = [x for x in data if self._constant(x) == _HOLE] or data
        sources = dict.fromkeys(s for x in data for s in self._operands(x))
        # A loop inside the step has its weights where no product of this body shows them.
        is_weighed = node.op.family == "loop" and any(x in self.weights for x in node.inputs)
        kind = "gate" if is_weighed else "pointwise"
        self.parts[node] = Part(node, kind, self._label(node), self._name(node), sources)
        self.signal[node] = node

    def _operands(self, node: Node) -> tuple[Node, ...]:
        return self.joined.get(node) or (self.signal_of(node),)

    def _gate(self, node: Node, linear: _Linear) -> None:
        """Make a gate; one that is cut into slices is as many gates."""
        users = self.graph.consumers[node]
        slices = [user for user in users if user.op is OPS["slice"]]
        for key in slices if slices and len(slices) == len(users) else [node]:
            name = self._name(key) or self._name(node)
            self.parts[key] = Part(
                key, "gate", self._label(node), name, linear.sources, linear.rest
            )
            self.signal[key] = key
        self.signal.setdefault(node, node)

    def signal_of(self, node: Node) -> Node:
        """Return the leaf or part whose value a node has; something linear becomes a part."""
        if node in self.signal:
            return self.signal[node]
        name = self._name(node)
        if node in self.joined:
            if len(self.joined[node]) == 1:
                return self.joined[node][0]
            sources = dict.fromkeys(self.joined[node])
            self.parts[node] = Part(node, "pointwise", self._label(node), name, sources)
        else:
            linear = self.linear.get(node, _Linear())
            label = f"{', '.join(linear.matrices) or 'W'}·"
            self.parts[node] = Part(node, "linear", label, name, linear.sources, linear.rest)
        self.signal[node] = node
        return node

    def _matrix(self, weight: Node) -> str:
        """Return a matrix's own name; that of its layer is left out where no other is called so."""
        while weight.inputs:
            weight = weight.inputs[0]
        name = self.named.get(weight) or self._name(weight) or "W"
        lasts = [known.rpartition(".")[2] for known in self.named.values()]
        last = name.rpartition(".")[2]
        return name_text(last if lasts.count(last) <= 1 else name)

    def _name(self, node: Node) -> str:
        return self.graph.labels.get(node, "")

    def _label(self, node: Node) -> str:
        """Return what a box shows: `σ`, `×`, `1 −`."""
        infix = node.op.infix
        texts = [self._constant(x) for x in node.inputs]
        if not isinstance(node.op, Pointwise):
            texts = [_HOLE if text in self.given.values() else text for text in texts]
        if infix == "*" and texts == [_HOLE, _HOLE]:
            return "×"
        label = node.op.label(node, texts).replace(f"({_HOLE})", "").replace(_HOLE, "")
        return re.split(r"[(\[]", label, maxsplit=1)[0].strip(" ,()") or node.op.name

    def _constant(self, node: Node) -> str:
        """Return a number, or the name of a weight, as it stands in a label."""
        while node.op.family == "movement" and len(node.inputs) == 1:
            node = node.inputs[0]
        if node.op is OPS["full"]:
            return literal_text(node.op.label(node, []))
        return self.named.get(node) or self.given.get(node, _HOLE)
