"""Which name does each node of a graph have? The user's, with a number where another has it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping

from graphc.ir.node import Node


def typed_names(nodes: Mapping[str, Node]) -> str:
    """Return names with the types of what they stand for: `x: f32[N, 3], y: i64[N]`."""
    return ", ".join(f"{name}: {node.type}" for name, node in nodes.items())


def labels_of(
    nodes: Iterable[Node],
    leaves: Iterable[tuple[str, Node]],
    outputs: Mapping[str, Node],
    given: Mapping[Node, str],
) -> dict[Node, str]:
    """Return the name of each node that has one: its own, one given to it, or its output's.

    What only a layer gave its name to goes without where something else is called so.
    """
    labels: dict[Node, str] = {}
    taken: set[str] = set()
    counts: dict[str, int] = {}
    wanted = [(leaf, name) for name, leaf in leaves]
    of_layers: list[tuple[Node, str]] = []
    shown = {node: name for name, node in reversed(list(outputs.items()))}
    for node in nodes:
        if node.op.is_leaf:
            continue
        own = own_name(node, given, shown)
        name = own or given.get(node) or shown.get(node)
        if name:
            is_of_layer = own is not None and node.provenance.is_called_after_layer
            (of_layers if is_of_layer else wanted).append((node, name))
    variables = {_variable(name) for _, name in wanted} if of_layers else set()
    wanted += [pair for pair in of_layers if _variable(pair[1]) not in variables]
    # An output keeps its own name even when an inner node of the same name comes first.
    reserved = {name for node, name in shown.items() if not node.op.is_leaf}
    for node, name in wanted:
        if name in taken or (name in reserved and shown.get(node) != name):
            name = _numbered(name, taken, reserved, counts)
        taken.add(name)
        labels[node] = name
    return labels


def own_name(node: Node, given: Container[Node], shown: Container[Node]) -> str | None:
    """Return a node's own name, unless the user has one for what was called after something else.

    What differentiation calls `d_x` may be given another name, and what is called after its layer
    one as an output, too.
    """
    provenance = node.provenance
    is_renamed = node in given and provenance.is_called_after_primal
    is_renamed = is_renamed or (
        provenance.is_called_after_layer and (node in given or node in shown)
    )
    return None if is_renamed else node.name


def _variable(name: str) -> str:
    """Return what a name is called in code."""
    return re.sub(r"\W", "_", name)


def _numbered(name: str, taken: set[str], reserved: set[str], counts: dict[str, int]) -> str:
    """Return `name_2`, `name_3`, … whichever is free, and remember where to go on."""
    number = counts.get(name, 2)
    while f"{name}_{number}" in taken or f"{name}_{number}" in reserved:
        number += 1
    counts[name] = number + 1
    return f"{name}_{number}"
