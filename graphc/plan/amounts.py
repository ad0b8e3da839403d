"""Amounts that depend on dims: sums of terms with whole coefficients, cheap to add and compare.

A model of 100,000 nodes adds up as many sizes. SymPy turns each distinct size into terms once;
adding and comparing terms is then plain dictionary work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.symbols import sympy_module

if TYPE_CHECKING:
    import sympy

#: Term (a product of symbols and floors; 1 for the constant) -> coefficient.
Amount = Mapping["sympy.Expr | int", int]

NOTHING: Amount = {}


def amount(value: Dim) -> Amount:
    """Return a dim as an amount."""
    if type(value) is int:
        return {1: value} if value else NOTHING
    return _terms(value)


def bytes_of(node: Node) -> Amount:
    """Return the bytes of a node's elements."""
    return scaled(amount(node.size), node.dtype.itemsize)


@lru_cache(maxsize=4096)
def _terms(value: sympy.Expr) -> Amount:
    terms = sympy_module().expand(value).as_coefficients_dict()
    return {
        (1 if term == 1 else term): int(factor) if factor.is_Integer else factor
        for term, factor in terms.items()
        if factor
    }


def add(total: dict[sympy.Expr | int, int], more: Amount, factor: int = 1) -> None:
    """Add `factor` times an amount to a running total."""
    for term, coefficient in more.items():
        total[term] = total.get(term, 0) + factor * coefficient


def scaled(value: Amount, factor: int) -> Amount:
    return {term: factor * coefficient for term, coefficient in value.items()}


def is_below(a: Amount, b: Amount) -> bool:
    """Say whether a <= b whatever the dims are: each coefficient is, and every term is positive."""
    return all(b.get(term, 0) >= coefficient for term, coefficient in a.items()) and all(
        coefficient >= 0 for term, coefficient in b.items() if term not in a
    )


def maxima(amounts: Iterable[Amount]) -> list[Amount]:
    """Return amounts of which one is the largest, whatever the dims are; others are left out.

    Where they depend on one term alone, none is left that others exceed together.
    """
    distinct = list({frozenset(value.items()): value for value in amounts}.values())
    terms = {term for value in distinct for term in value} - {1}
    if len(terms) < 2:
        return _envelope(distinct, *terms)
    front: list[Amount] = []
    for candidate in distinct:
        if not any(is_below(candidate, other) for other in front):
            front = [other for other in front if not is_below(other, candidate)]
            front.append(candidate)
    return front


def _envelope(amounts: Sequence[Amount], term: sympy.Expr | int = 0) -> list[Amount]:
    """Return those of the amounts a + b·term that are the largest for some term >= 0, in order.

    They are the corners between the largest a and the largest b of the convex hull of all (b, a).
    """
    places = {(value.get(term, 0), value.get(1, 0)): i for i, value in enumerate(amounts)}
    corners: list[tuple[int, int]] = []
    for b, a in sorted(places):
        while corners and corners[-1][1] <= a:
            corners.pop()
        while len(corners) > 1 and _is_within(corners[-2], corners[-1], (b, a)):
            corners.pop()
        corners.append((b, a))
    return [amounts[i] for i in sorted(places[corner] for corner in corners)]


def _is_within(one: tuple[int, int], middle: tuple[int, int], other: tuple[int, int]) -> bool:
    """Say whether the point in the middle is on the line between two others, or below it."""
    (b, a), (b_m, a_m), (b_o, a_o) = one, middle, other
    return (a_m - a) * (b_o - b) <= (a_o - a) * (b_m - b)


def expression(value: Amount) -> sympy.Expr:
    """Return an amount as a SymPy expression."""
    return _sum_of(tuple(value.items()))


@lru_cache(maxsize=4096)
def _sum_of(terms: tuple[tuple[sympy.Expr | int, int], ...]) -> sympy.Expr:
    sympy = sympy_module()
    return sympy.Add(*[sympy.Mul(factor, term) for term, factor in terms])


def largest(values: Iterable[Amount]) -> sympy.Expr:
    """Return the maximum of amounts, for all dims, as a SymPy expression."""
    sympy = sympy_module()
    front = [expression(value) for value in maxima(values)]
    if len(front) < 2:
        return front[0] if front else sympy.Integer(0)
    # No two of them compare for all dims; SymPy would find that out again, pair by pair.
    return sympy.Max(*front, evaluate=False)
