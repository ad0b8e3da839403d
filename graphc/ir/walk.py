"""Walks over nodes: iterative, linear in the number of edges, in a deterministic order."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence

from graphc.ir.node import Node, rebuilt


def topological(roots: Iterable[Node], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """Return every node that the roots need, operands before users, left operands first.

    Nothing below a node at which to `stop` is visited; that node itself is.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    for root in roots:
        if root in seen:
            continue
        stack = [(root, iter(() if stop is not None and stop(root) else root.inputs))]
        seen.add(root)
        while stack:
            node, pending = stack[-1]
            for operand in pending:
                if operand not in seen:
                    seen.add(operand)
                    below = () if stop is not None and stop(operand) else operand.inputs
                    stack.append((operand, iter(below)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def new_nodes(root: Node, known: Container[Node]) -> list[Node]:
    """Return the nodes under `root` that are not known, in topological order."""
    return [node for node in topological([root], known.__contains__) if node not in known]


def consumers(nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    """Return, for each node, the nodes that use it, one entry per use, in order."""
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for operand in node.inputs:
            users[operand].append(node)
    return users


def reaching(nodes: Sequence[Node], targets: Iterable[Node]) -> set[Node]:
    """Return the nodes, among `nodes` in topological order, that depend on any target."""
    dependent = set(targets)
    for node in nodes:
        if any(operand in dependent for operand in node.inputs):
            dependent.add(node)
    return dependent


def behind_views(node: Node) -> Node:
    """Return the value whose elements a view shows, or a view of a view; no view is itself."""
    while node.op.is_view:
        node = node.inputs[0]
    return node


def substitute(roots: Sequence[Node], replacement: dict[Node, Node]) -> list[Node]:
    """Return the roots with nodes replaced, and what depends on these built again."""
    new = dict(replacement)
    for node in topological(roots, replacement.__contains__):
        if node not in new:
            new[node] = rebuilt(node, tuple([new[operand] for operand in node.inputs]))
    return [new[root] for root in roots]
