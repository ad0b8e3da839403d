"""Simplification of the slopes of hinges: what max(x, 0) multiplies is 0 where x is not above 0.

A choice by the sign of x, which the derivative of a hinge is, says that again: the slope of a
squared hinge, by which margins are penalized, is the hinge times 2. The slope of Huber's loss,
which has two corners, is the difference itself between them.
"""

from __future__ import annotations

import math

from graphc.ir.dims import same
from graphc.ir.node import Node
from graphc.ops.leaf import is_fill
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import factors_of
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import Rule, rounding
from graphc.rewrite.simplify.shares import Share, scaled, split

_ABOVE, _BELOW = ("greater", "greater_equal"), ("less", "less_equal")


def _choice_of_hinge(node: Node, facts: Facts) -> Node | None:
    """where(x < 0, 0, w*max(x, 0)) → w*max(x, 0) for a finite w."""
    condition, taken, other = node.inputs
    if condition.op.name not in (*_ABOVE, *_BELOW):  # what is chosen may be a comparison, too
        return None
    x, zero = condition.inputs
    if not is_fill(zero, 0) or not facts.is_float(node):
        return None
    is_below = condition.op.name in _BELOW
    value, rest = (other, taken) if is_below else (taken, other)
    if not _is_0_below(value, x, facts):
        return None
    # A NaN is not below 0, nor above.
    is_zero = is_fill(rest, 0) and (is_below or not facts.range(x).nan)
    return value if is_zero or _is_0_below(rest, x, facts) else None


def _is_0_below(value: Node, x: Node, facts: Facts) -> bool:
    """Say whether a value is a hinge of x times what is finite."""
    while value.op is OPS["negative"]:
        value = value.inputs[0]
    factors = factors_of(value)
    hinges = [not divides and _is_hinge(f, x, facts) for f, divides in factors]
    return any(hinges) and all(
        is_hinge or (facts.is_finite(f) and (not divides or facts.is_positive(f)))
        for is_hinge, (f, divides) in zip(hinges, factors, strict=True)
    )


def _is_hinge(node: Node, x: Node, facts: Facts) -> bool:
    """Say whether a node is max(x, 0), or a square of it."""
    while node.op is OPS["square"]:
        node = node.inputs[0]
    if node.op is OPS["relu"]:
        return facts.same(node.inputs[0], x)
    if node.op is not OPS["maximum"]:
        return False
    pairs = (node.inputs, node.inputs[::-1])
    return any(is_fill(zero, 0) and facts.same(operand, x) for operand, zero in pairs)


def _mask_of_factor(node: Node, facts: Facts) -> Node | None:
    """(w*r)*(r > 0) → w*r for an r that is never negative: it is 0 already."""
    for value, mask in (node.inputs, node.inputs[::-1]):
        condition = mask.inputs[0] if mask.op is OPS["cast"] else None
        if condition is None or condition.op is not OPS["greater"]:
            continue
        r, zero = condition.inputs
        if not is_fill(zero, 0) or not facts.is_nonnegative(r) or not facts.is_float(node):
            continue
        if any(not divides and facts.same(f, r) for f, divides in factors_of(value)):
            return value
    return None


def _clipped(node: Node, facts: Facts) -> Node | None:
    """where(|x| <= c, x·s, sign(x)·c·s) → clip(x, −c, c)·s: the slope of Huber's loss."""
    condition, *branches = node.inputs
    if condition.op.name != "less_equal" or condition.inputs[0].op.name != "abs":
        return None
    (size, limit), one = condition.inputs, Share(1.0)
    x = size.inputs[0]
    if not is_fill(limit) or not is_number(limit) or not facts.is_float(node):
        return None
    (near, slope), (far, height) = (split(branch) or (branch, one) for branch in branches)
    c = limit.attrs["value"]
    if c <= 0 or far.op.name != "sign":
        return None
    is_of_x = facts.same(near, x) and facts.same(far.inputs[0], x)
    is_joined = same(slope.size, height.size) and math.isclose(height.number, c * slope.number)
    if not is_of_x or not is_joined:
        return None
    clipped = OPS["clip"](x, -c, c)
    return scaled(clipped, slope, facts) if slope != one else clipped


def _by_clip(node: Node, facts: Facts) -> Node | None:
    """where(|x| <= c, x²/2, c·(|x| − c/2)) → clip(x, −c, c)·(x − clip(x, −c, c)/2)."""
    condition, near, far = node.inputs
    if condition.op.name not in _BELOW:
        return None
    size, limit = condition.inputs
    if size.op.name != "abs" or not is_fill(limit) or not is_number(limit):
        return None
    x, c = size.inputs[0], limit.attrs["value"]
    scale, square = _scaled_by_number(near)
    if square.op.name != "square" or not facts.same(square.inputs[0], x) or c <= 0:
        return None
    line = _line(far, size, facts)
    wanted = (2 * scale * c, -scale * c * c)
    if line is None or not all(map(math.isclose, line, wanted)):
        return None
    clipped = OPS["clip"](x, -c, c)
    value = OPS["multiply"](clipped, OPS["subtract"](x, OPS["multiply"](clipped, 0.5)))
    return value if scale == 0.5 else OPS["multiply"](value, 2 * scale)


def _scaled_by_number(node: Node) -> tuple[float, Node]:
    """Return a number and what it multiplies: 1 where there is none."""
    if node.op.name == "multiply":
        for factor, other in (node.inputs, node.inputs[::-1]):
            if is_fill(factor) and is_number(factor):
                return float(factor.attrs["value"]), other
    return 1.0, node


def _line(node: Node, x: Node, facts: Facts) -> tuple[float, float] | None:
    """Return (a, b) where a node is a·x + b, as it may be typed."""
    scale, inner = _scaled_by_number(node)
    if facts.same(inner, x):
        return scale, 0.0
    if inner.op.name not in ("add", "subtract"):
        return None
    left, right = inner.inputs
    if not is_fill(right) or not is_number(right):
        return None
    found = _line(left, x, facts)
    offset = right.attrs["value"] * (1 if inner.op.name == "add" else -1)
    return None if found is None else (scale * found[0], scale * (found[1] + offset))


#: For speed alone: the textbook's form is better to read.
HINGES_BY_CLIP = (
    rounding(
        "loss_by_clip",
        "where(abs(x) <= c, x**2/2, c*(abs(x) - c/2))",
        "clip(x, -c, c)*(x - clip(x, -c, c)/2)",
        "four passes instead of seven, and the slope is made of the same",
        apply=_by_clip,
        roots=("where",),
        operands=_BELOW,
        example="x: input(f64, 3)\ny = where(abs(x) <= 0.5, 0.5*x**2, 0.5*(abs(x) - 0.25))",
    ),
)

HINGES = (
    Rule(
        "choice_of_hinge",
        "where(x < 0, 0, w*max(x, 0))",
        "w*max(x, 0)",
        "the product is 0 there already",
        apply=_choice_of_hinge,
        roots=("where",),
        operands=(*_ABOVE, *_BELOW),
        moves_kink=True,
        example="x: input(f64, 3)\ny = where(x < 0, 0.0, 2.0*maximum(x, 0))",
    ),
    Rule(
        "mask_of_factor",
        "(w*r)*(r > 0)",
        "w*r",
        "the product is 0 there already",
        apply=_mask_of_factor,
        roots=("multiply",),
        operands=("cast",),
        moves_kink=True,
        example="x: input(f64, 3)\nr = relu(x)\ny = (2.0*r)*cast(r > 0, f64)",
    ),
    rounding(
        "clipped_slope",
        "where(abs(x) <= c, x, c*sign(x))",
        "clip(x, -c, c)",
        "one pass instead of three",
        apply=_clipped,
        roots=("where",),
        operands=("less_equal",),
        example="x: input(f64, 3)\ny = where(abs(x) <= 0.5, 3.0*x, 1.5*sign(x))",
    ),
    Rule(
        "slope_of_elu",
        "where(x > 0, y, y*(1 + elu(x, 1)))",
        "y*(1 + minimum(elu(x, 1), 0))",
        "above 0 the factor is 1 already",
        moves_kink=True,
    ),
    Rule(
        "negative_part_of_elu",
        "minimum(maximum(x, 0) + expm1(minimum(x, 0)), 0)",
        "expm1(minimum(x, 0))",
        "the parts are 0 on the other's side",
        moves_kink=True,
    ),
)
