"""Operands as array arithmetic takes them: broadcasts and promotions that happen by themselves.

A graph writes every broadcast and conversion out as a node. An array library does them inside
arithmetic, so those nodes need neither a statement nor memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.ir.dims import broadcast_shapes, same_shape
from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.ops.movement import broadcast_to
from graphc.ops.pointwise import cast


def implicit_operands(node: Node) -> tuple[Node, ...]:
    """Return the node's operands, without the broadcasts and casts that need not be written."""
    if node.op.accumulates:
        # `base[places] += values` broadcasts the values over the places.
        base, values, *places = node.inputs
        return (base, _without_broadcast(values), *places)
    if not node.op.broadcasts(node):
        return node.inputs
    bare = tuple([_without_broadcast(x) for x in node.inputs])
    converted = tuple([_without_cast(x) for x in bare])
    for candidate in (converted, bare):
        if _means_the_same(node, candidate):
            return candidate
    return node.inputs


def is_weak(node: Node) -> bool:
    """Say whether a value is a Python number when written: a fill, or arithmetic on fills."""
    if node.op is full:
        return True
    infix = getattr(node.op, "infix", None) or getattr(node.op, "prefix", None)
    return bool(infix) and not node.shape and all(is_weak(x) for x in node.inputs)


def _without_broadcast(x: Node) -> Node:
    while x.op is broadcast_to:
        x = x.inputs[0]
    return x


def _without_cast(x: Node) -> Node:
    if x.op is cast and not x.name:
        source = _without_broadcast(x.inputs[0])
        if np.result_type(source.dtype, x.dtype) == x.dtype:
            return source
    return x


def _means_the_same(node: Node, operands: Sequence[Node]) -> bool:
    """Say whether the arithmetic on these operands has the node's own type."""
    strong = [x for x in operands if not is_weak(x)]
    shape = broadcast_shapes(*[x.shape for x in strong])
    if shape is None or not same_shape(shape, node.shape):
        return False
    pairs = zip(operands, node.inputs, strict=True)
    return all(
        any(o.dtype == dtype and not is_weak(o) for o in operands)
        for dtype in {whole.dtype for given, whole in pairs if given.dtype != whole.dtype}
        | {x.dtype for x in node.inputs[-1:] if x.dtype.kind != "b"}
    )
