"""What all traces of one evaluation share: numbering, values, symbols of variables, and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphc.draw.numbering import Numbering
from graphc.draw.traces.notation import Formula
from graphc.draw.traces.pieces import (
    Phrase,
    Piece,
    Written,
    adjoint,
    leads_to,
    named,
    quantity,
    relation,
    result,
    tangent,
    variable,
)
from graphc.draw.traces.table import plain
from graphc.draw.values import Values
from graphc.errors import GraphError
from graphc.ir.graph import Graph, first_scalar
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
    point: Values

    def place(self, node: Node) -> int:
        return self.numbering.number[node]

    def variable(self, node: Node) -> Piece:
        return variable(self.numbering.letter, self.numbering.number[node])

    def adjoint(self, node: Node) -> Piece:
        return adjoint(self.numbering.letter, self.numbering.number[node])

    def tangent(self, node: Node) -> Piece:
        return tangent(self.numbering.letter, self.numbering.number[node])

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
                shown = self.variable(source)
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


# -- one row -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Row:
    """A row: `left sign formula`, its local derivatives, the numbers put in, and the value."""

    left: Piece
    #: "=", or "+=" for an increment.
    sign: str
    formula: Written
    #: In reverse mode the formula with the local derivatives written out.
    local: Written | None
    #: The formula over numbers; None where there is nothing to compute.
    numbers: Written | None
    value: np.ndarray
    rule: str = ""
    #: The user's name of the variable, if it has one.
    label: Piece | None = None
    #: When the row is filled, where that is not from the first row to the last.
    step: int | None = None
    #: The variable's node, and the consumer that an increment comes from.
    node: Node | None = None
    consumer: Node | None = None

    @property
    def variable(self) -> str:
        """What the row is about: `v3`, `∂v3/∂x1`, `v̄3`."""
        return self.left.text

    @property
    def name(self) -> str:
        return self.label.text if self.label is not None else ""

    @property
    def symbolic(self) -> str:
        """The formula over variables: `v0·v1`."""
        return self.formula.text

    @property
    def substituted(self) -> str:
        """The formula over numbers, `2*5`; the value itself where there is nothing to compute."""
        return self.numbers.text if self.numbers is not None else plain(result(self.value))

    @property
    def number(self) -> float:
        """The value of a variable that is a single number."""
        return float(self.value)

    def equation(self) -> Phrase:
        return [self.left, relation(self.sign), self.formula]

    def arithmetic(self) -> Phrase:
        """Return `2*5 = 10`, `σ([0, −1]) = [0.5, 0.269]`, or `[5, 64] · [64, 1] → [5, 1], norm 2`.

        An arrow leads from shapes to a shape.
        """
        shown = result(self.value)
        if self.numbers is None:
            return shown
        return [self.numbers, relation(leads_to(self.value)), *shown]


# -- where a derivative starts -------------------------------------------------------------------


def scalar_output(graph: Graph, of: str | None) -> Node:
    """Return the output to derive.

    **Raises** GraphError for an unknown name, and for anything but a single float.
    """
    if of is not None:
        node = graph.find(of)
        if node.shape or node.dtype.kind != "f":
            raise GraphError(
                "a derivative starts at a single number",
                got=f"{of}: {node.type}",
                expected="a float scalar, such as a loss",
                fix="reduce it first: .sum() or .mean()",
            )
        return node
    return graph.outputs[first_scalar(graph)]
