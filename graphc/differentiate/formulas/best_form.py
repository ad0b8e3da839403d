"""Which form of a derivative is the cheapest that has every value the plain derivative has?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from graphc.differentiate.formulas.cost import cost_of
from graphc.differentiate.formulas.symbolic import Branch, Expression, Tree, branch, map_leaves
from graphc.differentiate.formulas.text import stable, write
from graphc.differentiate.formulas.through_output import candidates, without_overflow, writings
from graphc.ops.elementwise.algebras import ARRAYS
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import OUTPUT

Values: TypeAlias = "Mapping[str, np.ndarray]"
#: The largest multiple of the output's own rounding error that a form may make of it.
_MOST_AMPLIFIED = 8.0


def best_leaves(tree: Tree, raw: Tree, y: Expression, grid: Values) -> Tree:
    """Return the derivative with each leaf in its cheapest form that has all its values."""
    if not isinstance(raw, Branch):
        is_case = isinstance(tree, Branch)
        return without_overflow(raw) if is_case else _best_form(tree, raw, y, grid)
    assert isinstance(tree, Branch), "a derivative has no more cases than its function"
    if raw.condition != tree.condition:
        return map_leaves(without_overflow, raw)
    parts = [
        best_leaves(f, d, y, grid)
        for f, d in ((tree.then, raw.then), (tree.otherwise, raw.otherwise))
    ]
    return branch(raw.condition, *parts)


def _best_form(f: Expression, raw: Expression, y: Expression, grid: Values) -> Expression:
    if raw.is_number or raw.is_Symbol:
        return raw
    direct = without_overflow(raw)
    forms = [*writings(direct), *candidates(f, raw, y)]
    ranked = sorted(forms, key=lambda form: _rank(form, y))
    accepted = _Judge(f, direct, grid)
    return next((form for form in ranked if form is direct or accepted(form)), direct)


def _rank(form: Expression, y: Expression) -> tuple[float, int, bool, bool, int, str]:
    text = write(stable(form)).text
    reads_y = y in form.free_symbols
    return cost_of(text), len(form.free_symbols), not reads_y, form.is_Add, len(text), text


class _Judge:
    """Says whether a form equals the plain derivative on a grid, wherever that one is finite.

    The output is rounded. A form may lose digits where it is small (`1 - y**2` of tanh), but one
    that makes much of the rounding of a large output (`exp(a - y)` of logaddexp) is no equal.
    """

    def __init__(self, f: Expression, direct: Expression, grid: Values) -> None:
        self.variables = dict(grid)
        with np.errstate(all="ignore"):
            self.variables[OUTPUT] = self._values(f)
            self.expected = self._values(direct)
        self.finite = np.isfinite(self.expected) & np.isfinite(self.variables[OUTPUT])

    def _values(self, expression: Expression, relative_error: float = 0.0) -> np.ndarray:
        """Return the values, with an output that is off by a relative error."""
        variables = self.variables
        if relative_error:
            variables = {**variables, OUTPUT: variables[OUTPUT] * (1 + relative_error)}
        value = evaluate_formula(write(stable(expression)).text, variables, ARRAYS)
        return np.broadcast_to(value, next(iter(self.variables.values())).shape)

    def __call__(self, form: Expression) -> bool:
        with np.errstate(all="ignore"):
            value = self._values(form)
            apart = np.abs(self._values(form, 1e-7) - value) / 1e-7
        close = np.isclose(value, self.expected, 1e-9, 1e-12)
        digits_kept = apart <= _MOST_AMPLIFIED * np.maximum(np.abs(value), 1)
        return bool((close & digits_kept)[self.finite].all())


def best_conditions(tree: Tree, best: Tree, by: Expression, y: Expression) -> Tree:
    """Return the cases told apart by the output where it can: relu has y > 0 where x > 0."""
    if not isinstance(best, Branch):
        return best
    paths = list(_paths(tree, ()))

    def through_output(condition: Expression) -> Expression:
        if condition.free_symbols != {by}:
            return condition
        renamed = condition.xreplace({by: y})
        for known, leaf in paths:
            held = dict(known).get(condition)
            if leaf == by and held is not None:
                continue
            if held is None:
                continue  # this case is decided before the condition is asked
            if not leaf.is_number or bool(renamed.subs(y, leaf)) != held:
                return condition
        return renamed

    def walk(part: Tree) -> Tree:
        if not isinstance(part, Branch):
            return part
        return branch(through_output(part.condition), walk(part.then), walk(part.otherwise))

    return walk(best)


def _paths(tree: Tree, known: tuple[tuple[Expression, bool], ...]) -> Iterator[tuple[Any, Any]]:
    """Yield (conditions with their truth, leaf) for every leaf."""
    if not isinstance(tree, Branch):
        yield known, tree
        return
    yield from _paths(tree.then, (*known, (tree.condition, True)))
    yield from _paths(tree.otherwise, (*known, (tree.condition, False)))
