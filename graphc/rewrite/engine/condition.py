"""Conditions of rules: `is_nonnegative(x) and c > 0`, read with `ast` and decided by facts."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


#: Values by name, the predicate of a name -> what a part of a condition is worth.
Decision: TypeAlias = "Callable[[Mapping[str, Any], Facts], Any]"
Facts: TypeAlias = "Callable[[str], Callable[..., Any]]"


def holds(text: str, values: Mapping[str, Any], facts: Facts) -> bool:
    """Say whether a condition holds for these nodes and numbers.

    `facts` gives the predicate of a name. Arithmetic without a value (1/0) does not hold.
    """
    try:
        return bool(_decision(text)(values, facts))
    except ArithmeticError:
        return False


@cache
def _decision(text: str) -> Decision:
    """Return the function that a condition denotes; it is read once."""

    def read(tree: ast.expr) -> Decision:
        if isinstance(tree, ast.BoolOp):
            return _joined(all if isinstance(tree.op, ast.And) else any, map(read, tree.values))
        if isinstance(tree, ast.UnaryOp):
            inner = read(tree.operand)
            if isinstance(tree.op, ast.Not):
                return lambda values, facts: not inner(values, facts)
            return lambda values, facts: -inner(values, facts)
        if isinstance(tree, ast.Compare):
            sides = [tree.left, *tree.comparators]
            pairs = zip(tree.ops, sides, sides[1:], strict=False)
            return _joined(
                all, [_applied(_COMPARE[type(op)], [read(a), read(b)]) for op, a, b in pairs]
            )
        if isinstance(tree, ast.BinOp):
            return _applied(_BINARY[type(tree.op)], [read(tree.left), read(tree.right)])
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            name, arguments = tree.func.id, [read(argument) for argument in tree.args]
            return lambda values, facts: facts(name)(*[a(values, facts) for a in arguments])
        if isinstance(tree, ast.Constant):
            number = tree.value
            return lambda values, facts: number
        if isinstance(tree, ast.Name):
            key = tree.id
            return lambda values, facts: values[key]
        raise ValueError(f"not part of a condition: {ast.unparse(tree)} in {text!r}")

    return read(ast.parse(text, mode="eval").body)


def _joined(join: Callable[[Iterable[Any]], bool], parts: Iterable[Decision]) -> Decision:
    decisions = tuple(parts)
    return lambda values, facts: join(part(values, facts) for part in decisions)


def _applied(function: Callable[..., Any], parts: Sequence[Decision]) -> Decision:
    left, right = parts
    return lambda values, facts: function(left(values, facts), right(values, facts))
