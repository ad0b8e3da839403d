"""A Program: statements in order, each with its block and the memory it writes. Knows no NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from graphc.ir.dims import Dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD, UPDATE
from graphc.ir.types import TensorType
from graphc.ops.leaf import is_fill
from graphc.ops.movement.rearranging import broadcast_to

if TYPE_CHECKING:
    from graphc.plan.loops import Loop


#: The block of what only a caller who asks for gradients needs, between backward and update.
ON_DEMAND = "on demand"
#: All blocks, in the order in which they are computed.
BLOCKS = (FORWARD, BACKWARD, ON_DEMAND, UPDATE)


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """An array that is allocated once and kept between calls; each is itself alone."""

    index: int
    type: TensorType


@dataclass(frozen=True, slots=True)
class Statement:
    """Compute `node` from `operands`, in the forward, backward, on-demand or update block.

    The operands are the node's inputs without what arithmetic does by itself (see
    `graphc.plan.implicit`). `target` names the parameter whose array receives the value in place,
    when nobody reads the old value any more.
    """

    node: Node
    operands: tuple[Node, ...]
    block: str
    target: str | None = None


#: The elements of a step, and of a block; and how many steps there are, where that matters.
Pace: TypeAlias = "tuple[Dim, int, Dim | None]"
#: Elements of one block: a megabyte of float32, so that a run's arrays stay in the last level of
#: cache, and threads seldom meet in the interpreter.
BLOCK = 262144
#: A matrix of so many elements leaves the first caches on its way through a product.
_LARGE_MATRIX = 2**17
#: Where there are products, too, one in so many of all steps is enough work for a core.
SHARES = 4


@dataclass(frozen=True)
class Run:
    """Statements that are run through together, block by block.

    `extent` is the number of steps, of which a block takes as many as `step` and `is_shared` say;
    a step has `row` elements in the largest array. `rows` gives, for each array that every block
    sees its own rows of, how many of them belong to a step; other arrays are read as they are.
    Values in `whole` are read afterwards, so each block goes into its place in the whole array;
    those in `totals` are sums, to which each block adds its part; the others need no more memory
    than a block for each core at work.
    """

    statements: tuple[Statement, ...]
    extent: Dim
    row: Dim
    rows: Mapping[Node, int]
    whole: frozenset[Node]
    totals: frozenset[Node]

    @property
    def pace(self) -> Pace:
        """What the number of steps in a block follows from: runs of one pace may share memory."""
        return self.row, self.block, self.extent if self.multiplies else None

    @property
    def step(self) -> int | None:
        """The number of steps that have `block` elements, at least one; None: only a call knows."""
        return max(1, self.block // max(1, self.row)) if isinstance(self.row, int) else None

    @cached_property
    def block(self) -> int:
        """The number of elements in a block; more where more rows share a large matrix's way."""
        return 4 * BLOCK if any(map(self._multiplies_by_large, self.statements)) else BLOCK

    def _multiplies_by_large(self, statement: Statement) -> bool:
        whole = [x for x in statement.operands if x not in self.rows]
        return statement.node.op.multiplies and any(
            isinstance(x.size, int) and x.size >= _LARGE_MATRIX for x in whole
        )

    @property
    def is_in_blocks(self) -> bool:
        """Whether what stays within needs the memory of a block for each core, and no more."""
        return True

    def room(self, node: Node) -> tuple[TensorType, Pace | None]:
        """Return the type of the array that a value needs, and the pace of what may use it too.

        Of what stays within, it is what a step needs; a whole array has no pace.
        """
        if node in self.whole or node in self.totals:
            return node.type, None
        return node.type.with_shape((self.rows[node], *node.shape[1:])), self.pace

    @property
    def is_shared(self) -> bool:
        """Whether a block also takes no more than one in `SHARES` of all steps, or one step."""
        return self.multiplies and self.step is not None and self.step > 1

    @cached_property
    def multiplies(self) -> bool:
        """Whether matrices are multiplied: BLAS's threads would be in the way of the run's."""
        return any(s.node.op.multiplies and s.node.ndim > 1 for s in self.statements)


@dataclass(frozen=True)
class Program:
    """What a printer needs to know.

    `stores` are parameters that are overwritten at the end by a value computed elsewhere.
    `observed` are values a caller may ask to see (the gradients of a training step).
    `place` gives, for each node, the buffer its value lives in (absent: it is allocated afresh).
    `storage` gives, for each view, the node whose memory it shows. `numbers` are the values that
    are written as Python numbers, and take the dtype of what they meet. `loops` gives, for each
    scan, how it runs; `runs`, for each value that is computed block by block, or in an update that
    parameters share, what it is part of. `model` is what the output is computed from whose
    gradients the program computes.
    """

    graph: Graph
    statements: tuple[Statement, ...]
    stores: Mapping[str, Node] = field(default_factory=dict)
    observed: Mapping[str, Node] = field(default_factory=dict)
    buffers: tuple[Buffer, ...] = ()
    place: Mapping[Node, Buffer] = field(default_factory=dict)
    storage: Mapping[Node, Node] = field(default_factory=dict)
    numbers: frozenset[Node] = frozenset()
    loops: Mapping[Node, Loop] = field(default_factory=dict)
    runs: Mapping[Node, Run] = field(default_factory=dict)
    model: frozenset[Node] = frozenset()

    @property
    def programs(self) -> Iterator[Program]:
        """The program itself, and those of the loops among its statements."""
        programs: list[Program] = [self]
        while programs:
            program = programs.pop()
            yield program
            programs += [loop.inside for loop in program.loops.values()]

    @property
    def all_statements(self) -> Iterator[Statement]:
        """The statements, and those inside the loops among them."""
        for program in self.programs:
            yield from program.statements

    @cached_property
    def param_names(self) -> dict[Node, str]:
        """The name of each parameter."""
        return {node: name for name, node in self.graph.params.items()}

    @cached_property
    def readers(self) -> dict[Node, list[Statement]]:
        """The statements that read each value, one entry a use."""
        readers: dict[Node, list[Statement]] = {}
        for statement in self.statements:
            for operand in statement.operands:
                readers.setdefault(operand, []).append(statement)
        return readers

    @cached_property
    def writers(self) -> dict[Node, list[Statement]]:
        """The statements that write into the array of each parameter that is overwritten."""
        found: dict[Node, list[Statement]] = {}
        for statement in self.statements:
            if statement.target is not None:
                found.setdefault(self.graph.params[statement.target], []).append(statement)
        return found

    @cached_property
    def targets(self) -> frozenset[Node]:
        """The values that are written straight into a parameter."""
        return frozenset(s.node for s in self.statements if s.target is not None)

    @cached_property
    def read_whole(self) -> frozenset[Node]:
        """The uniform arrays that all who read them need as arrays, and only read."""
        kept = {*self.graph.roots(), *self.observed.values()}
        return frozenset(
            array
            for array, readers in self.readers.items()
            if is_fill(array) and array.shape and array not in kept
            if not any(self._takes_number(s.node) for s in readers)
        )

    def _takes_number(self, node: Node) -> bool:
        """Say whether a uniform operand is a number to a node, or an array to write into."""
        return (
            node.op.broadcasts(node) or node.op.accumulates or node.op.is_view or node in self.loops
        )

    @cached_property
    def block_buffers(self) -> tuple[Buffer, ...]:
        """The buffers that hold no more than a block of a run."""
        held = [
            self.place[node]
            for node, run in self.runs.items()
            if node in self.place and run.is_in_blocks
            if node not in run.whole and node not in run.totals
        ]
        return tuple(dict.fromkeys(held))

    def runs_through(self, buffer: Buffer) -> tuple[Run, ...]:
        """Return the runs that keep a block in a buffer."""
        return tuple(self._runs_by_buffer.get(id(buffer), {}).values())

    @cached_property
    def _runs_by_buffer(self) -> dict[int, dict[int, Run]]:
        found: dict[int, dict[int, Run]] = {}
        for node, run in self.runs.items():
            if node in self.place:
                found.setdefault(id(self.place[node]), {})[id(run)] = run
        return found

    def base(self, node: Node) -> Node:
        """Return the node whose memory holds a value."""
        return self.storage.get(node, node)

    def shown(self, node: Node) -> set[Node]:
        """Return the nodes of which one's memory holds a value: several behind a loop."""
        found = {self.base(node)}
        for last, first in ends_of_carries(self.loops):
            if self.base(last) in found:
                found.add(self.base(first))
        return found


def ends_of_carries(loops: Mapping[Node, Loop]) -> list[tuple[Node, Node]]:
    """Return the last and the first value of each carry of a loop that may have no steps.

    They are the same array then. Later loops come first.
    """
    return [
        (loop.items[i], loop.node.inputs[i])
        for loop in reversed([*loops.values()])
        if not isinstance(loop.node.attrs["length"], int)
        for i in range(len(loop.carries))
    ]


def is_broadcast(node: Node) -> bool:
    """Say whether a value is a view that shows one number in many places."""
    while node.op.is_view:
        if node.op is broadcast_to:
            return True
        node = node.inputs[0]
    return False
