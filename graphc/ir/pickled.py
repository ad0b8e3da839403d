"""How does a graph go into a pickle? As rows, one a node, which name their operands by number.

Pickle follows references by recursion, and a chain of nodes may be longer than the stack is deep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphc.ir.attributes import Attributes
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.provenance import Provenance
from graphc.ir.types import TensorType


class Row(NamedTuple):
    """A node; `operands` are the places of its inputs among the rows before it."""

    op: Op
    operands: tuple[int, ...]
    attrs: Attributes
    type: TensorType
    provenance: Provenance


def rows_of(number: Mapping[Node, int]) -> list[Row]:
    """Return the rows of nodes that are numbered in topological order."""
    return [
        Row(
            node.op, tuple([number[x] for x in node.inputs]), node.attrs, node.type, node.provenance
        )
        for node in number
    ]


def nodes_of(rows: Sequence[Row]) -> list[Node]:
    """Return the nodes of rows; random draws are new ones, in their old order."""
    attrs: dict[int, Any] = {}
    for place in sorted(range(len(rows)), key=lambda i: rows[i].attrs.get("draw", 0)):
        attrs[place] = rows[place].op.arrived(rows[place].attrs)
    nodes: list[Node] = []
    for place, row in enumerate(rows):
        operands = tuple([nodes[i] for i in row.operands])
        nodes.append(Node(row.op, operands, attrs[place], row.type, row.provenance))
    return nodes
