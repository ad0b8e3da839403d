"""Does a cotangent die out where a node overflows? Then what is behind has reached a limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphc.differentiate.bounds import image_of
from graphc.ir.bounds import UNBOUNDED
from graphc.ir.node import Node
from graphc.ir.types import FLOAT64, TensorType
from graphc.ops.elementwise.multiples import multiple_of
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import is_fill

#: Two large values, of which products with other numbers neither overflow nor underflow.
_LARGE = (1e30, 1e45)
#: How many nodes are looked at; what is further away is a number like any other.
_LONGEST_LOOK = 64
#: Neither a kink nor a pole of anything.
_SOME_NUMBER = math.sqrt(0.6)


def dies_out(factor: Node, node: Node) -> bool:
    """Say whether a factor, times the node, tends to 0 where the node grows, to one side.

    The slope of tanh(u) does, and that of 1/(1 + u**2); that of log(1 + u) is 1/(1 + u), and u
    times it tends to 1. Tried with numbers, as a function of the node, or of its exponent.
    """
    varied, scale = _varied(node)
    path = _computed_by_element((factor, node), varied)
    if factor is not varied and factor not in path:
        return False
    points = [math.log(x) / scale for x in _LARGE] if varied is not node else _LARGE
    return any(_fades(factor, node, path, varied, [sign * x for x in points]) for sign in (1, -1))


def outweighs(factor: Node, other: Node) -> bool:
    """Say whether a factor dies out where an exponential overflows that another is computed by."""
    exponentials = [x for x in _computed_by_element([other]) if _is_exponential(x)]
    return any(dies_out(factor, x) for x in exponentials)


def _is_exponential(node: Node) -> bool:
    """Say whether a node is exp, sinh or the like: a function of one number that overflows."""
    if not isinstance(node.op, Pointwise) or node.op.arity != 1:
        return False
    bounds = image_of(node.op, [UNBOUNDED])
    return bounds.steep and math.isinf(bounds.high - bounds.low)


def _varied(node: Node) -> tuple[Node, float]:
    """Return what is made large, and by how much less: x and 2 for exp(2*x), else the node."""
    if not _is_exponential(node):
        return node, 1.0
    x, factor = multiple_of(node.inputs[0])
    return (x, abs(factor)) if factor else (node, 1.0)


def _fades(
    factor: Node, node: Node, path: dict[Node, None], varied: Node, points: Sequence[float]
) -> bool:
    (low, first), (high, second) = (_values((factor, node), path, varied, x) for x in points)
    if not abs(second) > abs(first) > 0:
        return False
    return high == 0 or abs(high) < abs(low) * abs(second / first) ** -1.4


def _computed_by_element(roots: Sequence[Node], given: Node | None = None) -> dict[Node, None]:
    """Return the pointwise nodes and views that roots are computed by, operands first."""
    found: dict[Node, None] = {}
    stack = [(root, False) for root in roots]
    seen = {given} if given is not None else set()
    while stack:
        top, is_done = stack.pop()
        if is_done:
            found[top] = None
        elif top not in seen and len(seen) < _LONGEST_LOOK and _is_by_element(top):
            seen.add(top)
            stack.append((top, True))
            stack += [(x, False) for x in top.inputs]
    return found


def _is_by_element(node: Node) -> bool:
    return isinstance(node.op, Pointwise) or (node.op.is_view and len(node.inputs) == 1)


def _values(
    roots: Sequence[Node], path: dict[Node, None], varied: Node, large: float
) -> list[float]:
    """Return the roots' values where one node is large, and what else is given is some number."""
    values: dict[Node, np.ndarray] = {varied: np.asarray(large)}

    def value(x: Node) -> np.ndarray:
        number = x.attrs["value"] if is_fill(x) else None
        if type(number) in (int, float):
            return np.asarray(number, np.float64)
        return values.get(x, np.asarray(_SOME_NUMBER))

    with np.errstate(all="ignore"):
        for x in path:
            operands = [value(operand) for operand in x.inputs]
            result = TensorType(FLOAT64 if x.dtype.kind == "f" else x.dtype, ())
            is_op = isinstance(x.op, Pointwise)
            values[x] = x.op.reference(operands, x.attrs, result) if is_op else operands[0]
        return [float(value(root)) for root in roots]
