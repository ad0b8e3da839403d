"""Which nodes does mathematics not write? Those that only adapt an operand to its user."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.movement.reshaping import new_axes

#: Adaptation of an operand to its user that mathematics does not write.
_SILENT = (OPS["broadcast_to"], OPS["cast"])


def is_silent(node: Node) -> bool:
    """Say whether a node only adapts its operand: a broadcast, a cast, an inserted axis."""
    if node.op in _SILENT:
        return True
    return node.op is OPS["reshape"] and _only_sizes_one(node)


def bare(node: Node) -> Node:
    """Return what a node is without casts, broadcasts and inserted axes."""
    while is_silent(node):
        node = node.inputs[0]
    return node


def _only_sizes_one(node: Node) -> bool:
    source, result = node.inputs[0].shape, node.shape
    return new_axes(source, result) is not None or new_axes(result, source) is not None
