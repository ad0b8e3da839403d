"""Evaluate nodes by their ops' references, and compare derivatives with central differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops import OPS

Array = np.ndarray


def evaluate(nodes: Sequence[Node], values: Mapping[str, Array]) -> list[Array]:
    """Return the nodes' values; every value must have its node's type."""
    known: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node in topological(nodes):
            if node.op.is_leaf:
                value = np.asarray(values[node.attrs["name"]], node.dtype)
            else:
                operands = [known[x] for x in node.inputs]
                value = np.asarray(node.op.reference(operands, node.attrs, node.type))
            assert value.shape == node.shape, f"{node!r} has shape {value.shape}"
            assert value.dtype == node.dtype, f"{node!r} has dtype {value.dtype}"
            known[node] = value
    return [known[node] for node in nodes]


def central_difference(function: Callable[[Array], float], x: Array, step: float = 1e-6) -> Array:
    """Return the derivative of a scalar function of an array, one element at a time."""
    result = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = np.array(x)
            moved[place] += sign * step
            ends.append(function(moved))
        result[place] = (ends[0] - ends[1]) / (2 * step)
    return result


def variable(name: str, value: Array) -> Node:
    """Return an input of the value's type."""
    return OPS["input"](name, value.shape, value.dtype)


def total(node: Node) -> Node:
    """Return a scalar in which every element of the node has a weight of its own."""
    if not node.shape:
        return node
    size = int(np.prod(node.shape))
    weights = np.linspace(0.5, 1.5, size).reshape(node.shape).astype(node.dtype)
    return OPS["sum"](OPS["multiply"](node, OPS["constant"](weights)))
