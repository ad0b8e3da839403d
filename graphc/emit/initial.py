"""The function `init` of a module: the first value of each parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.emit.expressions import call
from graphc.emit.names import Namer, string_literal
from graphc.emit.tables import table
from graphc.emit.wrapping import WIDTH, wrapped
from graphc.errors import GraphError
from graphc.ir.attributes import ArrayLiteral
from graphc.ir.code import Notation
from graphc.ir.dims import shape_text, symbols_of
from graphc.ir.graph import Graph
from graphc.ir.node import Node

_INDENT = "    "


def init_function(graph: Graph) -> list[list[str]]:
    """Return `init`, which draws the parameters in order from one generator."""
    if not graph.params:
        return []
    namer = Namer(["seed"])
    entries: list[tuple[str, str]] = []
    arrays: list[str] = []
    for name, node in graph.params.items():
        if symbols_of(node.shape):
            raise GraphError(
                f"parameter {name!r} has a symbolic shape, so it cannot be initialized",
                got=shape_text(node.shape),
                fix="give parameters fixed sizes",
            )
        key, value = string_literal(name), initial_value(node)
        array = _array(node)
        if array is not None and len(f"{key}: {value}") + 9 > WIDTH:
            value = namer.fresh(name)
            arrays += table(value, array, Notation(), _INDENT)
        entries.append((key, value))
    lines = [
        "def init(seed=0):",
        f'{_INDENT}"""Return freshly initialized parameters."""',
    ]
    if any("rng." in value for _, value in entries):
        lines.append(f"{_INDENT}rng = np.random.default_rng(seed)")
    if arrays:
        lines += [f"{_INDENT}# fmt: off", *arrays, f"{_INDENT}# fmt: on"]
    lines.append(f"{_INDENT}return {{")
    for key, value in entries:
        lines += [piece for line in entry(key, value) for piece in wrapped(line)]
    return [[*lines, f"{_INDENT}}}"]]


def _array(node: Node) -> np.ndarray | None:
    """Return the numbers that a parameter begins with, where they are given one by one."""
    value = getattr(node.attrs["init"], "value", None)
    if not isinstance(value, ArrayLiteral) or not value.array.size:
        return None
    return value.array.astype(node.dtype)


def entry(key: str, value: str) -> list[str]:
    """Return an entry of a dict display, its call broken where the line would be too long.

    The key is a user's name: brackets in it are data.
    """
    line = f"{_INDENT * 2}{key}: {value},"
    function, parenthesis, inside = value.partition("(")
    if len(line) <= WIDTH or not parenthesis or not inside.endswith(")"):
        return [line]
    return call(f"{key}: {function}", arguments(inside[:-1]), _INDENT * 2, ",")


def arguments(text: str) -> list[str]:
    """Return the arguments of a call, split at its own commas."""
    words, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            words.append(text[start:at].strip())
            start = at + 1
    return [*words, text[start:].strip()]


def initial_value(node: Node) -> str:
    """Return the NumPy expression of a parameter's first value."""
    initializer: Any = node.attrs["init"]
    if initializer is None:
        shape = Notation().size(node.shape)
        return f"np.zeros({shape}, {Notation().dtype(node.dtype)})"
    return str(initializer.source(node.shape, node.dtype))
