"""Forward mode: one sweep along the graph, from what is varied to the outputs.

Each node turns the tangents of its inputs into its own: pointwise ops by their partials, with the
guards of reverse mode (`product`), and any other op by its linearization. Reverse mode transposes
these same linearizations, so each op states its derivative once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from graphc.differentiate.sweeps.loops import pushed_forward
from graphc.differentiate.sweeps.product import Slope, Slopes
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.provenance import TANGENT, inherit
from graphc.ir.walk import new_nodes, topological
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.loop import Item, Scan
from graphc.ops.registry import OPS


def tangents(
    outputs: Sequence[Node],
    wrt: Sequence[Node],
    seeds: Sequence[Node],
    is_higher: bool = False,
) -> list[Node | None]:
    """Return the tangent of each output when each node of `wrt` moves by its seed.

    None where no derivative flows to that output. A node of `wrt` that depends on another one is
    moved by its own seed alone. `is_higher` as for `cotangents`.
    """
    moved = moved_by(outputs, wrt, seeds, is_higher)
    return [moved.get(output) for output in outputs]


def moved_by(
    outputs: Sequence[Node],
    wrt: Sequence[Node],
    seeds: Sequence[Node],
    is_higher: bool = False,
) -> dict[Node, Node]:
    """Return the tangent of every node on the way from `wrt` to the outputs that moves."""
    order = topological(outputs)
    is_higher = is_higher or any(x.provenance.is_derivative for x in order)
    sweep = ForwardSweep(order, Slopes(is_higher))
    for node, seed in zip(wrt, seeds, strict=True):
        sweep.tangent[node] = seed
    sweep.run(order)
    return {node: sweep.tangent[node] for node in order if node in sweep.tangent}


class ForwardSweep:
    """The tangents found so far, at which node, and whether they may be infinite there."""

    def __init__(self, known: Sequence[Node], slopes: Slopes) -> None:
        self.known = set(known)
        self.slopes = slopes
        self.tangent: dict[Node, Node] = {}
        #: Nodes whose tangent may be infinite at finite values, as sqrt's is at 0.
        self.steep: set[Node] = set()
        #: Loop -> the tangents of its results by position.
        self.results: dict[Node, dict[int, Node]] = {}

    def run(self, order: Sequence[Node]) -> None:
        """Propagate from operands to users; `order` is topological."""
        for node in order:
            if isinstance(node.op, Item):
                self.push_item(node)
            elif node not in self.tangent and any(x in self.tangent for x in node.inputs):
                self.push(node)

    def push_item(self, node: Node) -> None:
        """Take the tangent of one result of a loop."""
        found = self.results.get(node.inputs[0], {}).get(node.attrs["index"])
        if found is not None and node not in self.tangent:
            self.tangent[node] = found

    def push(self, node: Node) -> None:
        """Find the tangent of one node, whose operands' tangents are known."""
        parts = self._flowing(node)
        if all(part is None for part in parts):
            return
        if isinstance(node.op, Scan):
            given = {i: part for i, part in enumerate(parts) if part is not None}
            with inherit(node.provenance, f"{TANGENT} {node.op.name}"):
                inside = partial(tangents, is_higher=self.slopes.is_higher)
                self.results[node] = pushed_forward(node, given, inside)
            return
        with inherit(node.provenance, f"{TANGENT} {node.name or node.op.name}"):
            if is_derived_from_formula(node.op):
                tangent = self._by_partials(node, parts)
            elif (definition := node.op.expand(node)) is not None:
                tangent = self._through(node, definition)
            else:
                tangent = node.op.linearize(node, parts)
                self._inherit_steepness(node, node.inputs)
        if tangent is not None:
            self.tangent[node] = tangent

    def _flowing(self, node: Node) -> list[Node | None]:
        """Return the tangents of the operands; None where there is none, or where it is cut."""
        return [
            self.tangent[x] if x in self.tangent and node.op.is_differentiable(node, i) else None
            for i, x in enumerate(node.inputs)
        ]

    def _by_partials(self, node: Node, parts: Sequence[Node | None]) -> Node | None:
        total: Node | None = None
        for i, part in enumerate(parts):
            if part is None:
                continue
            before = Slope.INFINITE if node.inputs[i] in self.steep else Slope.FINITE
            product, after = self.slopes.product(node, i, part, before)
            if product is None:
                continue
            total = product if total is None else OPS["add"](total, product)
            if after > Slope.AT_POLE:
                self.steep.add(node)
        return total

    def _through(self, node: Node, root: Node) -> Node | None:
        """Follow the tangents through a node's definition in other ops."""
        order = new_nodes(root, self.known)
        self.known.update(order)
        self.run(order)
        self._inherit_steepness(node, [root])
        return self.tangent.get(root)

    def _inherit_steepness(self, node: Node, sources: Sequence[Node]) -> None:
        if any(x in self.steep for x in sources):
            self.steep.add(node)


def is_derived_from_formula(op: Op) -> bool:
    """Say whether an op's partials come from its formula; other ops state what they come from."""
    own = type(op)
    states_one = own.linearize_first is not Op.linearize_first or own.expand is not Op.expand
    return isinstance(op, Pointwise) and own.linearize is Op.linearize and not states_one
