"""May a value be -inf on purpose, as masks put it there? Then a maximum of it needs a guard."""

from __future__ import annotations

from graphc.ir.node import Node

#: How many ops above a value are asked; behind them anything may be.
_DEPTH = 24


def may_hold_minus_infinity(x: Node) -> bool:
    """Say whether -inf may be a meaningful value in x, by asking the ops that lead to it.

    What a contraction or a bounded function returns cannot be a mask, so it needs no guard.
    """
    pending = [(x, _DEPTH)]
    while pending:
        node, left = pending.pop()
        answer = node.op.holds_minus_infinity(node)
        if answer or (answer is None and left == 0):
            return True
        if answer is None:
            pending += [(i, left - 1) for i in node.inputs if i.dtype.kind == "f"]
    return False
