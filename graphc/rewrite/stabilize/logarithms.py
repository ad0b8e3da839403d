"""Stabilization: the logarithm goes inside sums, products, choices and movement to meet an exp.

`log` of a probability underflows where the probability does, although log Σ exp, log σ and log
softmax are ordinary numbers. It moves only where it uncovers such a form (`Facts.uncovers_log`).
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from graphc.ir.dims import product, same
from graphc.ir.node import Node
from graphc.ops.leaf import fill, full, is_fill
from graphc.ops.reduction.minus_infinity import may_hold_minus_infinity
from graphc.ops.reduction.spread import core
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import Factor, factors_of, folded, product_of, terms_of_sum
from graphc.rewrite.engine.facts import LOGARITHM_PASSES, Facts, is_number, only_moves
from graphc.rewrite.engine.rule import rounding
from graphc.rewrite.stabilize.weighted_exponentials import largest_of, shift_of, shifted


def log_probabilities(z: Node, axis: tuple[int, ...]) -> Node:
    """Return z − logsumexp(z), the logarithm of softmax."""
    total = OPS["logsumexp"](z, axis, True)
    return OPS["subtract"](z, OPS["broadcast_to"](total, z.shape))


def _log_of_softmax(node: Node, facts: Facts) -> Node:
    softmax = node.inputs[0]
    return log_probabilities(softmax.inputs[0], softmax.attrs["axis"])


def _log_softmax(node: Node, facts: Facts) -> Node:
    return log_probabilities(node.inputs[0], node.attrs["axis"])


def _log_of_product(node: Node, facts: Facts) -> Node | None:
    """log(a·b/c) → log a + log(b/c): factors that a logarithm uncovers come out, one by one."""
    out, rest = _parted(node.inputs[0], facts)
    if not out:
        return None
    is_signed = any(not facts.is_nonnegative(x) for x, _ in rest)
    if is_signed and any(_is_masked(x) for x, _ in out):
        return None  # log(0*(-1)) is -inf, log(0) + log(-1) is NaN
    log = OPS["log"]
    added = [log(x) for x, divides in out if not divides]
    taken = [log(x) for x, divides in out if divides]
    if rest and all(divides for _, divides in rest):
        taken.append(log(product_of([(x, False) for x, _ in rest])))
    elif rest:
        added.append(log(product_of(rest)))
    return _difference(added, taken)


def _parted(product: Node, facts: Facts) -> tuple[list[Factor], list[Factor]]:
    """Return the factors that a logarithm uncovers, and the others."""
    out: list[Factor] = []
    rest: list[Factor] = []
    for x, divides in factors_of(product):
        is_uncovered = facts.uncovers_log(x) and facts.is_nonnegative(x)
        (out if is_uncovered else rest).append((x, divides))
    return out, rest


def _is_masked(x: Node) -> bool:
    """Say whether a factor may be 0 because it is left out, not by underflow."""
    pending = [core(x)]
    while pending:
        inner = pending.pop()
        if inner.op.name == "where":
            pending += map(core, inner.inputs[1:])
        elif inner.op.name == "exp":  # exp(where(m, z, -inf))
            pending += [y for y in [core(inner.inputs[0])] if y.op.name == "where"]
        elif is_fill(inner, 0) or is_fill(inner, -math.inf):
            return True
    return False


def _difference(added: list[Node], taken: list[Node]) -> Node:
    top, bottom = folded("add", added), folded("add", taken)
    if bottom is None:
        assert top is not None
        return top
    return OPS["negative"](bottom) if top is None else OPS["subtract"](top, bottom)


def _log_of_moved(node: Node, facts: Facts) -> Node | None:
    """log(take(p)) → take(log p)."""
    moved = node.inputs[0]
    x, *rest = moved.inputs
    if not only_moves(moved) or not facts.uncovers_log(x):
        return None
    return moved.op.make([OPS["log"](x), *rest], **moved.attrs)


def _log_of_concat(node: Node, facts: Facts) -> Node | None:
    joined = node.inputs[0]
    if not facts.uncovers_log(joined):
        return None
    return joined.op.make([OPS["log"](x) for x in joined.inputs], **joined.attrs)


def _log_of_sum(node: Node, facts: Facts) -> Node | None:
    """log Σ w·e → logsumexp(log e) + …, for e a product of exponentials and w any weight."""
    total = node.inputs[0]
    axis, keepdims = total.attrs["axis"], total.attrs["keepdims"]
    x = total.inputs[0]
    if any(type(x.shape[a]) is int and x.shape[a] == 0 for a in axis):
        return None
    out, rest = _parted(x, facts)
    inner = product_of(out)
    if not facts.uncovers_log(total) or inner is None:
        return None
    weight = _weight(rest)
    exponent = OPS["log"](inner)
    if weight is None or (weight.op is full and facts.is_positive(weight)):
        value = OPS["logsumexp"](exponent, axis, keepdims)
        if weight is not None:
            value = OPS["add"](value, OPS["log"](fill(weight.attrs["value"], (), x.dtype)))
    else:
        value = _weighted(exponent, weight, axis, keepdims, facts)
    if total.op.name == "mean":
        count = product([x.shape[a] for a in axis])
        value = OPS["subtract"](value, OPS["log"](fill(count, (), node.dtype)))
    return value


def _weight(factors: list[Factor]) -> Node | None:
    """Return the product of factors, which is one number where they are."""
    if not factors or not all(x.op is full and is_number(x) for x, _ in factors):
        return product_of(factors)
    value = math.prod(x.attrs["value"] ** (-1 if divides else 1) for x, divides in factors)
    return fill(value, factors[0][0].shape, factors[0][0].dtype)


def _log_of_cumsum(node: Node, facts: Facts) -> Node | None:
    """log(cumsum(e)) → logcumsumexp(log e)."""
    running = node.inputs[0]
    if not facts.uncovers_log(running):
        return None
    return OPS["logcumsumexp"](OPS["log"](running.inputs[0]), running.attrs["axis"])


def _weighted(
    exponent: Node, weight: Node, axis: tuple[int, ...], keepdims: bool, facts: Facts
) -> Node:
    """Return log Σ w·exp(a), shifted by the largest exponent that has a weight.

    Where none has, the logarithm of 0 comes from the shift: each slope is its weight times a large
    number, not 0·inf.
    """
    largest = largest_of(exponent, weight, axis, facts)
    shift = shift_of(largest)
    terms = OPS["multiply"](weight, OPS["exp"](shifted(exponent, weight, shift, facts)))
    return _shifted_back(OPS["sum"](terms, axis, keepdims), largest, shift)


def _shifted_back(total: Node, largest: Node, shift: Node) -> Node:
    """Return log(total) + shift, -inf where no term has a weight."""
    if may_hold_minus_infinity(largest):
        something = OPS["not_equal"](largest, -math.inf)
        tiny = fill(float(np.finfo(total.dtype).tiny) ** 0.5, (), total.dtype)
        spare = OPS["reshape"](OPS["where"](something, 0.0, tiny), total.shape)
        total, shift = OPS["add"](total, spare), OPS["where"](something, shift, -math.inf)
    return OPS["add"](OPS["log"](total), OPS["reshape"](shift, total.shape))


def _log_of_weighted(node: Node, facts: Facts) -> Node | None:
    """log(v·e + w·f) → log(v·e/s + w·f/s) + log s, for s the larger of the exponentials e and f."""
    addends = terms_of_sum(node.inputs[0], most=_MOST_ADDENDS)
    if all(facts.is_nonnegative(x) and not facts.vanishes(x) for x in addends):
        return None  # log_plus makes it one of logarithms
    parts: list[tuple[Node, Node]] = []
    for x in addends:
        inner, weight = map(product_of, _parted(x, facts))
        if inner is None or (core(inner).op.name == "add" and weight is None):
            return None
        unit = fill(1.0, x.shape, x.dtype)
        parts.append((OPS["log"](inner), unit if weight is None else weight))
    largest = folded("maximum", [largest_of(e, w, (), facts) for e, w in parts])
    assert largest is not None
    shift = shift_of(largest)
    terms = [OPS["multiply"](w, OPS["exp"](shifted(e, w, shift, facts))) for e, w in parts]
    total = folded("add", terms)
    assert total is not None
    return _shifted_back(total, largest, shift)


def _log_beside_exponentials(node: Node, facts: Facts) -> Node | None:
    """log(c + e + w) → L + log1p(w·exp(−L)) with L = log(c + e), for e ≥ 0 that overflows."""
    x = node.inputs[0]
    addends = terms_of_sum(x, most=_MOST_ADDENDS)
    if node.op.name == "log1p":
        addends.append(fill(1.0, x.shape, x.dtype))
    numbers = [x for x in addends if x.op is full and facts.is_positive(x)]
    large = [x for x in addends if facts.uncovers_log(x) and math.isinf(facts.range(x).high)]
    rest = [x for x in addends if x not in {*numbers, *large}]
    if not (large and numbers and rest) or not all(map(facts.is_nonnegative, large + rest)):
        return None
    base = OPS["log"](folded("add", numbers + large))
    share = OPS["multiply"](folded("add", rest), OPS["exp"](OPS["negative"](base)))
    return OPS["add"](base, OPS["log1p"](share))


def _log_of_masked(node: Node, facts: Facts) -> Node | None:
    """log(where(m, p, 0)) → where(m, log p, −inf)."""
    condition, taken, other = node.inputs[0].inputs
    log, none = OPS["log"], -math.inf
    if facts.uncovers_log(taken) and is_fill(other, 0):
        return OPS["where"](condition, log(taken), none)
    if facts.uncovers_log(other) and is_fill(taken, 0):
        return OPS["where"](condition, none, log(other))
    return None


def _log_of_prod(node: Node, facts: Facts) -> Node | None:
    """log Π x → Σ log x where no factor is negative, of all products so far too."""
    folded = node.inputs[0]
    x, sums = folded.inputs[0], {"prod": "sum", "cumprod": "cumsum"}
    if x.dtype.kind != "f" or not facts.is_nonnegative(x):
        return None
    return OPS[sums[folded.op.name]](OPS["log"](x), **folded.attrs)


def _two_pass_variance(node: Node, facts: Facts) -> Node | None:
    """mean(x²) − mean(x)² → var(x)."""
    left, right = node.inputs
    if left.op.name != "mean" or right.op.name != "square":
        return None
    squares, mean = left.inputs[0], right.inputs[0]
    if squares.op.name != "square" or mean.op is not left.op or left.attrs != mean.attrs:
        return None
    x = mean.inputs[0]
    if not facts.same(squares.inputs[0], x) or any(same(dim, 0) for dim in x.shape):
        return None
    return OPS["var"](x, mean.attrs["axis"], mean.attrs["keepdims"])


#: Of a sum of more terms, the rest is one term.
_MOST_ADDENDS = 16
_Z = "z: input(f64, 3, 4)\n"
_WHY = "a probability that rounds to 0 has no logarithm"

_rule = partial(rounding, why=_WHY, roots=("log",))

LOGARITHM_MOVES = (
    _rule(
        "log_of_softmax",
        "log(softmax(z))",
        "z - logsumexp(z)",
        apply=_log_of_softmax,
        operands=("softmax",),
        example=_Z + "y = log(softmax(z, axis=1))",
    ),
    _rule(
        "log_softmax_parts",
        "log_softmax(z)",
        "z - logsumexp(z)",
        apply=_log_softmax,
        roots=("log_softmax",),
        why="the form that meets a gather and other losses",
        example=_Z + "y = log_softmax(z, axis=1)",
    ),
    _rule(
        "log_of_product",
        "log(a*b/c)",
        "log(a) + log(b/c)",
        apply=_log_of_product,
        operands=("multiply", "divide"),
        example=_Z + "y = log(2.0*sigmoid(z)/sqrt(abs(z)))",
    ),
    _rule(
        "log_of_moved",
        "log(take(p))",
        "take(log(p))",
        apply=_log_of_moved,
        operands=(*LOGARITHM_PASSES, "einsum"),
        example=_Z + "y = log(reshape(sigmoid(z), (4, 3)))",
    ),
    _rule(
        "log_of_concat",
        "log(concat(p, q))",
        "concat(log(p), log(q))",
        apply=_log_of_concat,
        operands=("concat",),
        example=_Z + "y = log(concat(sigmoid(z), exp(z)))",
    ),
    _rule(
        "log_of_masked",
        "log(where(m, p, 0))",
        "where(m, log(p), -inf)",
        apply=_log_of_masked,
        operands=("where",),
        example=_Z + "y = log(where(z > 0, sigmoid(z), 0.0))",
    ),
    _rule(
        "log_of_sum_exp",
        "log(sum(w*exp(a)))",
        "logsumexp(a + log(w))",
        apply=_log_of_sum,
        operands=("sum", "mean"),
        why="exp overflows although its logarithm does not",
        example=_Z + "y = log(sum(exp(z), axis=1))",
    ),
    _rule(
        "log_of_cumsum_exp",
        "log(cumsum(exp(a)))",
        "logcumsumexp(a)",
        apply=_log_of_cumsum,
        operands=("cumsum",),
        why="exp overflows although its logarithm does not",
        example=_Z + "y = log(cumsum(exp(z), axis=1))",
    ),
    _rule(
        "log_of_weighted_exps",
        "log(w*exp(a) + v*exp(b))",
        "log(w*exp(a - m) + v*exp(b - m)) + m",
        apply=_log_of_weighted,
        operands=("add",),
        why="exponentials underflow although the logarithm of a mixture does not",
        example=_Z + "p: input(f64, 3, 4)\ny = log(p*exp(z) + (1.0 - p)*exp(2.0*z))",
    ),
    _rule(
        "log_beside_exponentials",
        "log(c + exp(x) + w)",
        "log(c + exp(x)) + log1p(w*exp(-log(c + exp(x))))",
        apply=_log_beside_exponentials,
        roots=("log", "log1p"),
        operands=("add",),
        when="w >= 0",
        why="exp overflows, and w may be 0",
        example=_Z + "y = log(2.0 + exp(z) + z**2)",
    ),
    _rule(
        "log_of_prod",
        "log(prod(x))",
        "sum(log(x))",
        apply=_log_of_prod,
        operands=("prod", "cumprod"),
        when="x >= 0",
        why="a product of many factors underflows or overflows",
        example=_Z + "y = log(prod(abs(z), axis=1))",
    ),
    _rule(
        "two_pass_variance",
        "mean(x**2) - mean(x)**2",
        "var(x)",
        apply=_two_pass_variance,
        roots=("subtract",),
        operands=("square",),
        why="the difference of two large means loses its digits",
        example=_Z + "y = mean(z**2, axis=1) - mean(z, axis=1)**2",
    ),
)
