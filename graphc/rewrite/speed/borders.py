"""Borders: a vector or matrix is padded by joining it to a kept piece, which is one call of NumPy.

Dynamic programming shifts a row of states at each step: `pad(a[:, :-1], ((0, 0), (1, 0)), -inf)`.
Images keep their `pad`, which the rules of convolution know, and whose borders are a small part.
"""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding


def _joined_border(node: Node, facts: Facts) -> Node | None:
    """pad(x, ((0, 0), (1, 0)), c) → concat(c's, x) along the one axis that is padded."""
    widths = node.attrs["widths"]
    padded = [a for a, pair in enumerate(widths) if any(width != 0 for width in pair)]
    if node.ndim > 2 or len(padded) != 1:
        return None
    axis, x = padded[0], node.inputs[0]
    before, after = (
        OPS["stored"](node.attrs["value"], (*x.shape[:axis], width, *x.shape[axis + 1 :]), x.dtype)
        for width in widths[axis]
    )
    pieces = [piece for piece in (before, x, after) if piece is x or piece.shape[axis] != 0]
    return OPS["concat"].make(pieces, axis=axis)


BORDERS = (
    rounding(
        "joined_border",
        "pad(x, ((0, 0), (1, 0)), c)",
        "concat(c, x)",
        "one call joins two pieces; to pad takes one for each side of each axis",
        apply=_joined_border,
        roots=("pad",),
        example="x: input(f64, 3, 4)\ny = pad(x, ((0, 0), (2, 1)), value=1.5)",
    ),
)
