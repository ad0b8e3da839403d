"""The function `init` of a module: the first value of each parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.emit.names import Namer, string_literal
from graphc.emit.tables import table
from graphc.emit.wrapping import INDENT, WIDTH, wrapped
from graphc.errors import GraphError
from graphc.ir.attributes import ArrayLiteral
from graphc.ir.code import Notation
from graphc.ir.dims import shape_text, symbols_of
from graphc.ir.graph import Graph
from graphc.ir.node import Node


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
            arrays += table(value, array, Notation(), INDENT)
        entries.append((key, value))
    lines = [
        "def init(seed=0):",
        f'{INDENT}"""Return freshly initialized parameters."""',
    ]
    if any("rng." in value for _, value in entries):
        lines.append(f"{INDENT}rng = np.random.default_rng(seed)")
    if arrays:
        lines += [f"{INDENT}# fmt: off", *arrays, f"{INDENT}# fmt: on"]
    lines.append(f"{INDENT}return {{")
    for key, value in entries:
        lines += wrapped(f"{INDENT * 2}{key}: {value},")
    return [[*lines, f"{INDENT}}}"]]


def _array(node: Node) -> np.ndarray | None:
    """Return the numbers that a parameter begins with, where they are given one by one."""
    value = getattr(node.attrs["init"], "value", None)
    if not isinstance(value, ArrayLiteral) or not value.array.size:
        return None
    return value.array.astype(node.dtype)


def initial_value(node: Node) -> str:
    """Return the NumPy expression of a parameter's first value."""
    initializer: Any = node.attrs["init"]
    if initializer is None:
        shape = Notation().size(node.shape)
        return f"np.zeros({shape}, {Notation().dtype(node.dtype)})"
    return str(initializer.source(node.shape, node.dtype))
