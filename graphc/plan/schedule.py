"""Order: forward, then backward, then update, each in the order a person would write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD, UPDATE
from graphc.ir.walk import topological
from graphc.plan.buffers import assign_buffers, storages
from graphc.plan.implicit import implicit_operands, written_as_numbers
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
    numbers = written_as_numbers(order)
    needed = _needed(order, [*graph.roots(), *seen.values()], numbers)
    statements = [Statement(node, operands, block[node]) for node, operands in needed]
    storage = storages(statements)
    targets = _targets(graph, statements, storage, seen)
    statements = [
        replace(s, target=targets[s.node]) if s.node in targets else s for s in statements
    ]
    placed = set(targets.values())
    stores = {
        name: node
        for name, node in graph.updates.items()
        if name not in placed and node is not graph.params[name]
    }
    buffers, place = assign_buffers(graph, statements, stores, seen)
    return Program(graph, tuple(statements), stores, seen, buffers, place, storage, numbers)


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
    early, late = _shown(graph), _next_values(graph, nodes, observed)
    rank: dict[Node, int] = {}
    for node in nodes:
        own = _RANK[UPDATE if node in late else node.provenance.phase]
        if node.op.is_random or node.op.is_leaf or node in early:
            own = 0
        rank[node] = max([own, *[rank[operand] for operand in node.inputs]])
    ordered = sorted(nodes, key=rank.__getitem__)
    return ordered, {node: _BLOCKS[rank[node]] for node in ordered}


def _shown(graph: Graph) -> set[Node]:
    """Return the views through which outputs show memory; they exist before anything changes."""
    shown: set[Node] = set()
    for node in graph.outputs.values():
        while node.op.is_view and node not in shown:
            shown.add(node)
            node = node.inputs[0]
    return shown


def _next_values(graph: Graph, nodes: list[Node], observed: Mapping[str, Node]) -> set[Node]:
    """Return the updates that nothing else needs: they belong to the update block anyway."""
    needed = {operand for node in nodes for operand in node.inputs}
    needed.update(graph.outputs.values(), observed.values())
    return {node for node in graph.updates.values() if node not in needed}


def _needed(
    order: list[Node], roots: list[Node], numbers: frozenset[Node]
) -> list[tuple[Node, tuple[Node, ...]]]:
    """Return the nodes that need a statement, with the operands that each takes."""
    needed = set(roots)
    taken: list[tuple[Node, tuple[Node, ...]]] = []
    for node in reversed(order):
        if node in needed:
            operands = implicit_operands(node, numbers)
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


def _targets(
    graph: Graph,
    statements: Sequence[Statement],
    storage: Mapping[Node, Node],
    observed: Mapping[str, Node],
) -> dict[Node, str]:
    """Return the nodes that may be written straight into the parameter they update.

    The old value must not be read any more: by a later statement, through a view of it, or by
    another parameter's update that is this very memory (`{"a": 2 * a, "b": a}`).
    """
    position = {s.node: i for i, s in enumerate(statements) if s.block == UPDATE}
    last_read: dict[Node, int] = {}
    for i, statement in enumerate(statements):
        for operand in statement.operands:
            last_read[storage.get(operand, operand)] = i
    for node in graph.updates.values():
        if node.op.is_leaf or node.op.is_view:
            last_read[storage.get(node, node)] = len(statements)
    kept = {*graph.outputs.values(), *observed.values()}
    targets: dict[Node, str] = {}
    for name, node in graph.updates.items():
        is_computed = bool(node.inputs) or node.op.is_random
        if node in kept or node in targets or node.op.is_view or not is_computed:
            continue
        if node in position and last_read.get(graph.params[name], -1) <= position[node]:
            targets[node] = name
    return targets
