"""Conditions of rules: `is_nonnegative(x) and c > 0`, read with `ast` and decided by facts."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

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


@cache
def parse_condition(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def holds(text: str, values: Mapping[str, Any], facts: Callable[[str], Callable[..., Any]]) -> bool:
    """Say whether a condition holds for these nodes and numbers.

    `facts` gives the predicate of a name. Arithmetic without a value (1/0) does not hold.
    """

    def decide(tree: ast.expr) -> Any:
        if isinstance(tree, ast.BoolOp):
            parts = (decide(part) for part in tree.values)
            return all(parts) if isinstance(tree.op, ast.And) else any(parts)
        if isinstance(tree, ast.UnaryOp):
            value = decide(tree.operand)
            return not value if isinstance(tree.op, ast.Not) else -value
        if isinstance(tree, ast.Compare):
            sides = [decide(side) for side in (tree.left, *tree.comparators)]
            tests = [_COMPARE[type(op)] for op in tree.ops]
            return all(map(lambda test, a, b: test(a, b), tests, sides, sides[1:]))
        if isinstance(tree, ast.BinOp):
            return _BINARY[type(tree.op)](decide(tree.left), decide(tree.right))
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            return facts(tree.func.id)(*[decide(argument) for argument in tree.args])
        if isinstance(tree, ast.Constant):
            return tree.value
        if isinstance(tree, ast.Name):
            return values[tree.id]
        raise ValueError(f"not part of a condition: {ast.unparse(tree)} in {text!r}")

    try:
        return bool(decide(parse_condition(text)))
    except ArithmeticError:
        return False
