"""Which statements run block by block? Chains of pointwise work on arrays that may be large.

A chain of twelve calls on a million numbers goes through memory twelve times; in blocks that stay
in the cache, once, and all cores take part. Sums over the whole array, and products with a narrow
matrix whose rows are the array's, join the chain: each block adds its part.

Where one row is a large array by itself (the attention scores of a sample), whatever keeps the rows
apart joins: products of stacks, reductions within a row, other views of the rows.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

from graphc.ir.dims import Dim, Shape, product, same, same_shape
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD
from graphc.ops.contraction import Einsum
from graphc.ops.contraction_spec import split_spec
from graphc.ops.matrix_product import viewed_product
from graphc.ops.movement import Transpose
from graphc.ops.pointwise import Pointwise
from graphc.ops.reduction import Reduction
from graphc.ops.registry import OPS
from graphc.ops.reshaping import Reshape
from graphc.ops.row_products import WIDEST, is_number_per_row, is_sum_over_rows
from graphc.plan.program import Run, Statement

#: Elements of one block: half a megabyte of float32, so that a chain's arrays stay in the last
#: level of cache, and threads seldom meet in the interpreter. The fewest calls for which it pays.
BLOCK, _FEWEST = 131072, 8
#: A row of more elements is long enough by itself; one of as many is work for a core by itself.
_LONGEST_ROW, _LARGE_ROW = 1024, 16384
#: The fewest calls on large rows for which threads pay.
_FEWEST_ON_ROWS = 4
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

    `rows` gives, for each array whose rows belong to the chain's, how many belong to each of them.
    """

    shape: Shape
    block: str
    is_wide: bool
    seen: list[Statement] = field(default_factory=list)
    inside: list[Statement] = field(default_factory=list)
    before: list[Statement] = field(default_factory=list)
    behind: list[Statement] = field(default_factory=list)
    values: set[Node] = field(default_factory=set)
    results: set[Node] = field(default_factory=set)
    rows: dict[Node, int] = field(default_factory=dict)
    #: Arrays from outside that are read as they are.
    entire: set[Node] = field(default_factory=set)

    @classmethod
    def started(cls, statement: Statement) -> _Chain | None:
        node = statement.node
        shape = node.shape
        if statement.block not in (FORWARD, BACKWARD) or not shape:
            return None
        width = product(shape[1:])
        if not isinstance(width, int) or width == 0:
            return None
        if isinstance(shape[0], int) and (shape[0] == 1 or shape[0] * width < _LARGE):
            return None
        chain = cls(shape, statement.block, is_wide=width >= _LARGE_ROW)
        if not chain.is_wide and width > _LONGEST_ROW:
            return None
        return chain if chain.joined(statement) else None

    @property
    def extent(self) -> Dim:
        return self.shape[0]

    @property
    def step(self) -> int:
        """The rows of a block: as many as have `BLOCK` elements in the largest array."""
        sizes = [count * product(node.shape[1:]) for node, count in self.rows.items()]
        return max(1, BLOCK // max(size for size in sizes if isinstance(size, int)))

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
            if not self.is_wide:
                return False
            self.behind.append(statement)
            self.results.add(node)
        elif self._may_go_before(statement):
            self.before.append(statement)
        else:
            return False
        self.seen.append(statement)
        return True

    def _may_go_before(self, statement: Statement) -> bool:
        """Say whether a statement that reads none of the chain's values may move in front of it."""
        node = statement.node
        is_free = node.op.is_view or not node.inputs
        return self.is_wide or is_free or _is_scalar_work(statement)

    def joined(self, statement: Statement) -> bool:
        """Take a statement into the chain, if it belongs there."""
        node = statement.node
        rows = self._rows_after(statement) if self.is_wide else self._numbers_after(statement)
        if rows is None:
            return False
        entire = {x for x in statement.operands if x not in rows and x not in self.rows}
        split = {x for x in rows if x not in self.values}
        if entire & self.rows.keys() or split & self.entire:
            return False
        if any(self.rows.get(x, count) != count for x, count in rows.items()):
            return False
        self.rows |= rows
        self.entire |= entire
        if self.seen:
            self.inside.append(statement)
        else:
            self.seen, self.inside = [statement], [statement]
        self.values.add(node)
        if node not in rows:
            self.results.add(node)
        return True

    def _numbers_after(self, statement: Statement) -> dict[Node, int] | None:
        """Return the arrays whose rows a statement of narrow rows goes through, if it joins."""
        node, operands = statement.node, statement.operands
        split = {
            x: 1 for x in operands if x.ndim >= len(self.shape) and same(x.shape[0], self.extent)
        }
        if same_shape(node.shape, self.shape):
            if _is_pointwise(statement) or _is_product_of_rows(statement, self.shape):
                return {**split, node: 1}
            return None
        if not any(x in self.values for x in operands) or node.dtype.kind != "f":
            return None
        if node.op is OPS["sum"]:
            is_total = not node.shape and same_shape(operands[0].shape, self.shape)
            return split if is_total else None
        return split if _is_sum_of_products(statement, self.shape) else None

    def _rows_after(self, statement: Statement) -> dict[Node, int] | None:
        """Return the arrays whose rows a statement of large rows goes through, if it joins."""
        node, operands = statement.node, statement.operands
        inside = [x for x in operands if x in self.values]
        if node.dtype.kind == "f" and isinstance(node.op, Reshape):
            return self._reshaped(node, operands[0])
        split = _split_operands(statement)
        if not split or any(x not in split for x in inside):
            return None
        counts = {self.rows[x] for x in split if x in self.rows} or {1}
        (count,) = counts if len(counts) == 1 else (0,)
        if not count or not same(node.shape[0], count * self.extent):
            return None
        width = product(node.shape[1:])
        if not isinstance(width, int) or (not inside and width < _LARGE_ROW):
            return None  # Small work that reads none of the chain's values can be done before it.
        return {**dict.fromkeys(split, count), node: count}

    def _reshaped(self, node: Node, x: Node) -> dict[Node, int] | None:
        if x not in self.values or not node.shape:
            return None
        size, width = self.rows[x] * product(x.shape[1:]), product(node.shape[1:])
        if not isinstance(size, int) or not isinstance(width, int) or not width or size % width:
            return None
        count = size // width
        return {node: count} if same(node.shape[0], count * self.extent) else None

    def closed(self, chains: list[_Chain]) -> list[Statement]:
        """Return the statements in their new order, or in the old one where a loop does not pay."""
        if self.is_wide:
            pays = sum(not s.node.op.is_view for s in self.inside) >= _FEWEST_ON_ROWS
        else:
            pays = sum(map(_is_pointwise, self.inside)) >= _FEWEST
        if not pays:
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
        and node.op.helper(node) is None
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


def _split_operands(statement: Statement) -> set[Node] | None:
    """Return the operands of which each row of the result reads the same row; None: others too."""
    node, operands = statement.node, statement.operands
    if not node.shape or node.dtype.kind != "f":
        return None
    if isinstance(node.op, Pointwise):
        if not _is_pointwise(statement):
            return None
        return {x for x in operands if x.ndim == node.ndim and same(x.shape[0], node.shape[0])}
    if isinstance(node.op, Reduction):
        return set(operands) if 0 not in node.attrs["axis"] else None
    if isinstance(node.op, Transpose):
        return set(operands) if node.attrs["axes"][0] == 0 else None
    if isinstance(node.op, Einsum):
        return _split_factors(node)
    return None


def _split_factors(node: Node) -> set[Node] | None:
    """Return the factors that a product multiplies row by row, or adds up within each row."""
    terms, out = split_spec(node.attrs["spec"])
    row = out[:1]
    split = {x for x, term in zip(node.inputs, terms, strict=True) if term.startswith(row)}
    is_single = all(row not in term[1:] for term in terms) and row not in out[1:]
    if not is_single or len(node.inputs) != 2:
        return None
    if split == set(node.inputs) and viewed_product(terms, out) is not None:
        return split
    return split if is_number_per_row(node.attrs["spec"]) else None


def _runs(
    ordered: Sequence[Statement], chains: Sequence[_Chain], kept: Container[Node]
) -> dict[Node, Run]:
    """Return the run of each node in a chain, with what outlives the loop."""
    owner = {s.node: i for i, chain in enumerate(chains) for s in chain.inside}
    shown = {s.node: s.operands[0] for c in chains for s in c.inside if s.node.op.is_view}
    outside: set[Node] = {node for node in owner if node in kept}
    for statement in ordered:
        own = owner.get(statement.node)
        outside.update(x for x in statement.operands if own is None or owner.get(x) != own)
    for chain in chains:
        for statement in reversed(chain.inside):
            if statement.node in shown and statement.node in outside:
                outside.add(shown[statement.node])
    runs: dict[Node, Run] = {}
    for chain in chains:
        totals = frozenset(chain.results & {s.node for s in chain.inside})
        whole = frozenset(
            s.node for s in chain.inside if s.node not in totals and s.node in outside
        )
        run = Run(tuple(chain.inside), chain.extent, chain.step, chain.rows, whole, totals)
        runs.update(dict.fromkeys([s.node for s in chain.inside], run))
    return runs
