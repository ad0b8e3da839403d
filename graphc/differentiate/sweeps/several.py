"""Several directions at once: a sweep that was built for one seed, given a leading axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import inherit
from graphc.ir.walk import topological
from graphc.ops.barrier import recompute_from
from graphc.ops.batching import batched_node, with_first_axis


def batched(roots: Sequence[Node], seeds: Mapping[Node, Node], size: Dim) -> list[Node]:
    """Return the roots for `size` values of each seed; nodes that meet no seed are shared.

    `seeds` maps a leaf to the node that takes its place.

    **Shapes.** leaf: [...] -> [size, ...]; root: [...] -> [size, ...]
    """
    carried: dict[Node, Node] = dict(seeds)
    #: Nodes that wait for many directions instead of one, and have no axis for them.
    waiting: dict[Node, Node] = {}
    for node in topological(roots):
        operands = [carried.get(x) for x in node.inputs]
        if node in carried:
            continue
        inputs = tuple([waiting.get(x, x) for x in node.inputs])
        if node.op is recompute_from and operands[0] is None:
            waiting[node] = rebuilt(
                node, (inputs[0], inputs[1] if operands[1] is None else operands[1])
            )
        elif all(x is None for x in operands):
            waiting[node] = rebuilt(node, inputs)
        else:
            with inherit(node.provenance):
                found = batched_node(rebuilt(node, inputs), operands, size)
            carried[node] = found.named(node.name)
    return [
        carried[root] if root in carried else with_first_axis(waiting.get(root, root), size)
        for root in roots
    ]
