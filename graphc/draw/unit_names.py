"""What are units and weights called? The variable's name with the unit's true index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.draw.network_parts import Layer, Link, Network, source_of
from graphc.draw.short_names import NUMBERED, shorts, without_scopes
from graphc.draw.typography import name_text, subscript, superscript
from graphc.ir.dims import Dim, dim_text
from graphc.ir.graph import Graph
from graphc.ir.node import Node


@dataclass(frozen=True)
class Names:
    """The plain names of layers and of the arrays on links, and those that their parts go by."""

    layers: tuple[str, ...]
    units: tuple[str, ...]
    arrays: Mapping[Node, str]
    entries: Mapping[Node, str]

    def unit(self, network: Network, layer: int, row: Dim) -> str:
        """Return a unit's name: `x₁`, `z₁`; a layer called h2 has units h²₁, h²₂, …"""
        name = self.units[layer]
        if not network.layers[layer].node.ndim:
            return name_text(name)
        return indexed(name, (row,))

    def array(self, node: Node) -> str:
        return name_text(self.arrays[node])

    def whole(self, node: Node) -> str:
        """Return an array's name where its entries go by another one than its own; else nothing."""
        name = self.arrays[node]
        return "" if name.rpartition(".")[2] == self.entries[node] else name

    def weight(self, link: Link, tail: int, head: int) -> str:
        """Return a weight's name with its indices in the user's own array."""
        assert link.weight is not None
        weight, turned = source_of(link.weight)
        name = self.entries[link.weight]
        if not weight.ndim:
            return name_text(name)
        first = link.row(tail)
        assert first is not None
        if weight.ndim == 1:
            return indexed(name, (first,))
        rows_are_inputs = link.rows_are_inputs is not turned
        return indexed(name, (first, head) if rows_are_inputs else (head, first))

    def bias(self, node: Node, head: int) -> str:
        name = self.entries[node]
        return indexed(name, (head,)) if node.ndim else name_text(name)


def names_of(graph: Graph, network: Network) -> Names:
    """Return the names that the user gave, and h, h1, …, ŷ where there are none."""
    taken = set(graph.labels.values())
    names = []
    for layer in network.layers:
        name = graph.labels.get(layer.node) or _fresh(layer, network, taken)
        taken.add(name)
        names.append(name)
    arrays: dict[Node, str] = {}
    sources: dict[Node, Node] = {}  # two views of one array have one name
    for i, link in enumerate(network.links):
        if link.weight is not None and link.weight not in arrays:
            sources[link.weight] = source_of(link.weight)[0]
            arrays[link.weight] = graph.labels.get(sources[link.weight]) or f"w_{i + 1}"
    for layer in network.layers:
        for bias in layer.biases:
            sources[bias] = bias
            arrays[bias] = graph.labels.get(bias) or "b"
    whole = {sources[array]: name for array, name in arrays.items()}
    entries = dict(zip(whole, without_scopes(list(whole.values())), strict=True))
    parts = {array: entries[source] for array, source in sources.items()}
    return Names(tuple(names), tuple(shorts(names)), arrays, parts)


def _fresh(layer: Layer, network: Network, taken: set[str]) -> str:
    stem = "y_hat" if layer.role == "output" else "h"
    alike = [other for other in network.layers if other.role == layer.role]
    choices = [stem] if len(alike) == 1 else []
    choices += [f"{stem}{i + 1}" for i in range(len(network.layers) + len(taken))]
    return next(name for name in choices if name not in taken)


def indexed(name: str, indices: tuple[Dim, ...]) -> str:
    """Return a name with subscripts counted from 1: `x₁`, `W₁₂`, `h²₁₀`, `W₁‚₁₀`.

    A number that belongs to the name itself is raised, as the numbers of layers are.
    """
    match = NUMBERED.fullmatch(name)
    shown = name_text(name)
    if match:
        shown = f"{name_text(match['stem'])}{superscript(match['digits'])}"
    texts = [dim_text(index + 1) for index in indices]
    joint = "" if all(len(text) == 1 for text in texts) else "‚"
    return shown + joint.join(subscript(text) for text in texts)
