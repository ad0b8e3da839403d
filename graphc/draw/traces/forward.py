"""The forward trace: `v2 = ln(v0)`, `ln(2) = 0.693`."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.draw.traces.notation import Formula
from graphc.draw.traces.pieces import named, variable
from graphc.draw.traces.rows import Row
from graphc.draw.traces.scene import Scene
from graphc.ir.node import Node


def forward_rows(scene: Scene, nodes: Iterable[Node]) -> list[Row]:
    """Return one row for each variable, from the inputs to the outputs."""
    return [_row(scene, node) for node in nodes]


def _row(scene: Scene, node: Node) -> Row:
    left, value = variable(scene.place(node)), scene.value(node)
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
