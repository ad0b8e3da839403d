"""Graphs that differ from a rule's example by one thing, which its conditions are there for."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import Any

_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
}
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.LtE,
}
#: Ops that take the same operands.
_CALLS = (
    ("sum", "max", "min", "mean", "prod"),
    ("exp", "tanh", "sigmoid"),
    ("log", "log1p", "sqrt"),
    ("maximum", "minimum", "subtract", "add"),
    ("multiply", "divide"),
    ("sinh", "cosh"),
    ("less", "greater", "less_equal", "greater_equal"),
    ("abs", "negative", "square"),
    ("relu", "softplus", "sign"),
    ("logical_and", "logical_or"),
    ("argmax", "argmin"),
)


def near_misses(text: str) -> Iterator[str]:
    """Return the texts that differ from one by a number, an operator, an op, an operand's place."""
    tree = ast.parse(text)
    for at, node in enumerate(ast.walk(tree)):
        for other in (*_others(node), *_of_another_input(node, tree)):
            yield _with(tree, at, other)
    yield from _with_one_read_elsewhere(tree)


def _others(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield from (ast.Constant(node.value + 1), ast.Constant(node.value - 1))
        if type(node.value) is float:
            yield from (ast.Constant(-node.value), ast.Constant(node.value * 0.5))
    elif isinstance(node, ast.BinOp):
        for kind in _OPERATORS.get(type(node.op), ()):
            yield ast.BinOp(node.left, kind(), node.right)
        yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        yield ast.Compare(node.left, [_COMPARISONS[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        names = next((group for group in _CALLS if node.func.id in group), ())
        for name in names:
            if name != node.func.id:
                yield ast.Call(ast.Name(name), node.args, node.keywords)
        for i in range(len(node.args) - 1):
            args = [*node.args]
            args[i : i + 2] = reversed(args[i : i + 2])
            yield ast.Call(node.func, args, node.keywords)


def _of_another_input(node: ast.AST, tree: ast.Module) -> Iterator[ast.AST]:
    """Return the other values that have been given a name."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        named = [line.target for line in tree.body if isinstance(line, ast.AnnAssign)]
        names = [target.id for target in named if isinstance(target, ast.Name)]
        if node.id in names:
            yield from (ast.Name(name) for name in names if name != node.id)


def _with(tree: ast.Module, at: int, other: ast.AST) -> str:
    """Return the text with another node in the place of one."""
    changed = copy.deepcopy(tree)
    old = list(ast.walk(changed))[at]
    return ast.unparse(_Replaced(old, copy.deepcopy(other)).visit(changed)) + "\n"


class _Replaced(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)


def _with_one_read_elsewhere(tree: ast.Module) -> Iterator[str]:
    """Return the texts in which a value on the way is an output as well."""
    for place, line in enumerate(tree.body):
        if not isinstance(line, ast.Assign):
            continue
        for at, node in enumerate(ast.walk(line)):
            if isinstance(node, (ast.BinOp, ast.Call)) and node is not line.value:
                changed = copy.deepcopy(tree)
                twin = list(ast.walk(changed.body[place]))[at]
                changed = _Replaced(twin, ast.Name("seen")).visit(changed)
                changed.body.insert(place, ast.Assign([ast.Name("seen")], copy.deepcopy(node)))
                changed.body.append(ast.parse("output(seen)").body[0])
                yield ast.unparse(ast.fix_missing_locations(changed)) + "\n"
