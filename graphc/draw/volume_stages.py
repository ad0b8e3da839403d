"""Through which volumes does an image go? Convolutions, pooling, dense layers, found by pattern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphc.draw.recurrent_loops import weight_nodes, weight_of
from graphc.errors import GraphError
from graphc.ir.dims import Dim, dim_text, product, same_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import OPS


@dataclass(frozen=True)
class Stage:
    """A volume: its shape without the batch, how it came about, from which stage."""

    kind: str  # input, conv, pool or dense
    words: str  # conv 3×3, stride 2
    shape: tuple[Dim, ...]  # channels and positions, or the number of units
    window: tuple[Dim, ...]  # how much of the stage before one position reads
    before: int | None
    spreads: bool = False  # transposed: one position of the stage before adds to a window here


def find_stages(graph: Graph) -> list[Stage]:
    """Return the stages on the way to the last layer, the image first.

    **Raises** GraphError where no window slides over an input.
    """
    finder = _Finder(weight_nodes(graph.nodes, ()))
    for node in graph.nodes:
        finder.visit(node)
    chain: list[Stage] = []
    at: int | None = len(finder.stages) - 1 if finder.stages else None
    while at is not None:
        chain.append(finder.stages[at])
        at = finder.stages[at].before
    if not any(stage.window for stage in chain):
        raise GraphError(
            f"no convolution found in graph {graph.name!r}",
            expected="windows that slide over an image, as nn.conv2d and nn.max_pool2d have",
            fix="gc.draw.network(g) draws dense layers, gc.draw.computation_graph(g) any graph",
        )
    return chain[::-1]


class _Finder:
    """One pass: which stage is each node a function of, and which windows does it hold?"""

    def __init__(self, weights: set[Node]) -> None:
        self.weights = weights
        self.stages: list[Stage] = []
        self.stage: dict[Node, int] = {}
        self.windows: dict[Node, Mapping[str, Any]] = {}
        self.products: set[Node] = set()  # dense products, moved or not
        self.overlaps: dict[Node, int] = {}  # windows that were added up: how many axes they have

    def visit(self, node: Node) -> None:
        if node.op is OPS["input"] and node.dtype.kind == "f":
            return  # becomes a stage when a window or a product reads it
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
        before = max(known)
        window = next((self.windows[x] for x in node.inputs if x in self.windows), None)
        self.stage[node] = before
        if node.op is OPS["windows_add"]:
            self._add_up(node, before)
        elif slides and node.op.family == "movement":
            self.windows[node] = node.attrs
        elif slides:
            word = node.op.name.removeprefix("window_").replace("sum", "mean")
            self._open(node, "pool", f"{word} pool", node.attrs, before)
        elif is_layer:
            kind = "dense" if window is None else "conv"
            self._open(node, kind, kind, window, before)
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
        while chain[-1].inputs and chain[-1] not in self.stage:
            chain.append(chain[-1].inputs[0])
        leaf = chain[-1]
        if leaf.op is OPS["input"] and leaf not in self.stage:
            self.stages.append(Stage("input", "input", leaf.shape[1:] or (1,), (), None))
            self.stage[leaf] = len(self.stages) - 1
        for inner in reversed(chain):
            if inner.inputs and inner.inputs[0] in self.stage:
                self.stage.setdefault(inner, self.stage[inner.inputs[0]])

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
            words += f" {'×'.join(map(dim_text, size))}"
            if any(stride != 1 for stride in window["stride"]) and kind == "conv":
                words += f", stride {_short(window['stride'])}"
            if any(step != 1 for step in window["dilation"]):
                words += f", dilation {_short(window['dilation'])}"
        shape = _volume(node, len(size)) if window else (node.shape or (1,))[-1:]
        stage = Stage(kind, words, shape, size, before, node.op is OPS["windows_add"])
        if at is None:
            at = len(self.stages)
            self.stages.append(stage)
        self.stages[at] = stage
        self.stage[node] = at


def _volume(node: Node, rank: int) -> tuple[Dim, ...]:
    """Return channels and positions of a node; groups of channels may be an axis of their own."""
    positions = node.shape[node.ndim - rank :]
    return product(node.shape[1 : node.ndim - rank]), *positions


def _short(values: tuple[Dim, ...]) -> str:
    texts = [dim_text(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)
