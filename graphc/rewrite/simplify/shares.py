"""Shares of a size: numbers, signs and sizes meet in one factor, `x*(c/n)` or `x/n`.

The gradient of a mean is full of them: a 2 from the square, a sign from the difference, 1/N from
the mean. Each alone would be one more pass over an array.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphc.ir.dims import Dim, Shape, divide_exactly, normal, same
from graphc.ir.node import Node
from graphc.ops.leaf import fill, full
from graphc.ops.reduction.spread import core, varying_axes
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import rounding

#: Views that show each element of an array, once or more often.
_MOVES = ("broadcast_to", "reshape", "transpose")
#: Ops that write values into a copy of an array by adding them.
WRITES = ("add_along_axis", "scatter_add", "slice_add")


@dataclass(frozen=True)
class Share:
    """The factor number/size; `size` is a dim, or 1."""

    number: float
    size: Dim = 1

    @property
    def has_size(self) -> bool:
        return not isinstance(self.size, int)

    def times(self, other: Share) -> Share:
        return Share(self.number * other.number, normal(self.size * other.size))


def share_of(node: Node) -> Share | None:
    """Return the factor that a uniform array holds: c, or c/n."""
    inner = core(node)
    if inner.op is full:
        return Share(inner.attrs["value"]) if is_number(inner) else None
    if inner.op.name != "divide" or any(x.op is not full for x in inner.inputs):
        return None
    top, bottom = inner.inputs
    if not is_number(top) or not _is_size(bottom):
        return None
    return Share(top.attrs["value"], bottom.attrs["value"])


def factor_of(node: Node, divides: bool = False) -> Share | None:
    """Return the factor that multiplying by a uniform array is, or dividing by it."""
    if not divides:
        return share_of(node)
    if node.op is not full:
        return None
    value = node.attrs["value"]
    if _is_size(node):
        return Share(-1, -value) if value.is_negative else Share(1, value)
    if not is_number(node) or value == 0:
        return None
    return Share(1, int(value)) if value == int(value) else Share(1 / value)


def split(node: Node) -> tuple[Node, Share] | None:
    """Return (x, s) where a node is x·s written in one op: -x, x*c, x/c, x/n or x*(c/n)."""
    if node.op.name == "negative":
        return node.inputs[0], Share(-1)
    if node.op.name not in ("multiply", "divide"):
        return None
    divides = node.op.name == "divide"
    for x, factor in (node.inputs,) if divides else (node.inputs, node.inputs[::-1]):
        share = factor_of(factor, divides)
        if share is not None and varying_axes(x) != ():
            return x, share
    return None


def _is_size(node: Node) -> bool:
    """Say whether a uniform array holds a dim, not a number."""
    return node.op is full and not isinstance(node.attrs["value"], (bool, int, float))


def scaled(x: Node, share: Share, facts: Facts) -> Node:
    """Return x·share in one op; a sign vanishes in a difference that nothing else reads."""
    number, size = share.number, share.size
    if not share.has_size:
        return OPS["multiply"](x, number)
    if number < 0 and x.op.name == "subtract" and not facts.is_shared(x):
        x, number = OPS["subtract"](*x.inputs[::-1]), -number
    quotient = divide_exactly(size, abs(int(number))) if number == int(number) else None
    if quotient is not None and not isinstance(quotient, int):
        return OPS["divide"](x, quotient if number > 0 else normal(-quotient))
    return OPS["multiply"](x, uniform(Share(number, size), x.shape, x.dtype))


def uniform(share: Share, shape: Shape, dtype: np.dtype) -> Node:
    """Return the factor in every place of a shape."""
    if not share.has_size:
        return fill(share.number / share.size, shape, dtype)
    top, bottom = (fill(value, (), dtype) for value in (share.number, share.size))
    return OPS["broadcast_to"](OPS["divide"](top, bottom), shape)


def _gathered(node: Node, facts: Facts) -> Node | None:
    """(x·s)·t → x·(s·t), through signs, quotients and views of an array."""
    outer = split(node)
    if outer is None or not facts.is_float(node):
        return None
    moved, share = outer
    inner = moved
    while inner.op.name in _MOVES and not facts.is_shared(inner):
        inner = inner.inputs[0]
    found = split(inner)
    if found is None or facts.is_shared(inner) or varying_axes(found[0]) == ():
        return None
    x, within = found
    whole = share.times(within)
    # Numbers alone meet by rules of their own, except across a view.
    across = inner is not moved and node.op.name == inner.op.name == "multiply"
    if not (whole.has_size or across) or not facts.fits(whole.number):
        return None
    return scaled(moved_like(moved, inner, x), whole, facts)


def _plain(node: Node, facts: Facts) -> Node | None:
    """x·(1/n) → x/n, (a - b)/(-n) → (b - a)/n."""
    found = split(node)
    if found is None or not facts.is_float(node) or varying_axes(found[0]) == ():
        return None
    x, share = found
    if not share.has_size or not facts.fits(share.number):
        return None
    new = scaled(x, share, facts)
    return None if new.op is node.op and new.inputs[0] is x else new


def _written(node: Node, facts: Facts) -> Node | None:
    """add_at(x·s, c·s, i) → add_at(x, c, i)·s: (p − onehot)/n as it is written."""
    total, values, *places = node.inputs
    found, written = split(total), _written_share(values)
    if found is None or written is None or facts.is_shared(total) or not facts.is_float(node):
        return None
    x, share = found
    if varying_axes(x) == () or not same(share.size, written.size) or not share.number:
        return None
    units = written.number / share.number
    if not facts.is_moderate(units) or units != int(units):
        return None
    if not share.has_size and total.op.name != "multiply":
        return None
    values = fill(units, values.shape, values.dtype)
    return scaled(node.op.make([x, values, *places], **node.attrs), share, facts)


def _written_share(values: Node) -> Share | None:
    """Return the factor that uniform values are, one with a sign too."""
    inner = core(values)
    if inner.op.name == "negative":
        found = share_of(inner.inputs[0])
        return found and Share(-found.number, found.size)
    return share_of(inner)


def _opposite_term(node: Node, facts: Facts) -> Node | None:
    """a + x·(−c/n) → a − x·(c/n), and the other way round."""
    a, b = node.inputs
    pairs = [(a, b)] if node.op.name == "subtract" else [(a, b), (b, a)]
    other = OPS["subtract" if node.op.name == "add" else "add"]
    for kept, term in pairs:
        inner = core(term)
        found = split(inner)
        if found is None or facts.is_shared(inner) or inner.op.name == "negative":
            continue
        x, share = found
        if share.has_size and share.number < 0:
            positive = scaled(x, share.times(Share(-1)), facts)
            return other(kept, moved_like(term, inner, positive))
    return None


def _never_zero(node: Node, facts: Facts) -> Node | None:
    """divide_no_nan(c/n, x) → (c/n)/x for c ≠ 0, and so for a product."""
    share = share_of(node.inputs[0])
    if share is None or not facts.is_moderate(share.number):
        return None
    return OPS["divide" if node.op is OPS["divide_no_nan"] else "multiply"](*node.inputs)


def moved_like(moved: Node, inner: Node, x: Node) -> Node:
    """Return x moved by the views that made `moved` of `inner`."""
    moves: list[Node] = []
    while moved is not inner:
        moves.append(moved)
        moved = moved.inputs[0]
    for move in reversed(moves):
        x = move.op.make([x], **move.attrs)
    return x


SHARES = (
    rounding(
        "gathered_share",
        "-(x*c/n)",
        "x*(-c/n)",
        "numbers, signs and sizes meet in one factor: one pass over an array",
        apply=_gathered,
        roots=("multiply", "divide", "negative"),
        operands=("multiply", "divide", "negative", *_MOVES),
        example="x: input(f64, N, 4)\ny = -(x*3.0/full((), N, dtype=f64))",
    ),
    rounding(
        "plain_share",
        "x*(1/n), (a - b)/(-n)",
        "x/n, (b - a)/n",
        "one division by a size; a sign vanishes in a difference",
        apply=_plain,
        roots=("multiply", "divide"),
        operands=("broadcast_to", "divide", "subtract"),
        example="x: input(f64, N, 4)\ny = x*(full((), -1.0, dtype=f64)/full((), N, dtype=f64))",
    ),
    rounding(
        "written_share",
        "add_at(x*c, c, i)",
        "add_at(x, 1, i)*c",
        "the factor goes on to where it meets another one; what is written needs none",
        apply=_written,
        roots=WRITES,
        operands=("multiply", "divide"),
        example="x: input(f64, N, 4)\ni: input(i64, N, 1)\n"
        "c = broadcast_to(full((), -1.0, dtype=f64)/full((), N, dtype=f64), (N, 1))\n"
        "y = add_along_axis(x/full((N, 4), N, dtype=f64), c, i, axis=1)",
    ),
    rounding(
        "opposite_share",
        "a + x*(-c/n)",
        "a - x*(c/n)",
        "a sign moves to where it vanishes",
        apply=_opposite_term,
        roots=("add", "subtract"),
        operands=("multiply", "divide", "broadcast_to", "reshape"),
        example="x: input(f64, N)\na: input(f64, N)\ny = a + exp(x)/full((), -N, dtype=f64)",
    ),
    rounding(
        "share_never_zero",
        "divide_no_nan(c/n, x), multiply_no_nan(c/n, x)",
        "(c/n)/x, (c/n)*x",
        "no guard where what it waits for cannot be",
        apply=_never_zero,
        roots=("divide_no_nan", "multiply_no_nan"),
        operands=("broadcast_to", "divide", "full"),
        example="x: input(f64, N, 4)\ny = divide_no_nan(broadcast_to("
        "full((), -1.0, dtype=f64)/full((), N, dtype=f64), (N, 4)), 3 + cos(x))",
    ),
)
