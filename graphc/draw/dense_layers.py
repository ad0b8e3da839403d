"""Which layers of units does a graph hold? Dense layers found by pattern, however they were built.

A layer begins at a product of data with weights, takes in the sums and biases that follow, and
ends where the next product reads it. Nothing depends on how the graph was written: `nn.dense`,
`x @ W + b`, `W @ x`, `einsum`, or scalars multiplied and added one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphc.draw.activations import name_of_activation, probabilities
from graphc.draw.variables import is_silent
from graphc.errors import GraphError
from graphc.ir.dims import Dim, same, same_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.contraction_spec import split_spec

#: How many functions of an output's sum are looked at in search of probabilities.
_NEAR = 16


@dataclass(frozen=True)
class Layer:
    """A group of units: the variable that holds them, how many, and what they compute.

    `sum` is where products and biases are added up; `skips` holds, for each layer that skips into
    this one, the node before and the node after it is added.
    """

    node: Node
    size: Dim
    role: str  # input, hidden or output
    level: int
    sum: Node
    biases: tuple[Node, ...] = ()
    skips: tuple[tuple[Node, Node], ...] = ()

    @property
    def activation(self) -> str:
        """What happens between the sum and the shown variable: `ReLU + skip`."""
        parts, start = [], self.sum
        for before, after in self.skips:
            parts += [name_of_activation(start, before), "+ skip"]
            start = after
        return " ".join(filter(None, [*parts, name_of_activation(start, self.node)]))


@dataclass(frozen=True)
class Link:
    """All edges from one layer to another. Without a weight they copy unit to unit."""

    tail: int
    head: int
    weight: Node | None
    rows_are_inputs: bool = True
    first_row: Dim = 0


@dataclass(frozen=True)
class Network:
    """Layers and the links between them; `gap` is the column that stands for `hidden` others."""

    layers: tuple[Layer, ...]
    links: tuple[Link, ...]
    gap: int | None = None
    hidden: int = 0

    @property
    def columns(self) -> int:
        return 1 + max(layer.level for layer in self.layers)

    def shortened(self, most: int) -> Network:
        """Return the network with at most `most` columns, the middle ones left out."""
        if self.columns <= most:
            return self
        first = most // 2
        skipped = self.columns - (most - 1)
        kept = [i for i, at in enumerate(self.layers) if not first <= at.level < first + skipped]
        place = {index: i for i, index in enumerate(kept)}
        layers = [
            layer if layer.level < first else replace(layer, level=layer.level - skipped + 1)
            for layer in (self.layers[i] for i in kept)
        ]
        links = [
            replace(link, tail=place[link.tail], head=place[link.head])
            for link in self.links
            if link.tail in place and link.head in place
        ]
        return Network(tuple(layers), tuple(links), first, skipped)


@dataclass
class _Draft:
    """A layer while it is being found."""

    start: Node
    sum: Node  # where products and biases have been added up
    size: Dim
    is_input: bool
    sources: list[Link] = field(default_factory=list)
    biases: list[Node] = field(default_factory=list)
    read: Node | None = None  # what the next layer's product reads
    seen: list[Node] = field(default_factory=list)  # functions of this layer's sum
    skips: list[tuple[Node, Node]] = field(default_factory=list)  # before and after a skip


def find_network(graph: Graph) -> Network:
    """Return the dense layers of a graph, inputs first.

    **Raises** GraphError where no product of data with weights is found.
    """
    finder = _Finder()
    for node in graph.nodes:
        finder.visit(node)
    drafts = finder.drafts
    links = [link for draft in drafts for link in draft.sources]
    if not links:
        raise GraphError(
            f"no dense layer found in graph {graph.name!r}",
            expected="a product of data with a parameter, such as x @ W + b",
            fix="gc.draw.computation_graph(g) draws any graph",
        )
    return _finished(graph, drafts, links)


class _Finder:
    """One pass over the nodes: which layer is each node a function of?"""

    def __init__(self) -> None:
        self.drafts: list[_Draft] = []
        self.found: dict[Node, int] = {}  # nodes that are functions of one layer alone
        self.merged: dict[int, int] = {}  # a layer whose products another layer took over
        self.joined: dict[Node, list[Node]] = {}  # concatenations of such nodes
        self.weights: set[Node] = set()  # functions of parameters alone
        self.free: set[Node] = set()  # functions of constants alone

    def visit(self, node: Node) -> None:
        if node.op.is_leaf:
            self._leaf(node)
        elif all(i in self.free for i in node.inputs):
            self.free.add(node)
        elif all(i in self.free or i in self.weights for i in node.inputs):
            self.weights.add(node)
        elif not self._product(node) and not self._sum(node):
            self._function(node)

    def layer(self, node: Node) -> int | None:
        """Return the layer that a node is a function of, if it is of exactly one."""
        index = self.found.get(node)
        while index in self.merged:
            index = self.merged[index]
        return index

    def _leaf(self, node: Node) -> None:
        if node.op is not OPS["input"]:
            self.weights.add(node)
        elif node.dtype.kind == "f":
            self._open(node, node.shape[-1] if node.shape else 1, is_input=True)

    def _open(self, node: Node, size: Dim, is_input: bool) -> int:
        self.drafts.append(_Draft(node, node, size, is_input))
        self.found[node] = len(self.drafts) - 1
        return self.found[node]

    # -- products --------------------------------------------------------------------------

    def _product(self, node: Node) -> bool:
        """Open a layer at a product of data with weights."""
        if len(node.inputs) != 2:
            return False
        for data, weight in (node.inputs, node.inputs[::-1]):
            if weight not in self.weights or not (data in self.found or data in self.joined):
                continue
            axes = _contracted_axes(node, data, weight)
            if axes is not None:
                self._link(node, data, weight, *axes)
                return True
        return False

    def _link(self, node: Node, data: Node, weight: Node, unit_axis: int, row: int) -> None:
        parts = self.joined.get(data, [data])
        axis = unit_axis if data.ndim else 0
        tails = [self._tail(part, axis) for part in parts]
        size = weight.shape[1 - row] if weight.ndim == 2 else 1
        head = self._open(node, size, is_input=False)
        first: Dim = 0
        for part, tail in zip(parts, tails, strict=True):
            self.drafts[head].sources.append(Link(tail, head, weight, row == 0, first))
            first = first + part.shape[axis] if part.ndim else 0

    def _tail(self, data: Node, axis: int) -> int:
        """Return the layer that a product reads: of other size than the sum's, it is a new one."""
        index = self.layer(data)
        assert index is not None
        units = data.shape[axis] if data.ndim else 1
        if not same(self.drafts[index].size, units):
            return self._open(data, units, is_input=True)
        if self.drafts[index].read is None:
            self.drafts[index].read = data
        return index

    # -- sums ------------------------------------------------------------------------------

    def _sum(self, node: Node) -> bool:
        """Take a bias, another product, or a skip connection into the layer."""
        if node.op.infix != "+":
            return False
        layers = [self.layer(i) for i in node.inputs]
        known = sorted({index for index in layers if index is not None})
        if len(known) == 2:
            return self._merge(node, *known)
        for index, other in zip(layers, node.inputs[::-1], strict=True):
            if index is None or other not in self.weights:
                continue
            draft = self.drafts[index]
            if not draft.is_input and self._is_sum(index, node):
                draft.biases.append(_bare(other))
                draft.sum = node
                self.found[node] = index
                return True
        return False

    def _is_sum(self, index: int, node: Node) -> bool:
        """Say whether a node adds to the layer's sum itself, not to a function of it."""
        return any(_bare(i) is self.drafts[index].sum for i in node.inputs)

    def _merge(self, node: Node, early: int, late: int) -> bool:
        """Join two products that are added, or let a layer skip into a later one."""
        a, b = self.drafts[early], self.drafts[late]
        if b.is_input or not same(a.size, b.size) or not same_shape(node.shape, b.start.shape):
            return False
        both_sums = all(self._is_sum(index, node) for index in (early, late))
        if both_sums and not a.is_input and a.read is None:
            b.sources[:0] = [replace(link, head=late) for link in a.sources]
            b.biases[:0] = a.biases
            a.sources, a.biases = [], []
            self.merged[early] = late
        else:
            b.sources.append(Link(early, late, None))
            if a.read is None:
                a.read = next(i for i in node.inputs if self.layer(i) == early)
            if not self._is_sum(late, node):
                b.skips.append((next(i for i in node.inputs if self.layer(i) == late), node))
        if self._is_sum(late, node):
            b.sum = node
        self.found[node] = late
        b.seen.append(node)
        return True

    # -- everything else ---------------------------------------------------------------------

    def _function(self, node: Node) -> None:
        """Follow a function of one layer: an activation, or a step towards the loss."""
        data = [i for i in node.inputs if i not in self.weights and i not in self.free]
        layers = {self.layer(i) for i in data}
        index = layers.pop() if len(layers) == 1 else None
        if index is not None:
            self.found[node] = index
            if not (is_silent(node) and _bare(node) is self.drafts[index].sum):
                self.drafts[index].seen.append(node)
        elif node.op is OPS["concat"] and None not in layers:
            self.joined[node] = list(node.inputs)


def _bare(node: Node) -> Node:
    while is_silent(node):
        node = node.inputs[0]
    return node


def _contracted_axes(node: Node, data: Node, weight: Node) -> tuple[int, int] | None:
    """Return the unit axis of the data and the input axis of the weight, of a dense product."""
    if not node.ndim and node.op.infix == "*":
        return 0, 0
    if node.op is not OPS["einsum"] or weight.ndim > 2:
        return None
    terms, out = split_spec(node.attrs["spec"])
    at = 0 if node.inputs[0] is data else 1
    of_data, of_weight = terms[at], terms[1 - at]
    summed = [label for label in of_weight if label in of_data and label not in out]
    fresh = [label for label in of_weight if label in out and label not in of_data]
    if len(summed) != 1 or len(fresh) != len(of_weight) - 1:
        return None
    return of_data.index(summed[0]), of_weight.index(summed[0])


# -- from drafts to layers -----------------------------------------------------------------------


def _finished(graph: Graph, drafts: Sequence[_Draft], links: Sequence[Link]) -> Network:
    used = sorted({end for link in links for end in (link.tail, link.head)})
    level = dict.fromkeys(used, 0)
    for link in sorted(links, key=lambda link: link.head):
        level[link.head] = max(level[link.head], level[link.tail] + 1)
    feeding = {link.tail for link in links}
    layers = []
    for index in used:
        draft = drafts[index]
        if draft.is_input:
            layers.append(Layer(draft.start, draft.size, "input", level[index], draft.start))
            continue
        total = draft.sum
        shown = draft.read if index in feeding else _shown_output(graph, draft)
        role = "hidden" if index in feeding else "output"
        node = total if shown is None else _bare(shown)
        biases, skips = tuple(draft.biases), tuple(draft.skips)
        layers.append(Layer(node, draft.size, role, level[index], total, biases, skips))
    place = {index: i for i, index in enumerate(used)}
    moved = [replace(link, tail=place[link.tail], head=place[link.head]) for link in links]
    return Network(tuple(layers), tuple(moved))


def _shown_output(graph: Graph, draft: _Draft) -> Node:
    """Return the variable that an output layer stands for: the last one with a name.

    Without a name it is where the units become probabilities, else the sum itself.
    """
    total = draft.sum
    candidates = [n for n in draft.seen if same_shape(n.shape, total.shape) and n.dtype.kind == "f"]
    named = [n for n in candidates if n in graph.labels]
    if named:
        return named[-1]
    if total in graph.labels:
        return total
    return next((n for n in candidates[:_NEAR] if probabilities(total, n)), total)
