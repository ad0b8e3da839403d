"""Small terms meet first, and small factors enter a product: `(x @ W + a)*s + b` is two passes.

As small factors do, terms that are the same along an axis meet before they meet a large array. What
they are added to is a product, which rounds as much as their meeting does. A factor goes on into
an operand of the product that is smaller than the product itself, as weights are: so batch
normalization by running averages costs what a bias costs.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.access import along, reads
from graphc.ir.dims import Dim, evaluate, product, same, symbols_of
from graphc.ir.node import Node, rebuilt
from graphc.ir.op import Op
from graphc.ops.leaf import full
from graphc.ops.reduction.spread import varying_axes, without_copies
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding
from graphc.rewrite.speed.small_factors import applied_to_small, copied_axes

_SUMS, _PRODUCTS = ("add", "subtract"), ("multiply", "divide")


def _with_small(node: Node) -> tuple[Node, Node, frozenset[int]] | None:
    """Return the large operand, the small one and its copied axes, of `A∘b`, or of `b∘A = A∘b`."""
    pairs = [node.inputs, node.inputs[::-1]]
    for large, small in pairs if node.op.name in ("add", "multiply") else pairs[:1]:
        axes = copied_axes(small)
        if axes and small.op is not full and large.op is not full:
            return large, small, axes
    return None


def _views_over(node: Node, facts: Facts) -> tuple[list[Node], Node]:
    """Return the views of a product that nobody else reads, outermost first, and the product."""
    views: list[Node] = []
    while node.op.name in ("reshape", "transpose") and not facts.is_shared(node):
        views.append(node)
        node = node.inputs[0]
    return views, node


def _is_product(node: Node, facts: Facts) -> bool:
    return _views_over(node, facts)[1].op.family == "contraction"


@dataclass(frozen=True)
class _Sum:
    """`(z + a)∘b`: a product z, what is added to it, the small a and b, and their copied axes."""

    plus: Node
    z: Node
    a: Node
    b: Node
    axes: frozenset[int]

    def of_both(self, op: Op) -> Node:
        return applied_to_small(op.name, (self.a, self.b), self.axes)


def _with_sum(node: Node, facts: Facts) -> _Sum | None:
    """Take `(z + a)∘b` apart, unless the sum has other readers."""
    outer = _with_small(node) if facts.is_float(node) else None
    if outer is None or outer[0].op.name not in _SUMS or facts.is_shared(outer[0]):
        return None
    plus, b, copied = outer
    inner = _with_small(plus)
    if inner is None or not copied & inner[2]:
        return None
    return _Sum(plus, inner[0], inner[1], b, copied & inner[2])


def _small_terms(node: Node, facts: Facts) -> Node | None:
    """(z + a) - b → z + (a - b), and so on, for a product z."""
    found = _with_sum(node, facts)
    return _terms_met(node, found) if found and _is_product(found.z, facts) else None


def _terms_met(node: Node, found: _Sum) -> Node:
    if found.plus.op.name == "add":
        return OPS["add"](found.z, found.of_both(node.op))
    if node.op.name == "add":
        less = applied_to_small("subtract", (found.b, found.a), found.axes)
        return OPS["add"](found.z, less)
    return OPS["subtract"](found.z, found.of_both(OPS["add"]))


def _scaled_and_shifted(node: Node, facts: Facts) -> Node | None:
    """(z - a)*s + b → z*s + (b - a*s) for a product z."""
    outer = _with_small(node)
    if outer is None or outer[0].op.name not in _PRODUCTS or facts.is_shared(outer[0]):
        return None
    scaled, b, _ = outer
    found = _with_sum(scaled, facts)
    if found is None or not _is_product(found.z, facts):
        return None
    apart = found.plus.op(scaled.op(found.z, found.b), found.of_both(scaled.op))
    shifted = _with_sum(node.op(apart, b), facts)
    return _terms_met(node, shifted) if shifted else None


def _factor_into_operand(node: Node, facts: Facts) -> Node | None:
    """(x @ W)*s → x @ (W*s), and with a bias in between, (x @ W + a)*s → x @ (W*s) + a*s."""
    found = _with_sum(node, facts)
    if found is not None:
        inside = _scaled_product(node.op, found.z, found.b, facts)
        return None if inside is None else found.plus.op(inside, found.of_both(node.op))
    plain = _with_small(node) if facts.is_float(node) else None
    return _scaled_product(node.op, plain[0], plain[1], facts) if plain else None


def _scaled_product(op: Op, z: Node, small: Node, facts: Facts) -> Node | None:
    """Return the product z times a small factor, or divided by it, with the factor inside."""
    views, value = _views_over(z, facts)
    varying = varying_axes(small)
    if value.op.family != "contraction" or facts.is_shared(value):
        return None
    if varying is None or len(varying) != 1:
        return None
    axis: int | None = varying[0]
    for view in views:
        axis = None if axis is None else _axis_before(view, axis)
    place = None if axis is None else _operand_along(value, axis)
    if place is None:
        return None
    index, own = place
    operands = list(value.inputs)
    shape: list[Dim] = [1] * operands[index].ndim
    shape[own] = small.shape[varying[0]]
    others = tuple([a for a in range(small.ndim) if a != varying[0]])
    column = OPS["reshape"](without_copies(small, others), tuple(shape))
    operands[index] = op(operands[index], OPS["broadcast_to"](column, operands[index].shape))
    result = value.op.make(operands, **value.attrs)
    for view in reversed(views):
        result = rebuilt(view, (result,))
    return result


def _axis_before(view: Node, axis: int) -> int | None:
    """Return which axis of its operand a view shows as one of its own, if it is one alone."""
    if view.op.name == "transpose":
        before: int = view.attrs["axes"][axis]
        return before
    source, shape = view.inputs[0].shape, view.shape
    for place, dim in enumerate(source):
        if same(dim, shape[axis]) and same(product(source[:place]), product(shape[:axis])):
            return place
    return None


def _operand_along(value: Node, axis: int) -> tuple[int, int] | None:
    """Return the operand of a product, and its axis, that one axis of the product goes along.

    The operand is smaller than the product even where named dims are 1.
    """
    for index, x in enumerate(value.inputs):
        if _least(x.size) > _least(value.size):
            continue
        for own, span in enumerate(reads(value, index)):
            if span == along(axis):
                return index, own
    return None


def _least(size: Dim) -> int:
    return evaluate(size, dict.fromkeys(symbols_of([size]), 1))


_EXAMPLE = "x: input(f64, 6, 3)\nW: input(f64, 3, 4)\na: input(f64, 4)\nb: input(f64, 4)\n"

SMALL_TERMS = (
    rounding(
        "factor_into_weights",
        "(x @ W + a)*s",
        "x @ (W*s) + a*s",
        "the weights are scaled, which are smaller than their product",
        apply=_factor_into_operand,
        roots=_PRODUCTS,
        example="x: input(f64, 6, 3)\nW: input(f64, 3, 4)\ns: input(f64, 4)\ny = (x @ W)*s",
    ),
    rounding(
        "small_terms_first",
        "(x @ W + a) + b",
        "x @ W + (a + b)",
        "a pass over small arrays instead of one over a large one",
        apply=_small_terms,
        roots=_SUMS,
        operands=_SUMS,
        example=_EXAMPLE + "y = x @ W + a - b",
    ),
    rounding(
        "shift_behind_factor",
        "(x @ W - a)*s + b",
        "(x @ W)*s + (b - a*s)",
        "two passes over a large array instead of three",
        apply=_scaled_and_shifted,
        roots=_SUMS,
        operands=_PRODUCTS,
        example="x: input(f64, 6, 30)\nW: input(f64, 30, 4)\ns: input(f64, 4)\n"
        "a: input(f64, 4)\nb: input(f64, 4)\ny = (x @ W - a)*s + b",
    ),
)
