"""Walks over nodes: iterative, linear in the number of edges, in a deterministic order."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from graphc.ir.node import Node, rebuilt

Fact = TypeVar("Fact")
Place = TypeVar("Place", bound=Hashable)


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


class BottomUp(Generic[Fact]):
    """A fact of a node that follows from the same fact of its operands; found without recursion."""

    def __init__(self, rule: Callable[[Node, Sequence[Fact]], Fact]) -> None:
        self.rule = rule
        self.known: dict[Node, Fact] = {}

    def __call__(self, node: Node) -> Fact:
        if node in self.known:
            return self.known[node]
        stack = [node]
        while stack:
            top = stack[-1]
            missing = [operand for operand in top.inputs if operand not in self.known]
            if missing:
                stack += missing
                continue
            stack.pop()
            if top not in self.known:
                self.known[top] = self.rule(top, [self.known[x] for x in top.inputs])
        return self.known[node]


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


def reached(starts: Iterable[Place], onward: Callable[[Place], Iterable[Place]]) -> set[Place]:
    """Return where one gets to from `starts`, which are among it, in any number of steps."""
    found = set(starts)
    pending = list(found)
    while pending:
        fresh = set(onward(pending.pop())) - found
        found |= fresh
        pending += fresh
    return found


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
