"""Through which volumes does an image go? Convolutions, pooling, dense layers, found by pattern."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphc.draw.dim_formula import dim_code, sizes_formula, unusual
from graphc.draw.networks.drafts import joint_of
from graphc.draw.products import weight_nodes, weight_of
from graphc.errors import GraphError
from graphc.ir.code import UNARY
from graphc.ir.dims import Dim, product, same, same_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD
from graphc.ir.walk import behind_views
from graphc.ops import OPS
from graphc.ops.loop import Item


@dataclass(frozen=True)
class Branch:
    """What meets the main way at a join: from which stage, or from an input of its own."""

    start: int | None
    stages: tuple[Stage, ...]  # on the way, an input of its own first; none where one is handed on

    @property
    def words(self) -> str:
        """What is done on the way: `conv 1×1`."""
        names = [
            f"input {shape_words(stage.shape)}" if stage.kind == "input" else stage.words
            for stage in self.stages
        ]
        return ", ".join(names)


@dataclass(frozen=True)
class Stage:
    """A volume: its shape without the batch, how it came about, from which stage."""

    kind: str  # input, conv, pool, dense or join
    words: str  # conv 3×3, stride 2
    shape: tuple[Dim, ...]  # channels and positions, or the number of units
    window: tuple[Dim, ...]  # how much of the stage before one position reads
    before: int | None
    spreads: bool = False  # transposed: one position of the stage before adds to a window here
    branches: tuple[Branch, ...] = ()  # what else a join reads
    groups: int = 1  # of channels, each of which reads its own share of those before


@dataclass(frozen=True)
class Way:
    """The stages from the image to the last layer, and the layers on no way to that, in words."""

    stages: Sequence[Stage]
    left_out: Sequence[str]


def find_way(graph: Graph) -> Way:
    """Return the stages on the longest way to the last layer, the image first.

    **Raises** GraphError where no window slides over an input, and where other ways than the
    longest meet among themselves.
    """
    nodes = [node for node in graph.nodes if node.provenance.phase == FORWARD]
    finder = _Finder(weight_nodes(nodes))
    for node in nodes:
        finder.visit(node)
    way = finder.way(_last(graph, finder))
    chain = [finder.stages[at] for at in way]
    if not any(stage.window for stage in chain):
        raise GraphError(
            f"no convolution found in graph {graph.name!r}",
            expected="windows that slide over an image, as nn.conv2d and nn.max_pool2d have",
            fix="gc.draw.network(g) draws dense layers, gc.draw.computation_graph(g) any graph",
        )
    found = []
    for at, stage in zip(way, chain, strict=True):
        branches = tuple(_branch(graph, finder, way, start) for start in finder.met.get(at, ()))
        found.append(replace(stage, branches=branches))
    return Way(found, _left_out(finder, way))


def _left_out(finder: _Finder, way: Sequence[int]) -> list[str]:
    """Return the layers that are neither on the main way nor on a branch to it: other heads."""
    used = set(way)
    pending = [start for at in way for start in finder.met.get(at, ())]
    while pending:
        at: int | None = pending.pop()
        while at is not None and at not in used:
            used.add(at)
            at = finder.stages[at].before
    return [
        f"{stage.words} ({shape_words(stage.shape)})"
        for at, stage in enumerate(finder.stages)
        if at not in used and stage.kind in ("conv", "dense")
    ]


def _last(graph: Graph, finder: _Finder) -> int | None:
    """Return the last stage: a layer, or a join that leaves the graph or adds up what has a name.

    Other joins behind the last layer are steps of a loss.
    """
    outputs = {finder.stage.get(node) for node in graph.outputs.values() if node.ndim > 1}
    named = {
        finder.stage[node]
        for node in finder.joins
        if node in graph.labels and (node.op.infix == "+" or node.op is OPS["concat"])
    }
    places = range(len(finder.stages))
    ends = [i for i in places if finder.stages[i].kind != "join" or i in outputs | named]
    return max(ends, default=None)


def _branch(graph: Graph, finder: _Finder, way: Sequence[int], start: int) -> Branch:
    """Return the stages between the main way and a join."""
    found: list[Stage] = []
    at: int | None = start
    while at is not None and at not in way:
        stage = finder.stages[at]
        if finder.met.get(at):
            raise GraphError(
                f"graph {graph.name!r} has branches that meet beside the main way: {stage.words}",
                expected="one way through the volumes, and branches from it or to it",
                fix="gc.draw.computation_graph(g) draws any graph",
            )
        found.append(stage)
        at = stage.before
    return Branch(None if at is None else way.index(at), tuple(reversed(found)))


def shape_words(shape: tuple[Dim, ...]) -> str:
    """Return channels and positions, `32 @ 8×8`, or the number of units."""
    channels, *positions = map(dim_code, shape)
    if len(positions) > 1:
        return f"{channels} @ {'×'.join(code.within(UNARY) for code in positions)}"
    return " @ ".join(map(str, (channels, *positions)))


class _Finder:
    """One pass: which stage is each node a function of, and which windows does it hold?"""

    def __init__(self, weights: set[Node]) -> None:
        self.weights = weights
        self.stages: list[Stage] = []
        self.stage: dict[Node, int] = {}
        self.met: dict[int, tuple[int, ...]] = {}  # which stages a join reads but the one before
        self.joins: list[Node] = []
        self.fed: set[Node] = set()  # functions of inputs
        self.windows: dict[Node, Mapping[str, Any]] = {}
        self.products: set[Node] = set()  # dense products, moved or not
        self.loops: dict[Node, int] = {}
        self.overlaps: dict[Node, int] = {}  # windows that were added up: how many axes they have

    def way(self, end: int | None) -> list[int]:
        """Return the stages on the longest way to one, that one last."""
        found = []
        while end is not None:
            found.append(end)
            end = self.stages[end].before
        return found[::-1]

    def visit(self, node: Node) -> None:
        if node.op is OPS["input"] or any(x in self.fed for x in node.inputs):
            self.fed.add(node)
        if node.op is OPS["input"] and node.dtype.kind == "f":
            return  # becomes a stage when a window or a product reads it
        if node.op is OPS["concat"] and any(x in self.stage for x in node.inputs):
            self._open_inputs(node)
        known = [self.stage[x] for x in node.inputs if x in self.stage]
        slides = "size" in node.attrs and "stride" in node.attrs
        weight = weight_of(node, self.weights)
        is_layer = weight is not None and node.op.family == "contraction"
        if slides or is_layer:
            data = next((x for x in node.inputs if x is not weight), node)
            self._from_input(data)
            known = [self.stage[x] for x in node.inputs if x in self.stage]
        if not known:
            return
        before = self._longest(known)
        window = next((self.windows[x] for x in node.inputs if x in self.windows), None)
        self.stage[node] = before
        if node.op.family == "loop":
            self._loop(node, before)
        elif node.op is OPS["windows_add"]:
            self._add_up(node, before)
        elif not is_layer and self._is_join(node, known):
            self._join(node)
        elif slides and node.op.family == "movement":
            self.windows[node] = node.attrs
        elif slides:
            word = node.op.name.removeprefix("window_").replace("sum", "mean")
            self._open(node, "pool", f"{word} pool", node.attrs, before)
        elif is_layer:
            kind = "dense" if window is None else "conv"
            self._open(node, kind, kind, window, before)
            self._group(node, weight, window)
            self.products |= {node} if window is None else set()
        elif node.op.family == "reduction" and window is not None:
            self._open(node, "pool", f"{node.op.name} pool", window, before)
        elif node.op.family == "reduction" and node.inputs[0].ndim >= 3 and node.ndim == 2:
            self._open(node, "pool", f"{node.op.name} of all positions", None, before)
        elif window is not None and node.op.family == "movement":
            self.windows[node] = window
        elif node.op.family == "movement":
            self._move(node)

    def _move(self, node: Node) -> None:
        """Follow what is not yet a volume: products that wait for windows, a frame to be cut."""
        if any(x in self.products for x in node.inputs):
            self.products.add(node)
        rank = self.overlaps.get(node.inputs[0], 0)
        if rank and node.op is OPS["slice"]:
            at = self.stage[node]
            shape = _volume(node, rank)
            self.stages[at] = replace(self.stages[at], shape=shape)
        elif rank and same_shape(node.shape[-rank:], node.inputs[0].shape[-rank:]):
            self.overlaps[node] = rank  # groups are joined before the frame is cut off

    def _loop(self, node: Node, before: int) -> None:
        """Open one stage for all that a loop results in: its states, whatever reads them."""
        if not isinstance(node.op, Item):
            return
        loop = node.inputs[0]
        if loop in self.loops:
            self.stage[node] = self.loops[loop]
            return
        self._open(node, "dense", "loop", None, before)
        self.loops[loop] = self.stage[node]

    def _add_up(self, node: Node, before: int) -> None:
        """Open the stage of windows that are added where they overlap, a transposed convolution.

        Its products looked like a dense layer so far: that stage becomes this one.
        """
        values = node.inputs[1]
        at = self.stage[values] if values in self.products else None
        source = before if at is None else self.stages[at].before
        self._open(node, "conv", "transposed conv", node.attrs, source, at)
        self.overlaps[node] = len(node.attrs["size"])

    def _from_input(self, node: Node) -> None:
        """Open a stage at the input that a first layer reads, padded or not."""
        chain = [node]
        while chain[-1].inputs and chain[-1] not in self.stage and not self._is_rows(chain[-1]):
            if chain[-1].op is OPS["concat"] and self._reads_inputs(chain[-1]):
                self._open_inputs(chain[-1])
                self._join(chain[-1])
                break
            chain.append(chain[-1].inputs[0])
        leaf = chain[-1]
        if (leaf.op is OPS["input"] or self._is_rows(leaf)) and leaf not in self.stage:
            first = chain[-2] if len(chain) > 1 else leaf
            is_image = leaf.ndim == 2 and first.op is OPS["reshape"]
            turned = self._is_rows(leaf) and first.op is OPS["transpose"]
            image = first if is_image or turned else leaf
            words = "embedding" if self._is_rows(leaf) else "input"
            self.stages.append(Stage("input", words, image.shape[1:] or (1,), (), None))
            self.stage[leaf] = len(self.stages) - 1
        for inner in reversed(chain):
            if inner.inputs and inner.inputs[0] in self.stage:
                self.stage.setdefault(inner, self.stage[inner.inputs[0]])

    def _is_rows(self, node: Node) -> bool:
        """Say whether a node looks up rows of a table of weights: an image of words."""
        return node.op is OPS["gather"] and node.inputs[0] in self.weights

    # -- joins -----------------------------------------------------------------------------------

    def _longest(self, stages: Iterable[int]) -> int:
        """Return the stage that most others lead to; the earlier one of two."""
        found = set(stages)
        return (
            max(found, key=lambda at: (len(self.way(at)), -at)) if len(found) > 1 else found.pop()
        )

    def _is_join(self, node: Node, known: Sequence[int]) -> bool:
        """Say whether stages meet in a node, or one stage's channels are doubled there."""
        if node.ndim < 2:
            return False  # a step of a loss
        if len(set(known)) > 1:
            return True
        is_one = node.op is OPS["concat"] and node.attrs["axis"] == 1
        return is_one and not any(x in self.windows or x in self.overlaps for x in node.inputs)

    def _join(self, node: Node) -> None:
        """Open the stage of what is made from several others: `concat`, `sum`."""
        known = sorted({self.stage[x] for x in node.inputs if x in self.stage})
        before = self._longest(known)
        is_flat = all(len(self.stages[at].shape) == 1 for at in known)
        shape = node.shape[-1:] if is_flat else node.shape[1:]
        words = joint_of(node, [(x, None) for x in node.inputs])
        self.stages.append(Stage("join", words, shape, (), before))
        self.stage[node] = len(self.stages) - 1
        self.met[self.stage[node]] = tuple(at for at in known if at != before)
        self.joins.append(node)

    def _open_inputs(self, concat: Node) -> None:
        """Open stages for what a concatenation reads of inputs that no layer has read."""
        for x in concat.inputs:
            if x in self.fed and x not in self.stage:
                shape = x.shape[1:] or (1,)
                self.stages.append(Stage("input", "input", shape, (), None))
                self.stage[x] = len(self.stages) - 1

    def _reads_inputs(self, concat: Node) -> bool:
        """Say whether a concatenation joins several inputs, not the edges of one to its middle."""
        leaves = set()
        for x in concat.inputs:
            while x.inputs:
                x = x.inputs[0]
            leaves |= {x} & self.fed
        return len(leaves) > 1

    # -- stages ----------------------------------------------------------------------------------

    def _open(
        self,
        node: Node,
        kind: str,
        word: str,
        window: Mapping[str, Any] | None,
        before: int | None,
        at: int | None = None,
    ) -> None:
        """Add the stage that ends at a node, or put it in the place of stage `at`."""
        size = tuple(window["size"]) if window else ()
        words = word
        if window:
            words += f" {sizes_formula(size)}"
            words += unusual("stride", window["stride"]) if kind == "conv" else ""
            words += unusual("dilation", window["dilation"])
        shape = _volume(node, len(size)) if window else (node.shape or (1,))[-1:]
        stage = Stage(kind, words, shape, size, before, node.op is OPS["windows_add"])
        if at is None:
            at = len(self.stages)
            self.stages.append(stage)
        self.stages[at] = stage
        self.stage[node] = at

    def _group(self, node: Node, weight: Node | None, window: Mapping[str, Any] | None) -> None:
        """Tell the groups of channels of a convolution, by the shape of its filters."""
        at = self.stage[node]
        stage = self.stages[at]
        before = stage.before
        filters = () if weight is None else behind_views(weight).shape
        size = tuple(window["size"]) if window else ()
        if before is None or not size or len(filters) != len(size) + 2:
            return
        (out, own, *window_of), whole = filters, self.stages[before].shape[0]
        known = isinstance(own, int) and isinstance(whole, int) and whole > own and not whole % own
        if known and same(out, stage.shape[0]) and same_shape(tuple(window_of), size):
            groups = int(whole // own)
            words = f"{stage.words}, {groups} groups"
            self.stages[at] = replace(stage, words=words, groups=groups)


def _volume(node: Node, rank: int) -> tuple[Dim, ...]:
    """Return channels and positions of a node; groups of channels may be an axis of their own."""
    positions = node.shape[node.ndim - rank :]
    return product(node.shape[1 : node.ndim - rank]), *positions
