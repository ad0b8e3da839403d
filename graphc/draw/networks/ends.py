"""What stands before and behind the dense layers of a graph? Feature maps, loops, other weights."""

from __future__ import annotations

from collections import deque

from graphc.draw.products import weight_of
from graphc.ir.dims import same
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD
from graphc.ir.walk import topological

_LOOP, _MAPS, _LAYERS = "a loop", "feature maps", "other layers"
_PRODUCT = "a product with other units"


def hangs_behind(node: Node) -> str:
    """Return what computes the units of a first layer; nothing where they are inputs."""
    behind = topological([node])
    if any(x.op.family == "loop" for x in behind):
        return _LOOP
    return _MAPS if any(map(_slides, behind)) else ""


def leads_on(graph: Graph, node: Node, weights: set[Node]) -> str:
    """Return what reads a last layer that is no output: a loop, or products with other weights.

    An output that multiplies it with other units is one, too: the layer made weights for them.
    What is one number is a part of a loss, whatever reads it.
    """
    leaving = set(graph.outputs.values())
    waiting, seen = deque([(node, False, False)]), {node}
    while waiting:
        current, slides, is_mixed = waiting.popleft()
        if current in leaving:
            return _PRODUCT if is_mixed else ""
        for reader in graph.consumers[current]:
            if reader in seen or reader.provenance.phase != FORWARD:
                continue
            if reader.op.family == "loop":
                return _LOOP
            if not reader.ndim:
                continue
            seen.add(reader)
            is_slid = slides or _slides(reader)
            is_product = reader.op.family == "contraction" and len(reader.inputs) > 1
            if is_product and weight_of(reader, weights) is not None:
                return _MAPS if is_slid else _LAYERS
            # A product that leaves each unit its place only adds up over examples or neighbours.
            is_other = is_product and not same(reader.shape[-1], node.shape[-1] if node.ndim else 1)
            waiting.append((reader, is_slid, is_mixed or is_other))
    return ""


def _slides(node: Node) -> bool:
    """Say whether a node takes windows of an image, or reduces them."""
    return "size" in node.attrs and "stride" in node.attrs
