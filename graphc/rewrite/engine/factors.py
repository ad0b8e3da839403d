"""What is a product made of, and a sum? Factors, each with whether it divides, terms; and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import reduce
from typing import TypeAlias

from graphc.ir.node import Node
from graphc.ops.leaf import fill
from graphc.ops.reduction.spread import core, spread_as
from graphc.ops.registry import OPS

#: A factor, and whether it divides.
Factor: TypeAlias = tuple[Node, bool]

#: What a product is written with, and what else is one: squares, reciprocals, signs.
PRODUCTS = ("multiply", "divide")
ALL_PRODUCTS = (*PRODUCTS, "square", "reciprocal", "negative")
#: Of a tree of more factors, the rest is one factor.
_MOST_FACTORS = 24


def factors_of(
    product: Node,
    through: Collection[str] = PRODUCTS,
    behind_views: bool = False,
    is_whole: Callable[[Node], bool] = lambda node: False,
) -> list[Factor]:
    """Return the factors of a tree of products, from left to right.

    The tree is made of the ops `through`, and `behind_views` of what is broadcast and reshaped,
    too: its factors then have those views. A product that `is_whole` is a factor.
    """
    found: list[Factor] = []
    pending = [(product, False)]
    while pending:
        top, divides = pending.pop()
        inner = core(top) if behind_views else top
        is_opened = inner.op.name in through and len(found) + len(pending) < _MOST_FACTORS
        if not is_opened or is_whole(inner):
            found.append((top, divides))
            continue
        for part, below in reversed(_parts(inner)):
            pending.append((part if inner is top else spread_as(top, part), divides != below))
    return found


def all_factors(node: Node) -> list[Factor]:
    """Return the factors of a tree of products, quotients, signs, squares, and of moved ones."""
    return factors_of(node, ALL_PRODUCTS, behind_views=True)


def _parts(node: Node) -> list[Factor]:
    """Return the factors that one of `ALL_PRODUCTS` has by itself."""
    x = node.inputs[0]
    if node.op.name == "square":
        return [(x, False)] * 2
    if node.op.name == "reciprocal":
        return [(x, True)]
    if node.op.name == "negative":
        return [(fill(-1.0, node.shape, node.dtype), False), (x, False)]
    return [(x, False), (node.inputs[1], node.op.name == "divide")]


def product_of(factors: Iterable[Factor]) -> Node | None:
    """Return the product of factors, each multiplied or dividing; None for no factors."""
    factors = list(factors)
    top = folded("multiply", [x for x, divides in factors if not divides])
    bottom = folded("multiply", [x for x, divides in factors if divides])
    if bottom is None:
        return top
    return OPS["divide"](1.0 if top is None else top, bottom)


def times_product(factors: Iterable[Factor], value: Node) -> Node:
    """Return a value times the product of factors, of which there may be none."""
    product = product_of(factors)
    return value if product is None else OPS["multiply"](product, value)


def folded(op: str, nodes: Sequence[Node]) -> Node | None:
    """Return what an op makes of all nodes, from left to right; None for no nodes."""
    return reduce(OPS[op], nodes) if nodes else None


def terms_of_sum(
    total: Node,
    is_whole: Callable[[Node], bool] = lambda node: False,
    most: float = math.inf,
) -> list[Node]:
    """Return the terms of a tree of sums, from left to right.

    A sum that `is_whole` is a term, and so are those past the term number `most`.
    """
    found: list[Node] = []
    pending = [total]
    while pending:
        top = pending.pop()
        if top.op is OPS["add"] and len(found) + len(pending) < most and not is_whole(top):
            pending += reversed(top.inputs)
        else:
            found.append(top)
    return found
