"""Checkpoints: what the backward pass reads of a checkpointed scope is computed again.

The sweep builds adjoints that read the forward values as if all of them were kept. Here each such
reading of a value inside a checkpoint is replaced by that of a copy, computed from what enters
the scope through `recompute_from`: a barrier that waits for the cotangent at the scope's end, so
that no copy is merged with its original, and none is computed before it is needed.

What enters the scope, what leaves it, random draws and the results of loops are kept. Of
checkpoints inside one another, the inner one is computed again from copies of the outer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import BACKWARD
from graphc.ir.walk import new_nodes
from graphc.ops.barrier import recompute_from
from graphc.ops.leaf import full
from graphc.ops.loop import Item, Scan

RECOMPUTED = "recomputed"


class Segment(NamedTuple):
    """The nodes of one phase in the checkpoint of one scope; `level` counts those around it."""

    level: int
    scope: str
    phase: str


def with_recomputation(
    outputs: Sequence[Node],
    order: Sequence[Node],
    found: Sequence[Node | None],
    arrived: Mapping[Node, Node],
) -> tuple[list[Node | None], Mapping[Node, Node]]:
    """Return the cotangents that were found, and all that arrived, with checkpoints recomputed.

    `order` holds the nodes under `outputs`, which the sweep went through, operands first.
    """
    if not any(node.provenance.checkpoints for node in order):
        return list(found), arrived
    run = _Recomputation(order, outputs, arrived)
    run.rebuild(root for root in found if root is not None)
    roots = [None if root is None else run.read(root) for root in found]
    return roots, {node: run.new.get(c, c) for node, c in arrived.items()}


class _Recomputation:
    """The copies of what is computed again, and the adjoints that read them."""

    def __init__(
        self, order: Sequence[Node], outputs: Sequence[Node], arrived: Mapping[Node, Node]
    ) -> None:
        self.known = set(order)
        #: Node -> the segments inside which it is computed again, outermost first.
        self.inside = _inside(order, outputs)
        #: Segment -> the cotangent that its copies wait for: that of its last node on the way to
        #: the outputs, which therefore depends on nothing inside it. Later segments come first.
        self.awaited: dict[Segment, Node] = {}
        for node in reversed(order):
            if node in arrived:
                for segment in segments_of(node):
                    self.awaited.setdefault(segment, arrived[node])
        #: Adjoint -> the same, reading copies.
        self.new: dict[Node, Node] = {}
        self._copies: dict[tuple[Node, int], Node] = {}
        self._entering: dict[tuple[Node, Segment], Node] = {}

    def rebuild(self, roots: Iterable[Node]) -> None:
        """Rebuild the adjoints under the roots; cotangents that copies wait for come first."""
        stop = set(self.known)
        for root in (*self.awaited.values(), *roots):
            order = new_nodes(root, stop)
            stop.update(order)
            for node in order:
                self.new[node] = rebuilt(node, tuple([self.read(x) for x in node.inputs]))

    def read(self, node: Node) -> Node:
        """Return what an adjoint reads in a node's place: its innermost copy, if it has one."""
        depth = len(self.inside.get(node, ()))
        return self.copy(node, depth - 1) if depth else self.new.get(node, node)

    def copy(self, node: Node, level: int) -> Node:
        """Return a node computed again at a level of nesting, with all that it needs there."""
        stack = [(node, level)]
        while stack:
            top, at = stack[-1]
            segment = self.inside[top][at]
            needed = [(x, self._level_in(x, segment)) for x in top.inputs]
            missing = [n for n in needed if n[1] >= 0 and n not in self._copies]
            if missing:
                stack += missing
                continue
            stack.pop()
            if (top, at) not in self._copies:
                inputs = tuple([self._read_again(*n, segment) for n in needed])
                self._copies[top, at] = _as_copy(top, inputs)
        return self._copies[node, level]

    def _level_in(self, node: Node, segment: Segment) -> int:
        """Return the level of the copy that a segment reads of a node; -1 is the node itself."""
        around = self.inside.get(node, ())
        if segment in around:
            return segment.level
        return min(len(around), segment.level) - 1

    def _read_again(self, node: Node, level: int, segment: Segment) -> Node:
        """Return what a copy in a segment reads in a node's place."""
        value = self._copies[node, level] if level >= 0 else node
        if level == segment.level or node.op is full:
            return value
        found = self._entering.get((node, segment))
        if found is None:
            cotangent = self.awaited[segment]
            found = recompute_from.make((value, self.new.get(cotangent, cotangent)))
            provenance = replace(node.provenance.renamed(None), phase=BACKWARD)
            found = Node(found.op, found.inputs, found.attrs, found.type, provenance)
            self._entering[node, segment] = found
        return found


def segments_of(node: Node) -> tuple[Segment, ...]:
    """Return the segments that a node stands in, outermost first.

    A backward pass through a checkpoint is a segment of its own.
    """
    provenance = node.provenance
    scopes = enumerate(provenance.checkpoints)
    return tuple([Segment(level, scope, provenance.phase) for level, scope in scopes])


def _inside(order: Sequence[Node], outputs: Sequence[Node]) -> dict[Node, tuple[Segment, ...]]:
    """Return the nodes to compute again, with the segments that they do not leave."""
    found = {node: s for node in order if (s := segments_of(node)) and _is_repeatable(node)}
    found.update((node, ()) for node in outputs if node in found)
    for user in order:
        around = segments_of(user)
        for node in user.inputs:
            own = found.get(node)
            if own and own != around[: len(own)]:
                common = [a == b for a, b in zip(own, around, strict=False)]
                found[node] = own[: [*common, False].index(False)]
    return {node: segments for node, segments in found.items() if segments}


def _is_repeatable(node: Node) -> bool:
    """Say whether a value may be computed again: leaves and barriers need not, draws must not."""
    return (
        bool(node.inputs)
        and node.op is not recompute_from
        and not node.op.is_random
        and not isinstance(node.op, (Scan, Item))
    )


def _as_copy(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return the node computed again, over other inputs of the same types."""
    origin = replace(node.provenance.origin, note=RECOMPUTED)
    provenance = replace(node.provenance, phase=BACKWARD, origin=origin)
    return Node(node.op, inputs, node.attrs, node.type, provenance)
