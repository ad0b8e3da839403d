"""Order: forward, then backward, then update, each in the order a person would write it."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD, UPDATE
from graphc.ir.walk import topological
from graphc.plan.buffers import assign_buffers
from graphc.plan.implicit import implicit_operands
from graphc.plan.program import Program, Statement

_RANK = {FORWARD: 0, BACKWARD: 1, UPDATE: 2}
_BLOCKS = (FORWARD, BACKWARD, UPDATE)


def plan(graph: Graph, observed: Mapping[str, Node] | None = None) -> Program:
    """Return the program of a lowered graph: order, in-place updates and buffers.

    `observed` maps parameter names to their gradients, which stay readable at the end of the
    backward block.
    """
    seen = dict(observed or {})
    order, block = _order(graph, seen)
    targets = _targets(graph, order, seen)
    statements = tuple(
        [
            Statement(node, operands, block[node], targets.get(node))
            for node, operands in _needed(order, [*graph.roots(), *seen.values()])
        ]
    )
    placed = set(targets.values())
    stores = {name: node for name, node in graph.updates.items() if name not in placed}
    buffers, place = assign_buffers(graph, statements, stores, seen)
    return Program(graph, statements, stores, seen, buffers, place)


def _order(graph: Graph, observed: Mapping[str, Node]) -> tuple[list[Node], dict[Node, str]]:
    """Return the nodes in execution order, and the block of each.

    Depth-first from the outputs; gradients are taken last parameter first, so that each is
    computed as soon as the sweep reaches its layer; draws come first, in the order of their making.
    """
    draws = sorted((n for n in graph.nodes if n.op.is_random), key=lambda n: n.attrs["draw"])
    outputs = list(graph.outputs.values())
    forward = [node for node in outputs if node.provenance.phase == FORWARD]
    later = [node for node in [*outputs, *observed.values()] if node.provenance.phase != FORWARD]
    roots = [*draws, *forward, *reversed(later), *_frontier(graph), *graph.updates.values()]
    nodes = topological(roots)
    rank: dict[Node, int] = {}
    for node in nodes:
        own = 0 if node.op.is_random else _RANK[node.provenance.phase]
        rank[node] = max([own, *[rank[operand] for operand in node.inputs]])
    ordered = sorted(nodes, key=rank.__getitem__)
    return ordered, {node: _BLOCKS[rank[node]] for node in ordered}


def _needed(order: list[Node], roots: list[Node]) -> list[tuple[Node, tuple[Node, ...]]]:
    """Return the nodes that need a statement, with the operands that each takes."""
    needed = set(roots)
    taken: list[tuple[Node, tuple[Node, ...]]] = []
    for node in reversed(order):
        if node in needed:
            operands = implicit_operands(node)
            needed.update(operands)
            taken.append((node, operands))
    return taken[::-1]


def _frontier(graph: Graph) -> list[Node]:
    """Return the values of the backward block that the update block reads, last first."""
    if not graph.updates:
        return []
    found: dict[Node, None] = {}
    for node in graph.nodes:
        if node.provenance.phase == UPDATE:
            for operand in node.inputs:
                if operand.provenance.phase == BACKWARD:
                    found[operand] = None
    return list(reversed(found))


def _targets(graph: Graph, order: list[Node], observed: Mapping[str, Node]) -> dict[Node, str]:
    """Return the nodes that may be written straight into the parameter they update."""
    position = {node: i for i, node in enumerate(order)}
    last_read = _last_reads(graph, order, position)
    kept = {*graph.outputs.values(), *observed.values()}
    targets: dict[Node, str] = {}
    for name, node in graph.updates.items():
        param = graph.params[name]
        is_free = not node.op.is_leaf and not node.op.is_view and node not in kept
        if is_free and node not in targets and last_read.get(param, -1) <= position[node]:
            targets[node] = name
    return targets


def _last_reads(graph: Graph, order: list[Node], position: Mapping[Node, int]) -> dict[Node, int]:
    """Return where each parameter's memory is read last, views of it included."""
    storage: dict[Node, Node] = {}
    last: dict[Node, int] = {}
    for node in order:
        for operand in node.inputs:
            base = storage.get(operand, operand)
            last[base] = position[node]
        if node.op.is_view and node.inputs:
            storage[node] = storage.get(node.inputs[0], node.inputs[0])
    return last
