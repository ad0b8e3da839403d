"""Ops that are linear in all their floats together: each is its own linearization."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops.leaf import zeros_like


class Linear(Op):
    """Linear in all float inputs together: its linearization is the op itself on the tangents."""

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> Node:
        inputs = [
            zeros_like(x) if t is None and x.dtype.kind == "f" else (x if t is None else t)
            for x, t in zip(node.inputs, tangents, strict=True)
        ]
        return self.make(inputs, **node.attrs)


class Movement(Linear):
    """Rearranges, copies, drops or adds up elements."""

    family = "movement"
