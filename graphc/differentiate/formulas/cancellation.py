"""Does a formula lose its digits in a sum, where it is small? And how is it written otherwise?"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.differentiate.bounds import formula_bounds
from graphc.differentiate.formulas.symbolic import Expression, plain_function
from graphc.differentiate.formulas.text import stable, write
from graphc.ir.bounds import Bounds
from graphc.ir.symbols import sympy_module
from graphc.ops.elementwise.pointwise import OUTPUT


def cancels(expression: Expression, variables: Mapping[str, Bounds]) -> bool:
    """Say whether a sum of terms of different signs may round to 0 where it is not 0."""
    for total in _outer_sums(stable(expression)):
        if total.is_polynomial() and not any(s.name == OUTPUT for s in total.free_symbols):
            continue
        terms = [formula_bounds(write(term).text, variables) for term in total.args]
        if min(t.low for t in terms) < 0 < max(t.high for t in terms):
            return True
    return False


def _outer_sums(expression: Expression) -> list[Expression]:
    """Return the sums that the value is made of; what a function is applied to does not count."""
    found, pending = [], [expression]
    while pending:
        part = pending.pop()
        if part.is_Add:
            found.append(part)
        if part.is_Add or part.is_Mul or part.is_Pow:
            pending += part.args
    return found


def without_cancellation(expression: Expression) -> Expression:
    """Return 1 - tanh(u)**2 and its like as products of sigmoids, which lose no digits."""
    sympy = sympy_module()
    tanhs = sorted(expression.atoms(sympy.tanh), key=str)
    if len(tanhs) != 1:
        return expression
    u, s = tanhs[0].args[0], sympy.Dummy("s")
    factored = sympy.factor(expression.xreplace({tanhs[0]: 2 * s - 1}))
    sigmoid = plain_function("sigmoid")
    product = factored.xreplace({s - 1: -sigmoid(-2 * u)})
    return product.xreplace({s: sigmoid(2 * u)})
