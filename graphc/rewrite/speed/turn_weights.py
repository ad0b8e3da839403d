"""Turn weights: a matrix that loops read by its columns is laid out by them first."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import inherit
from graphc.ir.walk import topological
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.contraction.matrix_product import matmul_form
from graphc.ops.contraction.spec import split_spec
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, Draft, drafted, over_loops
from graphc.rewrite.engine.rule import Firing, by_whole_pass, rounding

TURN = rounding(
    "turn_weights",
    "scan(d_t @ U.T)",
    "scan(d_t @ copy(U.T))",
    "one copy before the loop, and each product reads memory in order",
    apply=by_whole_pass,
)
#: Fewer steps than this do not repay the copy.
_FEWEST_STEPS = 4


def turn_weights(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph whose loops read the matrices that they multiply by in order."""
    return over_loops(graph, TURN, _turned, became)


def _turned(node: Node, used: set[int]) -> dict[int, Node] | None:
    draft = drafted(node)
    if isinstance(draft.length, int) and draft.length < _FEWEST_STEPS:
        return None
    matrices = {leaf: value for leaf, value in draft.constants if leaf.ndim == 2}
    replacement: dict[Node, Node] = {}
    turned: dict[Node, Node] = {}
    for x in topological(draft.roots()):
        form = matmul_form(x) if x.op is OPS["einsum"] else None
        for i, is_turned in form or ():
            leaf = x.inputs[i]
            if not is_turned or leaf not in matrices or x in replacement:
                continue
            if leaf not in turned:
                turned[leaf] = _copy(draft, leaf, matrices[leaf])
            replacement[x] = _with_operand(x, i, turned[leaf])
    if not replacement:
        return None
    draft.rework(replacement)
    draft.constants = _read(draft)
    return draft.results(used)


def _copy(draft: Draft, leaf: Node, matrix: Node) -> Node:
    """Return the input of the body that brings in the transpose, laid out in order."""
    rows, columns = matrix.shape
    name = leaf.attrs["name"]
    with inherit(matrix.provenance):
        transpose = OPS["pack"].make([matrix], axes=(1, 0), shape=(columns, rows))
    return draft.add_constant(f"{name}_T", transpose.named(f"{matrix.name or name}_T"))


def _with_operand(node: Node, i: int, matrix: Node) -> Node:
    """Return a product that takes an operand's transpose instead."""
    terms, out = split_spec(node.attrs["spec"])
    terms[i] = terms[i][::-1]
    operands = [*node.inputs[:i], matrix, *node.inputs[i + 1 :]]
    with inherit(node.provenance):
        found = einsum_labels(operands, terms, out)
    return found.named(node.name)


def _read(draft: Draft) -> list[tuple[Node, Node]]:
    """Return the constants that the body still reads."""
    order = set(topological(draft.roots()))
    return [(leaf, value) for leaf, value in draft.constants if leaf in order]
