"""A user's own pointwise op, from a function of SymPy symbols."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc.differentiate.formulas.cost import cost_of
from graphc.differentiate.formulas.symbolic import (
    Branch,
    Expression,
    Tree,
    branch,
    leaves,
    number,
    plain_function,
    symbol,
    tree_of,
)
from graphc.differentiate.formulas.text import scaled_tree_text, write
from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.symbols import sympy_module
from graphc.ops.elementwise.pointwise import COTANGENT, OUTPUT, Pointwise
from graphc.ops.registry import OPS, register

#: Names that mean something else in a formula: the output, the cotangent, π.
_TAKEN = (OUTPUT, COTANGENT, "pi", "D")
_IN_SYMPY = "write it in SymPy: sympy.exp(x) for np.exp(x), sympy.Piecewise for np.where and if"
_FREE = ("x", "a", "b", "c", "u", "v", "w")
#: Intervals to draw test points from; the first one inside the op's domain is taken.
_INTERVALS = ((-2.0, 2.0), (0.3, 2.0), (-0.8, 0.8), (0.1, 0.9), (1.2, 3.0), (-3.0, -1.2))


class OfExponentials(Pointwise):
    """A user's op in which something grows without bound: derived through what computes it.

    Its whole derivative, written flat, may cancel or be infinity times 0 where the parts are not:
    that of x*tanh(exp(x)) has x*exp(x) - x*exp(x)*tanh(exp(x))**2.
    """

    def expand(self, node: Node) -> Node | None:
        return self.lower(node)


def define_pointwise(
    name: str,
    function: Callable[..., Any],
    doc: str = "",
    computed: Callable[[str, Sequence[str]], str] = lambda formula, args: formula,
) -> Pointwise:
    """Return a new op, registered under `name`, that applies the function to each element.

    computed    of the formula and its arguments' names, the formula by which it is computed

    Raises:
        GraphError: where the name is taken or not an identifier, and where the expression holds
            something that graphc has no op for.
    """
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise GraphError("an op's name must be an identifier", got=repr(name))
    args = _arguments(name, function)
    tree = _tree(name, _value(name, function, args), args)
    formula = scaled_tree_text(tree, lambda leaf: write(leaf).text)
    there = OPS.get(name)
    if isinstance(there, Pointwise) and (there.args, there.formula) == (args, formula):
        return there
    kind = OfExponentials if any(map(_grows, leaves(tree))) else Pointwise
    return register(
        kind(
            name,
            doc or f"{name}({', '.join(args)}) = {formula}.",
            formula,
            args=" ".join(args),
            lowering=computed(formula, args),
            domain=[_interval(tree, args)],
            flops=max(1, round(cost_of(formula))),
        )
    )


def _arguments(name: str, function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the function's parameters, those that are taken replaced."""
    if not callable(function):
        raise GraphError(
            f"{name}: an op is made of a function",
            got=f"{function!r} of type {type(function).__name__}",
            expected="such as lambda x: x * sympy.tanh(x)",
        )
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or any(p.kind is not p.POSITIONAL_OR_KEYWORD for p in parameters):
        raise GraphError(
            f"{name}: the function takes one symbol for each argument",
            got=str(inspect.signature(function)),
            expected="lambda x: …",
        )
    names = [p.name for p in parameters]
    spare = (free for free in _FREE if free not in names)
    return tuple(next(spare) if n in _TAKEN else n for n in names)


# -- from SymPy's expression to the op's formula ---------------------------------------------------


def _value(name: str, function: Callable[..., Any], args: tuple[str, ...]) -> Expression:
    """Return what the function makes of symbols; a condition is 1 where it holds, else 0."""
    sympy = sympy_module()
    try:
        found = function(*map(symbol, args))
    except (TypeError, AttributeError) as problem:  # what NumPy, `math` and `if` say to symbols
        raise GraphError(
            f"{name}: the function does not take SymPy's symbols", got=str(problem), fix=_IN_SYMPY
        ) from problem
    try:
        value = sympy.sympify(found, strict=True)
    except sympy.SympifyError:
        value = None
    if isinstance(value, sympy.logic.boolalg.Boolean):
        value = sympy.Piecewise((1, value), (0, True))
    if not isinstance(value, sympy.Expr):
        raise GraphError(
            f"{name}: the function returns no expression of SymPy",
            got=f"{found!r} of type {type(found).__name__}",
            fix=_IN_SYMPY,
        )
    if not value.free_symbols:
        raise GraphError(
            f"{name}: the expression depends on none of its arguments",
            got=str(found),
            expected=f"a function of {', '.join(args)}",
        )
    return value


def _tree(name: str, expression: Expression, args: tuple[str, ...]) -> Tree:
    sympy = sympy_module()
    strangers = sorted(s.name for s in expression.free_symbols - set(map(symbol, args)))
    if strangers:
        raise GraphError(
            f"{name}: the expression holds symbols that are not arguments",
            got=", ".join(strangers),
            expected=", ".join(args),
        )
    tree = _cases(name, sympy.piecewise_fold(_in_ops(expression)))
    for leaf in leaves(tree):
        _check_leaf(name, leaf)
    return tree


def _in_ops(expression: Expression) -> Expression:
    """Return the expression with floats exact; Max, Min, Heaviside, ceiling are graphc's ops."""
    sympy = sympy_module()
    maximum, minimum = plain_function("maximum"), plain_function("minimum")

    def folded(function: Callable[..., Expression]) -> Callable[..., Expression]:
        def apply(*operands: Expression) -> Expression:
            ordered = sorted(operands, key=sympy.default_sort_key)
            total = ordered[-1]
            for operand in reversed(ordered[:-1]):
                total = function(total, operand)
            return total

        return apply

    def step(x: Expression, at_zero: Expression = None) -> Expression:
        middle = sympy.Rational(1, 2) if at_zero is None else at_zero
        return sympy.Piecewise((1, x > 0), (middle, sympy.Eq(x, 0)), (0, True))

    exact = expression.replace(lambda e: e.is_Float, lambda e: number(float(e)))
    exact = exact.replace(sympy.Max, folded(maximum)).replace(sympy.Min, folded(minimum))
    return exact.replace(sympy.Heaviside, step).replace(sympy.ceiling, plain_function("ceil"))


def _cases(name: str, expression: Expression) -> Tree:
    """Return a Piecewise as nested branches; its pieces are tried in order."""
    if not isinstance(expression, sympy_module().Piecewise):
        return expression
    *pieces, (last, condition) = expression.args
    if condition != sympy_module().true:
        raise GraphError(
            f"{name}: the cases leave a gap",
            got=str(expression),
            fix="end the Piecewise with (…, True)",
        )
    tree = _cases(name, last)
    for value, held in reversed(pieces):
        tree = branch(held, _cases(name, value), tree)
    return tree


def _check_leaf(name: str, leaf: Expression) -> None:
    sympy = sympy_module()
    if leaf.has(sympy.I, sympy.zoo, sympy.nan):
        raise GraphError(f"{name}: the expression is not a real number", got=str(leaf))
    for function in sorted(leaf.atoms(sympy.Function), key=str):
        op = write(function).text.partition("(")[0]
        if op not in OPS:
            raise GraphError(
                f"{name}: there is no op for {type(function).__name__}",
                got=str(leaf),
                fix="write it in the functions that gc has, or define that one first",
            )
    if leaf.atoms(sympy.Derivative, sympy.Integral, sympy.Sum, sympy.Product):
        raise GraphError(
            f"{name}: something is left to be evaluated", got=str(leaf), fix="add .doit()"
        )


def _grows(leaf: Expression) -> bool:
    """Say whether an expression holds an exponential."""
    sympy = sympy_module()
    powers = [power for power in leaf.atoms(sympy.Pow) if power.exp.free_symbols]
    return bool(powers or leaf.atoms(sympy.exp, sympy.sinh, sympy.cosh))


def _interval(tree: Tree, args: tuple[str, ...]) -> tuple[float, float]:
    """Return an interval in which the op is defined, for points to test it at."""
    for low, high in _INTERVALS:
        places = [
            {symbol(a): low + share * (high - low) for a in args} for share in (0.1, 0.4, 0.9)
        ]
        if all(_is_defined(leaf, place) for place in places for leaf in _values(tree, place)):
            return low, high
    return _INTERVALS[0]


def _values(tree: Tree, place: dict[Expression, float]) -> Iterator[Expression]:
    """Yield the leaf that is taken at a place."""
    while isinstance(tree, Branch):
        tree = tree.then if bool(tree.condition.subs(place)) else tree.otherwise
    yield tree


def _is_defined(leaf: Expression, place: dict[Expression, float]) -> bool:
    names = {s.name: s for s in leaf.free_symbols}
    expanded = [
        e.subs(place) for e in leaves(tree_of(write(leaf).text, names)) if e.is_number or names
    ]
    return all(bool(value.is_real) for value in expanded) and bool(expanded)
