"""Stabilization: quotients of exponentials by their sums are softmax, shifts and masks included."""

from __future__ import annotations

import math

from graphc.ir.dims import same_shape
from graphc.ir.node import Node
from graphc.ops.axes import without_axes
from graphc.ops.contraction.spec import split_spec
from graphc.ops.leaf import is_fill
from graphc.ops.reduction.spread import core, count_of, lines_up, placed, reduction_under, times
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import Factor, factors_of, product_of, times_product
from graphc.rewrite.engine.facts import Facts, exponent_of
from graphc.rewrite.engine.rule import rounding
from graphc.rewrite.stabilize.weighted_exponentials import limited

_REDUCTIONS_OF_Z = ("max", "mean", "min", "logsumexp")


def _softmax(node: Node, facts: Facts) -> Node | None:
    """w·exp(z)/Σ exp(z) → w·softmax(z), and n times that where the divisor is the mean."""
    top, bottom = node.inputs
    total = reduction_under(bottom, "mean" if core(bottom).op.name == "mean" else "sum")
    if total is None or not _has_lines(total):
        return None
    shares = _shares(top, bottom, total, facts)
    if shares is None or total.op.name == "sum":
        return shares
    return times(shares, count_of(total.inputs[0], total.attrs["axis"]))


def _shares(top: Node, bottom: Node, total: Node, facts: Facts) -> Node | None:
    """Return top/Σ terms, for exponentials as terms."""
    terms = total.inputs[0]
    if facts.same(top, terms):
        return _normalized(terms, total, facts)
    exponent = exponent_of(terms)
    if exponent is None or not same_shape(bottom.shape, terms.shape):
        return None
    factors = factors_of(top)
    for i, (factor, divides) in enumerate(factors):
        if not divides and facts.same(factor, terms):
            shares = OPS["softmax"](exponent, total.attrs["axis"])
            return times_product(factors[:i] + factors[i + 1 :], shares)
    return None


def _has_lines(total: Node) -> bool:
    shape, axes = total.inputs[0].shape, total.attrs["axis"]
    return not any(type(shape[a]) is int and shape[a] == 0 for a in axes)


def _normalized(terms: Node, total: Node, facts: Facts) -> Node | None:
    """Return terms/Σ terms, where terms are exponentials, or weights times exponentials."""
    axis, exponent = total.attrs["axis"], exponent_of(terms)
    if exponent is not None:
        return OPS["softmax"](exponent, axis)
    factors = factors_of(terms)
    for i, (factor, divides) in enumerate(factors):
        exponent = exponent_of(factor)
        if exponent is not None and not divides:
            weight = product_of(factors[:i] + factors[i + 1 :])
            if weight is None:
                return None
            exponent = limited(exponent, weight, axis, facts)
            shares = OPS["multiply"](weight, OPS["softmax"](exponent, axis))
            again = OPS["sum"](shares, axis, True)
            return OPS["divide"](shares, OPS["broadcast_to"](again, shares.shape))
    return None


def _weighted_mean(node: Node, facts: Facts) -> Node | None:
    """Σ w·e/Σ e → Σ w·(e/Σ e), for exponentials e; by a contraction too: (e @ V)/Σ e."""
    top, bottom = node.inputs
    spread = bottom.inputs[0] if bottom.op.name == "broadcast_to" else bottom
    total = spread
    while total.op.name == "reshape":
        total = total.inputs[0]
    if total.op.name not in ("sum", "mean") or not _has_lines(total):
        return None
    terms = total.inputs[0]
    if top.op is total.op and top.attrs == total.attrs and spread is bottom is total:
        rest = _without(factors_of(top.inputs[0]), factors_of(terms), facts)
        weight = product_of(rest) if rest else None
        shares = None if weight is None else _normalized(terms, total, facts)
        if weight is None or shares is None:
            return None
        return OPS["sum"](OPS["multiply"](weight, shares), **total.attrs)
    if top.op.name != "einsum" or total.op.name != "sum":
        return None
    labels, out = split_spec(top.attrs["spec"])
    for i, (term, operand) in enumerate(zip(labels, top.inputs, strict=True)):
        if facts.same(operand, terms) and _is_aligned(term, out, total, spread):
            shares = _normalized(terms, total, facts)
            if shares is not None:
                return top.op.make([*top.inputs[:i], shares, *top.inputs[i + 1 :]], **top.attrs)
    return None


def _without(factors: list[Factor], taken: list[Factor], facts: Facts) -> list[Factor] | None:
    """Return the factors without those taken, each of which has to be there."""
    rest = list(factors)
    for x, divides in taken:
        places = [i for i, (y, d) in enumerate(rest) if d == divides and facts.same(x, y)]
        if not places:
            return None
        del rest[places[0]]
    return rest


def _is_aligned(term: str, out: str, total: Node, spread: Node) -> bool:
    """Say whether a sum's lines, as they are spread, are those of a contraction's result."""
    axes, shape = total.attrs["axis"], total.inputs[0].shape
    labels = "".join(" " if axis in axes else label for axis, label in enumerate(term))
    if not same_shape(spread.shape, without_axes(shape, axes, True)):
        labels = labels.replace(" ", "")
        if not same_shape(spread.shape, without_axes(shape, axes, False)):
            return False
    over = zip(labels[::-1], out[::-1], strict=False)
    return len(labels) <= len(out) and all(a in (" ", b) for a, b in over)


def _exp_of_log_softmax(node: Node, facts: Facts) -> Node | None:
    """exp(z − logsumexp(z)) → softmax(z)."""
    z, spread = node.inputs[0].inputs
    total = reduction_under(spread, "logsumexp")
    if total is None or not facts.same(total.inputs[0], z):
        return None
    return OPS["softmax"](z, total.attrs["axis"])


def _shift(x: Node, axis: tuple[int, ...], facts: Facts) -> tuple[Node, Node] | None:
    """Return (z, shift) where x is z − shift, and the shift a reduction of z over these axes."""
    if x.op.name != "subtract":
        return None
    z, spread = x.inputs
    for name in _REDUCTIONS_OF_Z:
        total = reduction_under(spread, name)
        if total is not None and total.attrs["axis"] == axis and facts.same(total.inputs[0], z):
            return z, total
    return None


def _shifted_softmax(node: Node, facts: Facts) -> Node | None:
    """softmax(z − max(z)) → softmax(z), which is shifted by itself."""
    found = _shift(node.inputs[0], node.attrs["axis"], facts)
    return None if found is None else OPS["softmax"](found[0], node.attrs["axis"])


def _shifted_logsumexp(node: Node, facts: Facts) -> Node | None:
    """logsumexp(z − max(z)) → logsumexp(z) − max(z)."""
    axis = node.attrs["axis"]
    found = _shift(node.inputs[0], axis, facts)
    if found is None:
        return None
    z, total = found
    value = OPS["logsumexp"](z, axis, node.attrs["keepdims"])
    return OPS["subtract"](value, OPS["reshape"](total, node.shape))


def _shift_returned(node: Node, facts: Facts) -> Node | None:
    """(logsumexp(z) − m) + (m − t) → logsumexp(z) − t, for m a reduction of z; also without t."""
    for left, right in (node.inputs, node.inputs[::-1]):
        if left.op.name != "subtract" or left.inputs[0].op.name != "logsumexp":
            continue
        value, m = left.inputs
        again = right.inputs[0] if right.op.name == "subtract" else right
        if core(m).op.name in _REDUCTIONS_OF_Z and _fill_alike(m, again, node.ndim, facts):
            return value if again is right else OPS["subtract"](value, right.inputs[1])
    return None


def _fill_alike(a: Node, b: Node, ndim: int, facts: Facts) -> bool:
    """Say whether two nodes, broadcast to `ndim` axes, hold the same value in the same places."""
    (x, shape), (y, other) = placed(a, ndim), placed(b, ndim)
    return facts.same(x, y) and same_shape(shape, other)


def _shift_cancelled(node: Node, facts: Facts) -> Node | None:
    """(z − m) − (logsumexp(z) − m) → z − logsumexp(z), for m a reduction of z."""
    left, right = node.inputs
    inner = core(right)
    if left.op.name != "subtract" or inner.op.name != "subtract":
        return None
    z, shift = left.inputs
    total, again = inner.inputs
    if total.op.name != "logsumexp" or not facts.same(total.inputs[0], z):
        return None
    # Both are one number a line: the shift beside z, and what it is taken from again.
    (m, beside), (same_m, under) = placed(shift, z.ndim), placed(again, total.ndim)
    lines = without_axes(z.shape, total.attrs["axis"], True)
    is_shift = core(shift).op.name in _REDUCTIONS_OF_Z and facts.same(m, same_m)
    fits = same_shape(beside, lines) and same_shape(under, total.shape) and lines_up(right, total)
    if not is_shift or not fits:
        return None
    kept = OPS["reshape"](total, lines)
    return OPS["subtract"](z, OPS["broadcast_to"](kept, z.shape))


# -- masks -------------------------------------------------------------------------------------


def _masked_exponential(node: Node, facts: Facts) -> Node | None:
    """where(m, exp(z), 0) → exp(where(m, z, −inf)): masked entries weigh nothing, exactly."""
    condition, taken, other = node.inputs
    if taken.op.name == "exp" and is_fill(other, 0):
        return OPS["exp"](OPS["where"](condition, taken.inputs[0], -math.inf))
    if other.op.name == "exp" and is_fill(taken, 0):
        return OPS["exp"](OPS["where"](condition, -math.inf, other.inputs[0]))
    return None


def _mask_times_exponential(node: Node, facts: Facts) -> Node | None:
    """mask·exp(z) → where(mask, exp(z), 0) for a mask of truth values."""
    for mask, x in (node.inputs, node.inputs[::-1]):
        inner = mask.inputs[0] if mask.op.name == "broadcast_to" else mask
        if x.op.name in ("exp", "softmax") and inner.op.name == "cast":
            truth = inner.inputs[0]
            if truth.dtype.kind == "b":
                return OPS["where"](truth, x, 0.0)
    return None


_Z = "z: input(f64, 3, 4)\n"
_E = "exp(z)/sum(exp(z), axis=1, keepdims=True)"
_OVERFLOW = "exp overflows, and the quotient would be inf/inf"


SOFTMAX = (
    rounding(
        "softmax_textbook",
        "w*exp(z)/sum(exp(z))",
        "w*softmax(z)",
        _OVERFLOW,
        apply=_softmax,
        roots=("divide",),
        operands=("broadcast_to", "sum", "reshape"),
        example=_Z + f"y = {_E}",
    ),
    rounding(
        "weighted_mean_of_exponentials",
        "sum(w*exp(z))/sum(exp(z))",
        "sum(w*softmax(z))",
        _OVERFLOW,
        apply=_weighted_mean,
        roots=("divide",),
        operands=("sum", "mean", "einsum"),
        example=_Z + "y = sum(z*exp(z), axis=1)/sum(exp(z), axis=1)",
    ),
    rounding(
        "exp_of_log_softmax",
        "exp(z - logsumexp(z))",
        "softmax(z)",
        "one function for three",
        apply=_exp_of_log_softmax,
        roots=("exp",),
        operands=("subtract",),
        example=_Z + "y = exp(z - logsumexp(z, axis=1, keepdims=True))",
    ),
    rounding(
        "shifted_softmax",
        "softmax(z - max(z))",
        "softmax(z)",
        "softmax shifts by itself",
        apply=_shifted_softmax,
        roots=("softmax",),
        operands=("subtract",),
        example=_Z + "y = softmax(z - max(z, axis=1, keepdims=True), axis=1)",
    ),
    rounding(
        "shifted_logsumexp",
        "logsumexp(z - max(z))",
        "logsumexp(z) - max(z)",
        "logsumexp shifts by itself",
        apply=_shifted_logsumexp,
        roots=("logsumexp",),
        operands=("subtract",),
        example=_Z + "d = z - max(z, axis=1, keepdims=True)\n"
        "y = logsumexp(d, axis=1) + prod(d, axis=1)",
    ),
    rounding(
        "shift_returned",
        "(logsumexp(z) - max(z)) + max(z)",
        "logsumexp(z)",
        "the shift is undone",
        apply=_shift_returned,
        roots=("add",),
        operands=("subtract",),
        example=_Z + "y = log(sum(exp(z - max(z, axis=1, keepdims=True)), axis=1)) "
        "+ max(z, axis=1)",
    ),
    rounding(
        "shift_cancelled",
        "(z - max(z)) - (logsumexp(z) - max(z))",
        "z - logsumexp(z)",
        "the shift is undone",
        apply=_shift_cancelled,
        roots=("subtract",),
        operands=("subtract",),
        example=_Z + "u = z - max(z, axis=1, keepdims=True)\n"
        "y = u - log(sum(exp(u), axis=1, keepdims=True))",
    ),
    rounding(
        "masked_exponential",
        "where(m, exp(z), 0)",
        "exp(where(m, z, -inf))",
        "a masked sum of exponentials becomes one of all",
        apply=_masked_exponential,
        roots=("where",),
        operands=("exp",),
        forward_only=True,
        example=_Z + "y = where(z > 0, exp(z), 0.0)",
    ),
    rounding(
        "mask_times_exponential",
        "cast(m)*exp(z)",
        "where(m, exp(z), 0)",
        "0*inf is NaN where the entry is masked",
        apply=_mask_times_exponential,
        roots=("multiply",),
        operands=("exp", "softmax"),
        forward_only=True,
        example=_Z + "y = cast(z > 0, 'float64')*exp(z)",
    ),
)
