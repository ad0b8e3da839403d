"""Which name does each node of a graph have? The user's, with a number where another has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.ir.node import Node


def labels_of(
    nodes: Iterable[Node],
    leaves: Iterable[tuple[str, Node]],
    outputs: Mapping[str, Node],
    given: Mapping[Node, str],
) -> dict[Node, str]:
    """Return the name of each node that has one: its own, one given to it, or its output's."""
    labels: dict[Node, str] = {}
    taken: set[str] = set()
    counts: dict[str, int] = {}
    wanted = [(leaf, name) for name, leaf in leaves]
    shown = {node: name for name, node in reversed(list(outputs.items()))}
    for node in nodes:
        name = own_name(node, given) or given.get(node) or shown.get(node)
        if name and not node.op.is_leaf:
            wanted.append((node, name))
    # An output keeps its own name even when an inner node of the same name comes first.
    reserved = {name for node, name in shown.items() if not node.op.is_leaf}
    for node, name in wanted:
        if name in taken or (name in reserved and shown.get(node) != name):
            name = _numbered(name, taken, reserved, counts)
        taken.add(name)
        labels[node] = name
    return labels


def own_name(node: Node, given: Mapping[Node, str]) -> str | None:
    """Return a node's own name, unless the user has one for what differentiation called `d_x`."""
    is_renamed = node in given and node.provenance.is_called_after_primal
    return None if is_renamed else node.name


def _numbered(name: str, taken: set[str], reserved: set[str], counts: dict[str, int]) -> str:
    """Return `name_2`, `name_3`, … whichever is free, and remember where to go on."""
    number = counts.get(name, 2)
    while f"{name}_{number}" in taken or f"{name}_{number}" in reserved:
        number += 1
    counts[name] = number + 1
    return f"{name}_{number}"
