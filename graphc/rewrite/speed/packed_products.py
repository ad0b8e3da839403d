"""Packed products: an operand is copied into the order of axes in which BLAS can multiply it.

`abc,bad->cd` sums over a and b, which lie in two orders: NumPy's `einsum` would multiply element by
element, on one core. In a copy of the smaller operand they lie as in the other one, so that both
are one axis, and the product one of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import Dim, typical_size
from graphc.ir.node import Node
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.contraction.spec import are_two, label_sizes, split_spec
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding

#: Along several axes that are not summed, `matmul` goes by itself, from one small product to the
#: next. One large product is faster by about as much as it takes to copy a part of its arrays.
_MUCH_SMALLER = 4


def _packed_operand(node: Node, facts: Facts) -> Node | None:
    """einsum('abc,bad->cd', x, y) → einsum('abc,abd->cd', x, copy of y turned)."""
    terms, out = split_spec(node.attrs["spec"])
    if not are_two(terms):
        return None
    inner = [c for c in terms[0] if c in terms[1] and c not in out]
    alone = (set(terms[0]) ^ set(terms[1])) - set(out)
    if alone or not inner or node.dtype.kind != "f":
        return None
    sizes = label_sizes(terms, [x.type for x in node.inputs])
    arrays = sorted([*terms, out], key=lambda term: _length(term, sizes), reverse=True)
    groups = (
        [c for c in out if c in terms[0] and c in terms[1]],
        inner,
        [c for c in out if c not in terms[1]],
        [c for c in out if c not in terms[0]],
    )
    if max(map(len, groups[1:])) < 2:
        return None  # a stack of products of views
    # Each group is ordered as the largest array that has it, which then need not be copied.
    batch, inner, rows, columns = (
        next(([c for c in term if c in group] for term in arrays if set(group) <= set(term)), group)
        for group in groups
    )
    wanted = [
        _nearest(term, batch, own, inner) for term, own in zip(terms, (rows, columns), strict=True)
    ]
    result = _nearest(out, batch, rows, columns)
    changed = [
        term for term, order in zip([*terms, out], [*wanted, result], strict=True) if term != order
    ]
    copied = sum(_length(term, sizes) for term in changed)
    if not changed or (len(inner) < 2 and copied * _MUCH_SMALLER > _length(arrays[0], sizes)):
        return None
    operands = [
        _packed(x, term, order) for x, term, order in zip(node.inputs, terms, wanted, strict=True)
    ]
    product = einsum_labels(operands, wanted, result)
    return OPS["transpose"](product, [result.index(c) for c in out])


def _nearest(term: str, batch: Sequence[str], *groups: Sequence[str]) -> str:
    """Return the labels of a stack of matrices, rows and columns in the order nearer to a term."""
    orders = ["".join([*batch, *first, *last]) for first, last in (groups, groups[::-1])]
    if term in orders:
        return term
    # Rows stay in one piece where they can: then a copy goes by rows, not by elements.
    return min(
        orders,
        key=lambda order: (
            order[-1] != term[-1],
            sum(a != b for a, b in zip(order, term, strict=True)),
        ),
    )


def _packed(x: Node, term: str, order: str) -> Node:
    if term == order:
        return x
    axes = tuple([term.index(c) for c in order])
    return OPS["pack"].make([x], axes=axes, shape=tuple([x.shape[a] for a in axes]))


def _length(term: str, sizes: dict[str, Dim]) -> int:
    return typical_size(sizes[c] for c in term)


PACKED_PRODUCTS = (
    rounding(
        "packed_operand",
        "einsum('abc,bad->cd', x, y)",
        "einsum('abc,abd->cd', x, pack(y, (1, 0, 2)))",
        "axes that are summed lie alike, so that the product is one of matrices",
        apply=_packed_operand,
        roots=("einsum",),
        example="x: input(f64, 2, 3, 4)\nw: input(f64, 3, 2, 5)\ny = einsum('abc,bad->cd', x, w)",
    ),
)
