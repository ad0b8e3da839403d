"""What is the derivative of one pointwise op? Derived by SymPy from the op's formula, once per op.

The result is a formula over the op's arguments and its output `y`. Among the forms that SymPy and
`through_output` propose, the cheapest one wins that has every value the plain derivative has.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, TypeAlias

import numpy as np

from graphc.differentiate.bounds import ALGEBRA, UNBOUNDED, Bounds, exactly, formula_bounds
from graphc.differentiate.formula_cost import cost_of
from graphc.differentiate.formula_text import stable, tree_text, write
from graphc.differentiate.scaled import scaled_by_cotangent
from graphc.differentiate.symbolic import (
    OUTPUT,
    Branch,
    Expression,
    Tree,
    branch,
    derivative,
    leaves,
    map_leaves,
    number,
    symbol,
    tree_of,
)
from graphc.differentiate.through_output import (
    candidates,
    logistic,
    without_cancellation,
    writings,
)
from graphc.errors import GraphError
from graphc.ir.symbols import sympy_module
from graphc.ir.types import BOOL, FLOAT64, TensorType
from graphc.ops.formula import evaluate_formula
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import OPS

Values: TypeAlias = "Mapping[str, np.ndarray]"
_PROBES = (-1.5, -1.0, 0.0, 0.5, 1.0, 2.0)
#: Further values of the argument, at which a form must keep its digits.
_FAR = (-30.0, -1e-30, 1e-30, 30.0)
#: Its square overflows in every dtype.
_HUGE = 1e200
#: The largest multiple of the output's own rounding error that a form may make of it.
_MOST_AMPLIFIED = 8.0


@dataclass(frozen=True, eq=False)
class Partial:
    """The derivative of an op in one argument, over its arguments and its output `y`.

    `text` is for readers; `built` is the same with the ops that keep its digits (`-expm1(-y)`) and
    that give 0 where it would read 0/0. `singular`: may be infinite or nan at finite arguments.
    """

    op: Pointwise
    index: int
    tree: Tree
    direct: Tree
    constants: tuple[tuple[int, float], ...] = ()
    guarded: bool = False

    @cached_property
    def text(self) -> str:
        return tree_text(self.tree)

    @cached_property
    def _stable(self) -> Tree:
        return map_leaves(stable, self.tree)

    @cached_property
    def built(self) -> str:
        return tree_text(self._stable, self.guarded)

    @cached_property
    def product(self) -> str:
        """The cotangent `g` times the partial, for cotangents and partials that are finite."""
        return scaled_by_cotangent(self._stable, self.guarded)

    @cached_property
    def guarded_product(self) -> str:
        """The same, and 0 where the cotangent is 0, whatever the partial is there."""
        return scaled_by_cotangent(self._stable, self.guarded, zero="cotangent")

    @cached_property
    def absorbing_product(self) -> str:
        """The same, and 0 where the partial is 0, whatever the cotangent is there."""
        return scaled_by_cotangent(self._stable, self.guarded, zero="partial")

    @cached_property
    def accurate(self) -> Partial:
        """The same derivative in a form that loses no digits where it is small.

        `1 - y**2` rounds to 0 where tanh saturates. A gradient may; its own derivative may not,
        so derivatives of derivatives use this form.
        """
        variables = bounds_of_call(self.op, [UNBOUNDED] * self.op.arity, self.constants)
        if not any(_cancels(leaf, variables) for leaf in leaves(self.tree)):
            return self
        rest = map_leaves(without_cancellation, self.direct)
        if any(_cancels(leaf, variables) for leaf in leaves(rest)):
            return self
        return replace(self, tree=rest)

    @cached_property
    def is_zero(self) -> bool:
        return not isinstance(self.tree, Branch) and self.tree == 0

    @cached_property
    def constant(self) -> float | None:
        """The value, where it is one number everywhere."""
        tree = self.tree
        return float(tree) if not isinstance(tree, Branch) and tree.is_number else None

    @cached_property
    def has_cases(self) -> bool:
        return isinstance(self.tree, Branch)

    @cached_property
    def cost(self) -> float:
        return cost_of(self.built)

    @cached_property
    def _anywhere(self) -> Bounds:
        return self.bounds([UNBOUNDED] * self.op.arity)

    @cached_property
    def singular(self) -> bool:
        return self._anywhere.pole

    @cached_property
    def steep(self) -> bool:
        return self._anywhere.steep

    def bounds(self, inputs: Sequence[Bounds]) -> Bounds:
        """Return the bounds of the partial where the arguments have these bounds."""
        return formula_bounds(self.built, bounds_of_call(self.op, inputs, self.constants))

    @cached_property
    def probes(self) -> Mapping[str, np.ndarray]:
        """Values of the arguments, of `y` and of the partial on a grid that holds 0 and ±1."""
        return self._values(probe_grid(self.op, self.constants))

    @property
    def is_undefined(self) -> bool:
        """Whether it is nan where `y` is finite: 0/0 at 0, or 0·∞ where a square overflows."""
        huge = probe_grid(self.op, self.constants, self.index, (-_HUGE, _HUGE))
        return any(
            bool((np.isfinite(values[OUTPUT]) & np.isnan(values["partial"])).any())
            for values in (self.probes, self._values(huge))
        )

    def _values(self, variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with np.errstate(all="ignore"):
            variables[OUTPUT] = ARRAYS[self.op.name](*variables.values())
            shape = variables[OUTPUT].shape
            value = evaluate_formula(self.built, variables, ARRAYS)
        return {**variables, "partial": np.broadcast_to(np.asarray(value, float), shape)}

    @cached_property
    def has_infinite_slope(self) -> bool:
        """Whether the partial is infinite somewhere although the op's value is finite there."""
        finite = np.isfinite(self.probes[OUTPUT])
        return bool((finite & np.isinf(self.probes["partial"])).any())

    @cached_property
    def is_infinite_at_zero(self) -> bool:
        """Whether it is infinite only where the argument itself is 0."""
        places = self.probes[self.op.args[self.index]][np.isinf(self.probes["partial"])]
        return bool((places == 0).all())

    @cached_property
    def is_proportional(self) -> bool:
        """Whether the output is the partial times the argument, so that both are 0 together."""
        argument = self.probes[self.op.args[self.index]]
        return bool((self.probes["partial"] * argument == self.probes[OUTPUT]).all())

    @cached_property
    def vanishes_with_output(self) -> bool:
        """Whether the partial is 0 wherever the op is 0, as far as the grid can tell."""
        zero = self.probes[OUTPUT] == 0
        return bool(zero.any() and (self.probes["partial"][zero] == 0).all())


@cache
def partial(op: Pointwise, index: int, constants: tuple[tuple[int, float], ...] = ()) -> Partial:
    """Return the derivative of `op` in argument `index`.

    `constants` fixes other arguments (position, value): the exponent of `x**2` turns a derivative
    that would be singular at 0 into `2*x`.

    >>> from graphc.ops import OPS
    >>> partial(OPS["sigmoid"], 0).text, partial(OPS["divide"], 1).text
    ('y*(1 - y)', '-y/b')
    """
    if OUTPUT in op.args or "g" in op.args:
        raise GraphError(f"{op.name}: an argument may not be called y or g")
    variables = {name: symbol(name) for name in op.args}
    variables.update({op.args[i]: number(value) for i, value in constants})
    tree = tree_of(op.formula, variables)
    by = symbol(op.args[index])
    raw = derivative(tree, by)
    direct = map_leaves(logistic, raw)
    plain = Partial(op, index, direct, direct, constants)
    if plain.constant is not None:
        return plain
    y_bounds = bounds_of_call(op, [UNBOUNDED] * op.arity, constants)[OUTPUT]
    y = symbol(OUTPUT, nonnegative=y_bounds.low >= 0)
    best = _best_leaves(tree, raw, y, probe_grid(op, constants, index, (*_PROBES, *_FAR)))
    found = replace(plain, tree=_best_conditions(tree, best, by, y))
    return replace(found, guarded=True) if found.is_undefined else found


def specialized(op: Pointwise, index: int, values: Sequence[float | None]) -> Partial:
    """Return the partial where some arguments are known numbers, if knowing them helps.

    It helps where an argument stands in an exponent: then no 0**-1 remains in a polynomial.
    """
    if all(i == index or value is None for i, value in enumerate(values)) or not _has_power(op):
        return partial(op, index)
    known = [(i, v) for i, v in enumerate(values) if v is not None and i != index]
    if any(not math.isfinite(v) for _, v in known) or not _is_defined(op, index, tuple(known)):
        return partial(op, index)
    return partial(op, index, tuple(known))


@cache
def _is_defined(op: Pointwise, index: int, constants: tuple[tuple[int, float], ...]) -> bool:
    """Say whether there is a real derivative: of 0**y or (-2)**y by y there is none."""
    sympy = sympy_module()
    variables = {name: symbol(name) for name in op.args}
    by = variables[op.args[index]]
    variables.update({op.args[i]: number(value) for i, value in constants})
    raw = derivative(tree_of(op.formula, variables), by)
    return not any(leaf.has(sympy.nan, sympy.zoo, sympy.I) for leaf in leaves(raw))


@cache
def _has_power(op: Pointwise) -> bool:
    sympy = sympy_module()
    tree = tree_of(op.formula, {name: symbol(name) for name in op.args})
    return any(p.exp.free_symbols for leaf in leaves(tree) for p in leaf.atoms(sympy.Pow))


# -- choosing a form -----------------------------------------------------------------------------


def _best_leaves(tree: Tree, raw: Tree, y: Expression, grid: Values) -> Tree:
    """Return the derivative with each leaf in its cheapest form that has all its values."""
    if not isinstance(raw, Branch):
        is_case = isinstance(tree, Branch)
        return logistic(raw) if is_case else _best_form(tree, raw, y, grid)
    assert isinstance(tree, Branch), "a derivative has no more cases than its function"
    if raw.condition != tree.condition:
        return map_leaves(logistic, raw)
    parts = [
        _best_leaves(f, d, y, grid)
        for f, d in ((tree.then, raw.then), (tree.otherwise, raw.otherwise))
    ]
    return branch(raw.condition, *parts)


def _best_form(f: Expression, raw: Expression, y: Expression, grid: Values) -> Expression:
    if raw.is_number or raw.is_Symbol:
        return raw
    direct = logistic(raw)
    forms = [*writings(direct), *candidates(f, raw, y)]
    ranked = sorted(forms, key=lambda form: _rank(form, y))
    accepted = _Judge(f, direct, grid)
    return next((form for form in ranked if form is direct or accepted(form)), direct)


def _rank(form: Expression, y: Expression) -> tuple[float, int, bool, bool, str]:
    text = write(stable(form)).text
    return cost_of(text), len(form.free_symbols), y not in form.free_symbols, form.is_Add, text


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


def _best_conditions(tree: Tree, best: Tree, by: Expression, y: Expression) -> Tree:
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


def _cancels(expression: Expression, variables: Mapping[str, Bounds]) -> bool:
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


def bounds_of_call(
    op: Pointwise, inputs: Sequence[Bounds], constants: Sequence[tuple[int, float]] = ()
) -> dict[str, Bounds]:
    """Return the bounds of an op's arguments and of its output `y`."""
    variables = dict(zip(op.args, inputs, strict=True))
    variables.update({op.args[i]: exactly(value) for i, value in constants})
    # The arguments are finite: a division that made one infinite is not this op's pole.
    variables = {name: replace(b, pole=False) for name, b in variables.items()}
    variables[OUTPUT] = ALGEBRA[op.name](*variables.values())
    return variables


# -- values and costs of formulas ----------------------------------------------------------------


def probe_grid(
    op: Pointwise,
    constants: Sequence[tuple[int, float]],
    index: int = 0,
    probes: Sequence[float] = _PROBES,
) -> dict[str, np.ndarray]:
    """Return values of the arguments that meet in every combination, kinks and poles included.

    `probes` are the values of argument `index`.
    """
    choices: list[Sequence[float]] = [_PROBES] * op.arity
    choices[index] = probes
    for i, value in constants:
        choices[i] = (value,)
    points = np.array(list(itertools.product(*choices)))
    return {name: points[:, i] for i, name in enumerate(op.args)}


class _ArrayAlgebra(dict):  # type: ignore[type-arg]  # a read-only view of the registry
    """Formulas over NumPy arrays: every name is that op's reference."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        op = OPS[name]

        def apply(*operands: Any) -> Any:
            if name == "where":
                return np.where(*operands)
            is_truth = isinstance(op, Pointwise) and op.cuts_to_bool
            result = TensorType(BOOL if is_truth else FLOAT64, ())
            arrays = [np.asarray(x, None if is_truth else float) for x in operands]
            return op.reference(arrays, {}, result)

        return apply


ARRAYS = _ArrayAlgebra()
