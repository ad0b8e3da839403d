"""Norms: x/norm(x), whose derivative at 0 is 0 and not 0/0, and norm(x)**2, which needs no root."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.ir.dims import Dim, same_shape
from graphc.ir.node import Node, rebuilt
from graphc.ops.contraction.spec import split_spec
from graphc.ops.leaf import is_fill
from graphc.ops.reduction.spread import core, lines_up, placed, spread_as
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import Factor, all_factors, product_of
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding
from graphc.rewrite.stabilize.removable_quotients import removable


def _unit_vector(node: Node, facts: Facts) -> Node | None:
    """x divided by its own norm over some axes → normalize(x, axis)."""
    x, below = node.inputs
    return _direction(x, below, core(below), facts)


def _unit_vector_in_product(node: Node, facts: Facts) -> Node | None:
    """w·x·(v/norm(x)) → w·normalize(x)·v: x and what divides by its norm are factors of one."""
    factors = all_factors(node)
    if removable(factors, facts) is not None:
        return None  # tanh(norm(x))/norm(x) is 1 at 0, and so is the slope of its product with x
    lengths = [_dividing(factor, divides) for factor, divides in factors]
    for i, length in enumerate(lengths):
        if length is None:
            continue
        for j, (x, divides) in enumerate(factors):
            unit = None if divides else _direction(x, factors[i][0], length, facts)
            if unit is not None:
                return _with_unit(factors, i, j, unit)
    return None


def _product_by_norm(node: Node, facts: Facts) -> Node | None:
    """sum(x·y)/norm(x) → sum(normalize(x)·y), so that the cosine of the angle with 0 is 0."""
    factors = all_factors(node)
    for i, (below, divides) in enumerate(factors):
        found = _length(core(below)) if divides else None
        for j, (total, is_below) in enumerate(factors if found else ()):
            unit = None if is_below or not found else _normalized(total, *found, below, facts)
            if unit is not None:
                return _with_unit(factors, i, j, unit)
    return None


def _with_unit(factors: Sequence[Factor], norm: int, x: int, unit: Node) -> Node | None:
    """Return the product in which `unit` stands for what it normalizes, without the norm."""
    return product_of(
        (unit, False) if k == x else factor for k, factor in enumerate(factors) if k != norm
    )


def _normalized(total: Node, reduction: Node, x: Node, below: Node, facts: Facts) -> Node | None:
    """Return a contraction of x as one of normalize(x), where `below` divides x's lines in it."""
    free = sorted({*range(x.ndim)} - set(reduction.attrs["axis"]))
    contraction = total if free else core(total)
    found = _places(contraction, x, facts)
    if found is None:
        return None
    places, replaced = found
    shape: list[Dim] = [1] * total.ndim
    for axis, place in enumerate(places):
        if (axis in free) is (place is None):
            return None
        if place is not None:
            shape[place] = x.shape[axis]
    if not same_shape(placed(below, total.ndim)[1], tuple(shape)):
        return None
    unit = replaced(OPS["normalize"].make([x], axis=reduction.attrs["axis"]))
    return unit if contraction is total else spread_as(total, unit)


def _places(
    total: Node, x: Node, facts: Facts
) -> tuple[list[int | None], Callable[[Node], Node]] | None:
    """Return where the axes of x are in a sum of its products, None for those summed over.

    Also what makes the same sum of another node in the place of x, which is there once.
    """
    if total.op.name in ("sum", "mean"):
        axes, keeps = total.attrs["axis"], total.attrs["keepdims"]
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        factors = all_factors(total.inputs[0])
        own = [i for i, (f, _) in enumerate(factors) if facts.same(f, x)]
        if len(own) != 1 or len(factors) < 2 or factors[own[0]][1]:
            return None
        places = [(a if keeps else kept.index(a)) if a in kept else None for a in range(x.ndim)]

        def summed(unit: Node) -> Node:
            product = product_of([*factors[: own[0]], (unit, False), *factors[own[0] + 1 :]])
            assert product is not None
            return rebuilt(total, (product,))

        return places, summed
    if total.op.name != "einsum":
        return None
    terms, out = split_spec(total.attrs["spec"])
    turned = [
        behind.inputs[0] if behind.op.name == "transpose" else behind for behind in total.inputs
    ]
    own = [i for i, operand in enumerate(turned) if facts.same(operand, x)]
    if len(own) != 1 or len(turned) < 2:
        return None
    operand = total.inputs[own[0]]
    labels = list(terms[own[0]])
    if operand is not turned[own[0]]:
        for place, axis in enumerate(operand.attrs["axes"]):
            labels[axis] = terms[own[0]][place]

    def contracted(unit: Node) -> Node:
        inner = unit if operand is turned[own[0]] else rebuilt(operand, (unit,))
        return rebuilt(total, (*total.inputs[: own[0]], inner, *total.inputs[own[0] + 1 :]))

    return [out.index(label) if label in out else None for label in labels], contracted


def _dividing(factor: Node, divides: bool) -> Node | None:
    """Return what a factor divides by, if it is a norm or a root; else None."""
    node = core(factor)
    if divides:
        return node
    if node.op.name == "power" and is_fill(node.inputs[1], -1):
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
    rounding(
        "unit_vector",
        "x/norm(x)",
        "normalize(x)",
        "at 0 it is 0, and so is its derivative",
        apply=_unit_vector,
        roots=("divide",),
        operands=("broadcast_to", "reshape", "norm", "sqrt"),
        example="x: input(f64, 3, 4)\ny = x/norm(x, axis=1, keepdims=True)",
    ),
    rounding(
        "unit_vector_in_product",
        "w*x*(v/norm(x))",
        "w*normalize(x)*v",
        "at 0 it is 0, and so is its derivative",
        apply=_unit_vector_in_product,
        roots=("multiply", "divide"),
        operands=("broadcast_to", "reshape", "norm", "sqrt", "divide", "reciprocal", "power"),
        forward_only=True,
        example="x: input(f64, 3, 4)\nn = norm(x, axis=1, keepdims=True)\ny = x*(cos(n)/n)",
    ),
    rounding(
        "product_by_norm",
        "sum(x*y)/norm(x)",
        "sum(normalize(x)*y)",
        "the cosine of the angle with 0 is 0, and so is its derivative",
        apply=_product_by_norm,
        roots=("divide", "multiply"),
        operands=("broadcast_to", "reshape", "norm", "sqrt", "divide", "multiply"),
        forward_only=True,
        example="x: input(f64, 3, 4)\nw: input(f64, 2, 4)\n"
        "y = x @ w.T/norm(x, axis=1, keepdims=True)",
    ),
    rounding(
        "squared_norm",
        "square(norm(x))",
        "sum(square(x))",
        "no root, and every derivative at 0 is exact",
        apply=_squared_norm,
        roots=("square",),
        operands=("norm",),
        example="x: input(f64, 3, 4)\ny = square(norm(x, axis=1, keepdims=True))",
    ),
)
