"""Reverse mode: one sweep over the graph, from the outputs to what they are derived by.

Each node hands its cotangent to its inputs: linear ops by their transpose, pointwise ops times
their partial (`product`), and any other op through its linearization, which is transposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from types import MappingProxyType

from graphc.differentiate.sweeps.checkpoints import with_recomputation
from graphc.differentiate.sweeps.forward import is_derived_from_formula
from graphc.differentiate.sweeps.loops import pulled_back
from graphc.differentiate.sweeps.product import Slope, Slopes, total
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import ADJOINT, BACKWARD, Provenance, inherit
from graphc.ir.walk import new_nodes, reaching, topological
from graphc.ops.leaf import full
from graphc.ops.loop import Item, Scan
from graphc.ops.registry import OPS


def cotangents(
    outputs: Sequence[Node],
    seeds: Sequence[Node],
    wrt: Sequence[Node],
    is_higher: bool = False,
) -> list[Node | None]:
    """Return, for each node of `wrt`, the sum over outputs of seed times derivative.

    None where no derivative flows from any output to that node. The graph may itself hold
    gradients: those nodes are nodes like all others, but the derivative `is_higher` then, as it is
    said to be of a loop's body in such a graph.
    """
    order = topological(outputs)
    known = set(order)
    is_higher = is_higher or any(x.provenance.is_derivative for x in order)
    sweep = Sweep(known, Slopes(is_higher))
    before = known | set(seeds)
    for output, seed in zip(outputs, seeds, strict=True):
        sweep.receive(output, seed, Slope.FINITE)
    sweep.run(order, wrt)
    found = [sweep.arrived.get(node) for node in wrt]
    found, arrived = with_recomputation(outputs, order, found, sweep.arrived)
    names = {x: x.name for x in arrived if x.name}
    arguments = _arguments(order, arrived)
    return named_adjoints(found, arrived, _after_seeds(outputs, seeds) | names, before, arguments)


class Sweep:
    """The cotangents that have arrived so far, at which node.

    `known` holds the nodes that were there before, at which a linearization ends.
    """

    def __init__(self, known: set[Node], slopes: Slopes, owner: Node | None = None) -> None:
        self.known = known
        self.slopes = slopes
        #: The node whose adjoint all of this sweep's nodes are; each operand's own if None.
        self.owner = owner
        self.arrived: dict[Node, Node] = {}
        self.slope: dict[Node, Slope] = {}
        #: Loop -> the cotangents of its results by position.
        self.results: dict[Node, dict[int, Node]] = {}

    def receive(self, node: Node, cotangent: Node | None, slope: Slope) -> None:
        """Add a cotangent to what has arrived at a node."""
        if cotangent is None:
            return
        before = self.arrived.get(node)
        if before is not None:
            with self.adjoint_of(node):
                cotangent = total(before, cotangent)
        self.arrived[node] = cotangent
        self.slope[node] = max(slope, self.slope.get(node, slope))

    def adjoint_of(self, node: Node) -> AbstractContextManager[None]:
        """Build the enclosed nodes as parts of the adjoint of a node."""
        owner = node if self.owner is None else self.owner
        return inherit(owner.provenance, f"{ADJOINT} {owner.name or owner.op.name}", BACKWARD)

    def run(self, order: Sequence[Node], wrt: Iterable[Node]) -> None:
        """Propagate from users to operands; `order` is topological."""
        needed = reaching(order, wrt)
        for node in reversed(order):
            if isinstance(node.op, Scan):
                if node in self.results:
                    self.through_loop(node, needed)
            elif node in self.arrived and any(x in needed for x in node.inputs):
                self.propagate(node, needed)

    def propagate(self, node: Node, needed: set[Node]) -> None:
        """Hand the cotangent of one node to those of its inputs that need one."""
        cotangent, slope = self.arrived[node], self.slope[node]
        if isinstance(node.op, Item):
            self.receive_result(node, cotangent, slope)
            return
        if slope > Slope.AT_POLE and (root := node.op.by_element(node)) is not None:
            operands = [x for x in dict.fromkeys(node.inputs) if x in needed]
            self.through(node, root, dict(zip(operands, operands, strict=True)))
            return
        nonlinear: list[int] = []
        for i, operand in enumerate(node.inputs):
            if operand not in needed or not node.op.is_differentiable(node, i):
                continue
            with self.adjoint_of(operand):
                part = node.op.transpose(node, cotangent, i)
                if part is not None:
                    after = self.slopes.through_transpose(node, i, slope)
                elif is_derived_from_formula(node.op):
                    part, after = self.slopes.product(node, i, cotangent, slope)
                else:
                    nonlinear.append(i)
                    continue
            self.receive(operand, part, after)
        if nonlinear:
            self.through_definition(node, nonlinear)

    def receive_result(self, node: Node, cotangent: Node, slope: Slope) -> None:
        """Add the cotangent of an item to what has arrived at its loop."""
        (loop,), index = node.inputs, node.attrs["index"]
        results = self.results.setdefault(loop, {})
        if index in results:
            with self.adjoint_of(node):
                cotangent = total(results[index], cotangent)
        results[index] = cotangent
        self.slope[loop] = max(slope, self.slope.get(loop, slope))

    def through_loop(self, node: Node, needed: set[Node]) -> None:
        """Propagate through a loop, by the loop that runs the other way."""
        wanted = [
            i
            for i, operand in enumerate(node.inputs)
            if operand in needed and node.op.is_differentiable(node, i)
        ]
        inside = partial(cotangents, is_higher=self.slopes.is_higher)
        for i, part in pulled_back(node, self.results[node], wanted, inside).items():
            if i in wanted:
                self.receive(node.inputs[i], part, self.slope[node])

    def through_definition(self, node: Node, indices: Sequence[int]) -> None:
        """Propagate through an op's expansion, or through the transpose of its linearization."""
        with inherit(node.provenance):
            root = node.op.expand(node)
        targets = {node.inputs[i]: node.inputs[i] for i in indices}
        if root is None:
            with self.adjoint_of(node.inputs[indices[0]]):
                tangents: list[Node | None] = [None] * len(node.inputs)
                for i in indices:
                    tangents[i] = placeholder(node.inputs[i])
                root = node.op.linearize(node, tangents)
            targets = {t: node.inputs[i] for i, t in enumerate(tangents) if t is not None}
        if root is not None:
            self.through(node, root, targets)

    def through(self, node: Node, root: Node, targets: Mapping[Node, Node]) -> None:
        """Propagate from what a node amounts to, to the operands that the targets stand for."""
        owner = next(iter(targets.values())) if self.owner is None else self.owner
        inner = Sweep(self.known, self.slopes, owner)
        inner.receive(root, self.arrived[node], self.slope[node])
        order = new_nodes(root, self.known)
        self.known.update(order)
        inner.run(order, targets)
        for target, operand in targets.items():
            slope = inner.slope.get(target, Slope.FINITE)
            self.receive(operand, inner.arrived.get(target), slope)


def _after_seeds(outputs: Sequence[Node], seeds: Sequence[Node]) -> dict[Node, str]:
    """Return what outputs are called whose cotangents are: h, where `d_h` comes from outside."""
    found: dict[Node, str] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        name = seed.attrs["name"] if seed.op.is_leaf and "name" in seed.attrs else ""
        if name.startswith("d_"):
            found.setdefault(output, name.removeprefix("d_"))
    return found


def _arguments(order: Sequence[Node], arrived: Mapping[Node, Node]) -> dict[Node, str]:
    """Return what nobody named but is all that a named value is a function of: h, of the z of relu.

    Its adjoint is that of h times a slope.
    """
    readers: dict[Node, list[Node]] = {}
    for node in order:
        for x in node.inputs:
            if x in arrived and x.name is None:
                readers.setdefault(x, []).append(node)
    found: dict[Node, str] = {}
    for node, (reader, *others) in readers.items():
        is_function = reader.op.infix is None and reader.op.broadcasts(reader)
        is_all = not others and all(x is node or x.op is full for x in reader.inputs)
        if reader.name and is_function and is_all:
            found[node] = reader.name
    return found


def named_adjoints(
    roots: Sequence[Node | None],
    arrived: Mapping[Node, Node],
    names: Mapping[Node, str],
    before: set[Node],
    arguments: Mapping[Node, str] = MappingProxyType({}),
) -> list[Node | None]:
    """Return the roots with each adjoint of a named node called `d_<name>`, down to `before`.

    The adjoints of `arguments` of named nodes are told to be so.
    """
    owners: dict[Node, str] = {}
    told: dict[Node, str] = {}
    for node, cotangent in arrived.items():
        if cotangent.name is None and cotangent not in before:
            if node in names:
                owners.setdefault(cotangent, names[node])
            elif node in arguments:
                told.setdefault(cotangent, arguments[node])
    new: dict[Node, Node] = {}
    stop = set(before)
    for root in roots:
        if root is None:
            continue
        order = new_nodes(root, stop)
        stop.update(order)
        for node in order:
            again = rebuilt(node, tuple([new.get(x, x) for x in node.inputs]))
            if node in owners:
                again = _with(again, again.provenance.as_adjoint(owners[node]))
            elif node in told:
                again = _with(again, again.provenance.as_adjoint(told[node], is_argument=True))
            new[node] = again
    return [None if root is None else new.get(root, root) for root in roots]


def _with(node: Node, provenance: Provenance) -> Node:
    return Node(node.op, node.inputs, node.attrs, node.type, provenance)


def placeholder(operand: Node) -> Node:
    """Return a leaf that stands for the tangent of an operand."""
    return OPS["input"]("tangent", operand.shape, operand.dtype)
