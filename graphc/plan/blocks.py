"""Which statements run block by block? Chains of pointwise work on arrays that may be large.

A chain of twelve calls on a million numbers goes through memory twelve times; in blocks that stay
in the cache, once, and all cores take part. Sums over the whole array, and products with a narrow
matrix whose rows are the array's, join the chain: each block adds its part.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

from graphc.ir.dims import Shape, product, same, same_shape
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD
from graphc.ops.contraction import Einsum
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import OPS
from graphc.ops.row_products import WIDEST, is_number_per_row, is_sum_over_rows
from graphc.plan.program import Run, Statement

#: Elements of one block: half a megabyte of float32, so that a chain's arrays stay in the last
#: level of cache, and threads seldom meet in the interpreter. The fewest calls for which it pays.
BLOCK, _FEWEST = 131072, 8
#: A row of more elements is long enough by itself.
_LONGEST_ROW = 1024
#: Arrays of a fixed size below this stay in the cache anyway.
_LARGE = 2 * BLOCK


def in_blocks(
    statements: Sequence[Statement], kept: Container[Node]
) -> tuple[list[Statement], dict[Node, Run]]:
    """Return the statements with those of each chain side by side, and the chain of each node.

    `kept` are values that somebody reads when all statements are done. What a chain does not need
    but interrupts it moves in front of it; what its sums are needed for, behind it.
    """
    ordered: list[Statement] = []
    chains: list[_Chain] = []
    open_chain: _Chain | None = None
    for statement in statements:
        if open_chain is not None and open_chain.takes(statement):
            continue
        if open_chain is not None:
            ordered += open_chain.closed(chains)
        open_chain = _Chain.started(statement)
        if open_chain is None:
            ordered.append(statement)
    if open_chain is not None:
        ordered += open_chain.closed(chains)
    return ordered, _runs(ordered, chains, kept)


@dataclass
class _Chain:
    """A chain while it grows: its statements, and those that move in front of it and behind it.

    `rows` are the arrays that each block sees its own rows of.
    """

    shape: Shape
    width: int
    block: str
    seen: list[Statement] = field(default_factory=list)
    inside: list[Statement] = field(default_factory=list)
    before: list[Statement] = field(default_factory=list)
    behind: list[Statement] = field(default_factory=list)
    values: set[Node] = field(default_factory=set)
    results: set[Node] = field(default_factory=set)
    rows: set[Node] = field(default_factory=set)
    #: Arrays from outside that are read as they are.
    entire: set[Node] = field(default_factory=set)

    @classmethod
    def started(cls, statement: Statement) -> _Chain | None:
        node = statement.node
        shape = node.shape
        if statement.block not in (FORWARD, BACKWARD) or not shape:
            return None
        width = product(shape[1:])
        if not isinstance(width, int) or not 0 < width <= _LONGEST_ROW:
            return None
        if isinstance(shape[0], int) and shape[0] * width < _LARGE:
            return None
        chain = cls(shape, width, statement.block)
        return chain if chain.joined(statement) else None

    def takes(self, statement: Statement) -> bool:
        """Say whether the chain goes on with a statement, having put it in its place."""
        node, operands = statement.node, statement.operands
        if statement.block not in (FORWARD, BACKWARD) or node.op.is_random or node.op.accumulates:
            return False
        if any(x in self.results for x in operands):
            if not _is_scalar_work(statement):
                return False
            self.behind.append(statement)
            self.results.add(node)
        elif self.joined(statement):
            pass
        elif any(x in self.values for x in operands):
            return False
        elif node.op.is_view or not node.inputs or _is_scalar_work(statement):
            self.before.append(statement)
        else:
            return False
        self.seen.append(statement)
        return True

    def joined(self, statement: Statement) -> bool:
        """Take a statement into the chain, if it belongs there."""
        node, operands = statement.node, statement.operands
        is_total = not same_shape(node.shape, self.shape)
        if not (self._adds_up(statement) if is_total else self._goes_on(statement)):
            return False
        length, ndim = self.shape[0], len(self.shape)
        split = {x for x in operands if x.ndim >= ndim and same(x.shape[0], length)}
        entire = {x for x in operands if x not in split and x not in self.values}
        if entire & self.rows or split & self.entire:
            return False
        self.rows |= split if is_total else {*split, node}
        self.entire |= entire
        if not self.seen:
            self.seen = [statement]
        self.inside.append(statement)
        self.values.add(node)
        if is_total:
            self.results.add(node)
        return True

    def _goes_on(self, statement: Statement) -> bool:
        """Say whether a statement computes a row of the chain from each row."""
        return _is_pointwise(statement) or _is_product_of_rows(statement, self.shape)

    def _adds_up(self, statement: Statement) -> bool:
        """Say whether a statement adds up rows of the chain."""
        node, operands = statement.node, statement.operands
        if not any(x in self.values for x in operands) or node.dtype.kind != "f":
            return False
        if node.op is OPS["sum"]:
            return not node.shape and same_shape(operands[0].shape, self.shape)
        return _is_sum_of_products(statement, self.shape)

    def closed(self, chains: list[_Chain]) -> list[Statement]:
        """Return the statements in their new order, or in the old one where a loop does not pay."""
        if sum(map(_is_pointwise, self.inside)) < _FEWEST:
            return self.seen
        chains.append(self)
        self.before, self.inside = (
            [replace(s, block=self.block) for s in part] for part in (self.before, self.inside)
        )
        return [*self.before, *self.inside, *self.behind]


def _is_pointwise(statement: Statement) -> bool:
    node = statement.node
    is_array = isinstance(node.op, Pointwise) and node.op.broadcasts(node)
    return (
        is_array
        and (node.op.helper(node) is None or same(node.op.scratch(node), 0))
        and all(x.ndim <= node.ndim for x in statement.operands)
    )


def _is_scalar_work(statement: Statement) -> bool:
    node = statement.node
    return isinstance(node.op, Pointwise) and not node.shape


def _is_product_of_rows(statement: Statement, shape: Shape) -> bool:
    """Say whether a statement is matrix @ vector: a number for each row of a narrow matrix."""
    node = statement.node
    if not isinstance(node.op, Einsum) or len(shape) != 1 or node.ndim != 1:
        return False
    matrix = node.inputs[0]
    if not is_number_per_row(node.attrs["spec"]) or not same(matrix.shape[0], shape[0]):
        return False
    return isinstance(matrix.shape[1], int) and matrix.shape[1] <= WIDEST


def _is_sum_of_products(statement: Statement, shape: Shape) -> bool:
    """Say whether a statement is vector @ matrix, or vector @ vector, summed over the rows."""
    node = statement.node
    if not isinstance(node.op, Einsum) or len(shape) != 1 or len(node.inputs) != 2:
        return False
    narrow = all(isinstance(d, int) and d <= WIDEST for d in node.shape)
    return (
        narrow
        and is_sum_over_rows(node.attrs["spec"])
        and all(same(x.shape[0], shape[0]) for x in node.inputs)
    )


def _runs(
    ordered: Sequence[Statement], chains: Sequence[_Chain], kept: Container[Node]
) -> dict[Node, Run]:
    """Return the run of each node in a chain, with what outlives the loop."""
    owner = {s.node: i for i, chain in enumerate(chains) for s in chain.inside}
    outside: set[Node] = {node for node in owner if node in kept}
    for statement in ordered:
        own = owner.get(statement.node)
        outside.update(x for x in statement.operands if own is None or owner.get(x) != own)
    runs: dict[Node, Run] = {}
    for chain in chains:
        totals = frozenset(chain.results & {s.node for s in chain.inside})
        whole = frozenset(
            s.node for s in chain.inside if s.node not in totals and s.node in outside
        )
        step, rows = max(1, BLOCK // chain.width), frozenset(chain.rows)
        run = Run(tuple(chain.inside), chain.shape[0], step, rows, whole, totals)
        runs.update(dict.fromkeys([s.node for s in chain.inside], run))
    return runs
