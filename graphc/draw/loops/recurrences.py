"""What recurrences does a graph hold? Each loop's state, which matrices feed it, what reads it.

A matrix belongs to the edge of the unrolled picture that its product multiplies: a slice of the
sequence (x → h), the state of the step before (h → h), or a result of the loop (h → y).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from graphc.draw.loops.emitted import (
    BEFORE,
    GIVEN,
    SLICE,
    Emitted,
    Names,
    emitted_by,
    essence,
    read_by_states,
)
from graphc.draw.products import weight_nodes, weight_of
from graphc.errors import GraphError
from graphc.ir.body import Body
from graphc.ir.dims import Dim, same, symbols_of
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops import OPS
from graphc.ops.loop import Item, Parts, Scan

_T = TypeVar("_T")


@dataclass(frozen=True)
class Loop:
    """One loop as the pictures show it.

    `below` holds the loops whose stacks it reads step by step, `before` those whose last states it
    starts from, `whole` those of which every step reads the same: all states, as attention does
    (True), or the last one. `sequences`, `start` and `given` name the graph's inputs that it reads
    in the same ways.
    """

    node: Node
    states: Names
    sequences: Names
    start: Names
    below: tuple[int, ...]
    before: tuple[int, ...]
    whole: Mapping[int, bool]
    given: Names
    from_below: Names  # matrices on the edge from a slice
    from_before: Names  # matrices on the edge from the state of the step before
    from_whole: Names  # matrices on the edge from what every step reads
    reads: frozenset[str]  # what the next states read; the rest is for what is emitted

    @property
    def starts_plainly(self) -> bool:
        """Whether the first states are inputs or parts of inputs, not computed from them."""
        first = self.node.inputs[: self.node.attrs["carries"]]
        return all(essence(x).op is OPS["input"] for x in first)

    @property
    def length(self) -> Dim:
        length: Dim = self.node.attrs["length"]
        return length

    @property
    def reverse(self) -> bool:
        return bool(self.node.attrs["reverse"])


@dataclass(frozen=True)
class Reading:
    """What is computed from loops, at each of their steps or once.

    `loops` says of each whether all of its states are read (True), or the last one.
    """

    name: str
    loops: Mapping[int, bool]
    each_step: bool
    matrices: Names


@dataclass(frozen=True)
class Recurrences:
    """Loops, what they emit besides their states, and what reads either.

    Where `below`, `whole` and `Reading.loops` count loops, what is emitted is counted behind them.
    """

    loops: tuple[Loop, ...]
    readings: tuple[Reading, ...]
    emitted: tuple[Emitted, ...] = ()

    @property
    def numbered(self) -> dict[int, Emitted]:
        """Return what is emitted by its numbers, behind those of the loops."""
        return dict(enumerate(self.emitted, len(self.loops)))

    @property
    def stacked(self) -> set[int]:
        """Return the numbers of what other loops read step by step."""
        return {i for loop in self.loops for i in loop.below}

    @property
    def handed_on(self) -> set[int]:
        """Return the numbers of what anything else reads."""
        read = {i for loop in self.loops for i in (*loop.below, *loop.whole)}
        return read | {i for reading in self.readings for i in reading.loops}


def find_recurrences(graph: Graph) -> Recurrences:
    """Return the loops of a graph in topological order, and what reads them.

    **Raises** GraphError for a graph without a loop.
    """
    scans = [node for node in graph.nodes if isinstance(node.op, Scan)]
    if not scans:
        raise GraphError(
            f"no loop found in graph {graph.name!r}",
            expected="a gc.scan, or a recurrent layer such as gc.nn.lstm",
            fix="gc.draw.computation_graph(g) draws any graph",
        )
    outer = _Outer(graph, {node: i for i, node in enumerate(scans)})
    loops = tuple(outer.loop(node) for node in scans)
    return Recurrences(loops, outer.readings(), tuple(outer.emitted))


class _Outer:
    """What stands around the loops: for each node, which loops and inputs it is a function of.

    Dependence ends at a loop; where it ends at a product with weights, it is `near`.
    """

    def __init__(self, graph: Graph, number: Mapping[Node, int]) -> None:
        self.graph = graph
        self.number = number
        self.emitted = [
            emitted
            for node, i in number.items()
            for emitted in emitted_by(node, i, graph, _leaf_kinds(node), _products(node, graph))
        ]
        self.items = {x.node: len(number) + i for i, x in enumerate(self.emitted)}
        scans = list(number)
        self.scans = [*scans, *[scans[x.loop] for x in self.emitted]]
        self.loops: dict[Node, frozenset[tuple[int, bool]]] = {}
        self.near: dict[Node, frozenset[tuple[int, bool]]] = {}
        self.inputs: dict[Node, tuple[Node, ...]] = {}
        self.products: list[tuple[Node, Node]] = []  # the product, and its weights
        weights = weight_nodes(graph.nodes)
        for node in graph.nodes:
            self._visit(node, weights)

    def _visit(self, node: Node, weights: set[Node]) -> None:
        if isinstance(node.op, Item):
            loop = node.inputs[0]
            stacked = node.attrs["index"] >= loop.attrs["carries"]
            place = self.items.get(node, self.number[loop])
            self.loops[node] = self.near[node] = frozenset([(place, stacked)])
            self.inputs[node] = ()
            return
        is_loop = isinstance(node.op, Scan)
        operands = () if is_loop else node.inputs
        self.loops[node] = self._last(node, _union(self.loops[x] for x in operands))
        self.near[node] = self._last(node, _union(self.near[x] for x in operands))
        leaves = [leaf for x in operands for leaf in self.inputs[x]]
        self.inputs[node] = (node,) if node.op is OPS["input"] else tuple(dict.fromkeys(leaves))
        weight = None if is_loop else weight_of(node, weights)
        if weight is not None and self.near[node]:
            self.products.append((node, weight))
            self.near[node] = frozenset()

    def _last(
        self, node: Node, sources: frozenset[tuple[int, bool]]
    ) -> frozenset[tuple[int, bool]]:
        """Take the last of all states, `h[-1]`, for what the loop ends with."""
        if node.op is not OPS["slice"]:
            return sources
        ends = {i: _takes_end(node, self.scans[i]) for i, _ in sources}
        return frozenset((i, every and not ends[i]) for i, every in sources)

    def loop(self, node: Node) -> Loop:
        parts = Parts(node)
        first, sequences, _ = parts.operands
        slices = [x for x in sequences if x.dtype.kind != "b"]  # a mask is no sequence to show
        given = [outer for _, outer in given_leaves(node)]
        below, before, whole = _matrices(node, self.graph)
        return Loop(
            node,
            tuple(str(leaf.attrs["name"]) for leaf in parts.leaves.carries),
            self._names(slices),
            self._names(first),
            self._loops(slices),
            self._loops(first),
            dict(sorted(_union(self.loops[x] for x in given))),
            self._names(given),
            below,
            before,
            whole,
            read_by_states(node, _leaf_kinds(node)),
        )

    def _names(self, nodes: Iterable[Node]) -> Names:
        leaves = dict.fromkeys(leaf for node in nodes for leaf in self.inputs[node])
        return tuple(str(leaf.attrs["name"]) for leaf in leaves)

    def _loops(self, nodes: Iterable[Node]) -> tuple[int, ...]:
        return tuple(sorted({loop for node in nodes for loop, _ in self.loops[node]}))

    def readings(self) -> tuple[Reading, ...]:
        """Return what products with weights, or else the graph's outputs, read from loops."""
        inside = {x for node in self.number for x in node.inputs}
        feeding = set(topological(list(inside)))
        found: dict[tuple[tuple[tuple[int, bool], ...], bool, str], list[str]] = {}
        for product, weight in self.products:
            if product in feeding:
                continue
            loops = tuple(sorted(self.near_of(product)))
            each = any(every and self._has_steps(product, loop) for loop, every in loops)
            key = loops, each, self._name(product)
            found.setdefault(key, []).append(matrix_name(weight, self.graph))
        return tuple(
            Reading(name, dict(loops), each, tuple(dict.fromkeys(matrices)))
            for (loops, each, name), matrices in found.items()
        )

    def _has_steps(self, product: Node, loop: int) -> bool:
        """Say whether a product still has a place for each step: a mean over them has none."""
        length: Dim = self.scans[loop].attrs["length"]
        if isinstance(length, int):
            leading = [d for d in product.shape[:-1] if isinstance(d, int)]
            return any(d % max(length, 1) == 0 for d in leading)
        return not set(symbols_of([length])).isdisjoint(symbols_of(product.shape))

    def near_of(self, product: Node) -> frozenset[tuple[int, bool]]:
        return _union(self.near[x] for x in product.inputs)

    def _name(self, product: Node) -> str:
        """Return the first name on the way from a product to the loss, as long as shapes last."""
        node = product
        while node not in self.graph.labels:
            users = self.graph.consumers[node]
            if len(users) != 1 or users[0].ndim != node.ndim:
                return "y"
            node = users[0]
        return self.graph.labels[node]


# -- inside a body ---------------------------------------------------------------------------------


def _constants(loop: Node) -> dict[Node, Node]:
    """Return the leaves of a body that are the same at every step, with what they stand for."""
    parts = Parts(loop)
    return dict(zip(parts.leaves.constants, parts.operands.constants, strict=True))


def given_leaves(loop: Node) -> list[tuple[Node, Node]]:
    """Return the leaves of a body that hold the same data at every step, and what they stand for.

    What is computed from parameters alone is a weight; a mask is nothing to show.
    """
    return [
        (leaf, outer)
        for leaf, outer in _constants(loop).items()
        if outer.dtype.kind == "f" and any(x.op is OPS["input"] for x in topological([outer]))
    ]


def _takes_end(node: Node, loop: Node) -> bool:
    """Say whether a slice takes what a loop computes last, and nothing else."""
    length, reverse = loop.attrs["length"], loop.attrs["reverse"]
    axes = zip(node.inputs[0].shape, node.shape, node.attrs["bounds"], strict=True)
    return any(
        same(before, length) and same(after, 1) and same(start, 0 if reverse else length - 1)
        for before, after, (start, _, _) in axes
    )


def _leaf_kinds(node: Node) -> dict[Node, str]:
    """Return what the leaves of a loop's body are; a mask is nothing to show."""
    leaves = Parts(node).leaves
    kind = dict.fromkeys(leaves.carries, BEFORE) | dict.fromkeys(leaves.sequences, SLICE)
    kind |= dict.fromkeys([leaf for leaf, _ in given_leaves(node)], GIVEN)
    return {leaf: what for leaf, what in kind.items() if leaf.dtype.kind != "b"}


def _products(node: Node, graph: Graph) -> dict[Node, str]:
    """Return the names of the matrices that products inside a loop's body multiply with."""
    body: Body = node.attrs["body"]
    given, outer = dict(given_leaves(node)), _constants(node)
    weights = weight_nodes(body.graph.nodes, [leaf for leaf in outer if leaf not in given])
    found = {inner: weight_of(inner, weights) for inner in body.graph.nodes}
    return {x: matrix_name(w, graph, outer) for x, w in found.items() if w is not None}


def _matrices(node: Node, graph: Graph) -> tuple[Names, Names, Names]:
    """Return the matrices that multiply slices, states, and what is the same at every step."""
    body: Body = node.attrs["body"]
    kind, products = _leaf_kinds(node), _products(node, graph)
    sources: dict[Node, frozenset[str]] = {}
    found: dict[str, dict[str, None]] = {SLICE: {}, BEFORE: {}, GIVEN: {}}
    needed = set(topological(body.results[: node.attrs["carries"]]))
    for inner in [x for x in body.graph.nodes if x in needed]:
        if inner in kind:
            sources[inner] = frozenset([kind[inner]])
            continue
        sources[inner] = _union(sources[x] for x in inner.inputs)
        if inner in products and sources[inner]:
            for of in sources[inner]:
                found[of].setdefault(products[inner])
            sources[inner] = frozenset()
    return tuple(found[SLICE]), tuple(found[BEFORE]), tuple(found[GIVEN])


def matrix_name(weight: Node, graph: Graph, outer: Mapping[Node, Node] | None = None) -> str:
    """Return the name of the parameter that a weight is a view of: `U` for `rnn.U[:, :8]`."""
    node = weight
    while True:
        if outer is not None and node in outer:
            node, outer = outer[node], None
        if not node.inputs:
            break
        node = node.inputs[0]
    name = graph.labels.get(node) or str(node.attrs.get("name", "W"))
    return name


def _union(sets: Iterable[frozenset[_T]]) -> frozenset[_T]:
    return frozenset().union(*sets)
