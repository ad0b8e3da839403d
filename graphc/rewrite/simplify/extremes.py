"""Extremes, of lines and of windows: what keeps the order is computed behind them.

What is added to all alike also leaves `logsumexp`, the soft maximum.
"""

from __future__ import annotations

from graphc.ir.dims import same
from graphc.ir.node import Node
from graphc.ops.axes import without_axes
from graphc.ops.leaf import full
from graphc.ops.reduction.spread import varying_axes, without_copies
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import Rule, rounding

#: Functions that keep the order of their operands, but for rounding; exponentials have a rule that
#: also fires where they are shared.
RISING = ("tanh", "sigmoid", "softplus", "atan")

_EXTREMES = ("max", "min", "window_max", "window_min")


def of_rising(node: Node, facts: Facts) -> Node | None:
    """max(tanh(x)) → tanh(max(x)): rising functions keep the order, also within windows."""
    x = node.inputs[0]
    if facts.is_shared(x):
        return None
    return x.op(node.op.make(x.inputs, **node.attrs))


def _of_sum(node: Node, facts: Facts) -> Node | None:
    """max(x ± b) → max(x) ± b for a bias b that is the same for all that are compared."""
    total = node.inputs[0]
    if facts.is_shared(total):
        return None
    pairs = [total.inputs, total.inputs[::-1]] if total.op is OPS["add"] else [total.inputs]
    for x, bias in pairs:
        if x.op is not full and (part := _part_of_bias(node, bias)) is not None:
            extreme = node.op.make([x], **node.attrs)
            return total.op(extreme, OPS["broadcast_to"](part, extreme.shape))
    return None


def _part_of_bias(node: Node, bias: Node) -> Node | None:
    """Return the bias of each extreme value; None where a bias varies among the compared."""
    varying = varying_axes(bias)
    if varying is None:
        return None
    if "axis" in node.attrs:
        over = node.attrs["axis"]
        if {*varying} & {*over}:
            return None
        one = without_copies(bias, tuple([i for i in range(bias.ndim) if i not in varying]))
        return OPS["reshape"](one, without_axes(one.shape, over, node.attrs["keepdims"]))
    source = bias.inputs[0] if bias.op is OPS["broadcast_to"] else bias
    behind = source.shape[max(0, source.ndim - len(node.attrs["size"])) :]
    return source if all(same(d, 1) for d in behind) else None


EXTREMES = (
    Rule(
        "relu_after_extreme",
        "max(relu(x))",
        "relu(max(x))",
        "relu keeps the order, so the largest element is found first",
        apply=of_rising,
        roots=_EXTREMES,
        operands=("relu",),
        example="x: input(f64, 2, 5, 5)\ny = window_max(relu(x), size=(2, 2))",
    ),
    rounding(
        "rising_after_extreme",
        "max(tanh(x))",
        "tanh(max(x))",
        "rising functions keep the order: the function is computed once, not for each element",
        apply=of_rising,
        roots=_EXTREMES,
        operands=RISING,
        example="x: input(f64, 3, 4)\ny = max(tanh(x), axis=1)",
    ),
    rounding(
        "bias_after_extreme",
        "max(x + b)",
        "max(x) + b",
        "the bias is the same for all that are compared",
        # every bit is kept, but for an infinite bias
        apply=_of_sum,
        roots=(*_EXTREMES, "logsumexp"),
        operands=("add", "subtract"),
        example="x: input(f64, 2, 3, 5, 5)\nb: input(f64, 3, 1, 1)\n"
        "y = logsumexp(x - b, axis=(2, 3)) + window_max(2.0*x + b, size=(5, 5))[:, :, 0, 0]",
    ),
)
