"""For speed: what NumPy computes fastest, chosen last and for style `fast` alone.

The rules know how NumPy spends its time: BLAS sums rows several times as fast as `sum`, `mean` and
`logaddexp` are slow out of proportion, `einsum` multiplies element by element. What they write is
worse to read, so style `readable` does without them. The figures are in docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from graphc.ir.dims import product, same_shape, typical_size
from graphc.ir.node import Node
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.contraction.spec import are_two, label_sizes, split_spec
from graphc.ops.elementwise.limits import is_sooner_in_clip
from graphc.ops.leaf import full
from graphc.ops.registry import OPS
from graphc.ops.windows.columns import is_copied
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import Rule, rounding

#: From how many elements on ten calls take less time than `logaddexp`.
_MANY = 512
#: Rows longer than this are summed pairwise, which rounds less.
_LONGEST_ROW = 4096
#: Of a longer row, the largest element takes no longer to find than its columns to copy.
_SHORT_ROW = 64
_FEW_ROWS = 32
#: More elements than any product of two operands has, so that NumPy pairs them all.
_UNLIMITED = 2**62


def _row_sums(node: Node, facts: Facts) -> Node | None:
    """sum(x, axis=0) → ones @ x, and sum(x, axis=-1) → x @ ones."""
    x, axes = node.inputs[0], node.attrs["axis"]
    count = len(axes)
    if x.dtype.kind != "f" or not 0 < count < x.ndim or x.op is full:
        return None
    if axes == tuple(range(count)):
        length = product(x.shape[:count])
        rest = x.shape[count:]
        flat = OPS["reshape"](x, (length, product(rest)))
        ones = OPS["stored"](1, (length,), dtype=x.dtype)
        return OPS["reshape"](einsum_labels([ones, flat], ["r", "rc"], "c"), node.shape)
    first = axes[0]
    if axes == tuple(range(first, first + count)) and first + count < x.ndim:
        length, rest = product(x.shape[first : first + count]), x.shape[first + count :]
        lead = [str(i) for i in range(first)]
        flat = OPS["reshape"](x, (*x.shape[:first], length, product(rest)))
        ones = OPS["stored"](1, (length,), dtype=x.dtype)
        rows = einsum_labels([ones, flat], ["r", [*lead, "r", "c"]], [*lead, "c"])
        return OPS["reshape"](rows, node.shape)
    length = product(x.shape[-count:])
    is_short = isinstance(length, int) and length <= _LONGEST_ROW
    if axes == tuple(range(x.ndim - count, x.ndim)) and is_short:
        rest = x.shape[: x.ndim - count]
        flat = OPS["reshape"](x, (product(rest), length))
        ones = OPS["stored"](1, (length,), dtype=x.dtype)
        return OPS["reshape"](einsum_labels([flat, ones], ["rc", "c"], "r"), node.shape)
    return None


def _mean(node: Node, facts: Facts) -> Node | None:
    """mean(x) → sum(x)/n."""
    x, axes = node.inputs[0], node.attrs["axis"]
    total = OPS["sum"].make([x], **node.attrs)
    return OPS["divide"](total, product(x.shape[a] for a in axes))


def _dot_of_rows(node: Node, facts: Facts) -> Node | None:
    """sum(a*b, axis=-1) → vecdot(a, b): the product is never written out.

    Several last axes are one, unless an operand would have to be copied for that.
    """
    x, axes = node.inputs[0], node.attrs["axis"]
    first = x.ndim - len(axes)
    are_last = axes == tuple(range(first, x.ndim))
    if not 0 < first < x.ndim or not are_last or x.dtype.kind != "f" or facts.is_shared(x):
        return None
    a, b = (x.inputs[0], x.inputs[0]) if x.op.name == "square" else x.inputs
    if any(y.op.is_inserted or (len(axes) > 1 and is_copied(y)) for y in (a, b)):
        return None
    shape = (*x.shape[:first], product(x.shape[first:]))
    labels = [str(i) for i in range(len(shape))]
    rows = [OPS["reshape"](y, shape) for y in (a, b)]
    return OPS["reshape"](einsum_labels(rows, [labels, labels], labels[:-1]), node.shape)


def _one_contraction_a_pair(node: Node, facts: Facts) -> Node | None:
    """einsum of three operands → two products, in the order that takes the fewest operations.

    Named dims count as 64 in comparing the orders.
    """
    terms, out = split_spec(node.attrs["spec"])
    if len(terms) < 3:
        return None
    sizes = [tuple([typical_size([d]) for d in x.shape]) for x in node.inputs]
    shown = [np.broadcast_to(np.float32(0), shape) for shape in sizes]
    path, _ = np.einsum_path(node.attrs["spec"], *shown, optimize=("optimal", _UNLIMITED))
    # Where nothing is summed over, the path is one step that takes all operands.
    pairs = path[1:] if len(path) == len(terms) else [(0, 1)] * (len(terms) - 1)
    operands, labels = list(node.inputs), list(terms)
    for step in pairs:
        taken = sorted(step, reverse=True)
        pair = [(operands.pop(i), labels.pop(i)) for i in taken][::-1]
        needed = set(out).union(*labels)
        kept = "".join(c for c in dict.fromkeys("".join(t for _, t in pair)) if c in needed)
        kept = kept if labels else out
        operands.append(einsum_labels([x for x, _ in pair], [t for _, t in pair], kept))
        labels.append(kept)
    return operands[0]


def _joined_labels(node: Node, facts: Facts) -> Node | None:
    """einsum('abc,abd->cd', x, y) → x.reshape(ab, c).T @ y.reshape(ab, d): one matrix product."""
    terms, out = split_spec(node.attrs["spec"])
    if not are_two(terms):
        return None
    pair = _neighbours([*terms, out])
    if pair is None:
        return None
    first, second = pair
    sizes = label_sizes(terms, [x.type for x in node.inputs])
    sizes[first] = sizes[first] * sizes[second]
    joined = [term.replace(second, "") for term in terms]
    operands = [
        OPS["reshape"](x, tuple([sizes[c] for c in term])) if term != whole else x
        for x, term, whole in zip(node.inputs, joined, terms, strict=True)
    ]
    return OPS["reshape"](einsum_labels(operands, joined, out.replace(second, "")), node.shape)


def _neighbours(terms: Sequence[str]) -> tuple[str, str] | None:
    """Return two labels that stand side by side in this order in every term that has one of them.

    Labels that all terms have are left alone: `matmul` runs over them by itself.
    """
    for term in terms:
        for first, second in pairwise(term):
            both = [first + second in t for t in terms if first in t or second in t]
            if all(both) and len(both) < len(terms):
                return first, second
    return None


def _reshape_later(node: Node, facts: Facts) -> Node | None:
    """reshape(x, s) + b → reshape(x + b, s) for a row b: the sum may overwrite x."""
    for shaped, row in (node.inputs, node.inputs[::-1]):
        source = row.inputs[0] if row.op is OPS["broadcast_to"] else row
        is_row = row.op is OPS["broadcast_to"] and source.ndim == 1
        if shaped.op is not OPS["reshape"] or not is_row or facts.is_shared(shaped):
            continue
        x = shaped.inputs[0]
        if x.op.is_leaf or x.ndim != 2 or not same_shape(x.shape[-1:], source.shape):
            continue
        if same_shape(x.shape[-1:], node.shape[-1:]):
            total = node.op(x, OPS["broadcast_to"](source, x.shape))
            return OPS["reshape"](total, node.shape)
    return None


def _limits_one_by_one(node: Node, facts: Facts) -> Node | None:
    """clip(x, a, b) → minimum(maximum(x, a), b), of few elements."""
    x, low, high = node.inputs
    if is_sooner_in_clip(node):
        return None
    return OPS["minimum"](OPS["maximum"](x, low), high)


def _logaddexp(node: Node, facts: Facts) -> Node | None:
    """logaddexp(a, b) → max(a, b) + log1p(exp(-|a - b|)), where equal infinities differ by 0."""
    if typical_size(node.shape) < _MANY or any(x.op is full for x in node.inputs):
        return None
    furthest = float(np.finfo(node.dtype).max) / 4
    a, b = (x if facts.is_finite(x) else OPS["clip"](x, -furthest, furthest) for x in node.inputs)
    apart = OPS["abs"](OPS["subtract"](a, b))
    less = OPS["log1p"](OPS["exp"](OPS["negative"](apart)))
    return OPS["add"](OPS["maximum"](*node.inputs), less)


def _times_reciprocal(node: Node, facts: Facts) -> Node | None:
    """x/3 → x·(1/3), for arrays."""
    x, divisor = node.inputs
    if divisor.op is not full or not is_number(divisor) or not x.ndim or x.op is full:
        return None
    value = float(divisor.attrs["value"])
    if node.dtype.kind != "f" or not facts.fits(value) or not facts.fits(1 / value):
        return None
    return OPS["multiply"](x, 1 / value)


def _largest_by_columns(node: Node, facts: Facts) -> Node | None:
    """max(x, axis=-1) → max(copy of x.T, axis=0) for many short rows."""
    x = node.inputs[0]
    if x.ndim != 2 or x.dtype.kind != "f" or node.attrs["axis"] != (1,) or x.op is full:
        return None
    count, length = x.shape
    if not isinstance(length, int) or not 1 < length <= _SHORT_ROW:
        return None
    if isinstance(count, int) and count < _FEW_ROWS:
        return None
    columns = OPS["pack"](x, (1, 0), (length, count))
    row = node.op(columns, axis=0, keepdims=node.attrs["keepdims"])
    return OPS["transpose"](row, (1, 0)) if node.ndim == 2 else row


def _squared_length(node: Node, facts: Facts) -> Node | None:
    """sum(square(x)) → x.ravel() @ x.ravel() for an array that was computed here."""
    square = node.inputs[0]
    x = square.inputs[0]
    is_whole = len(node.attrs["axis"]) == x.ndim > 1
    if not is_whole or x.dtype.kind != "f" or facts.is_shared(square):
        return None
    flat = OPS["reshape"](x, (x.size,))
    return OPS["reshape"](einsum_labels([flat, flat], ["a", "a"], ""), node.shape)


_X = "x: input(f64, 3, 4)\n"

SPEED = (
    rounding(
        "softplus_of_minus",
        "logaddexp(-x, 0)",
        "log1p(exp(-abs(x))) - minimum(x, 0)",
        "one call less than to negate first",
    ),
    rounding(
        "softplus_by_exp",
        "logaddexp(x, 0)",
        "maximum(x, 0) + log1p(exp(-abs(x)))",
        "`logaddexp` runs element by element, ten times as long as these five calls",
    ),
    rounding(
        "logaddexp_by_exp",
        "logaddexp(a, b)",
        "maximum(a, b) + log1p(exp(-abs(a - b)))",
        "`logaddexp` runs element by element, ten times as long as these calls",
        apply=_logaddexp,
        roots=("logaddexp",),
        example="a: input(f64, 30, 40)\nb: input(f64, 30, 40)\ny = logaddexp(a, b)",
    ),
    rounding(
        "softplus_less",
        "maximum(x, 0) + log1p(exp(-abs(x))) - t",
        "log1p(exp(-abs(x))) + (maximum(x, 0) - t)",
        "x and t cancel before the small logarithm is added, which keeps its digits",
    ),
    Rule(
        "leaky_by_maximum",
        "where(greater(x, 0), x, c*x)",
        "maximum(x, c*x)",
        "the larger is found without a choice",
        when="0 < c and c < 1",
        example="c=0.25",
    ),
    rounding(
        "clip_by_bounds",
        "clip(x, a, b)",
        "minimum(maximum(x, a), b)",
        "`clip` spends half a microsecond in Python, more than few elements take",
        apply=_limits_one_by_one,
        roots=("clip",),
        example="x: input(f64, 3, 4)\ny = clip(x, -1, 1)",
    ),
    rounding(
        "factored_cubic",
        "(x + c1*(y*x))*c2",
        "x*(c2 + (c1*c2)*y)",
        "one call less",
    ),
    rounding(
        "mean_by_sum",
        "mean(x)",
        "sum(x)/n",
        "`mean` spends 3 µs in Python",
        apply=_mean,
        roots=("mean",),
        example=_X + "y = mean(x, axis=1)",
    ),
    rounding(
        "dot_of_rows",
        "sum(a*b, axis=-1)",
        "einsum('ij,ij->i', a, b)",
        "the product is summed without being written out",
        apply=_dot_of_rows,
        roots=("sum",),
        operands=("multiply", "square"),
        example=_X + "w: input(f64, 3, 4)\ny = sum(x*w, axis=1)",
    ),
    rounding(
        "squared_length_of_all",
        "sum(square(x))",
        "ravel(x) @ ravel(x)",
        "one pass over the array, and no temporary",
        apply=_squared_length,
        roots=("sum",),
        operands=("square",),
        example=_X + "y = sum(x**2)",
    ),
    rounding(
        "largest_by_columns",
        "max(x, axis=-1)",
        "max(copy(x.T), axis=0)",
        "a row takes fifty nanoseconds, however short it is; columns are compared at once",
        apply=_largest_by_columns,
        roots=("max", "min"),
        example="x: input(f64, 64, 4)\ny = max(x, axis=1)",
    ),
    rounding(
        "sum_by_product",
        "sum(x, axis=0)",
        "ones @ x",
        "BLAS adds rows three times as fast as `sum`",
        apply=_row_sums,
        roots=("sum",),
        example=_X + "y = sum(x, axis=0)",
    ),
    rounding(
        "products_in_pairs",
        "einsum('ij,jk,kl', a, b, c)",
        "a @ (b @ c)",
        "the order is found once, not at each call",
        apply=_one_contraction_a_pair,
        roots=("einsum",),
        example=_X
        + "a: input(f64, 4, 2)\nb: input(f64, 2, 5)\ny = einsum('ij,jk,kl->il', x, a, b)",
    ),
    rounding(
        "joined_labels",
        "einsum('abc,abd->cd', x, y)",
        "reshape(x, (ab, c)).T @ reshape(y, (ab, d))",
        "axes that lie side by side everywhere are one axis, and the product one of matrices",
        apply=_joined_labels,
        roots=("einsum",),
        example="x: input(f64, 2, 3, 4)\nw: input(f64, 2, 3, 5)\ny = einsum('abc,abd->cd', x, w)",
    ),
    rounding(
        "reshape_later",
        "reshape(x, s) + b",
        "reshape(x + b, s)",
        "the sum may then overwrite x, which has its shape",
        apply=_reshape_later,
        roots=("add",),
        operands=("reshape",),
        example="x: input(f64, 6, 4)\nw: input(f64, 4, 5)\nb: input(f64, 5)\n"
        "y = reshape(x @ w, (2, 3, 5)) + b",
    ),
    rounding(
        "by_reciprocal_number",
        "x/3",
        "x*(1/3)",
        "a product is cheaper than a quotient",
        apply=_times_reciprocal,
        roots=("divide",),
        operands=("full",),
        example=_X + "y = x/3.0",
    ),
)
