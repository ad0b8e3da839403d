"""Products in which a zero meets what may overflow: the same values in fewer and cheaper calls.

The derivative of `gelu` is one: a logistic function that dies out times a polynomial that grows.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.ir.node import Node
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import is_fill
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding

#: Ops that may give a number where an operand is NaN.
_HIDES_NAN = frozenset(["where", "power", "multiply_no_nan", "divide_no_nan", "absorbing_multiply"])
#: How many nodes are looked at for the way of a NaN.
_LONGEST_LOOK = 32


def _opposite_sigmoids(node: Node, facts: Facts) -> Node | None:
    """b + p·where(p == 0, 0, w), p = u·σ(a)·σ(-a) → b + q, q = u·s·(exp(a)·s)·w, 0 where it is NaN.

    With s = σ(-a) = 1/(1 + exp(a)). Where exp(a) is infinite, s is 0, and where w is, exp(a) is:
    p is 0 at both, and q is NaN. It is NaN elsewhere only where an operand is, and so is b there.
    """
    for b, product in (node.inputs, node.inputs[::-1]):
        for falls, s, w in _slopes(product, facts):
            if all(_is_nan_where(b, x) for x in _sources(product)):
                u, (_, exponential) = falls.inputs[0], s.inputs[1].inputs
                q = s if is_fill(u, 1) else OPS["multiply"](u, s)
                q = OPS["multiply"](q, OPS["multiply"](exponential, s))
                q = OPS["multiply"](q, w)
                return OPS["add"](b, OPS["where"](OPS["isnan"](q), 0.0, q))
    return None


def _slopes(product: Node, facts: Facts) -> Iterator[tuple[Node, Node, Node]]:
    """Return (u/(1 + exp(-a)), s, w) where a node is p·where(p == 0, 0, w), p those two's product.

    Only where s is there anyway, and nothing else needs the quotient.
    """
    for p, w in _guarded(product, facts):
        for falls, s in (p.inputs, p.inputs[::-1]):
            below, opposite = _exponential_below(s), _exponential_below(falls)
            if below is None or opposite is None or not is_fill(s.inputs[0], 1):
                continue
            is_opposite = facts.negates(below.inputs[0], opposite.inputs[0])
            if is_opposite and facts.is_shared(s) and not facts.is_shared(falls):
                yield falls, s, w


def _guarded(product: Node, facts: Facts) -> Iterator[tuple[Node, Node]]:
    """Return (p, w) where a node is p·where(p == 0, 0, w) and p a product."""
    if product.op.name != "multiply" or product.dtype.kind != "f":
        return
    for p, guard in (product.inputs, product.inputs[::-1]):
        if guard.op.name != "where" or p.op.name != "multiply" or not is_fill(guard.inputs[1], 0):
            continue
        condition, _, w = guard.inputs
        is_guard = condition.op.name == "equal" and is_fill(condition.inputs[1], 0)
        if is_guard and facts.same(condition.inputs[0], p):
            yield p, w


def _exponential_below(node: Node) -> Node | None:
    """Return exp(a) where a node is u/(1 + exp(a))."""
    if node.op.name != "divide" or node.inputs[1].op.name != "add":
        return None
    one, exponential = node.inputs[1].inputs
    return exponential if is_fill(one, 1) and exponential.op.name == "exp" else None


def _sources(node: Node) -> Iterator[Node]:
    """Return the arrays that an expression of pointwise ops reads; those not looked at as well."""
    stack, seen = [node], {node}
    while stack:
        top = stack.pop()
        if not isinstance(top.op, Pointwise) or len(seen) > _LONGEST_LOOK:
            yield from [top] if top.dtype.kind == "f" and not is_fill(top) else []
            continue
        fresh = [x for x in top.inputs if x not in seen]
        stack += fresh
        seen.update(fresh)


def _is_nan_where(node: Node, x: Node) -> bool:
    """Say whether a NaN in x comes through to a node, element by element."""
    stack, seen = [node], {node}
    while stack and len(seen) <= _LONGEST_LOOK:
        top = stack.pop()
        if top is x:
            return True
        if isinstance(top.op, Pointwise) and top.op.name not in _HIDES_NAN:
            fresh = [y for y in top.inputs if y not in seen and y.dtype.kind == "f"]
            stack += fresh
            seen.update(fresh)
    return False


OVERFLOW = (
    rounding(
        "scale_within_guard",
        "(x*c)*where(x*c == 0, 0, c1 + c2*y)",
        "x*where(x == 0, 0, c*c1 + (c*c2)*y)",
        "one call less",
        when="c >= 1",
    ),
    rounding(
        "opposite_sigmoids",
        "s + p*where(p == 0, 0, w), p = x/(1 + exp(-a))*s, s = 1/(1 + exp(a))",
        "s + where(isnan(q), 0, q), q = x*s*(exp(a)*s)*w",
        "NaN marks the places where exp(a) or w overflows and p is 0; products replace a quotient",
        apply=_opposite_sigmoids,
        roots=("add",),
        operands=("multiply",),
        example="x: input(f64, 3)\na = x*(square(x) + 1)\ns = 1/(1 + exp(a))\n"
        "p = x/(1 + exp(-a))*s\ny = s + p*where(p == 0, 0, 1 + square(x))",
    ),
)
