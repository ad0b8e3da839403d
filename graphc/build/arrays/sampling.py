"""Draws of indices with given probabilities, from the generator of the call."""

from __future__ import annotations

from typing import Any

from graphc.build.arrays.creation import random_uniform
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS


def random_choice(weights: Any, shape: Any = ()) -> Node:
    """Draw indices, each in proportion to its weight, with replacement, from the `rng` of the call.

    Negative sampling draws words with the weights count**0.75. The weights need not sum to 1; each
    draw takes a binary search in their cumulative sums.

    **Shapes.** weights: [n], not negative, not all 0 -> shape, int64
    **Raises.** GraphError where the weights are no floats of one axis.
    """
    node = as_node(weights)
    if node.ndim != 1 or node.dtype.kind != "f":
        raise user_error(
            "random_choice takes one weight for each index",
            got=str(node.type),
            expected="floats of shape [n]",
        )
    below = OPS["cumsum"](node, axis=0)
    last = node.shape[0] - 1
    total = OPS["gather"](below, last) if isinstance(last, int) else below[-1]
    point = random_uniform(shape, dtype="float64") * total
    # The last index takes what is left, so that no rounding leads past it.
    return OPS["searchsorted"](below[:last], point, side="right")
