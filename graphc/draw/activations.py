"""What is an activation called? It is recognized by its values, however it is written."""

from __future__ import annotations

from functools import cache

import numpy as np

from graphc.draw.variables import is_silent
from graphc.errors import GraphError
from graphc.ir.dims import evaluate_shape, symbols_of
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops import OPS
from graphc.ops.pointwise import Pointwise
from graphc.run.reference import evaluate

_SPELLED = {"relu": "ReLU", "leaky_relu": "leaky ReLU"}
_LARGEST = 4096


def name_of_activation(total: Node, node: Node) -> str:
    """Return what a layer applies to its sum: an op of the registry by its values, else `f`.

    `1/(1 + exp(-z))` is sigmoid and `exp(z)/sum(exp(z))` is softmax. The identity has no name.
    """
    if node is total or (is_silent(node) and node.inputs[0] is total):
        return ""
    values = _sampled(total, node)
    if values is None or values[0].shape != values[1].shape:
        return _spelled(node.op)
    before, after = values
    if np.array_equal(before, after):
        return ""
    for op in _candidates():
        z = OPS["input"]("z", before.shape, before.dtype)
        y = op(z)
        expected = evaluate([y], {z: before})[y]
        if np.allclose(expected, after, rtol=1e-4, atol=1e-5, equal_nan=True):
            return _spelled(op)
    return "f"


def probabilities(total: Node, node: Node) -> bool:
    """Say whether a function of the sum gives numbers between 0 and 1 at all sampled points."""
    values = _sampled(total, node)
    if values is None or values[1].dtype.kind != "f":
        return False
    return bool(np.all((values[1] >= 0) & (values[1] <= 1)))


@cache
def _candidates() -> tuple[Op, ...]:
    """Return the ops of one argument that keep its shape, from the registry."""
    pointwise = [op for op in OPS.values() if isinstance(op, Pointwise) and op.arity == 1]
    unary = [op for op in pointwise if not op.cuts_to_bool and op is not OPS["cast"]]
    return (*unary, OPS["softmax"], OPS["log_softmax"])


def _down_to(node: Node, total: Node) -> list[Node]:
    """Return the nodes from `node` down to `total`, and what else they read."""
    found: dict[Node, None] = {node: None}
    pending = [node]
    while pending:
        current = pending.pop()
        if current is total:
            continue
        for operand in current.inputs:
            if operand not in found:
                found[operand] = None
                pending.append(operand)
    return list(found)


def _spelled(op: Op) -> str:
    return _SPELLED.get(op.name, op.name.replace("_", " "))


def _sampled(total: Node, node: Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Return points of the sum and the node's values there; None where more is needed."""
    names = symbols_of(d for n in _down_to(node, total) for d in n.shape)
    sizes = {name: 2 + i for i, name in enumerate(names)}
    shape = evaluate_shape(total.shape, sizes)
    if np.prod(shape) > _LARGEST**2:
        return None
    points = np.random.default_rng(0).uniform(-4, 4, shape).astype(total.dtype)
    try:
        return points, evaluate([node], {total: points}, sizes=sizes)[node]
    except GraphError:
        return None
