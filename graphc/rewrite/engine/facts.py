"""Facts that rules consult: signs, finiteness, sharing, and what a logarithm would uncover."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.ranges import Range
from graphc.ir.walk import BottomUp
from graphc.ops.contraction.spec import split_spec
from graphc.ops.leaf import full, is_fill
from graphc.ops.reduction.minus_infinity import may_hold_minus_infinity
from graphc.ops.reduction.spread import core
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import factors_of
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.engine.ranges import range_of

#: The ordinary numbers of float32, as Python's: compared with NumPy's, 1e200 would be cast.
_LEAST, _MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


class Facts:
    """What is known about the nodes of one graph while one pass runs."""

    def __init__(
        self, uses: Mapping[Node, int] | None = None, number: ValueNumbers | None = None
    ) -> None:
        self._uses: dict[Node, int] = dict(uses or {})
        #: Receives what is answered about sharing, while somebody listens.
        self.answers: dict[Node, bool] | None = None
        self.number = number or ValueNumbers()
        self.range: BottomUp[Range] = BottomUp(range_of)
        self.factors: BottomUp[bool] = BottomUp(self._uncovers)
        self.vanishes: BottomUp[bool] = BottomUp(self._may_vanish)
        self.cannot_fail: BottomUp[bool] = BottomUp(_cannot_fail)
        self.written: BottomUp[Dim | None] = BottomUp(_written)

    # -- expressions ---------------------------------------------------------------------------

    def same(self, a: Node, b: Node) -> bool:
        """Say whether two nodes compute the same expression."""
        return self.number.same(a, b)

    def negates(self, a: Node, b: Node) -> bool:
        """Say whether b is written as −a, in the forms that simplification leaves."""
        while a.op is b.op and a.op.family == "movement" and len(a.inputs) == 1:
            if a.attrs != b.attrs:
                return False
            a, b = a.inputs[0], b.inputs[0]
        for x, y in ((a, b), (b, a)):
            if x.op.name == "negative" and self.same(x.inputs[0], y):
                return True
        if a.op is not b.op:
            return False
        if a.op is full:
            return is_number(a) and is_number(b) and a.attrs["value"] == -b.attrs["value"]
        if a.op.name == "subtract":
            return self.same(a.inputs[0], b.inputs[1]) and self.same(a.inputs[1], b.inputs[0])
        if a.op.name in ("multiply", "divide"):
            return any(
                self.same(a.inputs[i], b.inputs[j])
                and a.inputs[1 - i].op is b.inputs[1 - j].op is full
                and self.negates(a.inputs[1 - i], b.inputs[1 - j])
                for i, j in (
                    ((0, 0), (0, 1), (1, 0), (1, 1)) if a.op.name == "multiply" else ((0, 0),)
                )
            )
        return False

    # -- sharing -------------------------------------------------------------------------------

    def uses(self, node: Node) -> int:
        """Return how many operands and outputs a node served when the pass began."""
        return self._uses.get(node, 1)

    def is_shared(self, node: Node) -> bool:
        shared = self.uses(node) > 1
        if self.answers is not None:
            self.answers[node] = shared
        return shared

    def is_worth_sharing(self, node: Node) -> bool:
        """Say whether a node has other users, and is more than arithmetic on numbers: -0.5/N."""
        return self.is_shared(node) and any(x.op is not full for x in node.inputs)

    def becomes(self, old: Node, new: Node) -> None:
        """Note that a rebuilt node takes over the users of another."""
        self._uses[new] = self._uses.get(new, 0) + self.uses(old)

    def is_replaced(self, old: Node, new: Node) -> None:
        """Note that `new` stands for `old`: what it reads, and what nobody reads any more."""
        created = [new] if new not in self._uses else []
        self.becomes(old, new)
        while created:
            for operand in created.pop().inputs:
                if operand not in self._uses:
                    self._uses[operand] = 0
                    created.append(operand)
                self._uses[operand] += 1
        dead = [old]
        while dead:
            for operand in dead.pop().inputs:
                self._uses[operand] = self.uses(operand) - 1
                if self._uses[operand] == 0:
                    dead.append(operand)

    # -- values --------------------------------------------------------------------------------

    def is_nonnegative(self, node: Node) -> bool:
        return self.range(node).low >= 0

    def is_positive(self, node: Node) -> bool:
        return self.range(node).low > 0

    def may_be_zero(self, node: Node) -> bool:
        found = self.range(node)
        return found.low <= 0 <= found.high

    def is_above(self, node: Node, value: float) -> bool:
        return self.range(node).low > value

    def is_finite(self, node: Node) -> bool:
        found = self.range(node)
        return found.is_bounded and not found.nan

    def is_unit(self, node: Node) -> bool:
        """Say whether all values lie in [0, 1]."""
        found = self.range(node)
        return found.low >= 0 and found.high <= 1

    def may_hold_minus_infinity(self, node: Node) -> bool:
        """Say whether -inf may be a meaningful value, as masks put it there."""
        return may_hold_minus_infinity(node)

    def is_float(self, node: Node) -> bool:
        return node.dtype.kind == "f"

    def is_truth(self, node: Node) -> bool:
        return node.dtype.kind == "b"

    def is_leaf(self, node: Node) -> bool:
        """Say whether a node is given, and so not rounded yet."""
        return node.op.is_leaf

    def is_given(self, node: Node) -> bool:
        """Say whether a node is an input, a parameter or a number."""
        return node.op.is_leaf or node.op is full

    def is_constant(self, node: Node) -> bool:
        """Say whether a node is one number everywhere."""
        return node.op is full

    def fits(self, value: float) -> bool:
        """Say whether a folded constant is an ordinary float32 number, neither 0 nor infinite."""
        return _LEAST <= abs(value) <= _MOST

    def keeps_digits(self, a: float, b: float) -> bool:
        """Say whether a sum of two numbers still holds both, rounded to float32 too: 1 + 1e-8."""
        if not math.isfinite(a + b):
            return False
        total, smaller = Fraction(a) + Fraction(b), Fraction(min(abs(a), abs(b)))
        return all(
            abs(Fraction(float(kind(a + b))) - total) <= 8 * float(np.finfo(kind).eps) * smaller
            for kind in (np.float32, np.float64)
            if abs(a + b) <= float(np.finfo(kind).max)
        )

    def is_moderate(self, value: float) -> bool:
        """Say whether a coefficient may leave its product, which must not overflow without it."""
        return 2.0**-16 <= abs(value) <= 2.0**16

    def predicate(self, name: str) -> Callable[..., Any]:
        """Return the fact of this name, for conditions."""
        fact: Callable[..., Any] = getattr(self, name)
        return fact

    # -- logarithms ----------------------------------------------------------------------------

    def uncovers_log(self, node: Node) -> bool:
        """Say whether log(node) becomes an expression that needs no exponential of large numbers.

        It is also known then that moving the logarithm inside ends at such a form.
        """
        return self.factors(node)

    def _uncovers(self, node: Node, operands: Sequence[bool]) -> bool:
        name = node.op.name
        if name in _EXPONENTIALS:
            return node.dtype.kind == "f" and (name != "exp" or not _is_shifted(node.inputs[0]))
        if name in ("exp2", "power") and exponent_of(node) is not None:
            return True
        if only_moves(node):
            return operands[0] and node.inputs[0].dtype.kind == "f"
        if name in ("where", "concat"):
            return any(operands)
        if name in ("multiply", "divide"):
            return any(
                (inner and self.is_nonnegative(x))
                or (inner and x.op.name in ("multiply", "divide"))
                for inner, x in zip(operands, node.inputs, strict=True)
            )
        if name in ("power", "sqrt", "square"):
            return operands[0] and self.is_nonnegative(node.inputs[0])
        if name == "add":
            return all(
                inner or (x.op is full and is_number(x) and x.attrs["value"] > 0)
                for inner, x in zip(operands, node.inputs, strict=True)
            ) and any(operands)
        if name in ("sum", "mean"):
            return self._has_uncovered_factor(node.inputs[0])
        if name == "cumsum":
            (x,) = node.inputs
            return operands[0] and self.is_nonnegative(x) and not self.vanishes(x)
        return False

    def _may_vanish(self, node: Node, operands: Sequence[bool]) -> bool:
        """Say whether a value may be 0 where derivatives count: not masked, nor by underflow.

        The derivative of its logarithm is lost there, which one of log(1 + value) is not.
        """
        name = node.op.name
        if name in _EXPONENTIALS or exponent_of(node) is not None or self.is_positive(node):
            return False
        if name == "cast" and node.inputs[0].dtype.kind == "b":
            return False
        if only_moves(node) or name in ("divide", "power", "sqrt", "square"):
            return operands[0]
        if name in ("where", "concat"):
            pairs = zip(node.inputs, operands, strict=True)
            return any(found for x, found in pairs if x.dtype.kind == "f" and not is_fill(x, 0))
        if name == "multiply":
            return any(operands)
        if name == "add" and all(map(self.is_nonnegative, node.inputs)):
            return all(operands)
        is_total = name in ("sum", "mean") and self._has_uncovered_factor(node.inputs[0])
        return not (is_total or (name == "cumsum" and self.factors(node)))

    def _has_uncovered_factor(self, node: Node) -> bool:
        return any(
            self.factors(x) and self.is_nonnegative(x) and not divides
            for x, divides in factors_of(node)
        )


def _cannot_fail(node: Node, operands: Sequence[bool]) -> bool:
    """Say whether no index of an array can be out of range, here or below: it may be dropped."""
    is_indexed = any(node.op.indexed_dims(node, i) for i in range(len(node.inputs)))
    return all(operands) and not is_indexed


def _written(node: Node, before: Sequence[Dim | None]) -> Dim | None:
    """Return how many elements slices have written into zeros; None for anything else."""
    if node.op is OPS["slice_add"] and before[0] is not None:
        return before[0] + node.inputs[1].size
    return 0 if is_fill(node, 0) else None


_EXPONENTIALS = frozenset(["exp", "softmax", "sigmoid", "cosh"])
#: Movement that a logarithm may pass through.
LOGARITHM_PASSES = (
    "reshape", "transpose", "broadcast_to", "slice", "gather", "take_along_axis", "cast",
)  # fmt: skip


def only_moves(node: Node) -> bool:
    """Say whether a value's elements are its first operand's, as a logarithm may pass through."""
    if node.op.name == "cast":  # to an integer it rounds
        return node.dtype.kind == node.inputs[0].dtype.kind == "f"
    if node.op.name != "einsum" or len(node.inputs) > 1:
        return node.op.name in LOGARITHM_PASSES
    (term,), out = split_spec(node.attrs["spec"])
    return set(term) == set(out)  # a diagonal: nothing is summed


def _is_shifted(exponent: Node) -> bool:
    """Say whether an exponent is shifted by a constant already, as a weighted sum needs it."""
    while exponent.op.name in ("negative", "minimum"):
        exponent = exponent.inputs[0]
    if exponent.op.name not in ("subtract", "add"):
        return False
    return any(core(term).op.name == "stop_gradient" for term in exponent.inputs)


def exponent_of(node: Node) -> Node | None:
    """Return x where a node is exp(x), x·log(2) where it is 2**x; None for no exponential."""
    if node.dtype.kind != "f":
        return None
    if node.op.name == "exp":
        return node.inputs[0]
    if node.op.name == "exp2":
        return OPS["multiply"](node.inputs[0], math.log(2))
    if node.op.name != "power" or node.inputs[0].op is not full or not is_number(node.inputs[0]):
        return None
    base = node.inputs[0].attrs["value"]
    return OPS["multiply"](node.inputs[1], math.log(base)) if base > 0 else None


def is_number(node: Node) -> bool:
    """Say whether a uniform array holds a plain number (not a dim, not a truth value)."""
    return type(node.attrs["value"]) in (int, float) and math.isfinite(node.attrs["value"])
