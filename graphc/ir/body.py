"""A loop's body: a graph that stands as an attribute of a node."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from typing import Any

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.structure import structure


class Body:
    """A graph from positional inputs to positional results, as one node runs it many times.

    Two bodies are equal when they compute the same, whatever their inputs and values are called:
    names are for readers, and a body that is printed and read again may have got others.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.inputs: tuple[Node, ...] = tuple(graph.inputs.values())
        self.results: tuple[Node, ...] = tuple(graph.outputs.values())

    @classmethod
    def of(cls, outputs: Mapping[str, Node], inputs: Iterable[Node], name: str) -> Body:
        """Return the body that computes `outputs`; it need not use all of its inputs."""
        return cls(Graph(outputs, inputs=inputs, name=name, warns=False))

    @property
    def name(self) -> str:
        return self.graph.name

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the hash behind, which another process computes otherwise."""
        return Body, (self.graph,)

    @cached_property
    def _key(self) -> Hashable:
        types = tuple([leaf.type for leaf in self.inputs])
        return (types, structure(self.graph.nodes, self.inputs, self.results))

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Body) and self._hash == other._hash and self._key == other._key
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"<body {self.name}: {len(self.graph.nodes)} nodes>"


def bodies(attrs: Mapping[str, Any]) -> list[Body]:
    """Return the bodies among a node's attributes."""
    return [value for value in attrs.values() if isinstance(value, Body)]
