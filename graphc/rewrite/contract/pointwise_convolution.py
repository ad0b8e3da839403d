"""Convolutions of one place: a product of filters and channels at each position, and no windows.

A window of one element is that element. So a convolution by such filters, and its derivatives by
them and by the image, are products of matrices as their operands lie: nothing is laid out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from graphc.ir.dims import Dim, Shape, product, same_shape
from graphc.ir.node import Node
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.contraction.matrix_product import matmul_form
from graphc.ops.contraction.spec import label_sizes, split_spec
from graphc.ops.leaf import is_fill
from graphc.ops.reduction.spread import is_at_least
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import terms_of_sum
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding


def _product_of_elements(node: Node, facts: Facts) -> Node | None:
    """einsum(windows(x), W) → W @ x, where a window is an element; likewise the filters' gradient.

    **Shapes.** x: [n, c, h, w], W: [o, c, 1, 1] -> [n, o, h, w]
    """
    if len(node.inputs) != 2:
        return None
    at = 0 if node.inputs[0].op is OPS["windows"] else 1
    shown, other = node.inputs[at], node.inputs[1 - at]
    if not _are_elements(shown.attrs) or shown.op is other.op:
        return None
    x = shown.inputs[0]
    rank = len(shown.attrs["size"])
    elements = _shown(x, shown.attrs)
    if not same_shape(elements.shape, shown.shape[:-rank]):
        return None
    terms, out = split_spec(node.attrs["spec"])
    lead, places = terms[at][:-rank], terms[at][-rank:]
    product_of = [(elements, lead), (other, terms[1 - at])]
    return _without_places(product_of, out, places, lead[-rank:], node.shape)


def _add_of_elements(node: Node, facts: Facts) -> Node | None:
    """windows_add(base, v) → base + v, where a window is an element, and v holds products."""
    base, values = node.inputs
    rank = len(node.attrs["size"])
    if not _are_elements(node.attrs):
        return None
    shape = values.shape[:-rank]
    found = []
    for term in terms_of_sum(values, facts.is_shared):
        plain: Node | None = OPS["reshape"](term, shape)
        if term.op is OPS["einsum"] and len(term.inputs) == 2 and not facts.is_shared(term):
            terms, out = split_spec(term.attrs["spec"])
            lead, places = out[:-rank], out[-rank:]
            operands = list(zip(term.inputs, terms, strict=True))
            plain = _without_places(operands, lead, places, lead[-rank:], shape)
        if plain is None:
            return None
        found.append(plain)
    total = reduce(OPS["add"], found)
    into = _shown(base, node.attrs)
    if not same_shape(shape, into.shape):
        return None
    if into is not base:
        return OPS["slice_add"](base, total, into.attrs["bounds"])
    return total if is_fill(base, 0) else OPS["add"](base, total)


def _are_elements(attrs: Mapping[str, Any]) -> bool:
    is_one = all(isinstance(n, int) and n == 1 for n in attrs["size"])
    return is_one and all(isinstance(n, int) for n in attrs["stride"])


def _shown(x: Node, attrs: Mapping[str, Any]) -> Node:
    """Return the elements that windows of one element show: x itself, or every other row of it."""
    lead = [slice(None)] * (x.ndim - len(attrs["stride"]))
    return OPS["slice"](x, [*lead, *[slice(None, None, step) for step in attrs["stride"]]])


def _without_places(
    operands: Sequence[tuple[Node, str]], out: str, places: str, positions: str, shape: Shape
) -> Node | None:
    """Return a contraction of two operands with labels, less those of size 1, as an array `shape`.

    The positions become one label. None for what is no product of matrices then, as for groups.
    """
    sizes = label_sizes([term for _, term in operands], [x.type for x, _ in operands])
    terms = ["".join(c for c in t if c not in places) for t in (*[t for _, t in operands], out)]
    sides = [term for term in terms if set(positions) & set(term)]
    counts = [sum(c in term for term in terms) for c in sizes if c not in places]
    is_plain = all(len(set(term)) == len(term) for term in terms)
    is_joined = all(positions in term for term in sides)
    if not is_plain or not is_joined or any(count != 2 for count in counts):
        return None
    one = positions[0]
    sizes[one] = product([sizes[c] for c in positions])
    first, second, result = (term.replace(positions, one) for term in terms)
    matrices = [
        OPS["reshape"](x, tuple([sizes[c] for c in term]))
        for (x, _), term in zip(operands, (first, second), strict=True)
    ]
    if one not in result and _is_small([first, second], one, sizes):
        # No operand is copied: measured, half the time of one product of all samples.
        samples = "".join(c for c in first if c in second and c != one)
        each = einsum_labels(matrices, [first, second], samples + result)
        return OPS["reshape"](OPS["sum"](each, tuple(range(len(samples)))), shape)
    found = einsum_labels(matrices, [first, second], result)
    if one in result and matmul_form(found) is None:
        return None
    return OPS["reshape"](found, shape)


def _is_small(terms: Sequence[str], position: str, sizes: dict[str, Dim]) -> bool:
    """Say whether the product of one sample, of several, has no more elements than its operands.

    Positions of a named size are taken to be many.
    """
    shared = set(terms[0]) & set(terms[1])
    a, b = (product([sizes[c] for c in term if c not in shared]) for term in terms)
    if len(shared) < 2 or not isinstance(sizes[position], int):
        return len(shared) > 1
    return is_at_least((a + b) * sizes[position], a * b)


_ONE = "x: input(f64, 2, 3, 4, 5)\nW: input(f64, 6, 3, 1, 1)\n"

POINTWISE_CONVOLUTIONS = (
    rounding(
        "product_of_elements",
        "einsum('ncxyij,ocij->noxy', windows(x, size=(1, 1)), W)",
        "W @ reshape(x, (n, c, xy))",
        "a window of one element is that element, and the product one of matrices as they lie",
        apply=_product_of_elements,
        roots=("einsum",),
        operands=("windows",),
        example=_ONE + "y = einsum('ncxyij,ocij->noxy', windows(x, size=(1, 1)), W)",
    ),
    rounding(
        "add_of_elements",
        "windows_add(base, einsum('noxy,ocij->ncxyij', z, W), size=(1, 1))",
        "base + W.T @ reshape(z, (n, o, xy))",
        "a window of one element is that element: what it is given belongs to one place",
        apply=_add_of_elements,
        roots=("windows_add",),
        operands=("einsum", "add"),
        example=_ONE
        + "z: input(f64, 2, 6, 4, 5)\n"
        + "y = windows_add(x, einsum('noxy,ocij->ncxyij', z, W), size=(1, 1))",
    ),
)
