"""Simplification of reductions: constants and signs pulled out, stacked sums merged."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import same_shape
from graphc.ir.node import Node
from graphc.ops.axes import without_axes
from graphc.ops.leaf import fill, full, is_fill
from graphc.ops.reduction.spread import count_of, times, varying_axes, without_copies
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import Rule, rounding

_LINEAR = ("sum", "mean")
_FOLDS = ("sum", "mean", "prod", "any", "all")
_EXTREMES = ("max", "min")


def reduced(node: Node, x: Node, axes: tuple[int, ...] | None = None) -> Node:
    """Return the reduction of `node` applied to x (over other axes, if given), in node's shape."""
    over = node.attrs["axis"] if axes is None else axes
    attrs = {**node.attrs, "axis": over}
    if same_shape(without_axes(x.shape, over, True), node.shape):
        return node.op.make([x], **{**attrs, "keepdims": True}) if over else x
    value = node.op.make([x], **{**attrs, "keepdims": False}) if over else x
    return OPS["reshape"](value, node.shape)


def _single(node: Node, facts: Facts) -> Node | None:
    """A reduction over axes of size 1, or over none, only drops them."""
    x, axes = node.inputs[0], node.attrs["axis"]
    real = tuple([a for a in axes if not (type(x.shape[a]) is int and x.shape[a] == 1)])
    if real == axes and axes:
        return None
    return OPS["reshape"](x, node.shape) if not real else None


def _of_fill(node: Node, facts: Facts) -> Node | None:
    x, axes = node.inputs[0], node.attrs["axis"]
    if not isinstance(x.attrs["value"], (int, float)) or node.op.name in ("prod", "any", "all"):
        return None
    value = fill(x.attrs["value"], node.shape, node.dtype)
    return times(value, count_of(x, axes)) if node.op.name == "sum" else value


def _of_broadcast(node: Node, facts: Facts) -> Node | None:
    """sum(broadcast(x)) → x·copies: each copy counts, none is read again."""
    x, axes = node.inputs[0], node.attrs["axis"]
    varying = varying_axes(x)
    assert varying is not None
    copied = tuple([a for a in axes if a not in varying])
    if not copied or node.op.name in ("prod", "any", "all"):
        return None
    smaller = without_copies(x, copied)
    value = reduced(node, smaller, tuple([a for a in axes if a in varying]))
    return times(value, count_of(x, copied)) if node.op.name == "sum" else value


def _of_reduction(node: Node, facts: Facts) -> Node | None:
    """sum(sum(x)) → sum(x) over all axes at once; likewise mean, max, min, prod."""
    inner = node.inputs[0]
    if inner.op is not node.op or facts.is_shared(inner):
        return None
    x, taken = inner.inputs[0], inner.attrs["axis"]
    left = list(range(x.ndim))
    if not inner.attrs["keepdims"]:
        left = [a for a in left if a not in taken]
    axes = {*taken, *[left[a] for a in node.attrs["axis"]]}
    return reduced(node, x, tuple(sorted(axes)))


def _of_moved(node: Node, facts: Facts) -> Node | None:
    """A sum does not depend on the order of what it adds, nor on axes of size 1 beside that."""
    x = node.inputs[0]
    source = x.inputs[0]
    over = _axes_before(x, node.attrs["axis"])
    return None if over is None else reduced(node, source, over)


def _axes_before(moved: Node, axes: Sequence[int]) -> tuple[int, ...] | None:
    """Return the axes that are `axes` of a moved array; None where the others are not alike."""
    source = moved.inputs[0]
    if len(axes) == moved.ndim:
        return tuple(range(source.ndim))
    if moved.op.name != "reshape":
        return None
    now, before = (_long_axes(x) for x in (moved, source))
    lengths = [tuple([x.shape[a] for a in held]) for x, held in ((moved, now), (source, before))]
    if not same_shape(*lengths):
        return None
    return tuple([b for a, b in zip(now, before, strict=True) if a in axes]) or None


def _long_axes(x: Node) -> list[int]:
    """Return the axes that are not known to have size 1."""
    return [a for a, dim in enumerate(x.shape) if not (isinstance(dim, int) and dim == 1)]


def _of_negative(node: Node, facts: Facts) -> Node | None:
    if facts.is_shared(node.inputs[0]):
        return None
    return OPS["negative"](reduced(node, node.inputs[0].inputs[0]))


def _of_scaled(node: Node, facts: Facts) -> Node | None:
    """sum(x·s) → sum(x)·s where s is constant along the summed axes."""
    product = node.inputs[0]
    if facts.is_shared(product):
        return None
    left, right = product.inputs
    pairs = [(left, right)] if product.op.name == "divide" else [(left, right), (right, left)]
    for x, factor in pairs:
        varying = varying_axes(factor)
        if varying is None or set(varying) & set(node.attrs["axis"]) or x.op is full:
            continue
        total = reduced(node, x)
        one = without_copies(factor, node.attrs["axis"])
        scale = OPS["reshape"](one, node.shape) if not node.attrs["keepdims"] else one
        return product.op(total, scale)
    return None


def _sign_into_difference(node: Node, facts: Facts) -> Node | None:
    """−mean(a − b) → mean(b − a): the negation vanishes."""
    total = node.inputs[0]
    difference = total.inputs[0]
    if difference.op.name != "subtract" or facts.is_shared(total) or facts.is_shared(difference):
        return None
    a, b = difference.inputs
    return total.op.make([OPS["subtract"](b, a)], **total.attrs)


def _kept(node: Node, facts: Facts) -> Node | None:
    """reshape(sum(x)) to the shape with kept axes → sum(x, keepdims=True), and back."""
    total = node.inputs[0]
    if facts.is_shared(total):
        return None
    axes, keepdims = total.attrs["axis"], not total.attrs["keepdims"]
    if not same_shape(node.shape, without_axes(total.inputs[0].shape, axes, keepdims)):
        return None
    return total.op.make(total.inputs, **{**total.attrs, "keepdims": keepdims})


def _of_shifted(node: Node, facts: Facts) -> Node | None:
    """mean(x + c) → mean(x) + c: one sum instead of one for each term."""
    total = node.inputs[0]
    if facts.is_shared(total):
        return None
    left, right = total.inputs
    if is_fill(right) and is_number(right):
        return total.op(reduced(node, left), right.attrs["value"])
    if is_fill(left) and is_number(left):
        return total.op(left.attrs["value"], reduced(node, right))
    return None


_X = "x: input(f64, 3, 4)\n"

REDUCTIONS = (
    Rule(
        "reduce_nothing",
        "sum(x) over axes of size 1",
        "reshape(x)",
        "there is nothing to choose from or to add",
        apply=_single,
        roots=(*_FOLDS, *_EXTREMES),
        example="x: input(f64, 3, 1)\ny = sum(x, axis=1)",
    ),
    rounding(
        "reduce_uniform",
        "sum(full(s, c))",
        "full(t, c*n)",
        "equal terms are counted",
        apply=_of_fill,
        roots=("sum", "mean", "max", "min"),
        operands=("full",),
        example=_X + "y = x[0]*sum(full((3, 4), 0.5, dtype=f64), axis=0)",
    ),
    rounding(
        "reduce_broadcast",
        "sum(broadcast_to(x))",
        "x*n",
        "copies are counted, not added",
        apply=_of_broadcast,
        roots=("sum", "mean", "max", "min"),
        operands=("broadcast_to",),
        example="x: input(f64, 4)\ny = sum(broadcast_to(x, (3, 4)), axis=0)",
    ),
    rounding(
        "reduce_reduced",
        "sum(sum(x, a), b)",
        "sum(x, a + b)",
        "two sums are one",
        apply=_of_reduction,
        roots=_FOLDS,
        operands=_FOLDS,
        example=_X + "y = sum(sum(x, axis=1), axis=0)",
    ),
    rounding(
        "reduce_moved",
        "sum(reshape(x))",
        "sum(x)",
        "the order of terms does not matter",
        apply=_of_moved,
        roots=_FOLDS,
        operands=("reshape", "transpose"),
        example=_X + "y = sum(x.T)",
    ),
    Rule(
        "extreme_of_extremes",
        "max(max(x, a), b)",
        "max(x, a + b)",
        "two maxima are one",
        apply=_of_reduction,
        roots=_EXTREMES,
        operands=_EXTREMES,
        moves_kink=True,  # the first of equal elements is another one in another order
        example=_X + "y = max(max(x, axis=1), axis=0)",
    ),
    Rule(
        "extreme_of_moved",
        "max(reshape(x))",
        "max(x)",
        "the order of elements does not matter",
        apply=_of_moved,
        roots=_EXTREMES,
        operands=("reshape", "transpose"),
        moves_kink=True,
        example=_X + "y = max(x.T)",
    ),
    Rule(
        "sum_of_negative",
        "sum(-x)",
        "-sum(x)",
        "one negation instead of one for each term",
        apply=_of_negative,
        roots=_LINEAR,
        operands=("negative",),
        example=_X + "y = sum(-x, axis=0)",
    ),
    rounding(
        "sum_of_scaled",
        "sum(x*s)",
        "sum(x)*s",
        "one product instead of one for each term",
        apply=_of_scaled,
        roots=_LINEAR,
        operands=("multiply", "divide"),
        example=_X + "y = sum(3.0*x, axis=0)",
    ),
    rounding(
        "mean_of_shifted",
        "mean(x + c)",
        "mean(x) + c",
        "one sum instead of one for each term",
        apply=_of_shifted,
        roots=("mean",),
        operands=("add", "subtract"),
        example=_X + "y = mean(exp(x) + 0.5, axis=0)",
    ),
    Rule(
        "sign_into_mean",
        "-mean(a - b)",
        "mean(b - a)",
        "the negation vanishes",
        apply=_sign_into_difference,
        roots=("negative",),
        operands=_LINEAR,
        example=_X + "y = -mean(x - exp(x))",
    ),
    Rule(
        "kept_axes",
        "reshape(sum(x, axis=a), s)",
        "sum(x, axis=a, keepdims=True)",
        "the reduction leaves the axes where they are wanted",
        apply=_kept,
        roots=("reshape",),
        operands=("sum", "mean", "max", "min", "prod", "logsumexp", "any", "all"),
        example=_X + "y = reshape(sum(x, axis=1), (3, 1))",
    ),
)
