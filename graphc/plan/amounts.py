"""Amounts that depend on dims: sums of terms with whole coefficients, cheap to add and compare.

A model of 100,000 nodes adds up as many sizes. SymPy turns each distinct size into terms once;
adding and comparing terms is then plain dictionary work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    return {(1 if term == 1 else term): factor for term, factor in terms.items() if factor}


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
    """Return the amounts that no other one exceeds for all dims."""
    front: list[Amount] = []
    for candidate in amounts:
        if not any(is_below(candidate, other) for other in front):
            front = [other for other in front if not is_below(other, candidate)]
            front.append(candidate)
    return front


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
