"""A contraction of two operands as one product of the arrays or of views, and how it is written.

`abcd,aecd->acbe` is a matrix product for each a and c. NumPy's `matmul` takes the operands as they
lie in memory, turned by their strides, and writes into a result that is turned alike; its own
`einsum` would multiply element by element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.ir.code import ATOM, PRODUCT, Code, Codes
from graphc.ir.node import Node
from graphc.ops.contraction.spec import are_two, split_spec

#: Stands for an axis of size 1 that a view inserts.
_NEW = None


def matmul_form(node: Node) -> tuple[tuple[int, bool], tuple[int, bool]] | None:
    """Return the operands in order, each with whether it is turned, if `@` computes the node."""
    terms, out = split_spec(node.attrs["spec"])
    if not are_two(terms):
        return None
    for i, j in ((0, 1), (1, 0)):
        for turn_i in (False, True):
            for turn_j in (False, True):
                a, b = _with_last_swapped(terms[i], turn_i), _with_last_swapped(terms[j], turn_j)
                if a is not None and b is not None and _is_matmul(a, b, out):
                    return (i, turn_i), (j, turn_j)
    return None


def tensordot_form(
    terms: Sequence[str], out: str
) -> tuple[tuple[int, tuple[int, ...]], tuple[int, tuple[int, ...]]] | None:
    """Return the operands in order, each with the axes that are summed, if `tensordot` does it.

    It multiplies matrices, where einsum multiplies element by element.
    """
    if not are_two(terms):
        return None
    shared = [label for label in terms[0] if label in terms[1]]
    if len(shared) < 2 or any(label in out for label in shared):
        return None
    free = ["".join(label for label in term if label not in shared) for term in terms]
    for i, j in ((0, 1), (1, 0)):
        if out == free[i] + free[j]:
            axes = [tuple([terms[k].index(label) for label in shared]) for k in (i, j)]
            return (i, axes[0]), (j, axes[1])
    return None


def _with_last_swapped(term: str, swap: bool) -> str | None:
    if not swap:
        return term
    return term[:-2] + term[-1] + term[-2] if len(term) >= 2 else None


def _is_matmul(a: str, b: str, out: str) -> bool:
    if not a or not b:
        return False
    batch_a, batch_b = a[:-2], b[:-2]
    if batch_a != batch_b and batch_a and batch_b:
        return False
    if (len(a) == 1 and batch_b) or (len(b) == 1 and batch_a):
        return False
    inner = b[-2] if len(b) > 1 else b[-1]
    if a[-1] != inner:
        return False
    rows = a[-2] if len(a) > 1 else ""
    columns = b[-1] if len(b) > 1 else ""
    batch = batch_a or batch_b
    labels = batch + rows + columns
    return out == labels and len(set(labels)) == len(labels) and inner not in out


@dataclass(frozen=True)
class ViewedProduct:
    """`out = function(left, right)` on views.

    `order` says which operand is left; `left`, `right` and `result` are the labels of the views'
    axes, None for an inserted one. `function` is matmul, vecdot (a dot product at each place) or
    multiply (no sum at all).
    """

    function: str
    order: tuple[int, int]
    left: tuple[str | None, ...]
    right: tuple[str | None, ...]
    result: tuple[str | None, ...]


def viewed_product(terms: Sequence[str], out: str) -> ViewedProduct | None:
    """Return how two operands are multiplied without moving either, if one call can do it."""
    if not are_two(terms):
        return None
    a, b = terms
    alone = (set(a) ^ set(b)) - set(out)
    if alone:
        return None
    inner = [c for c in a if c in b and c not in out]
    if not inner:
        return _broadcast(terms, out)
    if len(inner) > 1:
        return None
    if len(b) == 1:
        return ViewedProduct("matmul", (0, 1), (*out, *inner), (*inner,), tuple(out))
    if len(a) == 1:
        return ViewedProduct("matmul", (0, 1), (*inner,), (*out[:-1], *inner, out[-1]), tuple(out))
    batch = tuple([c for c in out if c in a and c in b])
    rows, columns = (
        [c for c in out if c in own and c not in other] for own, other in ((a, b), (b, a))
    )
    if len(rows) > 1 or len(columns) > 1:
        return None
    if not rows and not columns:
        return ViewedProduct("vecdot", (0, 1), (*batch, *inner), (*batch, *inner), batch)
    if not (rows and columns):
        return _by_vectors(terms, batch, inner[0], (rows or columns)[0])
    order = (0, 1)
    if out.index(columns[0]) < out.index(rows[0]):
        order, rows, columns = (1, 0), columns, rows
    row, column = rows[0], columns[0]
    left, right = (*batch, row, inner[0]), (*batch, inner[0], column)
    return ViewedProduct("matmul", order, left, right, (*batch, row, column))


def spread_product(terms: Sequence[str], out: str) -> ViewedProduct | None:
    """Return a stack of products in which operands have several axes of their own: `nd,edh->neh`.

    One axis of each stays in the matrices, next to the axis that is summed, so that BLAS takes
    them as they lie; along the others, the other operand is repeated without a copy.
    """
    if not are_two(terms):
        return None
    a, b = terms
    inner = [c for c in a if c in b and c not in out]
    if len(inner) != 1 or {*a, *b} - {*out, *inner}:
        return None
    for row in reversed([c for c in out if c not in b]):
        for column in reversed([c for c in out if c not in a]):
            ends = {row, *inner}, {column, *inner}, {row, column}
            if all(term[-1] in end for term, end in zip((a, b, out), ends, strict=True)):
                batch = [c for c in out if c not in (row, column)]
                sides = [(a, (row, *inner)), (b, (*inner, column))]
                order, last = (0, 1), (row, column)
                if out.index(column) < out.index(row):
                    sides, last = [(b, (column, *inner)), (a, (*inner, row))], (column, row)
                    order = (1, 0)
                left, right = (_stacked(term, batch, matrix) for term, matrix in sides)
                return ViewedProduct("matmul", order, left, right, (*batch, *last))
    return None


def _stacked(term: str, batch: Sequence[str], matrix: Sequence[str]) -> tuple[str | None, ...]:
    """Return the axes of a stack of matrices, without new ones in front: these need no writing."""
    lead: list[str | None] = [c if c in term else _NEW for c in batch]
    while lead and lead[0] is _NEW:
        lead.pop(0)
    return (*lead, *matrix)


def _by_vectors(
    terms: Sequence[str], batch: tuple[str, ...], inner: str, free: str
) -> ViewedProduct:
    """Return a stack of matrices times vectors, from the side that does not turn the matrices."""
    matrix = 0 if free in terms[0] else 1
    left: tuple[str | None, ...]
    right: tuple[str | None, ...]
    if terms[matrix].index(free) < terms[matrix].index(inner):
        left, right = (*batch, free, inner), (*batch, inner, _NEW)
        return ViewedProduct("matmul", (matrix, 1 - matrix), left, right, (*batch, free, _NEW))
    left, right = (*batch, _NEW, inner), (*batch, inner, free)
    return ViewedProduct("matmul", (1 - matrix, matrix), left, right, (*batch, _NEW, free))


def _broadcast(terms: Sequence[str], out: str) -> ViewedProduct:
    left, right = (_stacked(term, out, ()) for term in terms)
    return ViewedProduct("multiply", (0, 1), left, right, tuple(out))


def product_code(form: ViewedProduct, args: Codes, terms: Sequence[str], out: str) -> Code:
    """Return the product as an expression."""
    left, right = _operands(form, args, terms)
    if form.function == "multiply":
        return Code(f"{left.within(PRODUCT)} * {right.within(PRODUCT + 1)}", PRODUCT)
    if form.function == "vecdot":
        return Code(f"np.vecdot({left}, {right})")
    product = Code(f"{left.within(PRODUCT)} @ {right.within(PRODUCT + 1)}", PRODUCT)
    places = ["0" if c is _NEW else ":" for c in form.result]
    if "0" in places:
        while places[-1] == ":":
            places.pop()
        product = Code(f"{product.within(ATOM)}[{', '.join(places)}]")
    return view(product, [c for c in form.result if c is not _NEW], out)


def product_into(
    form: ViewedProduct, args: Codes, terms: Sequence[str], out_labels: str, out: str
) -> str:
    """Return the call that writes the product into an array."""
    left, right = _operands(form, args, terms)
    target = view(Code(out), out_labels, form.result)
    return f"np.{form.function}({left}, {right}, out={target})"


def _operands(form: ViewedProduct, args: Codes, terms: Sequence[str]) -> tuple[Code, Code]:
    i, j = form.order
    return view(args[i], terms[i], form.left), view(args[j], terms[j], form.right)


def view(code: Code, labels: Sequence[str], wanted: Sequence[str | None]) -> Code:
    """Return an array's view whose axes carry the wanted labels in order, None for a new axis."""
    labels = list(labels)
    order = [labels.index(c) for c in wanted if c is not _NEW]
    code = _turned(code, order)
    if _NEW not in tuple(wanted):
        return code
    places = ["None" if c is _NEW else ":" for c in wanted]
    while places[-1] == ":":
        places.pop()
    return Code(f"{code.within(ATOM)}[{', '.join(places)}]")


def _turned(code: Code, order: list[int]) -> Code:
    moved = [axis for axis, source in enumerate(order) if axis != source]
    if not moved:
        return code
    if len(order) == 2:
        return code.turned()
    if len(moved) == 2:
        last = moved == [len(order) - 2, len(order) - 1]
        axes = "-1, -2" if last else f"{moved[0]}, {moved[1]}"
        return Code(f"{code.within(ATOM)}.swapaxes({axes})")
    return Code(f"{code.within(ATOM)}.transpose({', '.join(map(str, order))})")


def oriented(code: Code, turned: bool, ndim: int) -> Code:
    """Return a matrix, or a stack of them, with its last two axes swapped if `turned`."""
    if not turned:
        return code
    return code.turned() if ndim == 2 else Code(f"{code.within(ATOM)}.swapaxes(-1, -2)")
