"""The product of a cotangent and a partial, written so that a zero never becomes nan.

Where nothing can go wrong it is a plain product. Three things can go wrong:

- The cotangent is a choice of branches, `where(c, g, 0)`: the choice stays outermost,
  `where(c, g*p, 0)`, so that a branch not taken contributes exactly 0.
- The cotangent may be 0 where the partial is infinite (sqrt at 0, log at 0, exp where it overflows
  and what is behind it has reached a limit): the guarded product.
- The cotangent may be infinite where the partial is 0 (the square under a root): the product that
  the partial's zero absorbs. Where both may happen, the product that either zero absorbs.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

from graphc.differentiate.bounds import BoundsOf
from graphc.differentiate.formulas.local import Partial, specialized
from graphc.differentiate.sweeps.layers import MadeOfSums
from graphc.differentiate.sweeps.vanishing import dies_out, outweighs
from graphc.ir.node import Node
from graphc.ops.elementwise.algebras import NODES
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.guards import Guarded
from graphc.ops.elementwise.pointwise import COTANGENT, OUTPUT, Pointwise, cast
from graphc.ops.leaf import is_fill
from graphc.ops.registry import OPS

#: How many nested choices a product looks through; more are left to the guarded product.
_DEEPEST_CHOICE = 4
_LONGEST_LOOK = 16


class Slope(enum.IntEnum):
    """Whether the cotangent that arrives at a node may be infinite."""

    FINITE = 0
    #: Only where a later value is infinite too: the cotangent of x in log(x). The result has no
    #: slope then, but what a case cuts off, as relu does below 0, contributes nothing all the same.
    AT_POLE = 1
    #: Only where the node's own value is 0: the cotangent of x in sqrt(x).
    INFINITE_AT_ZERO = 2
    INFINITE = 3


class Slopes:
    """Builds the products of one sweep; knows the bounds of the nodes that it asked for."""

    def __init__(self, is_higher: bool) -> None:
        #: Whether derivatives of derivatives are taken.
        self.is_higher = is_higher
        self.bounds = BoundsOf()
        self.is_made_of_sums = MadeOfSums()

    def product(
        self, node: Node, index: int, cotangent: Node, slope: Slope
    ) -> tuple[Node | None, Slope]:
        """Return the cotangent of a pointwise node's operand, and whether it may be infinite."""
        op = node.op
        assert isinstance(op, Pointwise)
        partial = specialized(op, index, [_number_of(x) for x in node.inputs])
        if partial.is_zero:
            return None, slope
        after = self._slope_after(node, index, partial, slope)
        if partial.constant == 1:
            return cotangent, after
        if self.is_higher and not self.is_made_of_sums(node.inputs[index]):
            partial = partial.accurate
        choices, inner = _choices_of(cotangent, through_views=partial.constant is None)
        product = self._scaled(node, partial, inner, slope)
        for condition, taken in reversed(choices):
            product = OPS["where"](condition, *((product, 0.0) if taken else (0.0, product)))
        return product, after

    def _scaled(self, node: Node, partial: Partial, cotangent: Node, slope: Slope) -> Node:
        assert isinstance(node.op, Pointwise)
        operands = node.op.operands_of_partial(node, partial.index)
        variables = dict(zip(node.op.args, operands, strict=True))
        variables |= {OUTPUT: node, COTANGENT: cotangent}
        if is_fill(cotangent, 1) and partial.constant is None and not partial.has_cases:
            value = evaluate_formula(partial.built, variables, NODES)
            return cast(value, cotangent.dtype)
        formula = partial.product
        harmless = Slope.FINITE if partial.has_cases else Slope.AT_POLE
        may_be_infinite = slope > harmless and partial.constant is None
        if not may_be_infinite and partial.constant is None and self._overflows(cotangent):
            may_be_infinite = outweighs(
                evaluate_formula(partial.built, variables, NODES), cotangent
            )
        if self._needs_guard(node, partial, cotangent):
            formula = partial.guarded_product
            if may_be_infinite:  # each of the two may be 0 where the other is infinite
                formula = f"absorbing_multiply({partial.built}, {COTANGENT})"
        elif may_be_infinite and not _is_divided_by_size(node, partial.index):
            formula = partial.absorbing_product
        result: Node = evaluate_formula(formula, variables, NODES)
        return result

    def _overflows(self, node: Node) -> bool:
        """Say whether a node may be infinite because an exponential overflows."""
        bounds = self.bounds(node)
        return bounds.steep and math.isinf(bounds.high - bounds.low)

    def _needs_guard(self, node: Node, partial: Partial, cotangent: Node) -> bool:
        """Say whether the cotangent may be 0 where the partial is infinite."""
        if isinstance(node.op, Guarded) and (partial.index == 0 or node.op.symmetric):
            return self.bounds(cotangent).may_be_zero  # its other factor may be infinite
        is_steep = partial.steep or any(self.bounds(x).steep for x in node.inputs)
        if not (partial.singular or is_steep) or not self.bounds(cotangent).may_be_zero:
            return False
        bounds = partial.bounds([self.bounds(x) for x in node.inputs])
        if partial.singular or (partial.steep and has_holes(cotangent)):
            return bounds.pole or bounds.steep
        is_unbounded = bounds.steep and math.isinf(bounds.high - bounds.low)
        return is_unbounded and dies_out(cotangent, node)

    def _slope_after(self, node: Node, index: int, partial: Partial, slope: Slope) -> Slope:
        if slope <= Slope.AT_POLE:
            others = (x for i, x in enumerate(node.inputs) if i != index)
            if isinstance(node.op, Guarded) and any(self.bounds(x).pole for x in others):
                return Slope.INFINITE  # the product is finite, its factor is not
            if not (partial.singular or partial.has_infinite_slope):
                return slope
            if not partial.bounds([self.bounds(x) for x in node.inputs]).pole:
                return slope
            if not partial.has_infinite_slope:
                return Slope.AT_POLE
            return slope_of(partial.is_infinite_at_zero)
        if slope is Slope.INFINITE_AT_ZERO:
            return self._slope_after_infinite(node, index, partial)
        return slope

    def _slope_after_infinite(self, node: Node, index: int, partial: Partial) -> Slope:
        """Follow a cotangent that is infinite only where this node is 0."""
        x = node.inputs[index]
        if all(other is x or _number_of(other) is not None for other in node.inputs):
            if partial.vanishes_with_output or (
                len(node.inputs) == 2 and node.inputs[0] is node.inputs[1]
            ):
                return Slope.FINITE  # 0·∞ is taken as 0 there
            if partial.constant is not None:
                return slope_of(partial.is_proportional)
            return Slope.INFINITE
        if node.op is OPS["add"] and all(self.bounds(i).low >= 0 for i in node.inputs):
            return Slope.INFINITE_AT_ZERO  # a sum of non-negative terms is 0 only where each is
        return Slope.INFINITE

    def through_transpose(self, node: Node, index: int, slope: Slope) -> Slope:
        """Say whether the cotangent behind a linear op may be infinite."""
        is_total = node.op in (OPS["sum"], OPS["mean"])
        if slope is Slope.AT_POLE:
            return slope if node.op.is_view or is_total else Slope.FINITE
        if slope is not Slope.INFINITE_AT_ZERO:
            return slope
        if node.op.is_view or node.op is OPS["cast"]:
            return slope
        return slope if is_total and self.bounds(node.inputs[index]).low >= 0 else Slope.INFINITE


def slope_of(only_at_zero: bool) -> Slope:
    return Slope.INFINITE_AT_ZERO if only_at_zero else Slope.INFINITE


def _number_of(node: Node) -> float | None:
    """Return the number that fills a node, if one does."""
    if not is_fill(node):
        return None
    value = node.attrs["value"]
    return float(value) if isinstance(value, (bool, int, float)) else None


def _choices_of(cotangent: Node, through_views: bool) -> tuple[list[tuple[Node, bool]], Node]:
    """Return the conditions under which a cotangent is not 0, outermost first, and the rest.

    A reshaped or broadcast choice is the same choice of reshaped parts.
    """
    choices: list[tuple[Node, bool]] = []
    while len(choices) < _DEEPEST_CHOICE:
        views, node = _views_over(cotangent) if through_views else ([], cotangent)
        choice = _choice_of(node)
        if choice is None:
            break
        condition, taken, branch = choice
        condition, cotangent = (_viewed(x, views) for x in (condition, branch))
        choices.append((condition, taken))
    return choices, cotangent


def _choice_of(node: Node) -> tuple[Node, bool, Node] | None:
    """Return (condition, whether it is taken there, branch) where a node is 0 otherwise."""
    if node.op is not OPS["where"]:
        return None
    condition, then, otherwise = node.inputs
    if is_fill(otherwise, 0):
        return condition, True, then
    return (condition, False, otherwise) if is_fill(then, 0) else None


def total(a: Node, b: Node) -> Node:
    """Return a + b. Where both are one choice, so is the sum: it is 0 where neither is taken."""
    first, second = _choice_of(a), _choice_of(b)
    if first is None or second is None:
        return OPS["add"](a, b)
    condition, taken, branch = first
    if condition is not second[0] or taken is not second[1]:
        return OPS["add"](a, b)
    both = OPS["add"](branch, second[2])
    return OPS["where"](condition, *((both, 0.0) if taken else (0.0, both)))


def _views_over(node: Node) -> tuple[list[Node], Node]:
    """Return the views that a node is made of, outermost first, and what they look at."""
    views: list[Node] = []
    while node.op.is_view and len(node.inputs) == 1 and len(views) < _DEEPEST_CHOICE:
        views.append(node)
        node = node.inputs[0]
    return views, node


def _viewed(node: Node, views: Sequence[Node]) -> Node:
    for view in reversed(views):
        node = view.op.make([node], **view.attrs)
    return node


def _is_divided_by_size(node: Node, index: int) -> bool:
    """Say whether an operand is divided by a number of elements: 1/N is never 0."""
    return node.op is OPS["divide"] and index == 0 and is_fill(node.inputs[1])


def has_holes(cotangent: Node) -> bool:
    """Say whether a cotangent was put together with zeros: by where, pad, or writing into zeros.

    Movement, sums and contractions make zeros of zeros.
    """
    node = cotangent
    for _ in range(_LONGEST_LOOK):
        if node.op.name == "pad" or any(is_fill(x, 0) for x in node.inputs):
            return True
        is_linear = node.op.family in ("movement", "contraction") or node.op is OPS["sum"]
        if not (is_linear or isinstance(node.op, Pointwise)) or not node.inputs:
            return False
        node = node.inputs[0]
    return False
