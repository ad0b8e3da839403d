"""Value numbers: two nodes have the same number exactly when they compute the same expression."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache

import numpy as np

from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.types import BOOL, TensorType
from graphc.ops.elementwise.pointwise import Pointwise

#: Each of these meets each other one, in both orders.
_VALUES = np.array([-1.1, -0.6, 0.0, 0.3, 1.9, np.inf, np.nan])
_POINTS = tuple(grid.ravel() for grid in np.meshgrid(_VALUES, _VALUES))


@cache
def is_commutative(op: Op) -> bool:
    """Say whether the order of an op's two operands does not matter, to the last bit.

    Found by trying its meaning in both orders, so that no table of such ops is kept. That tells of
    what NumPy has one function or operator for; a formula may turn anywhere, and is not tried.
    """
    if not isinstance(op, Pointwise) or op.arity != 2 or not op.is_primitive:
        return False
    points = [p > 0.5 if op.dtype_rule == "logical" else p for p in _POINTS]
    result = TensorType(BOOL if op.cuts_to_bool else points[0].dtype, points[0].shape)
    with np.errstate(all="ignore"):
        forth = op.reference(points, {}, result)
        back = op.reference(points[::-1], {}, result)
    return bool(np.array_equal(forth, back, equal_nan=True))


class ValueNumbers:
    """Numbers nodes by op, attributes and operands' numbers; random draws are all different."""

    def __init__(self) -> None:
        self._numbers: dict[Node, int] = {}
        self._known: dict[Hashable, int] = {}

    def __call__(self, node: Node) -> int:
        """Return the node's number; nodes below it are numbered first, without recursion."""
        numbers = self._numbers
        found = numbers.get(node)
        if found is not None:
            return found
        stack = [node]
        while stack:
            top = stack[-1]
            missing = [operand for operand in top.inputs if operand not in numbers]
            if missing:
                stack += missing
                continue
            stack.pop()
            if top not in numbers:
                numbers[top] = self._known.setdefault(self._key(top), len(self._known))
        return numbers[node]

    def same(self, a: Node, b: Node) -> bool:
        """Say whether two nodes compute the same expression."""
        return a is b or (a.op is b.op and self(a) == self(b))

    def _key(self, node: Node) -> Hashable:
        if node.op.is_random:
            return node
        operands = [self._numbers[operand] for operand in node.inputs]
        if len(operands) == 2 and operands[0] > operands[1] and is_commutative(node.op):
            operands.reverse()
        return (node.op.name, node.attrs, *operands)
