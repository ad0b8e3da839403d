"""Rows from the inputs to the outputs: values, `v2 = ln(v0)`, and tangents, `∂v2/∂x1`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from graphc.draw.traces.chain import carried_forward, rule_of, stand_in
from graphc.draw.traces.notation import Formula
from graphc.draw.traces.pieces import Piece, derivative, named, quantity
from graphc.draw.traces.scene import Row, Scene, Slot
from graphc.draw.values import Values
from graphc.ir.node import Node


def forward_rows(scene: Scene, nodes: Iterable[Node]) -> list[Row]:
    """Return one row for each variable, from the inputs to the outputs."""
    return [_row(scene, node) for node in nodes]


def _row(scene: Scene, node: Node) -> Row:
    left, value = scene.variable(node), scene.value(node)
    if node.op.is_leaf:
        name = named(scene.numbering.graph.labels[node])
        return Row(left, "=", name, None, None, value, label=name)
    label = scene.label(node)
    if not node.inputs:
        return Row(left, "=", Formula(node, {}), None, None, value, label=label)
    slots = scene.operands(node)
    formula = scene.symbolic(node, slots, whole=True)
    numbers = scene.substituted(node, slots, whole=True)
    return Row(left, "=", formula, None, numbers, value, label=label)


# -- the tangent trace ---------------------------------------------------------------------------


class _Tangents:
    """The tangents found so far, one a variable; all of them move as `wrt` moves."""

    def __init__(self, scene: Scene, wrt: Node) -> None:
        self.scene = scene
        self.wrt = wrt
        self.name = named(scene.numbering.graph.labels[wrt])
        self.value: dict[Node, np.ndarray] = {}

    def symbol(self, node: Node) -> Piece:
        """Return ∂v3/∂x1; where x1 is an array, v̇3, the derivative in one direction."""
        if self.wrt.shape:
            return self.scene.tangent(node)
        return derivative(self.scene.variable(node), self.name)

    def row(self, node: Node) -> Row:
        scene, label = self.scene, self.scene.label(node)
        if node is self.wrt or node.op.is_leaf:
            rate = np.asarray(node is self.wrt, node.dtype)
            self.value[node] = np.broadcast_to(rate, scene.value(node).shape)
            top = label or scene.variable(node)
            formula = quantity(rate) if self.wrt.shape else derivative(top, self.name)
            seed = self.value[node]
            return Row(self.symbol(node), "=", formula, None, None, seed, "seed", label)
        moving, values, slots = self._moving(node)
        link = carried_forward(node, moving, values, scene.point)
        self.value[node] = link.value
        slots |= scene.slots({operand: operand for operand in node.inputs} | {node: node})
        slots |= scene.slots(link.stand_ins)
        return Row(
            self.symbol(node),
            "=",
            scene.symbolic(link.root, slots),
            None,
            scene.substituted(link.root, slots) if moving else None,
            link.value,
            rule_of(node, list(moving)),
            label,
        )

    def _moving(
        self, node: Node
    ) -> tuple[dict[int, Node], dict[int, np.ndarray], dict[Node, Slot]]:
        """Return stand-ins for the operands' tangents, their values, and how they are shown."""
        moving: dict[int, Node] = {}
        values: dict[int, np.ndarray] = {}
        slots: dict[Node, Slot] = {}
        for index, operand in enumerate(node.inputs):
            source, path = self.scene.numbering.source(operand)
            flows = all(step.op.is_differentiable(step, 0) for step in path)
            if source not in self.value or not flows:
                continue
            if not node.op.is_differentiable(node, index):
                continue
            leaf = stand_in("tangent", operand)
            number = self.value[source]
            moving[index] = leaf
            values[index] = _adapted(number, path, self.scene.point)
            slots[leaf] = Slot(self.symbol(source), quantity(number))
        return moving, values, slots


def _adapted(value: np.ndarray, path: Sequence[Node], point: Values) -> np.ndarray:
    """Return a tangent broadcast or cast as the variable itself is."""
    for node in path:
        leaf = stand_in("below", node.inputs[0])
        value = point.of(node.op.make([leaf], **node.attrs), {leaf: value})
    return value


def tangent_rows(scene: Scene, nodes: Iterable[Node], wrt: Node) -> list[Row]:
    """Return the tangent of each float variable, from the inputs to the outputs."""
    tangents = _Tangents(scene, wrt)
    return [tangents.row(node) for node in nodes if node.dtype.kind == "f"]
