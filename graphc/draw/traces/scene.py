"""What all traces of one evaluation share: numbering, values, and the symbols of variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphc.draw.numbering import Numbering
from graphc.draw.traces.chain import Point
from graphc.draw.traces.notation import Formula
from graphc.draw.traces.pieces import Piece, named, quantity, variable
from graphc.ir.node import Node
from graphc.ir.walk import new_nodes
from graphc.ops.leaf import is_fill


@dataclass(frozen=True)
class Slot:
    """A place in a formula: the symbol that stands there, and the number put in for it."""

    symbol: Piece
    number: Piece


@dataclass(frozen=True, eq=False)
class Scene:
    """One evaluation of a graph."""

    numbering: Numbering
    point: Point

    def place(self, node: Node) -> int:
        return self.numbering.number[node]

    def value(self, node: Node) -> np.ndarray:
        return self.point.arrays[node]

    def label(self, node: Node) -> Piece | None:
        """Return the user's name of a variable."""
        name = self.numbering.graph.labels.get(node)
        return named(name) if name else None

    def slots(self, nodes: Mapping[Node, Node]) -> dict[Node, Slot]:
        """Return the slots of variables, by what stands for them in a formula.

        What only adapts a variable is written as the variable; a constant is written as it is.
        """
        found: dict[Node, Slot] = {}
        for stand_in, node in nodes.items():
            source, _ = self.numbering.source(node)
            if source in self.numbering.number:
                shown = variable(self.place(source))
                found[stand_in] = Slot(shown, quantity(self.value(source)))
        return found

    def operands(self, node: Node) -> dict[Node, Slot]:
        return self.slots({operand: operand for operand in node.inputs})

    def symbolic(self, root: Node, slots: Mapping[Node, Slot], whole: bool = False) -> Formula:
        """Return a formula over symbols."""
        symbols = {node: slots[node].symbol for node in _occurring(root, slots)}
        return Formula(root, symbols, whole=whole)

    def substituted(self, root: Node, slots: Mapping[Node, Slot], whole: bool = False) -> Formula:
        """Return the same formula over numbers, in which dims are numbers too."""
        numbers = {node: slots[node].number for node in _occurring(root, slots)}
        for node in new_nodes(root, set(slots)):
            if is_fill(node) and hasattr(node.attrs["value"], "free_symbols"):
                numbers[node] = quantity(self.point.of(node, {})[(0,) * node.ndim])
        return Formula(root, numbers, numbers=True, whole=whole)


def _occurring(root: Node, slots: Mapping[Node, Slot]) -> Sequence[Node]:
    """Return the nodes with a slot that a formula reads."""
    if root in slots:
        return [root]
    order = new_nodes(root, set(slots))
    return list(dict.fromkeys(x for node in order for x in node.inputs if x in slots))


def in_order(scene: Scene, wanted: set[Node] | None) -> Sequence[Node]:
    """Return the wanted variables, all of them for None, in the order of evaluation."""
    nodes = scene.numbering.number
    return [node for node in nodes if wanted is None or node in wanted]
