"""Stabilization: movement goes before arithmetic, so that only what is read is computed.

It is how the label's entry of log softmax becomes one logit minus one logarithm: its gradient then
changes one entry of softmax in place.
"""

from __future__ import annotations

from graphc.ir.dims import same
from graphc.ir.node import Node
from graphc.ops.leaf import fill, full
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import OPS
from graphc.rewrite.facts import Facts
from graphc.rewrite.rule import REASSOCIATES, Rule
from graphc.rewrite.spread import core, is_at_least, varying_axes, without_copies


def _take_before_arithmetic(node: Node, facts: Facts) -> Node | None:
    """take(f(a, broadcast(b))) → f(take(a), b): only what is taken is computed.

    One operand at least is still indexed, so an index out of range is still an error.
    """
    x = node.inputs[0]
    if not isinstance(x.op, Pointwise):
        return None  # it is the index that is computed
    axes = _taken_axes(node)
    held = [_is_held(operand, axes) for operand in x.inputs]
    if all(held) or not _is_worthwhile(node, x, facts):
        return None
    operands = [
        _taken(node, operand, axes)
        if is_held
        else node.op.make([operand, *node.inputs[1:]], **node.attrs)
        for operand, is_held in zip(x.inputs, held, strict=True)
    ]
    return x.op.make(operands, **x.attrs)


def _taken_axes(node: Node) -> tuple[int, ...]:
    if node.op.name == "take_along_axis":
        return (node.attrs["axis"],)
    start = node.attrs["axis"]
    return tuple(range(start, start + len(node.inputs) - 1))


def _is_held(operand: Node, axes: tuple[int, ...]) -> bool:
    """Say whether an operand is the same at every index along one of the taken axes."""
    varying = varying_axes(operand)
    return varying is not None and any(axis not in varying for axis in axes)


def _is_worthwhile(node: Node, x: Node, facts: Facts) -> bool:
    if any(core(operand).op.name == "logsumexp" for operand in x.inputs[1:]):
        return True  # its gradient meets softmax, whose label entries alone are changed
    return not facts.is_shared(x) and is_at_least(x.size, node.size)


def _taken(node: Node, operand: Node, axes: tuple[int, ...]) -> Node:
    """Return what the take reads of a broadcast that is constant along some of the taken axes."""
    if operand.op is full:
        return fill(operand.attrs["value"], node.shape, operand.dtype)
    varying = varying_axes(operand) or ()
    constant = tuple([axis for axis in axes if axis not in varying])
    one = without_copies(operand, constant)
    if node.op.name == "take_along_axis":
        return OPS["broadcast_to"](one, node.shape)
    index = node.inputs[1]
    kept = [i for axis, i in zip(axes, node.inputs[1:], strict=True) if axis in varying]
    dropped = tuple([dim for axis, dim in enumerate(one.shape) if axis not in constant])
    value = OPS["reshape"](one, dropped)
    start = axes[0]
    if kept:
        return OPS["gather"].make([value, *kept], axis=start)
    held = (*one.shape[:start], *[1] * index.ndim, *one.shape[start + len(axes) :])
    return OPS["broadcast_to"](OPS["reshape"](one, held), node.shape)


def _slice_before_arithmetic(node: Node, facts: Facts) -> Node | None:
    """f(a, b)[i:j] → f(a[i:j], b[i:j]) where nobody else reads f(a, b)."""
    x = node.inputs[0]
    if facts.is_shared(x) or not is_at_least(x.size, node.size) or same(node.size, x.size):
        return None
    operands = [OPS["slice"].make([operand], **node.attrs) for operand in x.inputs]
    return x.op.make(operands, **x.attrs)


_Z = "z: input(f64, 3, 4)\n"

MOVES_BEFORE_ARITHMETIC = (
    Rule(
        "take_before_arithmetic",
        "take(f(a, broadcast_to(b)))",
        "f(take(a), b)",
        "only what is taken is computed",
        apply=_take_before_arithmetic,
        roots=("take_along_axis", "gather"),
        operands=("add", "subtract", "multiply", "divide"),
        exactness=REASSOCIATES,
        example=_Z + "i: input(i64, 3, 1)\n"
        "y = take_along_axis(z - mean(z, axis=1, keepdims=True), i, axis=1)",
    ),
    Rule(
        "slice_before_arithmetic",
        "f(a, b)[i:j]",
        "f(a[i:j], b[i:j])",
        "only what is sliced is computed",
        apply=_slice_before_arithmetic,
        roots=("slice",),
        operands=("add", "subtract", "multiply", "divide", "exp", "log", "tanh", "negative"),
        exactness=REASSOCIATES,
        example=_Z + "y = exp(z)[0:1]",
    ),
)
