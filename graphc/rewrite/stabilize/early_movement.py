"""Stabilization: movement goes before arithmetic, so that only what is read is computed.

It is how the label's entry of log softmax becomes one logit minus one logarithm: its gradient then
changes one entry of softmax in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.ir.dims import Dim, same
from graphc.ir.node import Node
from graphc.ir.provenance import inherit
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import fill, full
from graphc.ops.reduction.spread import core, is_at_least, varying_axes, without_copies
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding


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
    return _made_alike(x, operands, node)


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


def _slice_before_function(node: Node, facts: Facts) -> Node | None:
    """f(a, b)[i:j] → f(a[i:j], b[i:j]) where nobody else reads f(a, b).

    Each operand is cut along the axes that its places move with, if those are all that are cut.
    """
    x, bounds = node.inputs[0], node.attrs["bounds"]
    if facts.is_shared(x) or not is_at_least(x.size, node.size) or same(node.size, x.size):
        return None
    if not isinstance(x.op, Pointwise) and any(step != 1 for _, _, step in bounds):
        return None  # BLAS would copy what is laid out so
    if any(operand.op is OPS["windows"] for operand in x.inputs):
        return None  # the product is a convolution
    if x.op is OPS["log"] and facts.uncovers_log(x.inputs[0]):
        return None  # the logarithm came here from outside, and would go back
    left = {a for a, (b, dim) in enumerate(zip(bounds, x.shape, strict=True)) if not _all(b, dim)}
    operands = []
    for index, operand in enumerate(x.inputs):
        spans = x.op.reads(x, index)
        axes = [span.steps[0][0] if span.steps else None for span in spans]
        pairs = zip(axes, operand.shape, strict=True)
        own = tuple([(0, dim, 1) if axis is None else bounds[axis] for axis, dim in pairs])
        operands.append(_part(operand, own))
        left.difference_update(axes)
    return _made_alike(x, operands, node) if not left else None


def _made_alike(x: Node, operands: Sequence[Node], node: Node) -> Node:
    """Return the op of x on other operands, in the place of a node: it is still of x's layer."""
    with inherit(replace(node.provenance, scope=x.provenance.scope)):
        return x.op.make(operands, **x.attrs)


def _all(bounds: tuple[Dim, Dim, int], dim: Dim) -> bool:
    """Say whether a slice of an axis is all of it, in order."""
    start, stop, step = bounds
    return same(start, 0) and same(stop, dim) and step == 1


def _part(x: Node, bounds: tuple[tuple[Dim, Dim, int], ...]) -> Node:
    """Return a slice of an array, or the array itself where that is all of it."""
    is_whole = all(_all(b, dim) for b, dim in zip(bounds, x.shape, strict=True))
    return x if is_whole else OPS["slice"].make([x], bounds=bounds)


_ARITHMETIC = ("add", "subtract", "multiply", "divide", "negative", "where", "maximum", "minimum")
_FUNCTIONS = (
    "exp", "log", "tanh", "sigmoid", "relu", "leaky_relu", "elu", "silu", "gelu", "gelu_tanh",
    "softplus", "square", "sqrt", "sin", "cos", "erf",
)  # fmt: skip
#: They read whole rows, or are products of some.
_OF_ROWS = (
    "einsum", "sum", "mean", "max", "min", "logsumexp", "softmax", "log_softmax", "standardize",
)  # fmt: skip
_Z = "z: input(f64, 3, 4)\n"

MOVES_BEFORE_ARITHMETIC = (
    rounding(
        "take_before_arithmetic",
        "take(f(a, broadcast_to(b)))",
        "f(take(a), b)",
        "only what is taken is computed",
        apply=_take_before_arithmetic,
        roots=("take_along_axis", "gather"),
        operands=("add", "subtract", "multiply", "divide"),
        example=_Z + "i: input(i64, 3, 1)\n"
        "y = take_along_axis(z - mean(z, axis=1, keepdims=True), i, axis=1)",
    ),
    rounding(
        "slice_before_function",
        "f(a, b)[i:j]",
        "f(a[i:j], b[i:j])",
        "only what is sliced is computed",
        apply=_slice_before_function,
        roots=("slice",),
        operands=(*_ARITHMETIC, *_FUNCTIONS, *_OF_ROWS),
        example=_Z + "y = exp(z)[0:1]",
    ),
)
