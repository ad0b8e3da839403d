"""Contractions: transposes, copies and constants absorbed into the labels of an einsum."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from graphc.ir.dims import Dim, product, same, same_shape, typical_size
from graphc.ir.node import Node
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.contraction.spec import LETTERS, label_sizes, split_spec
from graphc.ops.leaf import full
from graphc.ops.reduction.spread import times, varying_axes, without_copies
from graphc.ops.registry import OPS
from graphc.rewrite.contract.order_of_products import CHEAPER_ORDER
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding

#: Matrices of fewer elements are tiny.
_TINY = 32


def parts_of(node: Node) -> tuple[list[Node], list[str], str]:
    terms, out = split_spec(node.attrs["spec"])
    return list(node.inputs), terms, out


def _sizes(node: Node) -> dict[str, Dim]:
    return label_sizes(split_spec(node.attrs["spec"])[0], [x.type for x in node.inputs])


def _transposed_operand(node: Node, facts: Facts) -> Node | None:
    """einsum('ij,jk', x.T, w) → einsum('ji,jk', x, w)."""
    operands, terms, out = parts_of(node)
    for i, x in enumerate(operands):
        if x.op.name == "transpose":
            axes = x.attrs["axes"]
            operands[i] = x.inputs[0]
            terms[i] = "".join(terms[i][axes.index(a)] for a in range(len(axes)))
            return einsum_labels(operands, terms, out)
    return None


def _transposed_result(node: Node, facts: Facts) -> Node | None:
    """(x @ w).T → einsum with its output labels in that order."""
    contraction = node.inputs[0]
    if facts.is_shared(contraction):
        return None
    operands, terms, out = parts_of(contraction)
    turned = "".join(out[a] for a in node.attrs["axes"])
    if _is_one_product(terms, out) and not _is_one_product(terms, turned):
        return None  # of x @ w for a stack x: w would be multiplied with each matrix of it
    return einsum_labels(operands, terms, turned)


def _is_one_product(terms: Sequence[str], out: str) -> bool:
    """Say whether no label of both operands stays, and those of each stand side by side.

    Then one product of matrices does it, however many axes there are.
    """
    if len(terms) != 2:
        return False
    firsts = [label in terms[0] for label in out]
    shared = any((label in terms[0]) and (label in terms[1]) for label in out)
    return not shared and sum(a != b for a, b in pairwise(firsts)) <= 1


def _copied_operand(node: Node, facts: Facts) -> Node | None:
    """An operand that is a broadcast (or uniform) needs no label for its copied axes."""
    operands, terms, _ = parts_of(node)
    if node.dtype.kind != "f":  # a count times an int32 or a truth value has another dtype
        return None
    for i, x in enumerate(operands):
        varying = varying_axes(x)
        if varying is None or len(set(terms[i])) != len(terms[i]):
            continue
        if len(varying) == x.ndim and not (x.op is full and len(operands) > 1):
            continue
        return _with_operand(node, i, unspread(x)[0], "".join(terms[i][a] for a in varying))
    return None


def _with_operand(node: Node, i: int, value: Node, term: str) -> Node:
    """Return the contraction in which operand i no longer carries all its labels."""
    operands, terms, out = parts_of(node)
    sizes = _sizes(node)
    lost = [label for label in dict.fromkeys(terms[i]) if label not in term]
    operands[i], terms[i] = value, term
    scalar = operands.pop(i) if not term and len(operands) > 1 else None
    if scalar is not None:
        terms.pop(i)
    present = set("".join(terms))
    missing = [label for label in lost if label not in present]
    result = einsum_labels(operands, terms, "".join(c for c in out if c in present))
    result = times(result, product([sizes[c] for c in missing if c not in out]))
    if scalar is not None:
        result = _scaled(result, scalar)
    if any(c in out for c in missing):
        held = tuple([sizes[c] if c in present else 1 for c in out])
        result = OPS["broadcast_to"](OPS["reshape"](result, held), node.shape)
    return result


def _scaled(x: Node, scalar: Node) -> Node:
    if scalar.op is full:
        if scalar.attrs["value"] == 1:
            return x
        return OPS["multiply"](x, scalar.attrs["value"])
    return OPS["multiply"](x, OPS["broadcast_to"](scalar, x.shape))


def _summed_result(node: Node, facts: Facts) -> Node | None:
    """sum(x @ w, axis=1) → einsum that lacks the label."""
    contraction, axes = node.inputs[0], node.attrs["axis"]
    if facts.is_shared(contraction) or contraction.op.name != "einsum":
        return None
    operands, terms, out = parts_of(contraction)
    rest = "".join(label for axis, label in enumerate(out) if axis not in axes)
    return OPS["reshape"](einsum_labels(operands, terms, rest), node.shape)


def _lonely_label(node: Node, facts: Facts) -> Node | None:
    """A label that one operand alone has and the output lacks is summed before, not within."""
    operands, terms, out = parts_of(node)
    if len(operands) < 2 or node.dtype.kind != "f":  # a sum of int32 or bool has another dtype
        return None
    for i, term in enumerate(terms):
        others = set(out).union(*terms[:i], *terms[i + 1 :])
        axes = tuple([a for a, label in enumerate(term) if label not in others])
        if axes and len(set(term)) == len(term):
            operands[i] = OPS["sum"](operands[i], axes)
            terms[i] = "".join(label for a, label in enumerate(term) if a not in axes)
            return einsum_labels(operands, terms, out)
    return None


def _identity_operand(node: Node, facts: Facts) -> Node | None:
    """einsum('ij,jk', eye, w) → w with the labels made one."""
    operands, terms, out = parts_of(node)
    if len(operands) < 2:
        return None
    for i, x in enumerate(operands):
        if x.op.name != "eye" or x.attrs["k"] or not same(x.shape[0], x.shape[1]):
            continue
        a, b = tuple(terms[i])
        others = terms[:i] + terms[i + 1 :]
        present = set("".join(others))
        if a == b or (a in out and b in out) or not {a, b} & present:
            continue
        kept, gone = (a, b) if a in out or (b not in out and a in present) else (b, a)
        renamed = [term.replace(gone, kept) for term in others]
        return einsum_labels(operands[:i] + operands[i + 1 :], renamed, out)
    return None


def _diagonal_operand(node: Node, facts: Facts) -> Node | None:
    """einsum('ij,jk', eye*d, w) → d[:, None]*w: the zeros beside a diagonal are not multiplied."""
    operands, terms, out = parts_of(node)
    if len(operands) < 2:
        return None
    for i, x in enumerate(operands):
        pairs = (x.inputs, x.inputs[::-1]) if x.op.name == "multiply" else ()
        for eye, factor in pairs:
            value, varying = unspread(factor)
            if eye.op.name != "eye" or len(varying) > 1:
                continue
            labels = "".join(terms[i][axis] for axis in varying)
            operands[i : i + 1], terms[i : i + 1] = [eye, value], [terms[i], labels]
            return einsum_labels(operands, terms, out)
    return None


def _sum_of_outer_product(node: Node, facts: Facts) -> Node | None:
    """sum(a·b) → einsum where the product would be larger than both: it is never written out."""
    x, axes = node.inputs[0], node.attrs["axis"]
    if x.dtype.kind != "f" or x.ndim > len(LETTERS) or facts.is_shared(x):
        return None
    held = [unspread(operand) for operand in x.inputs]
    labels = LETTERS[: x.ndim]
    terms = ["".join(labels[a] for a in varying) for _, varying in held]
    if not _is_contraction(x, terms, [labels[a] for a in axes]):
        return None
    out = "".join(label for a, label in enumerate(labels) if a not in axes)
    return OPS["reshape"](einsum_labels([value for value, _ in held], terms, out), node.shape)


def unspread(operand: Node) -> tuple[Node, tuple[int, ...]]:
    """Return an operand without its copied axes, and the axes that remain."""
    varying = varying_axes(operand)
    if varying is None:
        return operand, tuple(range(operand.ndim))
    copied = tuple([a for a in range(operand.ndim) if a not in varying])
    one = without_copies(operand, copied)
    return OPS["reshape"](one, tuple([one.shape[a] for a in varying])), varying


def _is_contraction(x: Node, terms: Sequence[str], summed: Sequence[str]) -> bool:
    """Say whether a sum of a·b is a dot product, or a matrix product written out."""
    a, b = map(set, terms)
    if any(label not in a or label not in b for label in summed) or not summed:
        return False
    if x.ndim == 1:
        return not any(operand.op is full for operand in x.inputs)
    if a - b and b - a:
        return True
    return a != b and len(summed) == 1 and _is_by_vector(x, terms, summed[0])


def _is_by_vector(x: Node, terms: Sequence[str], summed: str) -> bool:
    """Say whether a sum of a·b is a matrix times a vector, or a stack of them with one for each.

    `matmul` starts anew for each matrix of a stack: tiny ones are multiplied faster at once.
    """
    vector, matrix = sorted(terms, key=len)
    stack = vector.replace(summed, "")
    if not stack:
        return True
    if vector[-1] != summed or not matrix.startswith(stack) or len(matrix) != len(stack) + 2:
        return False
    sizes = dict(zip(LETTERS, x.shape, strict=False))
    ends = [sizes[label] for label in matrix[-2:]]
    return typical_size(ends) >= _TINY


def _common_operand(node: Node, facts: Facts) -> Node | None:
    """a @ b + a @ c → a @ (b + c): one contraction instead of two."""
    left, right = node.inputs
    if left.op.name != "einsum" or right.op.name != "einsum" or left.attrs != right.attrs:
        return None
    if any(map(facts.is_shared, node.inputs)) or len(left.inputs) != 2 or len(right.inputs) != 2:
        return None
    for i in (0, 1):
        if not facts.same(left.inputs[i], right.inputs[i]):
            continue
        b, c = left.inputs[1 - i], right.inputs[1 - i]
        if not same_shape(b.shape, c.shape):
            continue
        operands = list(left.inputs)
        operands[1 - i] = node.op(b, c)
        return left.op.make(operands, **left.attrs)
    return None


def _squared_length(node: Node, facts: Facts) -> Node | None:
    """sum(x²) → x @ x for a vector."""
    square = node.inputs[0]
    x = square.inputs[0]
    if x.ndim != 1 or x.dtype.kind != "f" or facts.is_shared(square):
        return None
    return OPS["reshape"](einsum_labels([x, x], ["a", "a"], ""), node.shape)


_M = "x: input(f64, 3, 4)\nw: input(f64, 4, 2)\n"
_LABELS = "the labels say it, and nothing moves"

_rule = partial(rounding, roots=("einsum",))

COMMON_OPERAND = _rule(
    "common_operand",
    "a @ b + a @ c",
    "a @ (b + c)",
    "one contraction instead of two",
    apply=_common_operand,
    roots=("add", "subtract"),
    operands=("einsum",),
    example=_M + "v: input(f64, 4, 2)\ny = x @ w + x @ v",
)
CONTRACTIONS = (
    _rule(
        "transposed_operand",
        "einsum('ij,jk', x.T, w)",
        "einsum('ji,jk', x, w)",
        _LABELS,
        apply=_transposed_operand,
        operands=("transpose",),
        example="x: input(f64, 4, 3)\nw: input(f64, 4, 2)\ny = x.T @ w",
    ),
    _rule(
        "transposed_result",
        "(x @ w).T",
        "einsum('ij,jk->ki', x, w)",
        _LABELS,
        apply=_transposed_result,
        roots=("transpose",),
        operands=("einsum",),
        example=_M + "y = (x @ w).T",
    ),
    _rule(
        "copied_operand",
        "einsum('ij,jk', broadcast_to(v), w)",
        "einsum('j,jk', v, w)",
        "copies are not multiplied one by one",
        apply=_copied_operand,
        operands=("broadcast_to", "full"),
        example="x: input(f64, 4)\nw: input(f64, 4, 2)\ny = broadcast_to(x, (3, 4)) @ w",
    ),
    _rule(
        "summed_result",
        "sum(x @ w)",
        "einsum('ij,jk->', x, w)",
        "what is summed is never written out",
        apply=_summed_result,
        roots=("sum",),
        operands=("einsum",),
        example=_M + "y = sum(x @ w, axis=1)",
    ),
    _rule(
        "lonely_label",
        "einsum('ij,jk->i', x, w)",
        "einsum('ij,j->i', x, sum(w, axis=1))",
        "the product has one label less",
        apply=_lonely_label,
        example=_M + "y = einsum('ij,jk->i', x, w)",
    ),
    _rule(
        "identity_operand",
        "eye @ w",
        "w",
        "multiplying by the identity does nothing",
        apply=_identity_operand,
        operands=("eye",),
        example="x: input(f64, 3, 4)\ny = eye(3, dtype=f64) @ x",
    ),
    _rule(
        "diagonal_operand",
        "(eye*d) @ w",
        "d[:, None]*w",
        "what stands beside a diagonal is 0",
        apply=_diagonal_operand,
        operands=("multiply",),
        example="d: input(f64, 3)\nx: input(f64, 3, 4)\ny = (eye(3, dtype=f64)*d) @ x",
    ),
    _rule(
        "sum_of_outer_product",
        "sum(a[:, :, None]*b[None], axis=1)",
        "a @ b",
        "the product is summed without being written out",
        apply=_sum_of_outer_product,
        roots=("sum",),
        operands=("multiply",),
        example=_M + "y = sum(x[:, :, None]*w[None], axis=1)",
    ),
    COMMON_OPERAND,
    _rule(
        "squared_length",
        "sum(x**2)",
        "x @ x",
        "one pass over the vector, and no temporary",
        apply=_squared_length,
        roots=("sum",),
        operands=("square",),
        example="x: input(f64, 4)\ny = sum(x**2)",
    ),
    CHEAPER_ORDER,
)
