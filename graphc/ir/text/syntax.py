"""Which pieces of Python's syntax the text form has, which function each means, and the others."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

#: Operator -> the function that builds a node, and what it means between two numbers.
BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("add", operator.add),
    ast.Sub: ("subtract", operator.sub),
    ast.Mult: ("multiply", operator.mul),
    ast.Div: ("divide", operator.truediv),
    ast.FloorDiv: ("floor_divide", operator.floordiv),
    ast.Mod: ("remainder", operator.mod),
    ast.Pow: ("power", operator.pow),
    ast.MatMult: ("matmul", operator.matmul),
    ast.BitAnd: ("logical_and", operator.and_),
    ast.BitOr: ("logical_or", operator.or_),
    ast.BitXor: ("logical_xor", operator.xor),
}
UNARY: dict[type[ast.unaryop], tuple[str, Callable[[Any], Any]]] = {
    ast.USub: ("negative", operator.neg),
    ast.UAdd: ("positive", operator.pos),
    ast.Invert: ("logical_not", operator.invert),
}
#: Operators of truth values -> how they are written, and what to write for numbers.
TRUTH: dict[type[ast.AST], tuple[str, str]] = {
    ast.BitAnd: ("&", "compare first: (x > 0) & (y > 0)"),
    ast.BitOr: ("|", "compare first: (x > 0) | (y > 0)"),
    ast.BitXor: ("^", "a power is x**2"),
    ast.Invert: ("~", "compare first: ~(x > 0)"),
}
COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
ATTRIBUTES = {"T": "transpose", "mT": "matrix_transpose"}

#: Python that is no part of the text form: what it is called, and what to write instead.
REFUSED: dict[type[ast.AST], tuple[str, str | None]] = {
    ast.Lambda: ("a lambda", "a `def` is the body of a scan; a value may be called lambda_"),
    ast.NamedExpr: ("an assignment inside an expression", "give the value a line of its own"),
    ast.JoinedStr: ("a formatted string", None),
    ast.ListComp: ("a comprehension", None),
    ast.SetComp: ("a comprehension", None),
    ast.DictComp: ("a comprehension", None),
    ast.GeneratorExp: ("a comprehension", None),
    ast.Starred: ("a starred value", "write the values out"),
    ast.Dict: ("a dictionary", None),
    ast.Set: ("a set", None),
    ast.Await: ("await", None),
    ast.Yield: ("yield", None),
    ast.YieldFrom: ("yield", None),
    ast.IfExp: ("an if expression", "write where(condition, a, b)"),
    ast.BoolOp: ("`and` or `or`", "write logical_and(a, b) or logical_or(a, b)"),
    ast.Slice: ("a slice", "slices stand in brackets: x[1:3]"),
}
