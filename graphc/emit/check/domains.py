"""From which interval does a check draw each input? From one inside the domain of the model.

A gradient can only be checked where there is one: log(1 - p) wants a p below 1, arccosh an x above.
What each op makes of an interval says where a model leaves its domain; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from graphc.differentiate.bounds import BoundsOf, has_image, image_of
from graphc.ir.bounds import Bounds
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops.elementwise.pointwise import Pointwise

Interval = tuple[float, float]

#: Where inputs are drawn from, the first one if all are as good.
INTERVALS: tuple[Interval, ...] = ((0.5, 1.5), (0.1, 0.9), (1.5, 2.5), (-0.9, -0.1), (-2.5, -1.5))
#: What a central difference adds on both sides of a point.
_NUDGE = 0.01


def intervals(graph: Graph, of: Node) -> dict[str, Interval]:
    """Return an interval for each float input, from which `of` is defined as far as that is known.

    All inputs take the first interval that leaves no domain. Where there is none, each takes in
    turn the one by which the fewest domains are left.
    """
    nodes = topological([of])
    floats = {n: x for n, x in graph.inputs.items() if x.dtype.kind == "f"}
    chosen = dict.fromkeys(floats, INTERVALS[0])
    if not floats or not any(isinstance(node.op, Pointwise) for node in nodes):
        return chosen
    fewest = _domains_left(nodes, floats, chosen)
    for interval in INTERVALS[1:]:
        left = _domains_left(nodes, floats, dict.fromkeys(floats, interval)) if fewest else 0
        if left < fewest:
            fewest, chosen = left, dict.fromkeys(floats, interval)
    for name, interval in product(floats if fewest else (), INTERVALS):
        other = {**chosen, name: interval}
        left = _domains_left(nodes, floats, other)
        if left < fewest:
            fewest, chosen = left, other
    return chosen


def _domains_left(
    nodes: Sequence[Node], inputs: Mapping[str, Node], chosen: Mapping[str, Interval]
) -> int:
    """Return how many nodes may be no number, although their operands are."""
    bounds = BoundsOf(
        {
            inputs[name]: Bounds(low - _NUDGE, high + _NUDGE, nonzero=low * high > 0)
            for name, (low, high) in chosen.items()
        }
    )
    count = 0
    for node in nodes:
        bounds(node)
        if isinstance(node.op, Pointwise):
            operands = [replace(bounds(x), pole=False) for x in node.inputs]
            has_pole = has_image(node.op) and image_of(node.op, operands).pole
            count += has_pole or _is_outside(node.op, node, operands)
    return count


def _is_outside(op: Pointwise, node: Node, operands: Sequence[Bounds]) -> bool:
    """Say whether the function is no finite number at a corner of its operands' intervals."""
    corners = [(x.low, x.high) for x in operands]
    if not np.isfinite(corners).all():
        return False
    arrays = np.moveaxis(np.array(list(product(*corners))), 0, -1)
    typed = [a.astype(x.dtype) for a, x in zip(arrays, node.inputs, strict=True)]
    with np.errstate(all="ignore"):
        values = op.reference(typed, node.attrs, node.type)
    return not bool(np.isfinite(values).all())
