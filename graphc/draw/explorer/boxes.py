"""What stands in the boxes of a stage? A name, a formula and what it reads, for each node shown.

Broadcasts, casts and uniform numbers are part of every stage, but mathematics does not draw them:
they are hosted by the box that reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.draw.explorer.lineage import labels_of
from graphc.draw.formula import formula, name_code
from graphc.draw.silent import is_silent
from graphc.draw.view import leaving_names
from graphc.ir.code import Code
from graphc.ir.dims import shape_text
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.leaf import is_fill

#: A longer formula is cut: the box names the op, and the code shows all of it.
LONGEST = 42


@dataclass(frozen=True)
class Box:
    """A node of a picture: what kind it is, what it says, and the ids of what it reads."""

    kind: str  # input, parameter, constant, operation, output
    formula: str
    shape: str
    reads: tuple[str, ...]
    leaves_as: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of one stage by id, and the id of the box that stands for each node."""

    boxes: Mapping[str, Box]
    host: Mapping[str, str]


def boxes_of(graph: Graph, ids: Mapping[Node, str], names: Mapping[str, str]) -> Boxes:
    """Return what a stage shows, operands before users."""
    labels = labels_of(graph)
    leaving = leaving_names(graph)
    texts: dict[Node, Code] = {}
    reads: dict[Node, tuple[str, ...]] = {}
    boxes: dict[str, Box] = {}
    for node in graph.nodes:
        is_kept = node in labels or node in leaving
        if is_silent(node) and not is_kept:
            texts[node], reads[node] = texts[node.inputs[0]], reads[node.inputs[0]]
            continue
        text = formula(node, [texts[i] for i in node.inputs], tight=True)
        if is_fill(node) and not is_kept:
            texts[node], reads[node] = text, ()
            continue
        key = ids[node]
        operands = dict.fromkeys(k for i in node.inputs for k in reads[i])
        shown = text.text if len(text.text) <= LONGEST else text.text[: LONGEST - 1] + "…"
        shape = shape_text(node.shape) if node.shape else ""
        out = tuple(leaving.get(node, ()))
        boxes[key] = Box(_kind(node, out), shown, shape, tuple(operands), out)
        texts[node], reads[node] = name_code(names[key]), (key,)
    return Boxes(boxes, _hosts(graph, ids, boxes))


def _kind(node: Node, leaves_as: tuple[str, ...]) -> str:
    if node.op.is_leaf:
        return "input" if node.op is OPS["input"] else "parameter"
    if not node.inputs:
        return "constant"
    return "output" if leaves_as else "operation"


def _hosts(graph: Graph, ids: Mapping[Node, str], boxes: Mapping[str, Box]) -> dict[str, str]:
    """Return the box of each node: its own, or that of the first node that reads it."""
    host: dict[str, str] = {}
    for node in reversed(graph.nodes):
        key = ids[node]
        host[key] = key if key in boxes else host[ids[graph.consumers[node][0]]]
    return host
