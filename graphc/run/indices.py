"""Say which index of which argument lies outside of what it indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from graphc.errors import GraphError
from graphc.ir.dims import Dim
from graphc.ir.node import Node


def out_of_range(
    node: Node, arrays: Sequence[np.ndarray], size_of: Callable[[Dim], int]
) -> GraphError | None:
    """Return the error that names the first index out of range, or None where all are in range.

    `arrays` are the values of the node's operands; `size_of` gives the size of a dim.
    """
    for position, operand in enumerate(node.inputs):
        for dim in node.op.indexed_dims(node, position):
            size, indices = size_of(dim), arrays[position]
            is_outside = (indices < -size) | (indices >= size)
            if np.any(is_outside):
                return _error(node, operand, indices, is_outside, size)
    return None


def counted_from_the_end(nodes: Iterable[Node], arrays: Mapping[str, np.ndarray]) -> set[str]:
    """Return the names of those inputs among `arrays` that index something by numbers below 0."""
    found = set()
    for node in nodes:
        for position, operand in enumerate(node.inputs):
            name = str(_source(operand).attrs.get("name"))
            if name in arrays and any(True for _ in node.op.indexed_dims(node, position)):
                found |= {name} if np.any(arrays[name] < 0) else set()
    return found


def _error(
    node: Node, operand: Node, indices: np.ndarray, is_outside: np.ndarray, size: int
) -> GraphError:
    first = tuple(int(i) for i in np.argwhere(is_outside)[0])
    source, at = _source(operand), f" at [{', '.join(map(str, first))}]" if first else ""
    table = node.inputs[0]
    whole = f" of {table.name}" if table.name else ""
    return node.provenance.error(
        f"{_described(source)} holds an index out of range",
        got=f"{indices[first]}{at if source.shape == operand.shape else ''}",
        expected=f"0 to {size - 1}, an index into the {size} places{whole}"
        if size
        else f"no index at all: there is nothing to index{whole}",
        fix="negative indices count from the end" if indices[first] < 0 else None,
    )


def _source(node: Node) -> Node:
    """Return the node whose numbers a view, a broadcast or a cast shows."""
    while node.inputs and not node.name and (node.op.is_view or node.op.is_inserted):
        node = node.inputs[0]
    return node


def _described(node: Node) -> str:
    if node.op.is_leaf:
        kind = "parameter" if "trainable" in node.attrs else "input"
        return f"{kind} {node.attrs['name']!r}"
    return node.name or str(node.op.label(node, [_short(i) for i in node.inputs]))


def _short(node: Node) -> str:
    source = _source(node)
    return source.name or (source.op.name if source.inputs else source.op.label(source, []))
