"""Adding whole rows into a table: `scatter_add` along the first axis, as NumPy does it fastest.

`np.add.at` with rows of numbers takes a general path, element by element; on a flat array with flat
places it has a loop of its own, fifteen times as fast.
"""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphError
from graphc.ir.code import Codes, Notation
from graphc.ir.dims import Dim, product
from graphc.ir.node import Node
from graphc.ir.op import Arg, Case
from graphc.ir.symbols import sympy_module
from graphc.ops.movement.indexing import ScatterAdd
from graphc.ops.registry import register

ADD_ROWS = '''
def add_rows(table, rows, values):
    """Add the `values` to those rows of `table`; what equal rows get adds up."""
    width = table[:1].size
    shape = rows.shape + table.shape[1:]
    values = np.broadcast_to(np.asarray(values, table.dtype), shape)
    if not (table.flags.c_contiguous and width):
        np.add.at(table, rows, values)
        return
    flat, values = table.reshape(-1), np.ascontiguousarray(values).reshape(-1)
    if width == 1:
        np.add.at(flat, rows.reshape(-1), values)
        return
    if width % 2 == 0:  # two real numbers are one complex number, and add up alike
        pair = np.result_type(table, np.complex64)
        flat, values, width = flat.view(pair), values.view(pair), width // 2
    rows = rows.reshape(-1, 1).astype(np.intp) * width
    steps = np.tile(np.arange(width), (min(len(rows), 512), 1))
    places = np.empty_like(steps)
    for start in range(0, len(rows), 512):  # so that the places take little memory
        part = places[: len(rows) - start]
        part[...] = rows[start : start + 512]
        part += steps[: len(part)]
        np.add.at(flat, part.reshape(-1), values[start * width : (start + 512) * width])
'''


class ScatterRows(ScatterAdd):
    """`scatter_add` of rows of floats along the first axis, by one index array."""

    def __call__(self, base: Any, values: Any, *indices: Any, axis: int = 0) -> Node:
        node = super().__call__(base, values, *indices, axis=axis)
        if axis or len(indices) != 1 or node.dtype.kind != "f":
            raise GraphError("scatter_rows adds rows of floats by one index array")
        return node

    def helper(self, node: Node) -> str:
        return ADD_ROWS

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str:
        return f"add_rows({out}, {args[2]}, {args[1]})"

    def scratch(self, node: Node) -> Dim:
        """Return the bytes of the row numbers, and of the places of at most 512 rows, twice.

        Values that repeat are written out besides.
        """
        rows, width = node.inputs[2].size, product(node.shape[1:])
        if not isinstance(rows, int):
            some = sympy_module().Min(512, rows)
        else:
            some = min(512, rows)
        is_even = isinstance(width, int) and width % 2 == 0
        values = node.inputs[1]
        written_out = values.size * values.dtype.itemsize if values.op.is_inserted else 0
        return 8 * rows + 16 * some * (width // 2 if is_even else width) + written_out


scatter_rows = register(
    ScatterRows(
        "scatter_rows",
        "A copy of `base` with rows added at integer indices; repeated rows accumulate.",
        [
            Case((Arg((3, 4)), Arg((2, 4)), Arg((2,), "int64", 0, 3))),
            Case((Arg((3, 5)), Arg((6, 5)), Arg((6,), "int64", -3, 3))),
            Case((Arg((3, 2, 2)), Arg((2, 4, 2, 2)), Arg((2, 4), "int64", 0, 3))),
            Case((Arg((3, 4)), Arg((0, 4)), Arg((0,), "int64", 0, 3))),
        ],
    )
)
