"""What an expression of the text may stand for, and how an error calls it."""

from __future__ import annotations

from typing import Any, TypeAlias

from graphc.errors import nearest
from graphc.ir.node import Node

#: A node, a number, a dim, or a tuple, list, slice, string, dtype or function as an argument.
Value: TypeAlias = Any


def is_dim(value: Value) -> bool:
    """Say whether a value is a named dim, or an expression of named dims."""
    return not isinstance(value, Node) and hasattr(value, "free_symbols")


def is_number(value: Value) -> bool:
    """Say whether a value is a Python number, or one made from dims, and no comparison of dims."""
    return isinstance(value, (int, float)) or (is_dim(value) and not value.is_Relational)


def kind(value: Value) -> str:
    """Return how an error message calls a value."""
    if isinstance(value, Node):
        return f"a node of type {value.type}"
    if isinstance(value, (int, float)):
        return f"the number {value!r}"
    if is_dim(value):
        return f"the dim {value}"
    if callable(value):
        return f"the function {getattr(value, '__name__', value)!r}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def unpacking(name: str, function: str | None, value: Value) -> str | None:
    """Return how a line names all of several values: `alpha, = scan(…)`."""
    if not isinstance(value, (tuple, list)) or not value:
        return None
    names = ", ".join([name, *[f"{name}_{i}" for i in range(2, len(value) + 1)]])
    return f"write {names}{',' if len(value) == 1 else ''} = {function or ''}(…)"


#: What the body of a loop is usually called.
_BODIES = ("cell", "step", "body")
#: What other languages write -> what Python writes.
_OF_PYTHON = {"true": "True", "false": "False", "none": "None", "null": "None"}


def suggestion(name: str, known: list[str]) -> str | None:
    """Return the question whether the nearest known name was meant, or how the loop's is made."""
    if name in _BODIES:
        return f"write the steps of the loop above: def {name}(h, x_t):"
    hint = _OF_PYTHON.get(name.lower()) or nearest(name, known)
    return f"did you mean {hint!r}?" if hint else None
