"""Stabilization: quotients of exponentials by their sums are softmax, shifts and masks included."""

from __future__ import annotations

import math

from graphc.ir.dims import Dim, same, same_shape
from graphc.ir.node import Node
from graphc.ops.axes import without_axes
from graphc.ops.leaf import fill, full, is_fill
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import OPS
from graphc.rewrite.facts import Facts, product_factors
from graphc.rewrite.logarithms import product_of
from graphc.rewrite.rule import REASSOCIATES, Rule
from graphc.rewrite.spread import reduction_under, varying_axes, without_copies

_REDUCTIONS_OF_Z = ("max", "mean", "min", "logsumexp")
_TAKES = ("take_along_axis", "gather", "slice")


def _softmax(node: Node, facts: Facts) -> Node | None:
    """w·exp(z)/Σ exp(z) → w·softmax(z)."""
    top, bottom = node.inputs
    total = reduction_under(bottom, "sum")
    if total is None or not _has_lines(total):
        return None
    terms = total.inputs[0]
    if facts.same(top, terms):
        return _normalized(terms, total, facts)
    if terms.op.name != "exp" or not same_shape(bottom.shape, terms.shape):
        return None
    factors = product_factors(top)
    for i, (factor, divides) in enumerate(factors):
        if not divides and facts.same(factor, terms):
            shares = OPS["softmax"](terms.inputs[0], total.attrs["axis"])
            rest = product_of(factors[:i] + factors[i + 1 :])
            return shares if rest is None else OPS["multiply"](rest, shares)
    return None


def _has_lines(total: Node) -> bool:
    shape, axes = total.inputs[0].shape, total.attrs["axis"]
    return bool(axes) and not any(type(shape[a]) is int and shape[a] == 0 for a in axes)


def _normalized(terms: Node, total: Node, facts: Facts) -> Node | None:
    """Return terms/Σ terms, where terms are exponentials, or weights times exponentials."""
    axis = total.attrs["axis"]
    if terms.op.name == "exp":
        return OPS["softmax"](terms.inputs[0], axis)
    factors = product_factors(terms)
    for i, (factor, divides) in enumerate(factors):
        if factor.op.name == "exp" and not divides:
            weight = product_of(factors[:i] + factors[i + 1 :])
            if weight is None:
                return None
            shares = OPS["multiply"](weight, OPS["softmax"](factor.inputs[0], axis))
            again = OPS["sum"](shares, axis, True)
            return OPS["divide"](shares, OPS["broadcast_to"](again, shares.shape))
    return None


def _quotient_of_exponentials(node: Node, facts: Facts) -> Node | None:
    """e/Σ exp(a) → exp(log e − logsumexp(a)) where e is an exponential, moved or scaled."""
    top, bottom = node.inputs
    total = bottom
    while total.op.name in ("broadcast_to", "reshape"):
        total = total.inputs[0]
    if total.op.name != "sum" or total.inputs[0].op.name != "exp" or not _has_lines(total):
        return None
    if not _is_moved_exponential(top):
        return None
    log = OPS["log"]
    return OPS["exp"](OPS["subtract"](log(top), log(bottom)))


def _is_moved_exponential(node: Node) -> bool:
    while node.op.name in ("reshape", "transpose", "broadcast_to", *_TAKES):
        node = node.inputs[0]
    return node.op.name == "exp"


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
    """(logsumexp(z) − m) + m → logsumexp(z), for m a reduction of z."""
    for left, m in (node.inputs, node.inputs[::-1]):
        if left.op.name != "subtract" or left.inputs[0].op.name != "logsumexp":
            continue
        if _core(m).op.name in _REDUCTIONS_OF_Z and facts.same(_core(left.inputs[1]), _core(m)):
            return left.inputs[0]
    return None


def _shift_cancelled(node: Node, facts: Facts) -> Node | None:
    """(z − m) − (logsumexp(z) − m) → z − logsumexp(z), for m a reduction of z."""
    left, right = node.inputs
    inner = _core(right)
    if left.op.name != "subtract" or inner.op.name != "subtract":
        return None
    z, shift = left.inputs
    total, again = inner.inputs
    if total.op.name != "logsumexp" or not facts.same(total.inputs[0], z):
        return None
    if _core(shift).op.name not in _REDUCTIONS_OF_Z or not facts.same(_core(shift), _core(again)):
        return None
    kept = OPS["reshape"](total, without_axes(z.shape, total.attrs["axis"], True))
    return OPS["subtract"](z, OPS["broadcast_to"](kept, z.shape))


def _core(node: Node) -> Node:
    while node.op.name in ("broadcast_to", "reshape"):
        node = node.inputs[0]
    return node


# -- movement before arithmetic ----------------------------------------------------------------


def _take_before_arithmetic(node: Node, facts: Facts) -> Node | None:
    """take(f(a, broadcast(b))) → f(take(a), b): only what is taken is computed.

    One operand at least is still indexed, so an index out of range is still an error.
    """
    x = node.inputs[0]
    assert isinstance(x.op, Pointwise)
    axes = _taken_axes(node)
    held = [_is_held(operand, axes) for operand in x.inputs]
    if all(held) or not _is_worthwhile(node, x, facts):
        return None
    operands = [
        _taken(node, operand, axes) if is_held else node.op.make([operand, *node.inputs[1:]], **node.attrs)
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
    if any(_core(operand).op.name == "logsumexp" for operand in x.inputs[1:]):
        return True  # its gradient meets softmax, whose label entries alone are changed
    return not facts.is_shared(x) and _is_at_most(node.size, x.size)


def _is_at_most(a: Dim, b: Dim) -> bool:
    difference = b - a
    return difference >= 0 if type(difference) is int else bool(difference.is_nonnegative)


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
    if facts.is_shared(x) or not _is_at_most(node.size, x.size) or same(node.size, x.size):
        return None
    operands = [OPS["slice"].make([operand], **node.attrs) for operand in x.inputs]
    return x.op.make(operands, **x.attrs)


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


_Z = ("max", "mean", "min", "logsumexp")
_TAKES = ("take_along_axis", "gather", "slice")


def _softmax(node: Node, facts: Facts) -> Node | None:
    """w·exp(z)/Σ exp(z) → w·softmax(z)."""
    top, bottom = node.inputs
    total = reduction_under(bottom, "sum")
    if total is None or not _has_lines(total):
        return None
    terms = total.inputs[0]
    if facts.same(top, terms):
        return _normalized(terms, total, facts)
    if terms.op.name != "exp" or not same_shape(bottom.shape, terms.shape):
        return None
    factors = product_factors(top)
    for i, (factor, divides) in enumerate(factors):
        if not divides and facts.same(factor, terms):
            shares = OPS["softmax"](terms.inputs[0], total.attrs["axis"])
            rest = product_of(factors[:i] + factors[i + 1 :])
            return shares if rest is None else OPS["multiply"](rest, shares)
    return None


def _has_lines(total: Node) -> bool:
    shape, axes = total.inputs[0].shape, total.attrs["axis"]
    return bool(axes) and not any(type(shape[a]) is int and shape[a] == 0 for a in axes)


def _normalized(terms: Node, total: Node, facts: Facts) -> Node | None:
    """Return terms/Σ terms, where terms are exponentials, or weights times exponentials."""
    axis = total.attrs["axis"]
    if terms.op.name == "exp":
        return OPS["softmax"](terms.inputs[0], axis)
    factors = product_factors(terms)
    for i, (factor, divides) in enumerate(factors):
        if factor.op.name == "exp" and not divides:
            weight = product_of(factors[:i] + factors[i + 1 :])
            if weight is None:
                return None
            shares = OPS["multiply"](weight, OPS["softmax"](factor.inputs[0], axis))
            again = OPS["sum"](shares, axis, True)
            return OPS["divide"](shares, OPS["broadcast_to"](again, shares.shape))
    return None


def _quotient_of_exponentials(node: Node, facts: Facts) -> Node | None:
    """e/Σ exp(a) → exp(log e − logsumexp(a)) where e is an exponential, moved or scaled."""
    top, bottom = node.inputs
    total = bottom
    while total.op.name in ("broadcast_to", "reshape"):
        total = total.inputs[0]
    if total.op.name != "sum" or total.inputs[0].op.name != "exp" or not _has_lines(total):
        return None
    if not _is_moved_exponential(top):
        return None
    log = OPS["log"]
    return OPS["exp"](OPS["subtract"](log(top), log(bottom)))


def _is_moved_exponential(node: Node) -> bool:
    while node.op.name in ("reshape", "transpose", "broadcast_to", *_TAKES):
        node = node.inputs[0]
    return node.op.name == "exp"


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
    """(logsumexp(z) − m) + m → logsumexp(z), for m a reduction of z."""
    for left, m in (node.inputs, node.inputs[::-1]):
        if left.op.name != "subtract" or left.inputs[0].op.name != "logsumexp":
            continue
        if _core(m).op.name in _REDUCTIONS_OF_Z and facts.same(_core(left.inputs[1]), _core(m)):
            return left.inputs[0]
    return None


def _shift_cancelled(node: Node, facts: Facts) -> Node | None:
    """(z − m) − (logsumexp(z) − m) → z − logsumexp(z), for m a reduction of z."""
    left, right = node.inputs
    inner = _core(right)
    if left.op.name != "subtract" or inner.op.name != "subtract":
        return None
    z, shift = left.inputs
    total, again = inner.inputs
    if total.op.name != "logsumexp" or not facts.same(total.inputs[0], z):
        return None
    if _core(shift).op.name not in _REDUCTIONS_OF_Z or not facts.same(_core(shift), _core(again)):
        return None
    kept = OPS["reshape"](total, without_axes(z.shape, total.attrs["axis"], True))
    return OPS["subtract"](z, OPS["broadcast_to"](kept, z.shape))


def _core(node: Node) -> Node:
    while node.op.name in ("broadcast_to", "reshape"):
        node = node.inputs[0]
    return node


# -- movement before arithmetic ----------------------------------------------------------------


def _take_before_arithmetic(node: Node, facts: Facts) -> Node | None:
    """take(f(a, broadcast(b))) → f(take(a), b): only what is taken is computed.

    One operand at least is still indexed, so an index out of range is still an error.
    """
    x = node.inputs[0]
    assert isinstance(x.op, Pointwise)
    axes = _taken_axes(node)
    held = [_is_held(operand, axes) for operand in x.inputs]
    if all(held) or not _is_worthwhile(node, x, facts):
        return None
    operands = [
        _taken(node, operand, axes) if is_held else node.op.make([operand, *node.inputs[1:]], **node.attrs)
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
    if any(_core(operand).op.name == "logsumexp" for operand in x.inputs[1:]):
        return True  # its gradient meets softmax, whose label entries alone are changed
    return not facts.is_shared(x) and _is_at_most(node.size, x.size)


def _is_at_most(a: Dim, b: Dim) -> bool:
    difference = b - a
    return difference >= 0 if type(difference) is int else bool(difference.is_nonnegative)


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
    if facts.is_shared(x) or not _is_at_most(node.size, x.size) or same(node.size, x.size):
        return None
    operands = [OPS["slice"].make([operand], **node.attrs) for operand in x.inputs]
    return x.op.make(operands, **x.attrs)


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
        if x.op.name == "exp" and inner.op.name == "cast" and inner.inputs[0].dtype.kind == "b":
            return OPS["where"](inner.inputs[0], x, 0.0)
    return None


_Z = "z: input(f64, 3, 4)\n"
_E = "exp(z)/sum(exp(z), axis=1, keepdims=True)"
_OVERFLOW = "exp overflows, and the quotient would be inf/inf"


def _rule(name: str, before: str, after: str, why: str, **more: object) -> Rule:
    return Rule(name, before, after, why, exactness=REASSOCIATES, **more)  # type: ignore[arg-type]  # Rule's own fields


SOFTMAX = (
    _rule("softmax_textbook", "w*exp(z)/sum(exp(z))", "w*softmax(z)", _OVERFLOW, apply=_softmax,
          roots=("divide",), operands=("broadcast_to", "sum", "reshape"),
          example=_Z + f"y = {_E}"),
    _rule("quotient_of_exponentials", "exp(b)/sum(exp(a))", "exp(b - logsumexp(a))", _OVERFLOW,
          apply=_quotient_of_exponentials, roots=("divide",),
          operands=("broadcast_to", "sum", "reshape"),
          example=_Z + "y = exp(z[:, 0])/sum(exp(z), axis=1)"),
    _rule("exp_of_log_softmax", "exp(z - logsumexp(z))", "softmax(z)", "one function for three",
          apply=_exp_of_log_softmax, roots=("exp",), operands=("subtract",),
          example=_Z + "y = exp(z - logsumexp(z, axis=1, keepdims=True))"),
    _rule("shifted_softmax", "softmax(z - max(z))", "softmax(z)", "softmax shifts by itself",
          apply=_shifted_softmax, roots=("softmax",), operands=("subtract",),
          example=_Z + "y = softmax(z - max(z, axis=1, keepdims=True), axis=1)"),
    _rule("shifted_logsumexp", "logsumexp(z - max(z))", "logsumexp(z) - max(z)",
          "logsumexp shifts by itself", apply=_shifted_logsumexp, roots=("logsumexp",),
          operands=("subtract",),
          example=_Z + "y = logsumexp(z - max(z, axis=1, keepdims=True), axis=1)"),
    _rule("shift_returned", "(logsumexp(z) - max(z)) + max(z)", "logsumexp(z)",
          "the shift is undone", apply=_shift_returned, roots=("add",), operands=("subtract",),
          example=_Z + "y = log(sum(exp(z - max(z, axis=1, keepdims=True)), axis=1)) "
          "+ max(z, axis=1)"),
    _rule("shift_cancelled", "(z - max(z)) - (logsumexp(z) - max(z))", "z - logsumexp(z)",
          "the shift is undone", apply=_shift_cancelled, roots=("subtract",),
          operands=("subtract",),
          example=_Z + "u = z - max(z, axis=1, keepdims=True)\n"
          "y = u - log(sum(exp(u), axis=1, keepdims=True))"),
    _rule("masked_exponential", "where(m, exp(z), 0)", "exp(where(m, z, -inf))",
          "a masked sum of exponentials becomes one of all", apply=_masked_exponential,
          roots=("where",), operands=("exp",), forward_only=True,
          example=_Z + "y = where(z > 0, exp(z), 0.0)"),
    _rule("mask_times_exponential", "cast(m)*exp(z)", "where(m, exp(z), 0)",
          "0*inf is NaN where the entry is masked", apply=_mask_times_exponential,
          roots=("multiply",), operands=("exp", "softmax"), forward_only=True,
          example=_Z + "y = cast(z > 0, 'float64')*exp(z)"),
)

MOVES_BEFORE_ARITHMETIC = (
    _rule("take_before_arithmetic", "take(f(a, broadcast_to(b)))", "f(take(a), b)",
          "only what is taken is computed", apply=_take_before_arithmetic,
          roots=("take_along_axis", "gather"),
          operands=("add", "subtract", "multiply", "divide"),
          example=_Z + "i: input(i64, 3, 1)\n"
          "y = take_along_axis(z - mean(z, axis=1, keepdims=True), i, axis=1)"),
    _rule("slice_before_arithmetic", "f(a, b)[i:j]", "f(a[i:j], b[i:j])",
          "only what is sliced is computed", apply=_slice_before_arithmetic, roots=("slice",),
          operands=("add", "subtract", "multiply", "divide", "exp", "log", "tanh", "negative"),
          example=_Z + "y = exp(z)[0:1]"),
)
