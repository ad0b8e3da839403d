"""What is told of a value that is neither a node nor a number nor an array?"""

from __future__ import annotations

from graphc.errors import GraphError, counted
from graphc.ir.node import Node
from graphc.ir.provenance import user_error


def no_node(value: object) -> GraphError:
    """Return the error of an operand that no graph can compute with."""
    got, fix = f"{value!r} of type {type(value).__name__}", None
    if callable(value):
        name = getattr(value, "__name__", "") or type(value).__name__
        got, fix = f"the function {name!r}", f"call it: {name}(x)"
    elif isinstance(value, (tuple, list)) and any(isinstance(x, Node) for x in value):
        got = f"a {type(value).__name__} of {counted(len(value), 'value')}: {value!r}"
        fix = "take one of them, x[0], or join them: gc.stack(x), gc.concat(x)"
        if len(value) == 1:
            fix = "unpack it: write x, = …, or take x[0]"
    return user_error(
        "not something a graph can compute with",
        got=got,
        expected="a node, a number or an array",
        fix=fix,
    )
