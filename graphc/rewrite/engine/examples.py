"""A graph for each rule, as text, in which it fires: for its tests, and for readers."""

from __future__ import annotations

import ast

from graphc.ops.registry import OPS
from graphc.rewrite.engine.rule import Rule

NUMBERS = {"c": "3.0", "c1": "3.0", "c2": "5.0"}
_LOGICAL = ("logical_not", "logical_and", "logical_or")


def example_text(rule: Rule) -> str:
    """Return a graph in text form that the rule is about."""
    if rule.apply is not None:
        return f"{rule.example}\noutput(y)\n" if "output" not in rule.example else rule.example
    substitutes = dict(NUMBERS)
    for part in filter(None, rule.example.split(";")):
        name, _, expression = part.partition("=")
        substitutes[name.strip()] = expression.strip()
    tree = _Substitute(substitutes).visit(ast.parse(rule.before, mode="eval"))
    formula = ast.unparse(tree)
    truths = _truths(tree)
    names = sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - set(OPS))
    declared = [f"{name}: input({'bool' if name in truths else 'f64'}, 3)" for name in names]
    return "\n".join([*declared, f"result = {formula}", "output(result)"])


class _Substitute(ast.NodeTransformer):
    def __init__(self, substitutes: dict[str, str]) -> None:
        self.substitutes = substitutes

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.substitutes:
            return node
        return ast.parse(self.substitutes[node.id], mode="eval").body

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(argument) for argument in node.args]
        return node


def _truths(tree: ast.AST) -> set[str]:
    """Return the names that stand for conditions."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            conditions = node.args if node.func.id in _LOGICAL else []
            if node.func.id == "where":
                conditions = node.args[:1]
            found |= {c.id for c in conditions if isinstance(c, ast.Name)}
    return found
