"""Penalties: what weights cost, added to the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from graphc.ir.attributes import plain
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ops.registry import OPS

__all__ = ["l1", "l2"]


def l1(weights: Node | Iterable[Node], strength: float = 1.0) -> Node:
    """Return strength * sum |W| over one or several parameters; derivative 0 at 0.

    **Shapes.** any shapes -> []
    """
    return _penalty(weights, strength, lambda w: OPS["sum"](OPS["abs"](w)))


def l2(weights: Node | Iterable[Node], strength: float = 1.0) -> Node:
    """Return strength/2 * sum W² over one or several parameters.

    **Shapes.** any shapes -> []
    """
    return _penalty(weights, strength / 2, lambda w: OPS["sum"](OPS["square"](w)))


def _penalty(
    weights: Node | Iterable[Node], factor: float, measure: Callable[[Node], Node]
) -> Node:
    try:
        nodes = [weights] if isinstance(weights, Node) else list(weights)
    except TypeError:
        raise user_error("a penalty is of one or several nodes", got=repr(weights)) from None
    if not nodes:
        raise user_error("a penalty needs at least one parameter")
    total = measure(nodes[0])
    for node in nodes[1:]:
        total = OPS["add"](total, measure(node))
    return OPS["multiply"](total, plain(factor))
