"""Which matrices are triangles, as far as the ops tell that made them, and equations with them."""

from __future__ import annotations

from typing import Literal

from graphc.ir.dims import same_shape
from graphc.ir.node import Node

Triangle = Literal["lower", "upper"]
#: How many ops may lie between a matrix and what makes it a triangle.
_DEEPEST = 8
#: Up to so many rows NumPy's solver for any matrix is as quick.
_FEW = 64
#: Rows that are solved at once, by their inverse.
ROWS = 32

# NumPy has no solver for triangles; its general one eliminates what is 0 already, and then takes
# each column by itself. Like that one, these compute in float64.
SOLVE_TRIANGLE = f'''
def _solve_lower(a, b):
    """Return x with a @ x = b for a lower triangle a, by {ROWS} rows at a time."""
    kind, shape, n = b.dtype, b.shape, a.shape[-1]
    a = a.astype(np.float64, copy=False)
    x = b.astype(np.float64).reshape(*a.shape[:-1], -1)
    for start in range(0, n, {ROWS}):
        rows = slice(start, start + {ROWS})
        x[..., rows, :] -= a[..., rows, :start] @ x[..., :start, :]
        x[..., rows, :] = np.linalg.inv(a[..., rows, rows]) @ x[..., rows, :]
    return x.reshape(shape).astype(kind, copy=False)


def _solve_upper(a, b):
    """Return x with a @ x = b for an upper triangle a: a lower one, reversed."""
    columns = b.reshape(*a.shape[:-1], -1)
    x = _solve_lower(a[..., ::-1, ::-1], columns[..., ::-1, :])
    return x[..., ::-1, :].reshape(b.shape)
'''


def triangle(matrix: Node) -> Triangle | None:
    """Return the side of the diagonal beyond which the matrices of a stack have elements, if one.

    >>> import graphc as gc
    >>> a = gc.input("a", (3, 3))
    >>> triangle(gc.cholesky(a)), triangle(gc.triu(a) * 2), triangle(gc.tril(a).T), triangle(a)
    ('lower', 'upper', 'upper', None)
    """
    if _is_lower(matrix, _DEEPEST):
        return "lower"
    return "upper" if _is_upper(matrix, _DEEPEST) else None


def kept_triangle(choice: Node) -> tuple[str, int, int] | None:
    """Return how a choice cuts a triangle out of a matrix: `tril` or `triu`, operand, diagonal.

    >>> import graphc as gc
    >>> a = gc.input("a", (3, 3))
    >>> kept_triangle(gc.tril(a, -1)), kept_triangle(gc.triu(a)), kept_triangle(a)
    (('tril', 1, -1), ('triu', 2, 0), None)
    """
    k = diagonal(_written(choice.inputs[0])) if choice.op.name == "where" else None
    if k is None:
        return None
    if _is_zero(choice.inputs[2]):
        return "tril", 1, k
    return ("triu", 2, k + 1) if _is_zero(choice.inputs[1]) else None


def side_in_blocks(matrix: Node) -> Triangle | None:
    """Return the side of triangles that are worth being solved block by block."""
    order = matrix.shape[-1]
    return None if isinstance(order, int) and order <= _FEW else triangle(matrix)


def _is_lower(matrix: Node, depth: int) -> bool:
    return _has_zeros(matrix, True, depth)


def _is_upper(matrix: Node, depth: int) -> bool:
    return _has_zeros(matrix, False, depth)


def _has_zeros(matrix: Node, above: bool, depth: int) -> bool:
    """Say whether all elements above the diagonal are 0, or all below it."""
    if depth == 0 or matrix.ndim < 2:
        return False

    def holds(x: Node, above: bool = above) -> bool:
        return same_shape(x.shape[-2:], matrix.shape[-2:]) and _has_zeros(x, above, depth - 1)

    inputs, last = matrix.inputs, matrix.ndim - 1
    match matrix.op.name:
        case "cholesky":
            return above
        case "eye":
            return bool(matrix.attrs["k"] <= 0 if above else matrix.attrs["k"] >= 0)
        case "transpose" if matrix.attrs["axes"][-2:] == (last, last - 1):
            return _has_zeros(inputs[0], not above, depth - 1)
        case "negative" | "cast" | "broadcast_to" | "divide":
            return holds(inputs[0])
        case "add" | "subtract":
            return all(map(holds, inputs))
        case "multiply":
            return any(map(holds, inputs))
        case "where":
            return _chosen(matrix, above) or all(map(holds, inputs[1:]))
        case _:
            return False


def _chosen(matrix: Node, above: bool) -> bool:
    """Say whether `where` writes zeros on one side, as `tril` and `triu` do."""
    mask, on_or_below, over = matrix.inputs
    k = diagonal(_written(mask))
    if k is None:
        return False
    if above:
        return k <= 0 and _is_zero(over)
    return k >= -1 and _is_zero(on_or_below)


def diagonal(mask: Node) -> int | None:
    """Return the diagonal on and below which a mask is true, if it is made of places alone."""
    if mask.op.name != "less_equal":
        return None
    column, row = map(_written, mask.inputs)
    shift = 0
    if row.op.name in ("add", "subtract") and _written(row.inputs[1]).op.name == "full":
        number = _written(row.inputs[1]).attrs["value"]
        shift = number if row.op.name == "add" else -number
        row = _written(row.inputs[0])
    is_column = _counts(column) and same_shape(column.shape, mask.shape[-1:])
    is_row = row.op.name == "reshape" and _counts(row.inputs[0])
    if not (is_column and is_row and same_shape(row.shape, (mask.shape[-2], 1))):
        return None
    return int(shift)


def _written(node: Node) -> Node:
    """Return what is spread over the mask."""
    return node.inputs[0] if node.op.name == "broadcast_to" else node


def _counts(node: Node) -> bool:
    return node.op.name == "arange" and (node.attrs["start"], node.attrs["step"]) == (0, 1)


def _is_zero(node: Node) -> bool:
    source = _written(node)
    return source.op.name == "full" and bool(source.attrs["value"] == 0)
