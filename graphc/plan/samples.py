"""Which statements run sample by sample? Those on arrays with large rows, from one to the last.

The attention scores of a sample are work for a core by itself. Whatever computes each row of its
result from the same row of its operands joins: pointwise work, reductions and products within a
row, products with whole matrices, other views of the rows. What adds up the rows of all samples
(the gradient of a weight) comes after them; what they read comes before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from graphc.ir.access import along, reads
from graphc.ir.dims import Dim, divide_exactly, evaluate, product, same, symbols_of
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD
from graphc.ops.contraction.einsum import Einsum
from graphc.ops.contraction.threaded_products import is_product_of_rows, is_small_sum_over_rows
from graphc.ops.movement.rearranging import Transpose
from graphc.ops.movement.reshaping import Reshape
from graphc.ops.reduction.folding import Reduction
from graphc.ops.registry import OPS
from graphc.plan.blocks import is_pointwise
from graphc.plan.program import Run, Statement
from graphc.plan.runs import LARGE, Gathered, runs_of

#: A row of as many elements is work for a core by itself; the fewest calls on such rows, and the
#: fewest rows, for which threads pay.
_LARGE_ROW, _FEWEST_CALLS, _FEWEST_ROWS = 16384, 3, 4
#: A total of more elements is computed from whole arrays afterwards.
_LARGEST_TOTAL = 4096
#: How many statements may move out of the way of one run, so that planning stays linear.
_MOST_MOVED = 1000


def by_samples(
    statements: Sequence[Statement], kept: Collection[Node]
) -> tuple[list[Statement], dict[Node, Run]]:
    """Return the statements with those of each run side by side, and the run of each node.

    `kept` are values that somebody reads when all statements are done. Nothing runs sample by
    sample beside an op that multiplies matrices by itself, as convolutions and loops do: BLAS's own
    threads go on spinning after a product, on the cores that the samples need.
    """
    if any(s.node.op.multiplies and not isinstance(s.node.op, Einsum) for s in statements):
        return list(statements), {}
    ordered: list[Statement] = []
    found: list[_Samples] = []
    left = list(statements)
    while left:
        first = next((at for at, s in enumerate(left) if _has_large_rows(s)), len(left))
        if first == len(left):
            return [*ordered, *left], runs_of([*ordered, *left], found, kept)
        samples = _Samples(left[first].node.shape[0])
        end = next((at for at, s in enumerate(left) if not samples.takes(s)), len(left))
        if samples.pays():
            found.append(samples)
            ordered += samples.in_order()
            left = [*samples.behind, *left[end:]]
        else:
            ordered += left[: first + 1]
            left = left[first + 1 :]
    return ordered, runs_of(ordered, found, kept)


@dataclass
class _Samples(Gathered):
    """A run over samples; a sample has `rows` rows in each array that is seen sample by sample."""

    @property
    def row(self) -> Dim:
        sizes = [count * product(node.shape[1:]) for node, count in self.rows.items()]
        return max(sizes, key=_typical)

    def takes(self, statement: Statement) -> bool:
        """Say whether the run goes on after a statement, having put it in its place."""
        operands = statement.operands
        if statement.block not in (FORWARD, BACKWARD):
            return False
        if len(self.before) + len(self.behind) == _MOST_MOVED:
            return False
        is_late = any(x in self.results for x in operands)
        if not is_late and self.joined(statement):
            return True
        if is_late or any(x in self.values for x in operands):
            self.behind.append(statement)
            self.results.add(statement.node)
        else:
            self.before.append(statement)
        return True

    def joined(self, statement: Statement) -> bool:
        """Take a statement into the run, if it belongs there."""
        rows = self.rows_of(statement)
        return rows is not None and self.admits(statement, rows)

    def rows_of(self, statement: Statement) -> dict[Node, int] | None:
        """Return the arrays that a statement sees one sample of at a time, if it can."""
        node, operands = statement.node, statement.operands
        inside = [x for x in operands if x in self.values]
        if isinstance(node.op, Reshape):
            count = _per_sample(node, self.extent)
            return {node: count} if inside and count else None
        split = _split_operands(statement)
        if split is None:
            split = _added_up(statement) if inside else None
            count = self.count(split or (), inside)
            return dict.fromkeys(split, count) if split and count else None
        count = self.count(split, inside)
        if not count:
            return None
        if not inside and not _is_large(count * product(node.shape[1:])):
            return None  # Small work that reads none of the run's values can be done before it.
        return {**dict.fromkeys(split, count), node: count}

    def count(self, split: Collection[Node], inside: Sequence[Node]) -> int | None:
        """Return how many rows of the split operands belong to a sample: of all equally many."""
        if not split or any(x not in split for x in inside):
            return None
        known = {self.rows.get(x) or _own_count(x, self.extent) for x in split}
        return known.pop() if len(known) == 1 else None

    def pays(self) -> bool:
        """Say whether there is enough to do with each row."""
        calls = [s for s in self.inside if not s.node.op.is_view]
        large = [s for s in calls if any(map(self.is_large, (s.node, *s.operands)))]
        return len(large) >= _FEWEST_CALLS

    def is_large(self, x: Node) -> bool:
        return x in self.rows and _is_large(self.rows[x] * product(x.shape[1:]))

    def in_order(self) -> list[Statement]:
        """Return what moves in front, and the run, which stands where its first statement stood."""
        block = self.inside[0].block
        self.before, self.inside = (
            [replace(s, block=block) for s in part] for part in (self.before, self.inside)
        )
        return [*self.before, *self.inside]


def _typical(size: Dim) -> int:
    """Return a size, with something usual for each named dim in it."""
    return evaluate(size, dict.fromkeys(symbols_of([size]), 64))


def _is_large(row: Dim) -> bool:
    """Say whether a row is work for a core by itself, or may be."""
    return not isinstance(row, int) or row >= _LARGE_ROW


def _has_large_rows(statement: Statement) -> bool:
    node = statement.node
    if statement.block not in (FORWARD, BACKWARD) or node.ndim < 2 or node.op.is_view:
        return False
    if not node.inputs or not _split_operands(statement):
        return False
    extent, row = node.shape[0], product(node.shape[1:])
    if isinstance(extent, int) and extent < _FEWEST_ROWS:
        return False
    if not isinstance(row, int):
        return node.ndim > 2  # What is named is large, perhaps, where a row is a matrix.
    return row >= _LARGE_ROW and not (isinstance(extent, int) and extent * row < LARGE)


def _split_operands(statement: Statement) -> set[Node] | None:
    """Return the operands of which each row of the result reads its own row alone.

    None where a row reads other rows, or the op would name their number.
    """
    node, operands = statement.node, statement.operands
    if not node.shape:
        return None
    if is_pointwise(statement):
        return {x for x in operands if x.ndim == node.ndim and same(x.shape[0], node.shape[0])}
    if not isinstance(node.op, (Reduction, Transpose, Einsum)):
        return None
    if isinstance(node.op, Einsum) and not is_product_of_rows(node):
        return None
    split = set()
    for index, x in enumerate(operands):
        spans = reads(node, index)
        if any(axis == 0 for span in spans[1:] for axis, _ in span.steps):
            return None
        if spans and spans[0] == along(0):
            split.add(x)
        elif spans and any(axis == 0 for axis, _ in spans[0].steps):
            return None
    return split


def _added_up(statement: Statement) -> set[Node] | None:
    """Return the operands whose rows a statement adds up to a small total, if it does."""
    node = statement.node
    size = node.size
    if node.dtype.kind != "f" or not isinstance(size, int) or size > _LARGEST_TOTAL:
        return None
    if node.op is OPS["sum"]:
        return set(statement.operands) if 0 in node.attrs["axis"] else None
    if isinstance(node.op, Einsum) and is_small_sum_over_rows(node):
        return set(statement.operands)
    return None


def _per_sample(x: Node, extent: Dim) -> int | None:
    """Return how many rows of an array belong to each sample, if the same number does."""
    count = divide_exactly(x.shape[0], extent) if x.shape else None
    return count if isinstance(count, int) and count > 0 else None


def _own_count(x: Node, extent: Dim) -> int | None:
    """Return how many rows of an array from outside belong to each sample.

    More than one where it shows an array of samples in another shape, or is a constant; the sizes
    of two arrays that have nothing to do with each other may be multiples by chance.
    """
    if x.shape and same(x.shape[0], extent):
        return 1
    source = x.inputs[0] if isinstance(x.op, Reshape) else x
    is_shown = source is not x and source.shape and same(source.shape[0], extent)
    return _per_sample(x, extent) if is_shown or not x.inputs else None
