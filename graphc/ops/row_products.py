"""Products over the rows of narrow matrices, as threads that work side by side compute them.

BLAS starts threads of its own for large ones; called by several threads at once, they wait for one
another. OpenBLAS does so from 9,216 elements on in a matrix times a vector.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.code import Code
from graphc.ir.node import Node

#: A wider matrix would not stay in the cache.
WIDEST = 32

HELPERS = '''
def dot_each_row(matrix, vector, out):
    """Write matrix @ vector into out, in products too small for BLAS to start threads."""
    rows, width = matrix.shape
    step = max(1, 4096 // max(1, width))
    whole = rows - rows % step
    stack = matrix[:whole].reshape(-1, step, width)
    np.matmul(stack, vector, out=out[:whole].reshape(-1, step))
    np.dot(matrix[whole:], vector, out=out[whole:])
    return out


def sum_of_products(a, b):
    """Return a.T @ b, in products too small for BLAS to start threads."""
    rows = len(a)
    whole = rows - rows % 256
    left, right = (array.reshape(rows, *array.shape[1:] or [1]) for array in (a, b))
    lefts = left[:whole].reshape(-1, 256, left.shape[1]).swapaxes(1, 2)
    rights = right[:whole].reshape(-1, 256, right.shape[1])
    total = (lefts @ rights).sum(axis=0) + left[whole:].T @ right[whole:]
    return total.reshape(a.shape[1:] + b.shape[1:])
'''


def is_number_per_row(spec: str) -> bool:
    """Say whether a contraction is matrix @ vector."""
    return spec == "ab,b->a"


def is_sum_over_rows(spec: str) -> bool:
    """Say whether a contraction multiplies two arrays of at most two axes, summed over the first.

    >>> [is_sum_over_rows(spec) for spec in ("a,ab->b", "a,a->", "ab,ac->cb", "ab,ab->", "a,b->ab")]
    [True, True, True, False, False]
    """
    terms, _, out = spec.partition("->")
    words = terms.split(",")
    row = terms[:1]
    rest = [word[1:] for word in words]
    is_shared = len(words) == 2 and all(word[:1] == row for word in words)
    free = "".join(rest)
    return (
        is_shared
        and row not in out + free
        and all(len(word) <= 1 for word in rest)
        and len({*free}) == len(free)
        and sorted(free) == sorted(out)
    )


def number_per_row(args: Sequence[Code], out: str) -> str:
    """Return the call that writes matrix @ vector."""
    matrix, vector = args
    return f"dot_each_row({matrix}, {vector}, out={out})"


def sum_over_rows(node: Node, args: Sequence[Code]) -> Code:
    """Return the call that sums the products over the rows."""
    terms, _, out = node.attrs["spec"].partition("->")
    first, second = (word[1:] for word in terms.split(","))
    a, b = args if first + second == out else reversed(args)
    return Code(f"sum_of_products({a}, {b})")
