"""A user's own op: derived from its formula, computed by the stable form of it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from graphc.differentiate.formulas import custom
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.elementwise.algebras import NODES
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS
from graphc.rewrite.before_derivative import stable_node

#: A stable form that is longer than this many times the formula shares too much to be written out.
_LONGER = 4


def define_pointwise(name: str, function: Callable[..., Any], doc: str = "") -> Pointwise:
    """Return a new op, registered under `name`, that applies the function to each element.

    `function` takes one real SymPy symbol for each argument and returns a SymPy expression.
    `Piecewise`, `Max`, `Min` and `Abs` state the convention at their kinks as the ops of graphc do.
    The op's derivative, text form, code and pictures follow from the expression; what would
    overflow or cancel in it is computed in its stable form. Defining the same function under the
    same name again returns the op that is there.

    Raises:
        GraphError: where the name is taken or not an identifier, and where the expression holds
            something that graphc has no op for.
    """
    return custom.define_pointwise(name, function, doc, stable_formula)


def stable_formula(formula: str, args: Sequence[str]) -> str:
    """Return the formula that computes what another one states, without overflow: softplus(x).

    It is the formula itself where nothing overflows, and where no formula says it.
    """
    variables = {arg: OPS["input"](arg, (), "float64") for arg in args}
    node = evaluate_formula(formula, variables, NODES)
    stable = stable_node(node, variables.values())
    found = None if stable is node else _written_out(stable, args)
    return found if found and len(found) <= _LONGER * len(formula) + 40 else formula


def _written_out(node: Node, args: Sequence[str]) -> str | None:
    """Return the text form of a node as one expression; None where it is more than a formula."""
    program = ast.parse(str(Graph({"value": node}, warns=False)))
    known: dict[str, ast.expr] = {}
    for line in program.body:
        if isinstance(line, ast.AnnAssign) and line.value and isinstance(line.target, ast.Name):
            known[line.target.id] = _Substituted(known).visit(line.value)
        elif isinstance(line, ast.Expr) and isinstance(line.value, ast.Call):
            return _formula(_result(line.value, known), args)
    return None


def _result(output: ast.Call, known: dict[str, ast.expr]) -> ast.expr:
    """Return what `output(value)` or `output(value=x)` stands for."""
    value = output.args[0] if output.args else output.keywords[0].value
    expression: ast.expr = _Substituted(known).visit(value)
    return expression


def _formula(expression: ast.expr, args: Sequence[str]) -> str | None:
    """Return an expression as a formula's text, which calls ops with nothing but operands."""
    for part in ast.walk(expression):
        if isinstance(part, ast.Call) and (part.keywords or not isinstance(part.func, ast.Name)):
            return None
        if isinstance(part, (ast.Tuple, ast.List, ast.Subscript, ast.Attribute, ast.Starred)):
            return None
        if isinstance(part, ast.Name) and part.id not in args and part.id not in OPS:
            return None
    return ast.unparse(expression)


class _Substituted(ast.NodeTransformer):
    """Names of earlier lines replaced by what stands there."""

    def __init__(self, known: dict[str, ast.expr]) -> None:
        self.known = known

    def visit_Name(self, name: ast.Name) -> ast.expr:
        return self.known.get(name.id, name)
