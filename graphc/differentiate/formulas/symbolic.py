"""Formulas over SymPy: an op's formula becomes expressions that can be derived.

Case distinctions stay a tree of `Branch`es with one smooth expression in each leaf, so that the
boundaries are the formula's own: SymPy derives the leaves, and never sees a kink.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, TypeAlias

from graphc.ir.symbols import sympy_module
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS

#: A SymPy expression; SymPy carries no types.
Expression: TypeAlias = Any


@dataclass(frozen=True)
class Branch:
    """`then` where the condition holds, else `otherwise`; each a tree again."""

    condition: Expression
    then: Tree
    otherwise: Tree


Tree: TypeAlias = "Branch | Expression"


def branch(condition: Expression, then: Tree, otherwise: Tree) -> Tree:
    """Return the tree of one case distinction, without it where it decides nothing."""
    if condition is True or condition == sympy_module().true:
        return then
    if condition is False or condition == sympy_module().false:
        return otherwise
    if then == otherwise:
        return then
    return Branch(condition, then, otherwise)


def map_leaves(function: Callable[[Expression], Expression], tree: Tree) -> Tree:
    """Return the tree with every leaf replaced by the function's value."""
    if isinstance(tree, Branch):
        return branch(
            tree.condition,
            map_leaves(function, tree.then),
            map_leaves(function, tree.otherwise),
        )
    return function(tree)


def leaves(tree: Tree) -> Iterator[Expression]:
    """Yield the leaves from left to right."""
    if isinstance(tree, Branch):
        yield from leaves(tree.then)
        yield from leaves(tree.otherwise)
    else:
        yield tree


def lifted(function: Callable[..., Expression]) -> Callable[..., Tree]:
    """Return the function on trees: applied in each leaf of its operands."""

    def apply(*operands: Tree) -> Tree:
        for i, operand in enumerate(operands):
            if isinstance(operand, Branch):
                before, after = operands[:i], operands[i + 1 :]
                return branch(
                    operand.condition,
                    apply(*before, operand.then, *after),
                    apply(*before, operand.otherwise, *after),
                )
        return function(*operands)

    return apply


def select(condition: Tree, then: Tree, otherwise: Tree) -> Tree:
    """Return the meaning of `where` on trees; the condition may have cases itself."""
    if isinstance(condition, Branch):
        return branch(
            condition.condition,
            select(condition.then, then, otherwise),
            select(condition.otherwise, then, otherwise),
        )
    return branch(condition, then, otherwise)


def number(value: Any) -> Expression:
    """Return a formula's number exactly: decimals become fractions, π stays π."""
    sympy = sympy_module()
    if isinstance(value, float):
        if value == math.pi:
            return sympy.pi
        if not math.isfinite(value):
            return sympy.Float(value)
        fraction = Fraction(repr(value))
        return sympy.Rational(fraction.numerator, fraction.denominator)
    return sympy.Integer(value)


@cache
def step_function(name: str) -> Any:
    """Return a SymPy function that is constant between jumps: its derivative is 0."""
    sympy = sympy_module()

    def fdiff(self: Expression, argindex: int = 1) -> Expression:
        return sympy.S.Zero

    return type(name, (sympy.Function,), {"fdiff": fdiff, "is_real": True})


@cache
def plain_function(name: str) -> Any:
    """Return a SymPy function that only stands for an op in a printed formula."""
    return type(name, (sympy_module().Function,), {"is_real": True})


_STEPS = ("floor", "ceil", "round", "trunc")
_OTHER_NAMES = {"abs": "Abs"}
_RELATIONS = {
    "less": "StrictLessThan",
    "less_equal": "LessThan",
    "greater": "StrictGreaterThan",
    "greater_equal": "GreaterThan",
    "equal": "Equality",
    "not_equal": "Unequality",
}
_LOGIC = {"logical_and": "And", "logical_or": "Or", "logical_not": "Not", "logical_xor": "Xor"}


class _SymbolicAlgebra(dict[str, Any]):  # filled on demand from the registry
    """Formulas over SymPy: primitives are SymPy's functions, other ops their own formula."""

    def __init__(self) -> None:
        sympy = sympy_module()
        super().__init__(
            add=lifted(lambda a, b: a + b),
            subtract=lifted(lambda a, b: a - b),
            multiply=lifted(lambda a, b: a * b),
            divide=lifted(lambda a, b: a / b),
            power=lifted(lambda a, b: a**b),
            negative=lifted(lambda a: -a),
            where=select,
            number=number,
        )
        for names in (_OTHER_NAMES, _RELATIONS, _LOGIC):
            self.update({op: lifted(getattr(sympy, name)) for op, name in names.items()})
        self.update({name: lifted(step_function(name)) for name in _STEPS})

    def __missing__(self, name: str) -> Callable[..., Tree]:
        op = OPS.get(name)
        if not isinstance(op, Pointwise):
            return lifted(plain_function(name))
        if op.formula.startswith(f"{name}("):  # a primitive, which SymPy calls by the same name
            return lifted(getattr(sympy_module(), name, None) or plain_function(name))
        formula, args = op.formula, op.args

        def apply(*operands: Tree) -> Tree:
            return evaluate_formula(formula, dict(zip(args, operands, strict=True)), self)

        return apply


@cache
def symbolic_algebra() -> _SymbolicAlgebra:
    return _SymbolicAlgebra()


@cache
def symbol(name: str, nonnegative: bool = False) -> Expression:
    """Return the real symbol that stands for an argument or for the output."""
    sympy = sympy_module()
    if nonnegative:
        return sympy.Symbol(name, nonnegative=True)
    return sympy.Symbol(name, real=True)


def tree_of(formula: str, variables: dict[str, Expression]) -> Tree:
    """Return a formula as a tree of SymPy expressions."""
    return evaluate_formula(formula, variables, symbolic_algebra())


def derivative(tree: Tree, by: Expression) -> Tree:
    """Return the derivative in each leaf; the cases stay as they are."""
    sympy = sympy_module()

    def of_leaf(leaf: Expression) -> Expression:
        if by not in leaf.free_symbols:
            return sympy.S.Zero
        result = sympy.diff(leaf, by)
        if result.has(sympy.DiracDelta):
            # The derivative of a jump: 0 by convention, on both sides and at the jump itself.
            result = result.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
        if any(p.exp.free_symbols for p in result.atoms(sympy.Pow)):
            # a**b*b/a is 0/0 at 0; b*a**(b - 1) is not.
            result = sympy.powsimp(result, combine="exp")
        return result

    return map_leaves(of_leaf, tree)
