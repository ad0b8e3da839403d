"""By which number is something multiplied? x and -2 for -(2*x)."""

from __future__ import annotations

import math

from graphc.ir.node import Node
from graphc.ops.leaf import is_fill
from graphc.ops.registry import OPS


def multiple_of(node: Node) -> tuple[Node, float]:
    """Return x and c of a node that is c*x, through signs and products with numbers."""
    factor = 1.0
    while node.op in (OPS["negative"], OPS["multiply"]):
        rest = [x for x in node.inputs if not is_fill(x)]
        numbers = [x.attrs["value"] for x in node.inputs if is_fill(x)]
        if len(rest) != 1 or not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
            break
        factor *= math.prod(numbers, start=-1.0 if node.op is OPS["negative"] else 1.0)
        (node,) = rest
    return node, factor
