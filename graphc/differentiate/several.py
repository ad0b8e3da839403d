"""Several directions at once: a sweep that was built for one seed, given a leading axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.provenance import inherit
from graphc.ir.walk import topological
from graphc.ops.batching import batched_node, with_first_axis


def batched(roots: Sequence[Node], seeds: Mapping[Node, Node], size: Dim) -> list[Node]:
    """Return the roots for `size` values of each seed; nodes that meet no seed are shared.

    `seeds` maps a leaf to the node that takes its place.

    **Shapes.** leaf: [...] -> [size, ...]; root: [...] -> [size, ...]
    """
    carried: dict[Node, Node] = dict(seeds)
    for node in topological(roots):
        operands = [carried.get(x) for x in node.inputs]
        if node in carried or all(x is None for x in operands):
            continue
        with inherit(node.provenance):
            found = batched_node(node, operands, size)
        carried[node] = found if node.name is None else found.named(node.name)
    return [carried[root] if root in carried else with_first_axis(root, size) for root in roots]
