"""Signs of small factors: a term with one is taken away, and the sign is gone."""

from __future__ import annotations

from graphc.ir.node import Node, rebuilt
from graphc.ops.registry import OPS
from graphc.rewrite.facts import Facts
from graphc.rewrite.rule import Rule

_VIEWS = ("broadcast_to", "reshape")
_OPPOSITE = {"add": "subtract", "subtract": "add"}


def _sign_of_factor(node: Node, facts: Facts) -> Node | None:
    """a + copies(−b)·c → a − copies(b)·c, and likewise for differences."""
    for at in (1, 0) if node.op is OPS["add"] else (1,):
        term, other = node.inputs[at], node.inputs[1 - at]
        if term.op is not OPS["multiply"] or facts.is_shared(term):
            continue
        for i, factor in enumerate(term.inputs):
            positive = _without_sign(factor, facts)
            if positive is not None:
                factors = [positive if j == i else x for j, x in enumerate(term.inputs)]
                return OPS[_OPPOSITE[node.op.name]](other, term.op(*factors))
    return None


def _without_sign(node: Node, facts: Facts) -> Node | None:
    """Return the view of b that a node is of −b; None where it is no such view."""
    views = []
    while node.op.name in _VIEWS and not facts.is_shared(node):
        views.append(node)
        node = node.inputs[0]
    if not views or node.op is not OPS["negative"] or facts.is_shared(node):
        return None
    value = node.inputs[0]
    for view in reversed(views):
        value = rebuilt(view, (value,))
    return value


SIGNS_OF_FACTORS = (
    Rule(
        "sign_of_factor",
        "a + broadcast_to(-b)*c",
        "a - broadcast_to(b)*c",
        "a sign moves to where it vanishes or costs nothing",
        apply=_sign_of_factor,
        roots=("add", "subtract"),
        operands=("multiply",),
        example="x: input(f64, 3, 4)\nb: input(f64, 3, 1)\ny = cos(x) + (-exp(b))*x",
    ),
)
