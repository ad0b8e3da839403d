"""Of which names does a difference say another slope than the gradient, rightly?

What stands under `stop_gradient` moves the loss, but no derivative goes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops.barrier import stop_gradient
from graphc.ops.loop import Parts, Scan


def held_back(graph: Graph, of: str, names: Iterable[str]) -> list[str]:
    """Return the names of the inputs and parameters that `of` reads under `stop_gradient`."""
    named = {**{label: node for node, label in graph.labels.items()}, **graph.outputs}
    nodes = topological([named[of]]) if of in named else []
    held = _held(nodes, ())
    leaves = {**graph.inputs, **graph.params}
    return [name for name in names if leaves.get(name) in held]


def held_in_loops(nodes: Sequence[Node]) -> set[Node]:
    """Return the operands of loops that their bodies read under `stop_gradient`."""
    return {x for node in nodes if isinstance(node.op, Scan) for x in _held_by_steps(Parts(node))}


def _held(nodes: Sequence[Node], roots: Iterable[Node]) -> set[Node]:
    """Return what the roots, and what stands under `stop_gradient`, depend on."""
    held = set(roots)
    for node in reversed(nodes):
        if node in held or node.op is stop_gradient:
            held.update(node.inputs)
        elif isinstance(node.op, Scan):
            held.update(_held_by_steps(Parts(node)))
    return held


def _held_by_steps(loop: Parts) -> list[Node]:
    """Return the operands of a loop that its body reads under `stop_gradient`, in any step."""
    roots: set[Node] = set()
    while True:
        held = _held(loop.body.graph.nodes, roots)
        # What a carry holds comes from the results of the step before.
        before = {
            result
            for leaf, result in zip(loop.leaves.carries, loop.body.results, strict=False)
            if leaf in held
        }
        if before <= roots:
            return [
                x
                for leaf, x in zip(loop.body.inputs, loop.node.inputs, strict=True)
                if leaf in held
            ]
        roots |= before
