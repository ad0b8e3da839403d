"""What are units and weights called? The variable's name with the unit's true index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from graphc.draw.networks.activations import nodes_between
from graphc.draw.networks.parts import Layer, Link, Network, source_of
from graphc.draw.short_names import edge_names, shorts, without_scopes
from graphc.draw.typography import NUMBERED, name_text, subscript, superscript
from graphc.ir.dims import Dim, dim_text
from graphc.ir.graph import Graph
from graphc.ir.labels import own_name
from graphc.ir.node import Node

_STEMS = "hzaurs"


@dataclass(frozen=True)
class Names:
    """The plain names of layers and of the arrays on links, and those that their parts go by.

    `own` are the layers' names in the graph, empty where they have none.
    """

    layers: tuple[str, ...]
    units: tuple[str, ...]
    own: tuple[str, ...]
    arrays: Mapping[Node, str]
    entries: Mapping[Node, str]

    def unit(self, network: Network, layer: int, row: Dim) -> str:
        """Return a unit's name: `x₁`, `z₁`; a layer called h2 has units h²₁, h²₂, …"""
        name = self.units[layer]
        if not network.layers[layer].node.ndim:
            return name_text(name)
        return indexed(name, (row,))

    def abbreviations(self) -> list[str]:
        """Return which of the user's names stand shortened in circles: `i: image`."""
        named = dict.fromkeys(zip(self.units, self.own, strict=True))
        return [
            f"{name_text(unit)}: {name_text(own)}"
            for unit, own in named
            if own != unit and own.startswith(unit)
        ]

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


def names_of(graph: Graph, network: Network, whole: Network) -> Names:
    """Return the names that the user gave, and h, h1, …, ŷ where there are none.

    Where the user named only some of the hidden layers, the others are called by their place in
    the `whole` network.
    """
    known = _layer_names(graph, whole)
    names = [known[layer.node] for layer in network.layers]
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
    full = {sources[array]: name for array, name in arrays.items()}
    entries = dict(zip(full, edge_names(without_scopes(list(full.values()))), strict=True))
    parts = {array: entries[source] for array, source in sources.items()}
    own = tuple(graph.labels.get(layer.node, "") for layer in network.layers)
    return Names(tuple(names), tuple(shorts(names)), own, arrays, parts)


def _layer_names(graph: Graph, network: Network) -> dict[Node, str]:
    """Return each layer's name by the node that it is shown as."""
    layers = [layer for layer in network.layers if layer.whole is None]
    inner = [layer for layer in layers if layer.role != "output" and layer.node.inputs]
    named = {layer.node: _users_name(graph, layer.node) for layer in network.layers}
    taken = set(graph.labels.values())
    if len(inner) > 1 and not all(named[layer.node] for layer in inner):
        named |= _by_place(graph, inner, taken)
        taken.update(name for name in named.values() if name)
    found = {}
    for layer in network.layers:
        own = named[layer.node]
        whole = _users_name(graph, layer.whole) if layer.whole is not None else ""
        if not own and whole:
            own = f"{whole}{layer.indices}"
        found[layer.node] = own or _fresh(layer, network, taken)
        taken.add(found[layer.node])
    return found


def _users_name(graph: Graph, node: Node) -> str:
    """Return a node's name; none where only its layer has one, too long for units."""
    is_own = own_name(node, graph.names, {*graph.outputs.values()}) is not None
    is_layers = is_own and node.provenance.is_called_after_layer
    return "" if is_layers else graph.labels.get(node, "")


def _by_place(graph: Graph, layers: Sequence[Layer], taken: Set[str]) -> dict[Node, str]:
    """Return the layers' names: `h2` for the second one if it has none, with a letter of its own.

    What the user called by the same letter has its place's number too: `h` and `h2` would not
    tell which is which.
    """
    own = [_users_name(graph, layer.node) for layer in layers]
    for stem in _STEMS:
        numbered = [f"{stem}{i + 1}" for i in range(len(layers))]
        keeps = [bool(name) and _letter(name) != stem for name in own]
        doubtful = [i for i, kept in enumerate(keeps) if not kept and numbered[i] in taken]
        if all(_holds(layers, i, graph.find(numbered[i])) for i in doubtful):
            rows = zip(layers, own, numbered, keeps, strict=True)
            return {layer.node: name if kept else number for layer, name, number, kept in rows}
    return {}


def _letter(name: str) -> str:
    match = NUMBERED.fullmatch(name)
    return match["stem"] if match else name


def _holds(layers: Sequence[Layer], place: int, node: Node) -> bool:
    """Say whether a node is a step of that layer: its sum, or between that and its units.

    What a layer skips is a step of the layer before.
    """
    steps = (set(nodes_between(layer.sum, layer.node)) for layer in layers[: place + 1])
    return next((i for i, inside in enumerate(steps) if node in inside), None) == place


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
