"""Memory: which values share an array, by lifetime, and which overwrite an operand in place."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from graphc.ir.dims import same
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE
from graphc.ir.types import TensorType
from graphc.ops.loop import Item
from graphc.plan.program import ON_DEMAND, Buffer, Pace, ends_of_carries

if TYPE_CHECKING:
    from graphc.plan.loops import Loop
    from graphc.plan.program import Run, Statement


def assign_buffers(
    graph: Graph,
    statements: Sequence[Statement],
    storage: Mapping[Node, Node],
    stores: Mapping[str, Node],
    observed: Mapping[str, Node],
    loops: Mapping[Node, Loop],
    runs: Mapping[Node, Run],
) -> tuple[tuple[Buffer, ...], dict[Node, Buffer]]:
    """Return the kept arrays, and the one each value is written into.

    Values that leave the call (outputs) are allocated afresh, so that they survive the next call;
    scalars and views need no memory of their own. A value may take over the memory of an operand
    that dies with it, where its op allows that, or else the memory of any dead value of its type.
    What stays within a run needs no more memory than a block of its array.
    """
    death = _deaths(graph, statements, storage, stores, observed)
    for last, first in ends_of_carries(loops):
        if last in storage:  # no copy of the first value is made for a carry in its stack
            base = storage.get(first, first)
            death[base] = max(death.get(base, 0), death.get(storage[last], 0))
    _outlive_runs(death, statements, storage, runs)
    leaving = {storage.get(node, node) for node in graph.outputs.values()}
    memory = _Memory(storage, death, leaving, loops, runs)
    for at, statement in enumerate(statements):
        memory.write(at, statement)
    return tuple(memory.buffers), memory.place


class _Memory:
    """The arrays while the statements are gone through: who lives where, and what is free."""

    def __init__(
        self,
        storage: Mapping[Node, Node],
        death: Mapping[Node, int],
        leaving: Container[Node],
        loops: Mapping[Node, Loop],
        runs: Mapping[Node, Run],
    ) -> None:
        self.storage, self.death, self.leaving = storage, death, leaving
        self.loops, self.runs = loops, runs
        self.buffers: list[Buffer] = []
        self.place: dict[Node, Buffer] = {}
        self.free: dict[tuple[TensorType, Pace | None], list[Buffer]] = {}
        #: Number of a statement -> the values that nobody reads after it.
        self.dying: dict[int, list[Node]] = {}
        for node, at in death.items():
            self.dying.setdefault(at, []).append(node)

    def write(self, at: int, statement: Statement) -> None:
        """Find the memory that one statement writes into; what dies with it is free then."""
        node, place = statement.node, self.place
        for total in _totals_from(statement, self.runs):
            if total.shape and total not in self.leaving:
                place[total] = self.new_or_free(total)
        if statement.block == ON_DEMAND:
            pass  # rarely asked for, so nothing is kept for it
        elif node in self.loops:
            self.write_loop(at, self.loops[node])
        elif node in place or node in self.leaving:
            pass
        elif _needs_memory(node) and statement.target is None:
            found = self.taken_over(at, statement)
            place[node] = self.new_or_free(node) if found is None else place[found]
        for dead in self.dying.get(at, ()):
            if dead in place and not (place.get(node) is place[dead] and node is not dead):
                # By the shape in which its last value shows it.
                self.free.setdefault(self.needed(dead), []).append(place[dead])

    def taken_over(self, at: int, statement: Statement) -> Node | None:
        """Return the operand that dies here and whose buffer may be overwritten, or None."""
        node, storage = statement.node, self.storage
        for index in node.op.reuses(node):
            operand = statement.operands[index]
            # A view of the memory may be read in another order than it is written.
            if operand in storage or operand not in self.place or self.death[operand] != at:
                continue
            others = [storage.get(x, x) for x in statement.operands if x is not operand]
            is_alone = all(operand is not x for x in others)
            is_alike = operand.type == node.type and self.needed(operand) == self.needed(node)
            if is_alike and is_alone:
                return operand
        return None

    def write_loop(self, at: int, loop: Loop) -> None:
        """Find memory for a loop's results: the operands are still read, so not theirs."""
        for result in loop.items:
            if result not in self.storage and result not in self.leaving:
                self.place[result] = self.of_any_shape(result) or self.new_or_free(result)
                if result not in self.death:
                    self.dying.setdefault(at, []).append(result)

    def needed(self, node: Node) -> tuple[TensorType, Pace | None]:
        """Return the type of the array that a value needs, and the pace of the run it is in."""
        run = self.runs.get(node)
        return (node.type, None) if run is None else run.room(node)

    def new_or_free(self, node: Node) -> Buffer:
        needed = self.needed(node)
        pool = self.free.get(needed)
        if pool:
            return pool.pop()
        self.buffers.append(Buffer(len(self.buffers), needed[0]))
        return self.buffers[-1]

    def of_any_shape(self, result: Node) -> Buffer | None:
        """Return free memory for the result of a loop, which may show it in another shape."""
        for (kind, pace), pool in self.free.items():
            fits = kind.dtype == result.dtype and same(kind.size, result.size)
            if pool and fits and pace is None:
                return pool.pop()
        return None


def storages(statements: Sequence[Statement], loops: Mapping[Node, Loop]) -> dict[Node, Node]:
    """Return, for each view, the node whose memory it shows.

    A carry that is also emitted lives in the stack, so its last value is a view of that.
    """
    storage: dict[Node, Node] = {}
    for statement in statements:
        node = statement.node
        if node in loops:
            loop = loops[node]
            storage |= {loop.items[i]: loop.stacks[j] for i, j in loop.slots.items()}
        elif isinstance(node.op, Item):
            own = loops[node.inputs[0]].items[node.attrs["index"]]
            if node is not own:
                storage[node] = storage.get(own, own)
        elif node.op.is_view and node.inputs:
            shown = statement.operands[0]  # what a barrier passes on, not the barrier
            storage[node] = storage.get(shown, shown)
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
    end_of_backward = max((i for i, s in enumerate(statements) if s.block != UPDATE), default=0)
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


def _outlive_runs(
    death: dict[Node, int],
    statements: Sequence[Statement],
    storage: Mapping[Node, Node],
    runs: Mapping[Node, Run],
) -> None:
    """Keep what every block of a run reads until all blocks are done.

    Only an array that each block reads its own rows of may be overwritten there, by the same rows
    of an array of its type.
    """
    end = 0
    for at in reversed(range(len(statements))):
        run = runs.get(statements[at].node)
        if run is None:
            continue
        if statements[at] is run.statements[-1]:
            end = at + 1
        for operand in statements[at].operands:
            base = storage.get(operand, operand)
            is_inside = runs.get(operand) is run
            if not (is_inside or (operand is base and operand in run.rows)):
                death[base] = max(death[base], end)


def _totals_from(statement: Statement, runs: Mapping[Node, Run]) -> Iterator[Node]:
    """Return the totals of a run at its first statement: all blocks add to what is zero before."""
    run = runs.get(statement.node)
    if run is not None and statement is run.statements[0]:
        yield from (s.node for s in run.statements if s.node in run.totals)


def _needs_memory(node: Node) -> bool:
    """Say whether a value is an array that is computed, not a leaf, a number, a view or a fill."""
    is_item = isinstance(node.op, Item)
    return bool(node.inputs) and bool(node.shape) and not (node.op.is_view or is_item)
