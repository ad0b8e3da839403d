"""Operands as array arithmetic takes them: broadcasts and promotions that happen by themselves.

A graph writes every broadcast and conversion out as a node. An array library does them inside
arithmetic, so those nodes need neither a statement nor memory.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import numpy as np

from graphc.ir.dims import broadcast_shapes, same_shape
from graphc.ir.node import Node
from graphc.ops.barrier import recompute_from
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import full
from graphc.ops.movement.rearranging import broadcast_to
from graphc.ops.movement.reshaping import reshape

#: Arithmetic on numbers that is nested deeper is computed once, and has a variable.
_MAX_LEVELS = 3


def implicit_operands(node: Node, numbers: Container[Node] = ()) -> tuple[Node, ...]:
    """Return the node's operands, without the broadcasts and casts that need not be written.

    `numbers` are the nodes besides fills that are written as Python numbers.
    """
    inputs = tuple([_without_barrier(x) for x in node.inputs])
    if node.op.accumulates:
        # `base[places] += values` broadcasts the values over the places.
        base, values, *places = inputs
        return (base, _without_broadcast(values), *places)
    if not node.op.broadcasts(node):
        return inputs
    bare = tuple([_without_broadcast(x) for x in inputs])
    converted = tuple([_without_cast(x) for x in bare])
    for candidate in (converted, bare):
        if _means_the_same(node, candidate, numbers):
            return candidate
    return inputs


def written_as_numbers(nodes: Iterable[Node]) -> frozenset[Node]:
    """Return the nodes that are Python numbers when written: fills, and arithmetic on fills.

    Only arithmetic that Python and NumPy agree on: `1 / 0` is an error in Python, `~True` is -2,
    and a root of a negative number is complex. Only short arithmetic: it is written again wherever
    it is read.
    """
    depth: dict[Node, int] = {}
    for node in nodes:
        if node.op is full:
            depth[node] = 0
        elif _is_safe_arithmetic(node) and all(x in depth for x in node.inputs):
            levels = 1 + max(depth[x] for x in node.inputs)
            if levels <= _MAX_LEVELS:
                depth[node] = levels
    return frozenset(depth)


def _is_safe_arithmetic(node: Node) -> bool:
    if node.shape or node.dtype.kind == "b":
        return False
    symbol = node.op.infix or node.op.prefix
    if symbol == "/":
        value = node.inputs[1].attrs.get("value", 0)
        return isinstance(value, (int, float)) and value != 0  # a dim may turn out to be 0
    return symbol in ("+", "-", "*")


def _without_barrier(x: Node) -> Node:
    """Return the value that a barrier passes on: it has done its work when the order is found."""
    while x.op is recompute_from:
        x = x.inputs[0]
    return x


def _without_broadcast(x: Node) -> Node:
    while x.op is broadcast_to or x.op is recompute_from or _is_number_with_axes(x):
        x = x.inputs[0]
    return x


def _is_number_with_axes(x: Node) -> bool:
    """Say whether an array of one element is a single number in another shape."""
    return x.op is reshape and not x.inputs[0].shape and not x.name


def _without_cast(x: Node) -> Node:
    if x.op is cast and not x.name:
        source = _without_broadcast(x.inputs[0])
        if np.result_type(source.dtype, x.dtype) == x.dtype:
            return source
    return x


def _means_the_same(node: Node, operands: Sequence[Node], numbers: Container[Node]) -> bool:
    """Say whether the arithmetic on these operands has the node's own type."""
    strong = [x for x in operands if x.op is not full and x not in numbers]
    shape = broadcast_shapes(*[x.shape for x in strong])
    if shape is None or not same_shape(shape, node.shape):
        return False
    pairs = zip(operands, node.inputs, strict=True)
    return all(
        any(o.dtype == dtype for o in strong)
        for dtype in {whole.dtype for given, whole in pairs if given.dtype != whole.dtype}
        | {x.dtype for x in node.inputs[-1:] if x.dtype.kind != "b"}
    )
