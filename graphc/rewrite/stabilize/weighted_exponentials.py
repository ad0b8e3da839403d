"""Weighted exponentials: what has weight 0 counts for nothing, however large its exponent is.

The largest exponent that counts is the shift. One without weight may lie far above it, and 0·inf
would be NaN: it is cut where its exponential is still a number, so that the derivative in the
weight, which is that exponential, stays large.
"""

from __future__ import annotations

import math

import numpy as np

from graphc.ir.node import Node
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts

#: How far above the shift an exponent may be, as a part of the largest that is a number.
_ALONE, _OVER_A_SUM = 1.0, 0.7


def largest_of(exponent: Node, weight: Node, axis: tuple[int, ...], facts: Facts) -> Node:
    """Return the largest exponent that has a weight, -inf where there is none; axes of size 1.

    Over no axis it is each exponent that has a weight.
    """
    if facts.may_be_zero(weight):
        exponent = OPS["where"](OPS["not_equal"](weight, 0), exponent, -math.inf)
    return OPS["max"](exponent, axis, True) if axis else exponent


def shift_of(largest: Node) -> Node:
    """Return the largest exponent, 0 where it is no number."""
    return OPS["stop_gradient"](OPS["where"](OPS["isfinite"](largest), largest, 0.0))


def shifted(exponent: Node, weight: Node, shift: Node, facts: Facts) -> Node:
    """Return the exponent above its shift; without a weight, only so far that exp is a number."""
    above = OPS["subtract"](exponent, shift)
    if not facts.may_be_zero(weight):
        return above
    return OPS["minimum"](above, _limit(exponent, _ALONE))


def limited(exponent: Node, weight: Node, axis: tuple[int, ...], facts: Facts) -> Node:
    """Return exponents whose softmax leaves a share to each one that has a weight."""
    if not facts.may_be_zero(weight):
        return exponent
    shift = shift_of(largest_of(exponent, weight, axis, facts))
    return OPS["minimum"](exponent, OPS["add"](shift, _limit(exponent, _OVER_A_SUM)))


def _limit(exponent: Node, part: float) -> float:
    return float(math.floor(part * math.log(np.finfo(exponent.dtype).max)))
