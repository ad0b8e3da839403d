"""Norms: x/norm(x), whose derivative at 0 is 0 and not 0/0, and norm(x)**2, which needs no root."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.leaf import is_fill
from graphc.ops.reduction.spread import core, lines_up
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import REASSOCIATES, Rule
from graphc.rewrite.stabilize.logarithms import product_of
from graphc.rewrite.stabilize.removable_quotients import factors_of, removable


def _unit_vector(node: Node, facts: Facts) -> Node | None:
    """x divided by its own norm over some axes → normalize(x, axis)."""
    x, below = node.inputs
    return _direction(x, below, core(below), facts)


def _unit_vector_in_product(node: Node, facts: Facts) -> Node | None:
    """w·x·(v/norm(x)) → w·normalize(x)·v: x and what divides by its norm are factors of one."""
    factors = factors_of(node)
    if removable(factors, facts) is not None:
        return None  # tanh(norm(x))/norm(x) is 1 at 0, and so is the slope of its product with x
    lengths = [_dividing(factor, divides) for factor, divides in factors]
    for i, length in enumerate(lengths):
        if length is None:
            continue
        for j, (x, divides) in enumerate(factors):
            unit = None if divides else _direction(x, factors[i][0], length, facts)
            if unit is not None:
                rest = [(unit, False) if k == j else f for k, f in enumerate(factors) if k != i]
                return product_of(rest)
    return None


def _dividing(factor: Node, divides: bool) -> Node | None:
    """Return what a factor divides by, if it is a norm or a root; else None."""
    node = core(factor)
    if divides:
        return node
    if node.op.name == "reciprocal" or (node.op.name == "power" and is_fill(node.inputs[1], -1)):
        return core(node.inputs[0])
    if node.op.name == "power" and is_fill(node.inputs[1], -0.5):
        return OPS["sqrt"](node.inputs[0])
    return None


def _direction(x: Node, below: Node, length: Node, facts: Facts) -> Node | None:
    """Return normalize(x) where the length is x's norm, and `below` spreads it over x's lines."""
    found = _length(length)
    if found is None:
        return None
    reduction, measured = found
    if facts.number(measured) != facts.number(x) or not lines_up(below, reduction):
        return None
    return OPS["normalize"].make([x], axis=reduction.attrs["axis"])


def _length(node: Node) -> tuple[Node, Node] | None:
    """Return the reduction in norm(x) or sqrt(sum(square(x))), and the x."""
    if node.op.name == "norm":
        return node, node.inputs[0]
    if node.op.name != "sqrt":
        return None
    total = core(node.inputs[0])
    if total.op.name != "sum" or total.inputs[0].op.name != "square":
        return None
    return total, total.inputs[0].inputs[0]


def _squared_norm(node: Node, facts: Facts) -> Node | None:
    """The square of a norm → the sum of squares, over the same axes."""
    norm = node.inputs[0]
    return OPS["sum"].make([OPS["square"](norm.inputs[0])], **norm.attrs)


UNIT_VECTORS = (
    Rule(
        "unit_vector",
        "x/norm(x)",
        "normalize(x)",
        "at 0 it is 0, and so is its derivative",
        exactness=REASSOCIATES,
        apply=_unit_vector,
        roots=("divide",),
        operands=("broadcast_to", "reshape", "norm", "sqrt"),
        example="x: input(f64, 3, 4)\ny = x/norm(x, axis=1, keepdims=True)",
    ),
    Rule(
        "unit_vector_in_product",
        "w*x*(v/norm(x))",
        "w*normalize(x)*v",
        "at 0 it is 0, and so is its derivative",
        exactness=REASSOCIATES,
        apply=_unit_vector_in_product,
        roots=("multiply", "divide"),
        operands=("broadcast_to", "reshape", "norm", "sqrt", "divide", "reciprocal", "power"),
        example="x: input(f64, 3, 4)\nn = norm(x, axis=1, keepdims=True)\ny = x*(cos(n)/n)",
    ),
    Rule(
        "squared_norm",
        "square(norm(x))",
        "sum(square(x))",
        "no root, and every derivative at 0 is exact",
        exactness=REASSOCIATES,
        apply=_squared_norm,
        roots=("square",),
        operands=("norm",),
        example="x: input(f64, 3, 4)\ny = square(norm(x, axis=1, keepdims=True))",
    ),
)
