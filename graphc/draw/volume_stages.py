"""Through which volumes does an image go? Convolutions, pooling, dense layers, found by pattern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphc.draw.recurrent_loops import weight_nodes, weight_of
from graphc.errors import GraphError
from graphc.ir.dims import Dim, dim_text, product
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
        if slides and node.op.family == "movement":
            self.windows[node] = node.attrs
        elif slides:
            word = node.op.name.removeprefix("window_").replace("sum", "mean")
            self._open(node, "pool", f"{word} pool", node.attrs, before)
        elif is_layer:
            kind = "dense" if window is None else "conv"
            self._open(node, kind, kind, window, before)
        elif node.op.family == "reduction" and window is not None:
            self._open(node, "pool", f"{node.op.name} pool", window, before)
        elif node.op.family == "reduction" and node.inputs[0].ndim >= 3 and node.ndim == 2:
            self._open(node, "pool", f"{node.op.name} of all positions", None, before)
        elif window is not None and node.op.family == "movement":
            self.windows[node] = window

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
        self, node: Node, kind: str, word: str, window: Mapping[str, Any] | None, before: int
    ) -> None:
        size = tuple(window["size"]) if window else ()
        words = word
        if window:
            words += f" {'×'.join(map(dim_text, size))}"
            if any(stride != 1 for stride in window["stride"]) and kind == "conv":
                words += f", stride {_short(window['stride'])}"
            if any(step != 1 for step in window["dilation"]):
                words += f", dilation {_short(window['dilation'])}"
        positions = node.shape[node.ndim - len(size) :] if window else ()
        # Groups of channels are an axis of their own until they are joined again.
        grouped = node.shape[1 : node.ndim - len(positions)] if window else node.shape[-1:]
        channels = product(grouped or node.shape)
        self.stages.append(Stage(kind, words, (channels, *positions), size, before))
        self.stage[node] = len(self.stages) - 1


def _short(values: tuple[Dim, ...]) -> str:
    texts = [dim_text(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)
