"""Small factors meet first: `(A*b)*c` is one pass over the array A where `A*(b*c)` is computed.

A factor is small where it is the same along an axis of the product: a row, a column, a number, a
size. Two that are the same along one axis are multiplied without that axis, and then together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.ops.reduction.spread import varying_axes, without_copies
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import rounding
from graphc.rewrite.simplify.shares import WRITES, factor_of, share_of, split, uniform

#: How many products of a chain are gone through on the way to a small factor.
_LONGEST_CHAIN = 16


def copied_axes(node: Node) -> frozenset[int]:
    """Return the axes along which a node is the same and longer than 1; none where it is large."""
    varying = varying_axes(node)
    if varying is None:
        return frozenset()
    axes = (a for a, dim in enumerate(node.shape) if a not in varying)
    return frozenset([a for a in axes if not (type(node.shape[a]) is int and node.shape[a] == 1)])


def applied_to_small(op: str, operands: Sequence[Node], axes: frozenset[int]) -> Node:
    """Return an op on small arrays, computed without the axes along which they are the same."""
    lead = 0
    while lead in axes:
        lead += 1
    small = [without_copies(x, tuple(sorted(axes))) for x in operands]
    value = OPS[op](*[OPS["reshape"](x, x.shape[lead:]) for x in small])
    return OPS["broadcast_to"](value, operands[0].shape)


def _met(own: Node, small: Node, divides: bool, axes: frozenset[int]) -> Node:
    """Return own·small (or own/small) as one small factor."""
    first, second = factor_of(own), factor_of(small, divides)
    if first is not None and second is not None:
        return uniform(first.times(second), own.shape, own.dtype)
    return applied_to_small("divide" if divides else "multiply", (own, small), axes)


def _within(node: Node, change: Callable[[Node], Node | None], facts: Facts) -> Node | None:
    """Return a product with one change made to a quotient or product in its numerator.

    Only what nothing else reads is taken apart; `change` gives what stands for a node, or None.
    """
    path: list[tuple[Node, int]] = []
    stack: list[tuple[Node, int, int]] = [(node, 0, -1)]
    seen = 0
    while stack and seen < _LONGEST_CHAIN:
        top, depth, place = stack.pop()
        seen += 1
        if top.op.name not in ("multiply", "divide", "negative") or facts.is_shared(top):
            continue
        del path[depth:]
        path.append((top, place))
        new = change(top)
        if new is not None:
            return _rebuilt(path, new)
        places = range(len(top.inputs)) if top.op.name == "multiply" else range(1)
        stack += [(top.inputs[i], depth + 1, i) for i in reversed(places)]
    return None


def _rebuilt(path: list[tuple[Node, int]], new: Node) -> Node:
    """Return the root of a path of operands with its last node replaced."""
    for above, (_, place) in zip(path[-2::-1], path[:0:-1], strict=True):
        operands = list(above[0].inputs)
        operands[place] = new
        new = above[0].op(*operands)
    return new


def _with_small(node: Node, small: Node, divides: bool) -> Node | None:
    """Return a product (or quotient) of which one small factor takes in another one."""
    name = node.op.name
    copied = copied_axes(small)
    for i, own in enumerate(node.inputs if name != "negative" else ()):
        axes = copied & copied_axes(own)
        other = node.inputs[1 - i]
        are_numbers = own.op is small.op is full and is_number(own) and is_number(small)
        if not axes or are_numbers or other.op is full:
            continue
        if name == "divide" and i == 1:
            if divides:
                return OPS["divide"](other, applied_to_small("multiply", (own, small), axes))
            return OPS["multiply"](other, applied_to_small("divide", (small, own), axes))
        factor = _met(own, small, divides, axes)
        return node.op(*((factor, other) if i == 0 else (other, factor)))
    return None


def _small_first(node: Node, facts: Facts) -> Node | None:
    """(A·b)·c → A·(b·c), (A/b)/c → A/(b·c), and so on through a chain of products."""
    if not facts.is_float(node) or not node.ndim:
        return None
    divides = node.op.name == "divide"
    pairs = [node.inputs] if divides else [node.inputs, node.inputs[::-1]]
    for chain, small in pairs:
        if copied_axes(small):
            found = _within(chain, partial(_with_small, small=small, divides=divides), facts)
            if found is not None:
                return found
    return None


def _small_sign(node: Node, facts: Facts) -> Node | None:
    """−(A·b) → A·(−b)."""

    def negated(product: Node) -> Node | None:
        for i, own in enumerate(product.inputs if product.op.name != "negative" else ()):
            axes = copied_axes(own)
            if axes and own.op is not full and product.inputs[1 - i].op is not full:
                minus = applied_to_small("negative", [own], axes)
                return product.op(*[minus if j == i else x for j, x in enumerate(product.inputs)])
        return None

    return _within(node.inputs[0], negated, facts) if facts.is_float(node) else None


def _written_quotient(node: Node, facts: Facts) -> Node | None:
    """add_at(A/b, c, i)/n → add_at(A/(b·n), c/n, i) for a number c, and a size or number n."""
    found = split(node)
    if found is None or not facts.is_float(node):
        return None
    total, share = found
    if facts.is_shared(total):
        return None
    quotient, values, *places = total.inputs
    written = share_of(values)
    if written is None:
        return None
    small = node.inputs[1] if node.inputs[0] is total else node.inputs[0]
    scaled = _within(
        quotient, partial(_with_small, small=small, divides=node.op.name == "divide"), facts
    )
    if scaled is None:
        return None
    values = uniform(written.times(share), values.shape, values.dtype)
    return total.op.make([scaled, values, *places], **total.attrs)


SMALL_FACTORS = (
    rounding(
        "small_factors_first",
        "(A*b)*c",
        "A*(b*c)",
        "a pass over small arrays instead of one over a large one",
        apply=_small_first,
        roots=("multiply", "divide"),
        operands=("multiply", "divide", "negative"),
        example="A: input(f64, N, 4)\nb: input(f64, N, 1)\nc: input(f64, N, 1)\ny = A*b*c",
    ),
    rounding(
        "small_sign",
        "-(A*b)",
        "A*(-b)",
        "the sign of a small array changes, not that of a large one",
        apply=_small_sign,
        roots=("negative",),
        operands=("multiply", "divide"),
        example="A: input(f64, 3, 4)\nb: input(f64, 4)\ny = -(A*exp(b))",
    ),
    rounding(
        "written_quotient",
        "add_at(A/b, c, i)/n",
        "add_at(A/(b*n), c/n, i)",
        "one division of a large array instead of two",
        apply=_written_quotient,
        roots=("divide", "multiply"),
        operands=WRITES,
        example="x: input(f64, N, 4)\ni: input(i64, N, 1)\n"
        "p = x/(2 + sum(square(x), axis=1, keepdims=True))\n"
        "y = add_along_axis(p, full((N, 1), -1.0, dtype=f64), i, axis=1)"
        "/full((N, 4), N, dtype=f64)",
    ),
)
