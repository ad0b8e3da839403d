"""Taking whole rows out of a table: `gather` along the first axis, as NumPy does it fastest.

`np.take` with `out=` copies the result once more, so that an index out of range leaves `out` as it
was; where the range is known beforehand it need not.
"""

from __future__ import annotations

from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.op import Arg, Case
from graphc.ops.movement.indexing import Gather
from graphc.ops.registry import register

_TAKE_ROWS = '''
def take_rows(table, rows, out):
    """Return `out` with those rows of `table`; IndexError where one is out of range."""
    if rows.size and not -len(table) <= rows.min() <= rows.max() < len(table):
        raise IndexError(f"a row is out of bounds: the table has {len(table)} rows")
    return table.take(rows, axis=0, out=out, mode="wrap")
'''


class GatherRows(Gather):
    """`gather` of rows along the first axis, by one index array."""

    def helper(self, node: Node) -> str:
        return _TAKE_ROWS

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str:
        return f"take_rows({args[0]}, {args[1]}, out={out})"

    def scratch(self, node: Node) -> Dim:
        return 0

    def text(self, node: Node, args: Codes) -> Code:
        return Code(f"gather_rows({args[0]}, {args[1]}, axis=0)")


gather_rows = register(
    GatherRows(
        "gather_rows",
        "Rows of a table at integer indices.",
        [
            Case((Arg((3, 4)), Arg((5,), "int64", -3, 3)), {"axis": 0}),
            Case((Arg((3, 2, 2)), Arg((2, 4), "int64", 0, 3)), {"axis": 0}),
            Case((Arg((3, 4)), Arg((0,), "int64", 0, 3)), {"axis": 0}),
        ],
    )
)
