"""What is a value called that two named ones make? `x_minus_y`, `x_W`, `one_minus_z`.

And what is one called that a named value is a function of? `h_pre`, as its adjoint is `d_h_pre`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import full
from graphc.ops.reduction.spread import core
from graphc.ops.registry import OPS

#: Longer names are no help.
_LONGEST = 14
#: How many ops are followed from a value to the one that is named.
_LONGEST_WAY = 6
#: Names that somebody gave, and that stay readable beside others.
_SHORT = re.compile(r"[^\W_]\w*")


def joined_name(node: Node, labels: Mapping[Node, str]) -> str:
    """Return a name made of those of a forward value's two operands; none where they have none.

    A bias that is added to a product counts for nothing: `x @ W + b` is `x_W`, too.
    """
    if not _is_forward(node) or node.provenance.scope or len(node.inputs) != 2:
        return ""
    operands = [core(x) for x in node.inputs]
    names = [_name(x, labels) for x in operands]
    if node.op is OPS["add"] and "" in names and names != ["", ""]:
        product, bias = operands if not names[0] else operands[::-1]
        is_affine = bias.op is OPS["param"] and product.op is OPS["einsum"]
        return joined_name(product, labels) if is_affine and not _name(product, labels) else ""
    if node.op.between is None or not all(names) or names[1] == "one":
        return ""
    joined = "_".join(filter(None, (names[0], node.op.between, names[1])))
    return joined if len(joined) <= _LONGEST else ""


def argument_name(
    node: Node, labels: Mapping[Node, str], consumers: Mapping[Node, Sequence[Node]]
) -> str:
    """Return `h_pre` where h is a function of one value, which the model reads for that alone."""
    value = node
    for _ in range(_LONGEST_WAY):
        if not _is_forward(value) or value.dtype.kind != "f":
            return ""
        users = [x for x in consumers.get(value, ()) if _is_forward(x)]
        if len(users) != 1 or not isinstance(users[0].op, Pointwise):
            return ""
        (user,) = users
        if any(x is not value and core(x).op is not full for x in user.inputs):
            return ""
        value = user
        if user in labels:
            return f"{labels[user]}_pre" if _SHORT.fullmatch(labels[user]) else ""
    return ""


def _is_forward(node: Node) -> bool:
    return node.provenance.phase == FORWARD and not node.provenance.is_derivative


def _name(node: Node, labels: Mapping[Node, str]) -> str:
    """Return a short name, `one` for the number; nothing for other values."""
    if node.op is full:
        return "one" if node.attrs["value"] == 1 else ""
    name = labels.get(node, "")
    return name if _SHORT.fullmatch(name) and not name.startswith(("d_", "change_of_")) else ""
