"""What is the derivative of one pointwise op? Derived by SymPy from the op's formula, once per op.

The result is a formula over the op's arguments and its output `y`. Among the forms that SymPy and
`through_output` propose, the cheapest one wins that has every value the plain derivative has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from graphc.differentiate.bounds import bounds_of_call, formula_bounds
from graphc.differentiate.formulas.best_form import best_conditions, best_leaves
from graphc.differentiate.formulas.cancellation import cancels, without_cancellation
from graphc.differentiate.formulas.cost import cost_of
from graphc.differentiate.formulas.probes import FAR, HUGE, PROBES, probe_grid
from graphc.differentiate.formulas.scaled import scaled_by_cotangent
from graphc.differentiate.formulas.symbolic import (
    Branch,
    Tree,
    derivative,
    leaves,
    map_leaves,
    number,
    symbol,
    tree_of,
)
from graphc.differentiate.formulas.text import stable, tree_text
from graphc.differentiate.formulas.through_output import without_overflow
from graphc.ir.bounds import UNBOUNDED, Bounds
from graphc.ir.symbols import sympy_module
from graphc.ops.elementwise.algebras import ARRAYS
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import OUTPUT, Pointwise


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

        `1 - y**2` rounds to 0 where tanh saturates. A gradient may, and so may all derivatives of
        a layer; those of what is computed by element may not, and use this form from the second on.
        """
        variables = bounds_of_call(self.op, [UNBOUNDED] * self.op.arity, self.constants)
        if not any(cancels(leaf, variables) for leaf in leaves(self.tree)):
            return self
        rest = map_leaves(without_cancellation, self.direct)
        if any(cancels(leaf, variables) for leaf in leaves(rest)):
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
        huge = probe_grid(self.op, self.constants, self.index, (-HUGE, HUGE))
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
    variables = {name: symbol(name) for name in op.args}
    variables.update({op.args[i]: number(value) for i, value in constants})
    tree = tree_of(op.formula, variables)
    by = symbol(op.args[index])
    raw = derivative(tree, by)
    direct = map_leaves(without_overflow, raw)
    plain = Partial(op, index, direct, direct, constants)
    if plain.constant is not None:
        return plain
    y_bounds = bounds_of_call(op, [UNBOUNDED] * op.arity, constants)[OUTPUT]
    y = symbol(OUTPUT, nonnegative=y_bounds.low >= 0)
    best = best_leaves(tree, raw, y, probe_grid(op, constants, index, (*PROBES, *FAR)))
    found = replace(plain, tree=best_conditions(tree, best, by, y))
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
    """Say whether there is a real derivative: of 0**y, (-2)**y or (-1)**y by y there is none."""
    sympy = sympy_module()
    variables = {name: symbol(name) for name in op.args}
    by = variables[op.args[index]]
    variables.update({op.args[i]: number(value) for i, value in constants})
    raw = derivative(tree_of(op.formula, variables), by)
    # SymPy writes the imaginary unit times (-1)**y as (-1)**(y + 1/2).
    found = list(leaves(raw))
    roots = [power for leaf in found for power in leaf.atoms(sympy.Pow)]
    return not (
        any(leaf.has(sympy.nan, sympy.zoo, sympy.I) for leaf in found)
        or any(power.base.is_negative and not power.exp.is_integer for power in roots)
    )


@cache
def _has_power(op: Pointwise) -> bool:
    sympy = sympy_module()
    tree = tree_of(op.formula, {name: symbol(name) for name in op.args})
    return any(p.exp.free_symbols for leaf in leaves(tree) for p in leaf.atoms(sympy.Pow))
