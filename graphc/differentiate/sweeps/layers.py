"""Is a node made of sums, as the pre-activations of a layer are?

What an activation there is multiplied by goes on into other sums, in which an ulp of 1 is what
counts: `1 - y**2` will do, at every order. By itself, tanh has a tail whose digits are the result.
"""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ir.walk import topological

#: Families whose results are each made of one element of each operand, or of none.
_BY_ELEMENT = frozenset(["pointwise", "movement", "barrier", "leaf", "random"])


class MadeOfSums:
    """Says of nodes whether products, sums or loops lead to them, and each only once."""

    def __init__(self) -> None:
        self._known: dict[Node, bool] = {}

    def __call__(self, root: Node) -> bool:
        known = self._known
        for node in topological([root], lambda x: x in known or x.op.family not in _BY_ELEMENT):
            if node not in known:
                is_sum = node.op.family not in _BY_ELEMENT
                known[node] = is_sum or any(known[x] for x in node.inputs)
        return known[root]
