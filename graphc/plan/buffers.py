"""Memory: which values share an array, by lifetime, and which overwrite an operand in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.types import TensorType
from graphc.plan.program import Buffer

if TYPE_CHECKING:
    from graphc.plan.program import Statement


def assign_buffers(
    graph: Graph,
    statements: Sequence[Statement],
    stores: Mapping[str, Node],
    observed: Mapping[str, Node],
) -> tuple[tuple[Buffer, ...], dict[Node, Buffer]]:
    """Return the kept arrays, and the one each value is written into.

    Values that leave the call (outputs) are allocated afresh, so that they survive the next call;
    scalars and views need no memory of their own. A value may take over the memory of an operand
    that dies with it, where its op allows that, or else the memory of any dead value of its type.
    """
    storage = storages(statements)
    death = _deaths(graph, statements, storage, stores, observed)
    leaving = {storage.get(node, node) for node in graph.outputs.values()}
    free: dict[TensorType, list[Buffer]] = {}
    buffers: list[Buffer] = []
    place: dict[Node, Buffer] = {}
    dying: dict[int, list[Node]] = {}
    for node, at in death.items():
        dying.setdefault(at, []).append(node)
    for at, statement in enumerate(statements):
        node = statement.node
        if _needs_memory(node) and statement.target is None and node not in leaving:
            buffer = _taken_over(statement, at, storage, death, place)
            if buffer is None:
                pool = free.get(node.type)
                buffer = pool.pop() if pool else Buffer(len(buffers), node.type)
                if buffer.index == len(buffers):
                    buffers.append(buffer)
            place[node] = buffer
        for dead in dying.get(at, ()):
            if dead in place and not (place.get(node) is place[dead] and node is not dead):
                free.setdefault(dead.type, []).append(place[dead])
    return tuple(buffers), place


def storages(statements: Sequence[Statement]) -> dict[Node, Node]:
    """Return, for each view, the node whose memory it shows."""
    storage: dict[Node, Node] = {}
    for statement in statements:
        node = statement.node
        if node.op.is_view and node.inputs:
            storage[node] = storage.get(node.inputs[0], node.inputs[0])
    return storage


def _deaths(
    graph: Graph,
    statements: Sequence[Statement],
    storage: Mapping[Node, Node],
    stores: Mapping[str, Node],
    observed: Mapping[str, Node],
) -> dict[Node, int]:
    """Return the index of the statement that reads each value's memory last."""
    death: dict[Node, int] = {}
    end_of_backward = max((i for i, s in enumerate(statements) if s.block != "update"), default=0)
    for at, statement in enumerate(statements):
        death[statement.node] = at
        for operand in statement.operands:
            death[storage.get(operand, operand)] = at
    for node in observed.values():
        base = storage.get(node, node)
        # Read just after the last statement before the update block.
        death[base] = max(death.get(base, 0), end_of_backward + 1)
    for node in [*graph.outputs.values(), *stores.values()]:
        death[storage.get(node, node)] = len(statements)
    return death


def _needs_memory(node: Node) -> bool:
    """Say whether a value is an array that is computed, not a leaf, a number, a view or a fill."""
    return bool(node.inputs) and bool(node.shape) and not node.op.is_view


def _taken_over(
    statement: Statement,
    at: int,
    storage: Mapping[Node, Node],
    death: Mapping[Node, int],
    place: Mapping[Node, Buffer],
) -> Buffer | None:
    """Return the buffer of an operand that dies here and may be overwritten, or None."""
    node = statement.node
    for index in node.op.reuses(node):
        operand = statement.operands[index]
        # A view of the memory may be read in another order than it is written.
        if operand in storage or operand not in place or death[operand] != at:
            continue
        others = [storage.get(x, x) for x in statement.operands if x is not operand]
        if operand.type == node.type and all(operand is not x for x in others):
            return place[operand]
    return None
