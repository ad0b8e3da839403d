"""How does a table show a loop, whose value is a tuple? As one variable for each result it uses.

`scan` gives several values at once, and a row of a table is about one. So each result becomes a
node of its own here, whose operands are the loop's and whose derivative is that of the loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.attributes import Attributes
from graphc.ir.body import Body
from graphc.ir.code import Code
from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ir.op import Op
from graphc.ir.types import TensorType
from graphc.ir.walk import substitute
from graphc.ops import OPS
from graphc.ops.leaf import is_fill
from graphc.ops.loop import Item, Scan, by_kind, item, scan


class LoopResult(Op):
    """One result of a loop, by its index: the operands and attributes are those of the loop."""

    family = "loop"

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return scan.infer(inputs, attrs).items[attrs["index"]]

    def expand(self, node: Node) -> Node:
        """Return the loop and the item that the node stands for."""
        attrs = {name: value for name, value in node.attrs.items() if name != "index"}
        return item(scan.make(node.inputs, **attrs), node.attrs["index"])

    def reference(
        self, arrays: Sequence[np.ndarray], attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        carried, sequences, constants = by_kind(attrs, arrays)
        first = len(carried)
        steps = range(attrs["length"])
        stack = np.zeros(result.shape, result.dtype)
        for t in reversed(steps) if attrs["reverse"] else steps:
            results = attrs["body"]([*carried, *[x[t] for x in sequences], *constants])
            carried = results[:first]
            if attrs["index"] >= first:
                stack[t] = results[attrs["index"]]
        return stack if attrs["index"] >= first else np.asarray(carried[attrs["index"]])

    def is_differentiable(self, node: Node, index: int) -> bool:
        return node.dtype.kind == "f" and node.inputs[index].dtype.kind == "f"

    def text(self, node: Node, args: Sequence[Code]) -> Code:
        return Code(f"{scan.text(node, args).text}[{node.attrs['index']}]")


class LoopSweep(Op):
    """A derivative that has passed through all steps of a loop, in one word: `backward(step, x̄)`.

    Written out it would be a second loop with a body of its own. Attributes: `body`, which
    computes it; `word` and `loop`, what it is called; `shown`, how many operands are written;
    `by`, whether the last of these is what is derived by.
    """

    family = "loop"

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        body: Body = attrs["body"]
        return body.results[0].type

    def reference(
        self, arrays: Sequence[np.ndarray], attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        found: np.ndarray = attrs["body"](arrays)[0]
        return found

    def text(self, node: Node, args: Sequence[Code]) -> Code:
        words = [node.attrs["loop"], *[arg.text for arg in args[: node.attrs["shown"]]]]
        if node.attrs["by"]:
            words[-1] = f"by {words[-1]}"
        return Code(f"{node.attrs['word']}({', '.join(words)})")


_LOOP_RESULT = LoopResult("loop", "One of the results of a loop.")
_LOOP_SWEEP = LoopSweep("loop_sweep", "A derivative that has passed through a loop.")


def in_a_word(
    word: str,
    through: Node,
    root: Node,
    shown: Sequence[Node],
    others: Iterable[Node],
    by: Node | None = None,
) -> Node:
    """Return a derivative through a loop as one node over the leaves that it is made of.

    `shown` are its tangents or its adjoint, `by` the operand that an adjoint is sent to.

    The derivative through any other node is returned as it is: its formula can be read.
    """
    if not isinstance(through.op, LoopResult):
        return root
    named = [*shown, *([] if by is None or is_fill(by) else [by])]
    leaves = list(dict.fromkeys([*named, *[x for x in others if x.op.is_leaf and not is_fill(x)]]))
    fresh = {
        leaf: OPS["input"](f"x{place}", leaf.shape, leaf.dtype) for place, leaf in enumerate(leaves)
    }
    (result,) = substitute([root], dict(fresh))
    body = Body.of({"result": result}, fresh.values(), word)
    name = through.attrs["body"].name
    has_by = len(named) > len(shown)
    return _LOOP_SWEEP.make(leaves, body=body, word=word, loop=name, shown=len(named), by=has_by)


def with_single_results(graph: Graph) -> Graph:
    """Return a graph in which every node has one value; the same graph where there is no loop."""
    if not any(isinstance(node.op, Scan) for node in graph.nodes):
        return graph
    new: dict[Node, Node] = {}
    for node in graph.nodes:
        if isinstance(node.op, Scan):
            continue
        if isinstance(node.op, Item) and isinstance(node.inputs[0].op, Scan):
            loop = node.inputs[0]
            operands = tuple([new[x] for x in loop.inputs])
            attrs = Attributes({**loop.attrs, "index": node.attrs["index"]})
            new[node] = Node(_LOOP_RESULT, operands, attrs, node.type, node.provenance)
        else:
            new[node] = rebuilt(node, tuple([new[x] for x in node.inputs]))
    outputs = {name: new[node] for name, node in graph.outputs.items()}
    updates = {name: new[node] for name, node in graph.updates.items()}
    names = {new[node]: label for node, label in graph.labels.items() if node in new}
    return graph.with_outputs(outputs, updates, names)
