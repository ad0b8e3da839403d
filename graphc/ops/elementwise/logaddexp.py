"""logaddexp: the sum of two numbers that are held as logarithms. The logarithm of 0 is -inf."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.ir.node import Node
from graphc.ops.elementwise import images
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.reduction.minus_infinity import may_hold_minus_infinity
from graphc.ops.registry import OPS, register


class LogAddExp(Pointwise):
    """log(exp(a) + exp(b)); the derivative is 0 in both where both are -inf."""

    def operands_of_partial(self, node: Node, index: int) -> Sequence[Node]:
        """Return the operands, the other one a number where both may be -inf: the lowest.

        sigmoid(a - b) is nan where both are -inf, and sigmoid(-inf - number) is 0.
        """
        if not all(map(may_hold_minus_infinity, node.inputs)):
            return node.inputs
        lowest = float(np.finfo(node.dtype).min)
        return [x if i == index else OPS["maximum"](x, lowest) for i, x in enumerate(node.inputs)]


logaddexp = register(
    LogAddExp(
        "logaddexp",
        "log(exp(a) + exp(b)) without overflow.",
        "log(exp(a) + exp(b))",
        args="a b",
        numpy="logaddexp",
        flops=25,
        image=images.soft_larger,
    )
)
