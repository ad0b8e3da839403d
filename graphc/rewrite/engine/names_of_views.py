"""Names outlive the views that had them: what another order of the elements was called.

The heads of a query, `q = transpose(reshape(x @ Wq, …), …)`, are read by products that need no
transpose: the reshape that stays is called q then, and not after x.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ops.registry import OPS

_VIEWS = (OPS["transpose"], OPS["reshape"])


def with_names_of_views(
    before: Graph, after: Graph, became: Mapping[Node, Node]
) -> tuple[Graph, dict[Node, Node]]:
    """Return the graph in which names that a rewrite lost stand at the same elements elsewhere.

    `became` has the node of `after` for each node of `before`. With the graph comes what stands
    for each of its nodes that does not stay.
    """
    taken = {node.name for node in after.nodes}
    lost = {node: node.name for node in before.nodes if node.name and node.name not in taken}
    if not lost:
        return after, {}
    present = {*after.nodes}
    taken.update(after.names.values())
    moved: dict[Node, str] = {}
    for node, name in lost.items():
        if name in taken:
            continue
        is_there = became.get(node, node) in present
        for other in [node] if is_there else _same_elements(node, before):
            heir = became.get(other, other)
            is_free = heir in present and not (heir.name or heir in after.names or heir in moved)
            if is_free and heir.inputs and heir.size == node.size:
                moved[heir] = name
                taken.add(name)
                break
    if not moved:
        return after, {}
    new: dict[Node, Node] = {}
    for node in after.nodes:
        again = rebuilt(node, tuple([new.get(x, x) for x in node.inputs]))
        again = again.named(moved[node]) if node in moved else again
        if again is not node:
            new[node] = again
    return after.mapped(new), new


def _same_elements(node: Node, graph: Graph) -> list[Node]:
    """Return nodes around a node that have its elements in another order, and no name."""
    found = []
    at = node
    while len(users := graph.consumers[at]) == 1 and users[0].op in _VIEWS:
        at = users[0]
        if at.name is not None:
            break
        found.append(at)
    at = node
    while at.op in _VIEWS:
        at = at.inputs[0]
        if at.name is not None:
            break
        found.append(at)
    return found
