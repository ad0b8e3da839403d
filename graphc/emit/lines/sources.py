"""Which nodes does a line of code compute? Lines remember the node that they were written for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.node import Node
from graphc.plan.layers import Layers
from graphc.plan.program import Program
from graphc.plan.update_loops import updates_alike


class Line(str):
    """A line of code, the node that it was written for, and the scope that it belongs to."""

    __slots__ = ("node", "scope")
    node: Node
    scope: str

    def __new__(cls, text: str, node: Node, scope: str | None = None) -> Line:
        line = super().__new__(cls, text)
        line.node = node
        line.scope = node.provenance.scope if scope is None else scope
        return line


def alike(pieces: Sequence[str], line: str) -> Sequence[str]:
    """Return the pieces of a broken line, written for the same node as the whole."""
    return (
        [Line(piece, line.node, line.scope) for piece in pieces]
        if isinstance(line, Line)
        else pieces
    )


def of_no_scope(line: str) -> str:
    """Return a line that belongs to the layers of all scopes."""
    return Line(line, line.node, "") if isinstance(line, Line) else line


def lines_of(
    program: Program,
    lines: Sequence[str],
    entry: Mapping[Node, Sequence[int]],
    leave: Sequence[int],
) -> dict[Node, list[int]]:
    """Return the places of the lines in which each node of a graph is computed.

    A value that has no line of its own stands where it is read. Inputs and parameters stand also
    where they enter; what is returned as it came, and is read nowhere, in the lines `leave`.
    A loop stands in all lines of its body, a result of it in those that compute the result.
    """
    graph = program.graph
    around = _around(program)
    places: dict[Node, list[int]] = {node: [] for node in graph.nodes}
    for place, line in enumerate(lines):
        if isinstance(line, Line):
            for node in around.get(line.node, (line.node,)):
                places[node].append(place)
    for node in reversed(graph.nodes):
        if places[node]:
            continue
        read = {place for user in graph.consumers[node] for place in places[user]}
        places[node] = sorted(read.union(entry.get(node, ()))) or list(leave)
    return places


def _around(program: Program) -> dict[Node, tuple[Node, ...]]:
    """Return, for each node inside a loop, what its lines belong to in the graph around.

    That is the outermost loop that it is inside of, and the result of the loop that it is. Of
    layers or updates that share a loop, it is those of all layers, or of all parameters.
    """
    found: dict[Node, tuple[Node, ...]] = {
        nodes[0]: nodes
        for alike in updates_alike(program)
        for nodes in zip(*[[s.node for s in part] for part in alike.parts], strict=True)
    }
    for repeat in Layers(program).found:
        found |= {column[-1]: column for column in repeat.columns}
    pending = [(loop, node) for node, loop in program.loops.items()]
    while pending:
        loop, outermost = pending.pop()
        found.update(dict.fromkeys([*loop.inside.graph.nodes, *loop.items], (outermost,)))
        pending += [(inner, outermost) for inner in loop.inside.loops.values()]
    read = set(program.graph.nodes)
    for loop in program.loops.values():
        for item, node in zip(loop.items, (*loop.following, *loop.emitted), strict=True):
            if item in read:
                found[item] = (item,)
                found[node] = (*found[node], item)
    return found
