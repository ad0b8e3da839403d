"""What an optimizer does to a table of which a batch reads some rows.

The formulas of the optimizers know nothing of this: they are given the rows that were read, the
rows' gradients and the rows of each slot, and what they return is written back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphc.ir.node import Node
from graphc.ops.leaf import fill
from graphc.ops.movement.rows import row_form, row_writes
from graphc.ops.registry import OPS


@dataclass(frozen=True)
class Rows:
    """The rows of a table that a batch reads, some of them several times.

    Places of the same row hold the same gradient, which is that of the row, so that every place
    computes the same new value of the row and it does not matter which of them is written last.

    **Shapes.** table [V, ...], indices [n], each_gradient and gradient [n, ...]
    """

    table: Node
    indices: Node
    each_gradient: Node
    gradient: Node

    def of(self, table: Node) -> Node:
        """Return these rows of the table or of one of its slots."""
        return OPS["gather"](table, self.indices, axis=0)

    def put(self, table: Node, values: Node) -> Node:
        """Return the table or slot with other values in these rows."""
        return OPS["put_rows"](table, values, self.indices)

    @property
    def squared_norm(self) -> Node:
        """The sum of the squared elements of the table's gradient.

        Each place multiplies its own share with the row's sum, so a row counts once. Rounding may
        leave less than nothing of shares that cancel.
        """
        square = OPS["sum"](OPS["multiply"](self.each_gradient, self.gradient))
        return OPS["maximum"](square, 0.0)


def rows_by_parameter(params: Mapping[str, Node], gradients: Mapping[str, Node]) -> dict[str, Rows]:
    """Return the rows that were read of each sparse parameter.

    **Raises.** GraphError where a sparse parameter's gradient is not made of rows.
    """
    sparse = {key: g for key, g in gradients.items() if params[key].attrs.get("sparse")}
    return {key: _rows(params[key], gradient, key) for key, gradient in sparse.items()}


def _rows(table: Node, gradient: Node, key: str) -> Rows:
    found = row_form(gradient)
    if found is None:
        raise table.provenance.error(
            f"the gradient of the sparse parameter {key!r} is not made of rows",
            got="it is used by other ops than gather and embedding, or inside a loop",
            fix="leave sparse=True away; a penalty belongs on the rows that were looked up",
        )
    indices, each = found
    if indices.inputs and not indices.name:
        indices = indices.named(f"{key}.ids")
    total = OPS["sum_by_row"](each, indices, table.shape[0]).named(f"d_{key}_rows")
    return Rows(table, indices, each, total)


def minus_scaled(value: Node, gradient: Node, rate: Any) -> Node:
    """Return value - rate*gradient, of a table by its rows where the gradient is made of rows."""
    writes = row_writes(gradient)
    if not writes:
        return value - rate * gradient
    for values, rows in writes:
        value = OPS["scatter_add"](value, OPS["negative"](rate * values), rows, axis=0)
    return value


def squared_norm(gradient: Node, rows: Rows | None) -> Node:
    """Return the sum of a gradient's squared elements; of a sparse one each row counts once.

    A gradient of rows that was clipped already is no sum of shares: a row is divided by its places.
    """
    square = OPS["square"](gradient)
    if rows is None:
        return OPS["sum"](square)
    if gradient is rows.gradient:
        return rows.squared_norm
    places = OPS["sum_by_row"](
        fill(1.0, gradient.shape, gradient.dtype), rows.indices, rows.table.shape[0]
    )
    return OPS["sum"](square / places)
