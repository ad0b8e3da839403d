"""Rows of a table: added up where they are the same row, written back, and found in a gradient.

The derivative of an embedding is zero but for the rows that a batch reads. What an optimizer does
to those rows alone is made of these ops, and of gathers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.attributes import Attributes
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim, product, same_shape, shape_text, typical_size
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.provenance import user_error
from graphc.ir.types import INT64, TensorType
from graphc.ops.batching import Carried, all_carried
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node, fill, is_fill, zeros_like
from graphc.ops.linear import Movement
from graphc.ops.movement.indexing import gather, index_node, scatter_add
from graphc.ops.movement.scatter_rows import ADD_ROWS
from graphc.ops.registry import OPS, register

_SUM_BY_ROW = '''
def sum_by_row(values, rows, count, out=None):
    """Return in each place the sum of its row's values; row -1 is row count - 1."""
    _, group = np.unique(rows % count, return_inverse=True)
    total = np.zeros(values.shape, values.dtype)
    add_rows(total, group, values)
    return total.take(group, axis=0, out=out)
'''


class SumByRow(Movement):
    """In each place the sum of all `values` that belong to the same row of a table."""

    def __call__(self, values: Any, rows: Any, count: Dim) -> Node:
        return self.make([as_node(values), index_node(rows)], count=count)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        values, rows = inputs
        if len(rows.shape) != 1 or not values.shape:
            raise _misfit(self, values, rows, "values [n, ...] and rows [n]")
        if not same_shape(values.shape[:1], rows.shape):
            raise _misfit(self, values, rows, "as many rows as values")
        return values

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        values, rows = arrays
        rows = rows % attrs["count"]
        total = np.zeros_like(values)
        for i, row in enumerate(rows):
            for j, other in enumerate(rows):
                if row == other:
                    total[i] += values[j]
        return total

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        # Whether two places share a row says nothing about their order.
        return self.make([cotangent, node.inputs[1]], **node.attrs)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node | None:
        values, rows = carried
        if values is None or rows is not None:
            return None  # other rows for each direction
        # The rows come first, so the new axis goes second for the time being.
        swap = (1, 0, *range(2, values.ndim))
        moved = self.make([OPS["transpose"](values, swap), node.inputs[1]], **node.attrs)
        return OPS["transpose"](moved, swap)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"sum_by_row({args[0]}, {args[1]}, {notation.dim(node.attrs['count'])})")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        count = notation.dim(node.attrs["count"])
        return f"sum_by_row({args[0]}, {args[1]}, {count}, out={out})"

    def helper(self, node: Node) -> str:
        return ADD_ROWS + "\n\n" + _SUM_BY_ROW

    def indexed_dims(self, node: Node, position: int) -> tuple[Dim, ...]:
        return (node.attrs["count"],) if position else ()

    def flops(self, node: Node) -> Any:
        return node.size


class PutRows(Movement):
    """A copy of `base` with `values` as its rows of those numbers; of equal rows the last stays."""

    accumulates = True

    def __call__(self, base: Any, values: Any, rows: Any) -> Node:
        node, places = as_node(base), index_node(rows)
        shape = (*places.shape, *node.shape[1:])
        return self.make(
            [node, OPS["broadcast_to"](cast(as_node(values), node.dtype), shape), places]
        )

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        base, values, rows = inputs
        wanted = (*rows.shape, *base.shape[1:])
        if len(rows.shape) != 1 or not base.shape or not same_shape(wanted, values.shape):
            raise _misfit(self, values, rows, f"rows [n] and values {shape_text(wanted)}")
        return base

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        base, values, rows = arrays
        changed = np.array(base, result.dtype)
        for row, value in zip(rows, values, strict=True):
            changed[row] = value
        return changed

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        base, values, rows = node.inputs
        if index == 0:
            return self.make([cotangent, zeros_like(values), rows])
        # Of several values for one row only the last one counts.
        order = OPS["arange"](rows.shape[0])
        writer = self.make([fill(-1, base.shape[:1], order.dtype), order, rows])
        is_last = OPS["equal"](gather(writer, rows), order)
        mask = OPS["reshape"](is_last, (rows.shape[0], *[1] * (values.ndim - 1)))
        return OPS["where"](mask, gather(cotangent, rows), 0)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node | None:
        if carried[2] is not None:
            return None  # other rows for each direction
        moved = [
            OPS["transpose"](x, (1, 0, *range(2, x.ndim)))
            for x in all_carried(node, carried, size)[:2]
        ]
        written = self.make([*moved, node.inputs[2]])
        return OPS["transpose"](written, (1, 0, *range(2, written.ndim)))

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return f"{out}[{args[2]}] = {args[1]}"

    def label(self, node: Node, args: Sequence[str]) -> str:
        return f"{args[0]}[{args[2]}] = {args[1]}"

    def indexed_dims(self, node: Node, position: int) -> tuple[Dim, ...]:
        return node.shape[:1] if position == 2 else ()


def _misfit(op: Op, values: TensorType, rows: TensorType, expected: str) -> GraphError:
    return user_error(
        f"{op.name}: values and rows do not fit", got=f"{values} and {rows}", expected=expected
    )


def row_writes(gradient: Node) -> list[tuple[Node, Node]] | None:
    """Return the (values, rows) whose sum a gradient is, or None where it is not made of rows.

    Each read of a table leaves one in its gradient: `scatter_add(0, values, rows)`; they are added
    to one another, or onto one another.
    """
    writes: list[tuple[Node, Node]] = []
    pending, sums = [gradient], set()
    while pending:
        node = pending.pop()
        if node.op is OPS["add"] and node not in sums:
            sums.add(node)
            pending += reversed(node.inputs)
        elif node.op is scatter_add and len(node.inputs) == 3 and node.attrs["axis"] == 0:
            writes.append((node.inputs[1], node.inputs[2]))
            pending.append(node.inputs[0])
        elif not is_fill(node, 0):
            return None
    return writes


def is_of_few_rows(gradient: Node) -> bool:
    """Say whether a gradient is made of rows, and of no more than the table has."""
    written = [rows.shape for _, rows in row_writes(gradient) or ()]
    return bool(written) and sum(map(typical_size, written)) <= typical_size(gradient.shape[:1])


def row_form(gradient: Node) -> tuple[Node, Node] | None:
    """Return (rows [n], values [n, ...]) whose sum a gradient is, or None where it is not sparse.

    A row stands there once for each time that it is read.
    """
    writes = row_writes(gradient)
    if writes is None:
        return None
    rest = gradient.shape[1:]
    reshape = OPS["reshape"]
    rows = [reshape(rows, (product(rows.shape),)) for _, rows in writes]
    values = [reshape(each, (product(rows.shape), *rest)) for each, rows in writes]
    if not writes:  # nothing flows back to the table
        rows, values = [fill(0, (0,), INT64)], [fill(0, (0, *rest), gradient.dtype)]
    return _joined(rows), _joined(values)


def _joined(parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else OPS["concat"](*parts, axis=0)


_ROWS = Arg((3,), "int64", -4, 4)
sum_by_row = register(
    SumByRow(
        "sum_by_row",
        "In each place the sum of all values of the same row.",
        [
            Case((Arg((6, 2)), Arg((6,), "int64", -3, 3)), {"count": 3}),
            Case((Arg((4,)), Arg((4,), "int64", 0, 2)), {"count": 2}),
            Case((Arg((0, 2)), Arg((0,), "int64", 0, 2)), {"count": 3}),
        ],
    )
)
put_rows = register(
    PutRows(
        "put_rows",
        "A copy of base with other values in some of its rows.",
        [
            Case((Arg((4, 2)), Arg((3, 2)), _ROWS)),
            Case((Arg((3, 2)), Arg((5, 2)), Arg((5,), "int64", 0, 3))),
            Case((Arg((4,)), Arg((0,)), Arg((0,), "int64", 0, 3))),
        ],
    )
)
