"""What do operators make of dims and numbers in a text? What they make of them in Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from graphc.errors import GraphError
from graphc.ir.dims import as_number, remainder
from graphc.ir.text.values import Value, is_dim, is_number, kind

#: The operators between dims and numbers.
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: remainder,
    ast.Pow: operator.pow,
}
#: The comparisons between them; `==` asks SymPy only whether two dims are written alike.
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def combined_dims(sign: ast.operator, left: Value, right: Value) -> Value:
    """Return the number that an operator makes beside a dim; nothing is multiplied out.

    **Raises.** GraphError for other operators, division by zero, and what is not a real number.
    """
    if type(sign) not in _ARITHMETIC or isinstance(left, bool) or isinstance(right, bool):
        raise GraphError(
            "dims and numbers combine by +, -, *, /, //, % and **",
            got=f"{kind(left)} and {kind(right)}",
        )
    if isinstance(sign, (ast.Div, ast.FloorDiv, ast.Mod)) and right == 0:
        raise GraphError("a dim cannot be divided by zero")
    result = _ARITHMETIC[type(sign)](left, right)
    # A ratio is exact until a node takes it: N**(N/(2*N)) is a root.
    is_ratio = result.is_Rational and not result.is_Integer
    return result if is_ratio else as_number(result)


def compared_dims(sign: ast.cmpop, left: Value, right: Value) -> Value:
    """Return what a comparison says of dims: a truth value, of every size or of a call's.

    None where it is none of dims and numbers.
    """
    is_of_dims = is_number(left) and is_number(right) and (is_dim(left) or is_dim(right))
    if type(sign) not in _ORDER or not is_of_dims:
        return None
    return as_number(_ORDER[type(sign)](left, right))
