"""Which two of three matrices are multiplied first? Those that take fewer operations."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import same
from graphc.ir.node import Node
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.contraction.matrix_product import matmul_form
from graphc.ops.contraction.spec import LETTERS, split_spec
from graphc.ops.reduction.spread import is_at_least
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding


def _cheaper_order(node: Node, facts: Facts) -> Node | None:
    """(a @ b) @ c → a @ (b @ c) where that takes fewer operations for every size of the dims."""
    if len(node.inputs) != 2:
        return None
    for i, inner in enumerate(node.inputs):
        if inner.op.name != "einsum" or len(inner.inputs) != 2 or facts.is_shared(inner):
            continue
        found = _regrouped(node, i)
        if found is not None:
            return found
    return None


def _regrouped(node: Node, i: int) -> Node | None:
    inner, other = node.inputs[i], node.inputs[1 - i]
    terms, out = split_spec(node.attrs["spec"])
    inner_terms, inner_out = split_spec(inner.attrs["spec"])
    if any(len(set(term)) != len(term) for term in (*terms, *inner_terms)):
        return None
    names = dict(zip(inner_out, terms[i], strict=True))
    taken = set("".join(terms))
    fresh = iter(label for label in LETTERS if label not in taken)
    for label in dict.fromkeys("".join(inner_terms)):
        if label not in names:
            names[label] = next(fresh)
    labels = ["".join(names[label] for label in term) for term in inner_terms]
    cost = node.op.flops(node) + node.op.flops(inner)
    for first, second in ((0, 1), (1, 0)):
        paired = [(inner.inputs[first], labels[first]), (other, terms[1 - i])]
        if i == 1:  # in the order in which they stood, as in the same product elsewhere
            paired.reverse()
        nodes, words = zip(*paired, strict=True)
        kept = "".join(
            label
            for label in dict.fromkeys("".join(words))
            if label in labels[second] or label in out
        )
        rest = inner.inputs[second], labels[second]
        pair, whole = _product_of_pair(nodes, words, kept, rest, out)
        turned = _product_of_pair(nodes, words, _swapped(kept), rest, out)
        if (0, True) in _form(whole) and _turns(turned[0]) <= _turns(pair):
            pair, whole = turned  # computed the way it is read
        if any(x.op.name != "einsum" or matmul_form(x) is None for x in (pair, whole)):
            continue
        new_cost = pair.op.flops(pair) + whole.op.flops(whole)
        if is_at_least(cost, new_cost) and not same(cost, new_cost):
            return whole
    return None


def _product_of_pair(
    nodes: Sequence[Node], words: Sequence[str], kept: str, rest: tuple[Node, str], out: str
) -> tuple[Node, Node]:
    """Return the contraction of a pair to the labels kept, and that of it with the rest."""
    pair = einsum_labels(nodes, words, kept)
    return pair, einsum_labels([pair, rest[0]], [kept, rest[1]], out)


def _form(node: Node) -> tuple[tuple[int, bool], ...]:
    """Return the operands of a product of matrices in order, each with whether it is turned."""
    return (matmul_form(node) if node.op.name == "einsum" else None) or ()


def _turns(pair: Node) -> int:
    """Return how many operands a product of matrices reads turned."""
    return sum(is_turned for _, is_turned in _form(pair))


def _swapped(labels: str) -> str:
    """Return the labels of a matrix, or of a stack of them, with its last two axes swapped."""
    return labels[:-2] + labels[:-3:-1]


CHEAPER_ORDER = rounding(
    "cheaper_order",
    "(a @ b) @ v",
    "a @ (b @ v)",
    "a product of matrices takes fewer operations from this side",
    apply=_cheaper_order,
    roots=("einsum",),
    operands=("einsum",),
    example="x: input(f64, 3, 4)\nw: input(f64, 4, 2)\nv: input(f64, 2)\ny = (x @ w) @ v",
)
