"""What are units and weights called? The variable's name with the unit's true index."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from graphc.draw.dense_layers import Layer, Link, Network
from graphc.draw.typography import name_text, subscript, superscript
from graphc.draw.variables import is_silent
from graphc.ir.dims import Dim, dim_text
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import OPS

_INDEXED = re.compile(r"(?P<stem>.*?[^\W\d_])_?(?P<digits>\d+)")


@dataclass(frozen=True)
class Names:
    """The plain names of layers and of the arrays on links."""

    layers: tuple[str, ...]
    arrays: Mapping[Node, str]

    def unit(self, network: Network, layer: int, row: Dim) -> str:
        """Return a unit's name: `x₁`, `z₁`; a layer called h2 has units h²₁, h²₂, …"""
        name = short(self.layers[layer])
        if not network.layers[layer].node.ndim:
            return name_text(name)
        return indexed(name, (row,))

    def array(self, node: Node) -> str:
        return name_text(self.arrays[node])

    def weight(self, link: Link, tail: int, head: int) -> str:
        """Return a weight's name with its indices in the user's own array."""
        assert link.weight is not None
        weight, turned = source_of(link.weight)
        name = self.arrays[link.weight].rpartition(".")[2]
        if not weight.ndim:
            return name_text(name)
        first = link.first_row + tail
        if weight.ndim == 1:
            return indexed(name, (first,))
        rows_are_inputs = link.rows_are_inputs is not turned
        return indexed(name, (first, head) if rows_are_inputs else (head, first))

    def bias(self, node: Node, head: int) -> str:
        name = self.arrays[node].rpartition(".")[2]
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
    for i, link in enumerate(network.links):
        if link.weight is not None and link.weight not in arrays:
            arrays[link.weight] = graph.labels.get(source_of(link.weight)[0]) or f"w_{i + 1}"
    for layer in network.layers:
        for bias in layer.biases:
            arrays[bias] = graph.labels.get(bias) or "b"
    return Names(tuple(names), arrays)


def source_of(weight: Node) -> tuple[Node, bool]:
    """Return the array that a weight is a view of, and whether it is turned."""
    turned = False
    while is_silent(weight) or (weight.op is OPS["transpose"] and weight.ndim == 2):
        turned ^= weight.op is OPS["transpose"]
        weight = weight.inputs[0]
    return weight, turned


def _fresh(layer: Layer, network: Network, taken: set[str]) -> str:
    stem = "y_hat" if layer.role == "output" else "h"
    alike = [other for other in network.layers if other.role == layer.role]
    choices = [stem] if len(alike) == 1 else []
    choices += [f"{stem}{i + 1}" for i in range(len(network.layers) + len(taken))]
    return next(name for name in choices if name not in taken)


def short(name: str) -> str:
    """Return a name that fits into a circle: a long word gives way to its first letter.

    >>> short("hidden2"), short("y_hat"), short("x1")
    ('h2', 'y_hat', 'x1')
    """
    match = _INDEXED.fullmatch(name)
    stem, digits = (match["stem"], match["digits"]) if match else (name, "")
    plain = name_text(stem)
    if len(unicodedata.normalize("NFC", plain)) <= 3 or not stem[:1].isalpha():
        return name
    return stem[0] + digits


def indexed(name: str, indices: tuple[Dim, ...]) -> str:
    """Return a name with subscripts counted from 1: `x₁`, `W₁₂`, `h²₁₀`, `W₁‚₁₀`.

    A number that belongs to the name itself is raised, as the numbers of layers are.
    """
    match = _INDEXED.fullmatch(name)
    shown = name_text(name)
    if match:
        shown = f"{name_text(match['stem'])}{superscript(match['digits'])}"
    texts = [dim_text(index + 1) for index in indices]
    joint = "" if all(len(text) == 1 for text in texts) else "‚"
    return shown + joint.join(subscript(text) for text in texts)
