"""Linear algebra: equations, inverses, determinants and Cholesky's factor, of stacks of matrices.

The names are those of `numpy.linalg`. A matrix without an answer raises NumPy's LinAlgError when
compiled code runs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.ir.node import Node
from graphc.ops.contraction.linear_algebra import turned
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS


class _SignAndLog(NamedTuple):
    """What `slogdet` returns, under NumPy's names."""

    sign: Node
    logabsdet: Node


def solve(a: Any, b: Any) -> Node:
    """Solve a @ x = b for x: quicker than the inverse of a, and more exact.

    As in NumPy 2, b is a vector only where it has one axis.

    **Shapes.** a: [..., n, n], b: [..., n, k] or [n] -> [..., n, k] or [..., n]
    **Raises.** GraphError where a is not square or b has other rows.
    """
    matrix, right = as_node(a), as_node(b)
    if right.ndim != 1 or matrix.ndim <= 2:
        return OPS["solve"](matrix, right)
    column = OPS["solve"](matrix, OPS["reshape"](right, (*right.shape, 1)))
    return OPS["reshape"](column, column.shape[:-1])


def inv(a: Any) -> Node:
    """Invert each matrix. To multiply by the inverse, `solve` is better.

    **Shapes.** a: [..., n, n] -> the same shape
    **Raises.** GraphError where a is not square.
    """
    return OPS["inv"](a)


def det(a: Any) -> Node:
    """Take the determinant of each matrix; its derivative needs matrices that are not singular.

    Of large matrices it overflows or underflows: `logdet` does not.

    **Shapes.** a: [..., n, n] -> [...]
    **Raises.** GraphError where a is not square.
    """
    return OPS["det"](a)


def logdet(a: Any) -> Node:
    """Take the logarithm of each matrix' determinant; NaN where that is negative.

    **Shapes.** a: [..., n, n] -> [...]
    **Raises.** GraphError where a is not square.
    """
    return OPS["logdet"](a)


def slogdet(a: Any) -> _SignAndLog:
    """Return the sign of each matrix' determinant, and the logarithm of its absolute value.

    **Shapes.** a: [..., n, n] -> sign [...], logabsdet [...]
    **Raises.** GraphError where a is not square.
    """
    return _SignAndLog(OPS["det_sign"](a), OPS["log_abs_det"](a))


def cholesky(a: Any, *, upper: bool = False) -> Node:
    """Return the lower triangular L with L @ L.T = a, for each symmetric positive definite matrix.

    Only the lower triangle of a is read, so the gradient of a has nothing above the diagonal; with
    `upper`, it is the other way round, and the result is the upper triangular L.T.

    **Shapes.** a: [..., n, n] -> the same shape
    **Raises.** GraphError where a is not square.
    """
    matrix = as_node(a)
    if not upper or matrix.ndim < 2:
        return OPS["cholesky"](matrix)
    return turned(OPS["cholesky"](turned(matrix)))
