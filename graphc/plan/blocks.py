"""Which statements run block by block? Chains of pointwise work on arrays that may be large.

A chain of twelve calls on a million numbers goes through memory twelve times; in blocks that stay
in the cache, once, and all cores take part. Sums over the whole array, and products with a narrow
matrix whose rows are the array's, join the chain: each block adds its part.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

from graphc.ir.dims import Shape, product, same, same_shape, typical_size
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD
from graphc.ops.contraction.einsum import Einsum
from graphc.ops.contraction.threaded_products import WIDEST, is_number_per_row, is_sum_over_rows
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS
from graphc.plan.program import Run, Statement
from graphc.plan.runs import LARGE, Gathered, runs_of

#: The fewest calls for which a chain pays.
_FEWEST = 8
#: A row of more elements is long enough by itself.
_LONGEST_ROW = 1024


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
    return ordered, runs_of(ordered, chains, kept)


@dataclass
class _Chain(Gathered):
    """A chain of calls on arrays of one shape, whose rows have `width` elements."""

    shape: Shape = ()
    width: int = 1
    block: str = FORWARD
    seen: list[Statement] = field(default_factory=list)

    @property
    def row(self) -> int:
        return self.width

    @classmethod
    def started(cls, statement: Statement) -> _Chain | None:
        node = statement.node
        shape = node.shape
        if statement.block not in (FORWARD, BACKWARD) or not shape:
            return None
        width = product(shape[1:])
        if not isinstance(width, int) or not 0 < width <= _LONGEST_ROW:
            return None
        if isinstance(shape[0], int) and shape[0] * width < LARGE:
            return None
        chain = cls(shape[0], shape=shape, width=width, block=statement.block)
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
        split = {x for x in operands if x.ndim >= len(self.shape) and same(x.shape[0], self.extent)}
        rows = dict.fromkeys(split if is_total else {*split, node}, 1)
        if not self.admits(statement, rows):
            return False
        if not self.seen:
            self.seen = [statement]
        return True

    def _goes_on(self, statement: Statement) -> bool:
        """Say whether a statement computes a row of the chain from each row."""
        return is_pointwise(statement) or _is_product_of_rows(statement, self.shape)

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
        if sum(map(_calls, self.inside)) < _FEWEST:
            return self.seen
        chains.append(self)
        self.before, self.inside = (
            [replace(s, block=self.block) for s in part] for part in (self.before, self.inside)
        )
        return [*self.before, *self.inside, *self.behind]


def is_pointwise(statement: Statement) -> bool:
    """Say whether a statement is arithmetic of elements, with no arrays of its own."""
    node = statement.node
    is_array = isinstance(node.op, Pointwise) and node.op.broadcasts(node)
    return is_array and all(x.ndim <= node.ndim for x in statement.operands)


def _calls(statement: Statement) -> int:
    """Return how many calls on arrays of elements a statement takes: many, within a helper.

    A helper that does little, as a choice does, counts so only where arrays are rather long.
    """
    node = statement.node
    if not is_pointwise(statement) or not isinstance(node.op, Pointwise):
        return 0
    is_long = node.op.work >= _FEWEST or typical_size(node.shape) >= _LONGEST_ROW
    return _FEWEST if is_long and node.op.helper(node) is not None else 1


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
