"""Sums and products in loops: the operands that no carry enters come together.

Then their sum is one steady value, which `hoist` computes for all steps at once.
"""

from __future__ import annotations

from functools import reduce

from graphc.ir.graph import Graph
from graphc.ir.node import Node, standing_for
from graphc.ir.op import Op
from graphc.ir.provenance import inherit
from graphc.ir.walk import consumers, topological
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, Draft, drafted, over_loops
from graphc.rewrite.engine.rule import Firing, by_whole_pass, rounding

GATHER = rounding(
    "gather_steady_terms",
    "(x_t@W + h@U) + b",
    "(x_t@W + b) + h@U",
    "terms that no carry enters are added for all steps at once",
    apply=by_whole_pass,
    example=(
        "x: input(f64, 3)\ns: input(f64)\nk: input(f64)\n"
        "def cell(h, x_t):\n    return tanh((x_t*k + h) + k)\n(y,) = scan(cell, init=s, xs=x)"
    ),
)


def gather_steady_terms(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    return over_loops(graph, GATHER, _gathered, became)


def _gathered(node: Node, used: set[int]) -> dict[int, Node] | None:
    """Bring together the terms of sums, and the factors of products, that no carry enters."""
    draft = drafted(node)
    replacement: dict[Node, Node] = {}
    for op in (OPS["add"], OPS["multiply"]):
        replacement |= _gathered_by(draft, op)
    if not replacement:
        return None
    draft.rework(replacement)  # a replaced sum may stand below another one
    return draft.results(used)


def _gathered_by(draft: Draft, op: Op) -> dict[Node, Node]:
    """Return what becomes of the sums (or products) of a body."""
    order = topological(draft.roots())
    steady = draft.steady(order)
    users = consumers(order)
    roots = set(draft.roots())
    inner = {
        x
        for x in order
        if x.op is op
        and len(users[x]) == 1
        and users[x][0].op is op
        and x not in steady
        and x not in roots
    }
    replacement: dict[Node, Node] = {}
    for top in order:
        if top.op is not op or top in inner or top in steady:
            continue
        terms = _terms(top, inner)
        still = [x for x in terms if x in steady]
        if len(still) < 2:
            continue
        with inherit(top.provenance):
            total = reduce(op, still)
            total = reduce(op, [x for x in terms if x not in steady], total)
        replacement[top] = standing_for(total, top)
    return {top: new for top, new in replacement.items() if not _is_gathered(top, steady, inner)}


def _terms(top: Node, inner: set[Node]) -> list[Node]:
    terms: list[Node] = []
    stack = [top]
    while stack:
        node = stack.pop()
        if node is top or node in inner:
            stack += reversed(node.inputs)
        else:
            terms.append(node)
    return terms


def _is_gathered(top: Node, steady: set[Node], inner: set[Node]) -> bool:
    """Say whether a sum has no more than one steady operand below it, and that a whole."""
    found, stack = 0, [top]
    while stack:
        node = stack.pop()
        for x in node.inputs:
            if x in inner:
                stack.append(x)
            elif x in steady:
                found += 1
    return found < 2
