"""Formulas: short expressions in the names of ops, with several meanings.

`"x*(1 + erf(x/sqrt(2)))/2"` is read once with `ast` and evaluated over any *algebra*: over nodes
it builds a graph, over NumPy arrays it is the reference, over SymPy it is what gets derived.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from graphc.ir.text.syntax import BINARY, COMPARE

Algebra = Mapping[str, Callable[..., Any]]

#: What formulas have of Python's operators.
_KINDS: tuple[type[ast.operator], ...] = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
ARITHMETIC = {kind: BINARY[kind] for kind in _KINDS}
_CONSTANTS = {"pi": math.pi}


@cache
def parse_formula(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@cache
def names_in(text: str) -> tuple[str, ...]:
    """Return the names that a formula reads, each as often as it stands there.

    >>> names_in("where(x > 0, x, slope*x)")
    ('x', 'x', 'slope', 'x')
    """
    return tuple(_names(parse_formula(text)))


@cache
def names_tested(text: str) -> tuple[str, ...]:
    """Return the names that decide between the cases of a formula.

    >>> names_tested("where(x > 0, x, slope*x)"), names_tested("x*y")
    (('x',), ())
    """
    parts = list(ast.walk(parse_formula(text)))
    calls = [part for part in parts if isinstance(part, ast.Call)]
    choices = [call.args[0] for call in calls if ast.unparse(call.func) == "where"]
    tested = [*choices, *[part for part in parts if isinstance(part, ast.Compare)]]
    return tuple(dict.fromkeys(name for part in tested for name in _names(part)))


def _names(tree: ast.expr) -> list[str]:
    called = [part.func for part in ast.walk(tree) if isinstance(part, ast.Call)]
    names = [part for part in ast.walk(tree) if isinstance(part, ast.Name)]
    return [name.id for name in names if name not in called]


def _as_it_is(value: Any) -> Any:
    return value


def evaluate_formula(text: str, variables: Mapping[str, Any], algebra: Algebra) -> Any:
    """Return the formula's value: names from `variables`, functions and operators from `algebra`.

    Numbers combine with numbers as Python numbers, so that `2/3` is a constant in every algebra
    that does not define its own number (`algebra["number"]`).
    """
    number: Callable[[Any], Any] = algebra.get("number", _as_it_is)

    def walk(node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return variables[node.id] if node.id in variables else number(_CONSTANTS[node.id])
        if isinstance(node, ast.Constant):
            return number(node.value)
        if isinstance(node, ast.UnaryOp):
            operand = walk(node.operand)
            if isinstance(operand, (int, float)):
                return -operand
            return algebra["negative"](operand)
        if isinstance(node, ast.BinOp):
            name, python = ARITHMETIC[type(node.op)]
            left, right = walk(node.left), walk(node.right)
            if isinstance(left, (int, float)) and isinstance(right, (int, float)):
                return python(left, right)
            return algebra[name](left, right)
        if isinstance(node, ast.Compare):
            return algebra[COMPARE[type(node.ops[0])]](walk(node.left), walk(node.comparators[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return algebra[node.func.id](*[walk(argument) for argument in node.args])
        raise ValueError(f"not part of a formula: {ast.unparse(node)} in {text!r}")

    return walk(parse_formula(text))
