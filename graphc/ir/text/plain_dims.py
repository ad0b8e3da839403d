"""The dims of a graph; those that Python cannot read (`lambda`) get names for writing only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.ir.attributes import Attributes
from graphc.ir.body import Body, bodies
from graphc.ir.dim_symbols import dim_symbol
from graphc.ir.dims import symbols_of
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.text.words import RESERVED, assign_identifiers
from graphc.ir.types import TensorType, TupleType
from graphc.ir.walk import topological

#: A symbol -> the symbol that is written for it.
Renaming = Mapping[Any, Any]


def all_dims(graph: Graph) -> list[str]:
    """Return the names of all dims in the graph, those of its leaves first."""
    found: dict[Any, None] = {}
    inner: dict[Any, None] = {}
    for node in graph.nodes:
        for values in (node.shape, *node.attrs.values()):
            _find_dims(values, found)
        for body in bodies(node.attrs):
            inner.update(dict.fromkeys(map(dim_symbol, all_dims(body.graph))))
    return list(dict.fromkeys([*graph.dims, *symbols_of([*found, *inner])]))


def _find_dims(value: Any, found: dict[Any, None]) -> None:
    """Note the symbolic dims in a shape or in an attribute's value."""
    if isinstance(value, tuple):
        for item in value:
            if type(item) is not int:
                _find_dims(item, found)
    elif value is not None and hasattr(value, "free_symbols"):
        found[value] = None


def identifiers_of_dims(names: Sequence[str]) -> dict[str, str]:
    """Return the identifier that stands for each dim in a text: its name, where that will do."""
    return dict(zip(names, assign_identifiers(names, RESERVED), strict=True))


def with_renamed_dims(graph: Graph, identifiers: Mapping[str, str]) -> Graph:
    """Return the same graph over dims of other names."""
    return _over(graph, {dim_symbol(old): dim_symbol(new) for old, new in identifiers.items()})


def _over(graph: Graph, renaming: Renaming) -> Graph:
    new: dict[Node, Node] = {}
    leaves = [*graph.inputs.values(), *graph.params.values()]
    for node in topological([*leaves, *graph.roots()]):
        attrs = {key: _renamed(value, renaming) for key, value in node.attrs.items()}
        new[node] = Node(
            node.op,
            tuple([new[operand] for operand in node.inputs]),
            Attributes(attrs),
            _renamed_type(node.type, renaming),
            node.provenance,
        )
    return graph.mapped(new)


def _renamed_type(kind: TensorType, renaming: Renaming) -> TensorType:
    if isinstance(kind, TupleType):
        return TupleType(tuple([_renamed_type(x, renaming) for x in kind.items]))
    return kind.with_shape(_renamed(kind.shape, renaming))


def _renamed(value: Any, renaming: Renaming) -> Any:
    if isinstance(value, tuple):
        return tuple([_renamed(item, renaming) for item in value])
    if isinstance(value, Body):
        return Body(_over(value.graph, renaming))
    return value.xreplace(renaming) if hasattr(value, "free_symbols") else value
