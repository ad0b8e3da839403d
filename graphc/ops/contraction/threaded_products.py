"""Products as threads that work side by side compute them: in pieces too small for BLAS's threads.

BLAS starts threads of its own for large products. Called by several threads at once they wait for
one another, and they go on spinning afterwards on the cores that other threads need. OpenBLAS does
so from 2¹⁸ multiplications on in a product of matrices, and from 9,216 in a matrix times a vector.
Pieces below that take a fifth to two fifths longer. BLAS copies what a piece reads before it
multiplies, so pieces of the result are near to squares, and not deeper than 256: that reads least.
Of a transposed second matrix they are 32 × 32: OpenBLAS's kernels for AVX-512 have 84 GFLOP/s for
32 × 64 such products of 128 numbers each, and 168 for 32 × 32; its older ones lose a twentieth.
The largest products are BLAS's own, and those in which few rows read a large matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.ir.code import ATOM, Code, Codes, Notation
from graphc.ir.dims import product
from graphc.ir.node import Node
from graphc.ops.contraction.matrix_product import matmul_form, oriented, view, viewed_product
from graphc.ops.contraction.spec import label_sizes, split_spec

#: A wider matrix would not stay in the cache.
WIDEST = 32
#: Multiplications that BLAS does in the thread that calls it: of matrices, and with a vector.
_MOST, _MOST_OF_VECTOR = 2**18, 2**13

HELPERS = '''
def dot_each_row(matrix, vector, out):
    """Write matrix @ vector into out, in products for which BLAS starts no threads."""
    rows, width = matrix.shape
    step = max(1, 4096 // max(1, width))
    whole = rows - rows % step
    stack = matrix[:whole].reshape(whole // step, step, width)
    np.matmul(stack, vector, out=out[:whole].reshape(-1, step))
    matrix[whole:].dot(vector, out=out[whole:])
    return out


def sum_of_products(a, b):
    """Return a.T @ b, in products too small for BLAS to start threads."""
    rows = len(a)
    left, right = (array.reshape(rows, *array.shape[1:] or [1]) for array in (a, b))
    m, n = left.shape[1], right.shape[1]
    step = max(1, (2**18 if min(m, n) > 1 else 2**13) // max(1, m * n))
    whole = rows - rows % step
    lefts = left[:whole].reshape(whole // step, step, m).swapaxes(1, 2)
    rights = right[:whole].reshape(whole // step, step, n)
    total = (lefts @ rights).sum(axis=0) + left[whole:].T @ right[whole:]
    return total.reshape(a.shape[1:] + b.shape[1:])


def matmul_in_tiles(a, b, out):
    """Write a @ b into out, in products too small for BLAS to start threads."""
    (rows, depth), columns = a.shape[-2:], b.shape[-1]
    most, deepest = (2**18, 256) if min(rows, columns) > 1 else (2**13, 1024)
    if rows * depth * columns <= most:
        return np.matmul(a, b, out=out)
    deep = -(-depth // -(-depth // deepest))
    area = most // deep  # of a tile; one near to a square reads least
    if deep > 64 and b.strides[-2] < b.strides[-1]:
        area = min(area, 1024)  # of a transposed matrix, larger ones are slow
    wide = min(columns, 1 << area.bit_length() // 2)
    high = min(rows, area // wide)
    high -= high % 8 if 8 < high < rows else 0
    if high == rows:
        wide = -(-columns // -(-columns // (area // high)))
    m, n = rows - rows % high, columns - columns % wide
    if m < rows:
        matmul_in_tiles(a[..., m:, :], b, out[..., m:, :])
    if n < columns:
        matmul_in_tiles(a[..., :m, :], b[..., n:], out[..., :m, n:])
    tiles = (m // high, high, n // wide, wide)
    left = a[..., :m, :].reshape(*a.shape[:-2], m // high, 1, high, depth)
    right = b[..., None, :, :n].reshape(*b.shape[:-2], 1, depth, *tiles[2:])
    right = right.swapaxes(-3, -2)
    target = out[..., :m, :n].reshape(*out.shape[:-2], *tiles).swapaxes(-3, -2)
    np.matmul(left[..., :deep], right[..., :deep, :], out=target)
    if deep < depth:
        kept = np.empty(target.shape, out.dtype)
    for start in range(deep, depth, deep):
        part = slice(start, start + deep)
        target += np.matmul(left[..., part], right[..., part, :], out=kept)
    return out


def matmul_on_all_cores(a, b, out=None):
    """Return a @ b of two matrices; each core computes some of its columns, or rows."""
    (rows, depth), columns = a.shape, b.shape[1]
    if rows * depth * columns >= (2**30 if min(rows, depth, columns) >= 256 else 2**28):
        return np.matmul(a, b, out=out)  # faster, though BLAS's threads spin afterwards
    if out is None:
        out = np.empty((rows, columns), a.dtype)

    def some_rows(part, worker):
        matmul_in_tiles(a[part], b, out[part])

    def some_columns(part, worker):  # 64 at a time: one or two tiles
        place = slice(64 * part.start, 64 * part.stop)
        matmul_in_tiles(a, b[:, place], out[:, place])

    if columns >= 128:
        step = max(1, 2**17 // max(1, rows * depth))
        in_blocks(some_columns, -(-columns // 64), step)
    else:
        in_blocks(some_rows, rows, max(64, 2**21 // max(1, b.size)))
    return out
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


def is_small_sum_over_rows(node: Node) -> bool:
    """Say whether a contraction adds up the rows of a vector, or of narrow matrices."""
    if not is_sum_over_rows(node.attrs["spec"]):
        return False
    return node.ndim < 2 or all(isinstance(d, int) and d <= WIDEST for d in node.shape)


def is_product_of_rows(node: Node) -> bool:
    """Say whether threads can compute a contraction of two operands in pieces of any rows."""
    terms, out = split_spec(node.attrs["spec"])
    return matmul_form(node) is not None or viewed_product(terms, out) is not None


def starts_no_threads(node: Node) -> bool:
    """Say whether BLAS computes a product in the thread that calls it, whatever the named dims."""
    terms, out = split_spec(node.attrs["spec"])
    sizes = label_sizes(terms, [x.type for x in node.inputs])
    count = product([size for c, size in sizes.items() if not (c in out and _in_all(c, terms))])
    free = [c for c in out if not _in_all(c, terms)]
    is_of_matrices = all(any(c in term for c in free) for term in terms)
    most = _MOST if is_of_matrices else _MOST_OF_VECTOR
    return isinstance(count, int) and count <= most


def _in_all(label: str, terms: Sequence[str]) -> bool:
    return all(label in term for term in terms)


def threaded(node: Node, args: Codes, notation: Notation) -> Code | None:
    """Return the product as an expression, or None where NumPy's own starts no threads."""
    if notation.threads == "blas" or len(args) != 2:
        return None
    if is_sum_over_rows(node.attrs["spec"]) and (
        notation.threads == "beside" or (node.ndim < 2 and not starts_no_threads(node))
    ):
        return _sum_over_rows(node, args)
    if notation.threads != "own" or starts_no_threads(node):
        return None
    parts = _matrices(node, args, "")
    if parts is None or not parts.is_plain:
        return None
    return Code(f"matmul_on_all_cores({parts.left}, {parts.right})")


def threaded_into(node: Node, args: Codes, out: str, notation: Notation) -> str | None:
    """Return the call that writes the product, or None where NumPy's own starts no threads."""
    if notation.threads == "blas" or len(args) != 2 or starts_no_threads(node):
        return None
    if is_number_per_row(node.attrs["spec"]):
        return f"dot_each_row({args[0]}, {args[1]}, out={out})"
    parts = _matrices(node, args, out)
    if parts is None:
        return None
    is_alone = notation.threads == "own" and parts.is_plain
    function = "matmul_on_all_cores" if is_alone else notation.multiply
    return f"{function}({parts.left}, {parts.right}, out={parts.out})"


@dataclass(frozen=True)
class _Matrices:
    """A product of stacks of matrices; `is_plain` where each operand is one matrix."""

    left: Code
    right: Code
    out: Code
    is_plain: bool


def _matrices(node: Node, args: Codes, out: str) -> _Matrices | None:
    """Return the operands of a product as (stacks of) matrices; None where it is of another kind.

    A vector is a matrix of one row on the left, and of one column on the right.
    """
    terms, labels = split_spec(node.attrs["spec"])
    form = matmul_form(node)
    if form is not None:
        order = [i for i, _ in form]
        left, right = (oriented(args[i], turned, node.inputs[i].ndim) for i, turned in form)
        ranks = [node.inputs[i].ndim for i in order]
        target = Code(out)
    else:
        viewed = viewed_product(terms, labels)
        if viewed is None or viewed.function != "matmul":
            return None
        i, j = viewed.order
        left, right = view(args[i], terms[i], viewed.left), view(args[j], terms[j], viewed.right)
        ranks = [len(viewed.left), len(viewed.right)]
        target = view(Code(out), labels, viewed.result)
    result = target.within(ATOM)
    if ranks[0] == 1:
        left, target = Code(f"{left.within(ATOM)}[None]"), Code(f"{result}[..., None, :]")
    if ranks[1] == 1:
        right, target = Code(f"{right.within(ATOM)}[:, None]"), Code(f"{result}[..., None]")
    return _Matrices(left, right, target, is_plain=ranks == [2, 2])


def _sum_over_rows(node: Node, args: Codes) -> Code:
    """Return the call that sums the products over the rows."""
    terms, _, out = node.attrs["spec"].partition("->")
    first, second = (word[1:] for word in terms.split(","))
    a, b = args if first + second == out else reversed(args)
    return Code(f"sum_of_products({a}, {b})")
