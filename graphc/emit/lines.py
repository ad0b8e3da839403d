"""Which nodes does a line of code compute? Lines remember the node that they were written for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.node import Node
from graphc.plan.program import Program


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
    program: Program,
    lines: Sequence[str],
    entry: Mapping[Node, Sequence[int]],
    leave: Sequence[int],
) -> dict[Node, list[int]]:
    """Return the places of the lines in which each node of a graph is computed.

    A value that has no line of its own stands where it is read. Inputs and parameters stand also
    where they enter; what is returned as it came, and is read nowhere, in the lines `leave`.
    A loop stands in all lines of its body.
    """
    graph = program.graph
    loop_of = _loop_of(program)
    places: dict[Node, list[int]] = {node: [] for node in graph.nodes}
    for place, line in enumerate(lines):
        if isinstance(line, Line):
            places[loop_of.get(line.node, line.node)].append(place)
    for node in reversed(graph.nodes):
        if places[node]:
            continue
        read = {place for user in graph.consumers[node] for place in places[user]}
        places[node] = sorted(read.union(entry.get(node, ()))) or list(leave)
    return places


def _loop_of(program: Program) -> dict[Node, Node]:
    """Return, for each node inside a loop, the outermost loop that it is inside of."""
    found: dict[Node, Node] = {}
    for node, loop in program.loops.items():
        unread = (item for item in loop.items if item not in program.graph.consumers)
        found.update(dict.fromkeys(unread, node))
    pending = [(loop.inside, node) for node, loop in program.loops.items()]
    while pending:
        inside, outermost = pending.pop()
        found.update(dict.fromkeys(inside.graph.nodes, outermost))
        for loop in inside.loops.values():
            found.update(dict.fromkeys(loop.items, outermost))
            pending.append((loop.inside, outermost))
    return found
