"""Can a derivative be computed at all? Does the value depend, does a derivative flow, is it cut?"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.differentiate.matrices.compression import Compression, compressions_of, modes_of
from graphc.differentiate.matrices.structure import flowing, is_flat
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.types import SHORT
from graphc.ir.walk import reaching, topological


@dataclass(frozen=True)
class Cut:
    """A node that hands a value on but no derivative, and why."""

    node: Node
    reason: str

    def text(self, graph: Graph) -> str:
        """Return the cut in the words of a graph: `q = round(x): its derivative is 0`."""
        labels = graph.labels
        name = labels.get(self.node)
        if self.node.op.is_leaf:
            return f"{name}: {self.reason}"
        operands = [labels.get(x, "…") for x in self.node.inputs]
        shown = self.node.op.label(self.node, operands)
        place = f"  ({self.node.provenance.origin})" if self.node.provenance.origin.file else ""
        return f"{f'{name} = ' if name else ''}{shown}: {self.reason}{place}"


@dataclass(frozen=True)
class Dependence:
    """How one value hangs on another.

    `depends`: whether its value does. `flows`: whether a derivative other than 0 may come back.
    `cuts`: where one ends, in order; some may be there although it flows on another way.
    `passes`: what a derivative takes by forward and by reverse mode; empty where none flows.
    """

    of: Node
    wrt: Node
    depends: bool
    flows: bool
    cuts: tuple[Cut, ...]
    passes: tuple[Compression, ...]


def dependence_of(of: Node, wrt: Node) -> Dependence:
    """Return whether and how `of` depends on `wrt`."""
    if wrt.dtype.kind != "f":
        order = topological([of])
        cut = Cut(wrt, f"{SHORT[wrt.dtype]} has no derivative")
        return Dependence(of, wrt, wrt in set(order), False, (cut,), ())
    order = topological([of])
    dependent = reaching(order, [wrt]) if wrt in set(order) else set()
    moved = {wrt}
    cuts: list[Cut] = []
    for node in order:
        open_ways = {i for i, x in flowing(node)}
        for i, x in enumerate(node.inputs):
            if x in moved and i not in open_ways:
                cuts.append(Cut(node, _reason(node, i)))
        if any(node.inputs[i] in moved for i in open_ways):
            moved.add(node)
    flows = of in moved
    passes = compressions_of(of, wrt, modes_of(None)) if flows else []
    return Dependence(of, wrt, of in dependent, flows, tuple(cuts), tuple(passes))


def _reason(node: Node, index: int) -> str:
    """Return why no derivative flows from a node into one of its operands."""
    if node.dtype.kind != "f":
        return f"its result is {SHORT[node.dtype]}"
    if node.op.is_differentiable(node, index) and is_flat(node, index):
        return "its derivative is 0"
    return "its derivative counts as 0"
