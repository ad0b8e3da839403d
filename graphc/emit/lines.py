"""Which nodes does a line of code compute? Lines remember the node that they were written for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.graph import Graph
from graphc.ir.node import Node


class Line(str):
    """A line of code, and the node that it was written for."""

    __slots__ = ("node",)
    node: Node

    def __new__(cls, text: str, node: Node) -> Line:
        line = super().__new__(cls, text)
        line.node = node
        return line


def alike(pieces: Sequence[str], line: str) -> Sequence[str]:
    """Return the pieces of a broken line, written for the same node as the whole."""
    return [Line(piece, line.node) for piece in pieces] if isinstance(line, Line) else pieces


def lines_of(
    graph: Graph,
    lines: Sequence[str],
    entry: Mapping[Node, Sequence[int]],
    leave: Sequence[int],
) -> dict[Node, list[int]]:
    """Return the places of the lines in which each node of a graph is computed.

    A value that has no line of its own stands where it is read. Inputs and parameters stand also
    where they enter; what is returned as it came, and is read nowhere, in the lines `leave`.
    """
    places: dict[Node, list[int]] = {node: [] for node in graph.nodes}
    for place, line in enumerate(lines):
        if isinstance(line, Line) and line.node in places:
            places[line.node].append(place)
    for node in reversed(graph.nodes):
        if places[node]:
            continue
        read = {place for user in graph.consumers[node] for place in places[user]}
        places[node] = sorted(read.union(entry.get(node, ()))) or list(leave)
    return places
