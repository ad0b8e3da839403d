"""Products of joined arrays: each part is multiplied by itself, so that the whole is never made.

A recurrent cell that is written as a product of the joined state and input, [h, x_t] @ W, becomes
h @ W[:H] + x_t @ W[H:]: what no carry enters is then computed for all steps before the loop.
"""

from __future__ import annotations

from functools import partial, reduce
from itertools import groupby

from graphc.ir.dims import typical_size
from graphc.ir.graph import Graph
from graphc.ir.node import Node, standing_for
from graphc.ir.provenance import inherit
from graphc.ir.walk import topological
from graphc.ops.axes import starts_along
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.contraction.spec import split_spec
from graphc.ops.leaf import is_fill
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, drafted, over_loops
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import Firing, by_whole_pass, rounding

#: Elements from which on a copy counts more than a call.
_LARGE = 4096

SPLIT = rounding(
    "split_product",
    "concat(h, x_t) @ W",
    "h @ W[:k] + x_t @ W[k:]",
    "what no carry enters is multiplied for all steps at once",
    apply=by_whole_pass,
    example=(
        "x: input(f64, 5, 2, 3)\ns: input(f64, 2, 4)\nW: input(f64, 7, 4)\n"
        "def cell(h, x_t):\n    return tanh(concat(h, x_t, axis=1) @ W)\n"
        "(y,) = scan(cell, init=s, xs=x)"
    ),
)


def split_products(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph in whose loops steady parts are multiplied apart from others."""
    return over_loops(graph, SPLIT, _split, became)


def _split(node: Node, used: set[int]) -> dict[int, Node] | None:
    draft = drafted(node)
    order = topological(draft.roots())
    steady = draft.steady(order)
    replacement: dict[Node, Node] = {}
    for top in order:
        if top.op is OPS["einsum"] and top not in steady:
            with inherit(top.provenance):
                total = _by_parts(top, steady)
            if total is not None:
                replacement[top] = standing_for(total, top)
    if not replacement:
        return None
    draft.rework(replacement)
    return draft.results(used)


def _by_parts(product: Node, steady: set[Node]) -> Node | None:
    """Return the sum of the products of steady and of other parts; None where all are alike."""
    terms, out = split_spec(product.attrs["spec"])
    for at, joined in enumerate(product.inputs):
        if joined.op is not OPS["concat"] or len({x in steady for x in joined.inputs}) < 2:
            continue
        axis = joined.attrs["axis"]
        label = terms[at][axis]
        if label in out or len({*terms[at]}) < len(terms[at]):
            continue
        places = zip(joined.inputs, starts_along(joined), strict=False)
        totals = []
        for _, run in groupby(places, lambda place: place[0] in steady):
            parts, starts = zip(*run, strict=True)
            part = OPS["concat"](*parts, axis=axis)
            span = slice(starts[0], starts[0] + part.shape[axis])
            operands = [
                part if i == at else _of_label(x, terms[i], label, span)
                for i, x in enumerate(product.inputs)
            ]
            totals.append(einsum_labels(operands, terms, out))
        return reduce(OPS["add"], totals)
    return None


def _piece_by_piece(node: Node, facts: Facts) -> Node | None:
    """einsum('ti,to->io', concat(a, b, axis=1), d) → concat(a.T @ d, b.T @ d)."""
    terms, out = split_spec(node.attrs["spec"])
    for at, joined in enumerate(node.inputs):
        if joined.op is not OPS["concat"] or facts.is_shared(joined):
            continue
        label = terms[at][joined.attrs["axis"]]
        of_others = "".join(terms[:at] + terms[at + 1 :])
        is_free = label in out and label not in of_others and terms[at].count(label) == 1
        size = typical_size(joined.shape)
        if not is_free or size < max(_LARGE, 2 * typical_size(node.shape)):
            continue
        products = []
        for piece in joined.inputs:
            operands = [piece if i == at else x for i, x in enumerate(node.inputs)]
            products.append(einsum_labels(operands, terms, out))
        return OPS["concat"](*products, axis=out.index(label))
    return None


def _summed_pieces(node: Node, facts: Facts) -> Node | None:
    """sum(concat(a @ d, b @ d)) → concat(sum(a @ d), sum(b @ d)), which no product is written for.

    So the gradient of a weight that was multiplied apart is one product over all steps.
    """
    joined, axes = node.inputs[0], node.attrs["axis"]
    axis = joined.attrs["axis"]
    if axis in axes or facts.is_shared(joined):
        return None
    if not any(part.op is OPS["einsum"] and not facts.is_shared(part) for part in joined.inputs):
        return None
    sums = [node.op.make([part], **node.attrs) for part in joined.inputs]
    kept = axis if node.attrs["keepdims"] else axis - sum(a < axis for a in axes)
    return joined.op(*sums, axis=kept)


def _without_zeros(node: Node, facts: Facts) -> Node | None:
    """einsum('ti,to->io', concat(zeros, a), d) → a.T @ d[k:], of rows that lie together."""
    terms, out = split_spec(node.attrs["spec"])
    for at, joined in enumerate(node.inputs):
        if joined.op is not OPS["concat"] or joined.attrs["axis"] or facts.is_shared(joined):
            continue
        label, starts = terms[at][0], starts_along(joined)
        kept = [i for i, x in enumerate(joined.inputs) if not is_fill(x, 0)]
        is_summed = label not in out and all(term.rfind(label) <= 0 for term in terms)
        if len(kept) != 1 or not is_summed:
            continue
        span = slice(starts[kept[0]], starts[kept[0] + 1])
        operands = [
            joined.inputs[kept[0]] if i == at else _of_label(x, terms[i], label, span)
            for i, x in enumerate(node.inputs)
        ]
        return einsum_labels(operands, terms, out)
    return None


def _of_label(x: Node, term: str, label: str, span: slice) -> Node:
    """Return the part of an operand that a span of one label meets."""
    return OPS["slice"](x, [span if at == label else slice(None) for at in term])


_rule = partial(rounding, roots=("einsum",), operands=("concat",))

PRODUCTS_OF_PIECES = (
    _rule(
        "piece_by_piece",
        "concat(a, b, axis=1).T @ d",
        "concat(a.T @ d, b.T @ d)",
        "the products are smaller than what they are made of, and are joined instead",
        apply=_piece_by_piece,
        example="x: input(f64, 200, 12)\nw: input(f64, 200, 12)\nd: input(f64, 200, 5)\n"
        "y = concat(exp(x), exp(w), axis=1).T @ d",
    ),
    _rule(
        "summed_pieces",
        "sum(concat(a @ d, b @ d), axis=0)",
        "concat(sum(a @ d, axis=0), sum(b @ d, axis=0))",
        "each sum is one product, and small",
        apply=_summed_pieces,
        roots=("sum",),
        operands=("concat",),
        example="x: input(f64, 5, 2, 3)\nw: input(f64, 5, 4, 3)\nd: input(f64, 5, 3, 6)\n"
        "y = sum(concat(x @ d, w @ d, axis=1), axis=0)",
    ),
    _rule(
        "without_zero_rows",
        "concat(zeros, a).T @ d",
        "a.T @ d[k:]",
        "rows of zeros add nothing",
        apply=_without_zeros,
        example="x: input(f64, 3, 4)\nd: input(f64, 5, 2)\n"
        "y = concat(full((2, 4), 0.0, dtype=f64), exp(x)).T @ d",
    ),
)
