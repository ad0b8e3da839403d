"""Which nodes are weights, and which products of data with them make layers, along which axes?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.contraction.spec import split_spec

Axes = tuple[int, int, int | None]


def factors_of(node: Node) -> tuple[Node, ...]:
    """Return what a node multiplies: its operands, or those of sum(w*x), as neurons are written."""
    if node.op is not OPS["sum"] or node.inputs[0].op.infix != "*":
        return node.inputs
    broadcast = OPS["broadcast_to"]
    return tuple([x.inputs[0] if x.op is broadcast else x for x in node.inputs[0].inputs])


def contracted_axes(node: Node, data: Node, weight: Node) -> Axes | None:
    """Return the axes of a dense product: the data's units, the weight's inputs, the new units."""
    if not node.ndim and node.op.infix == "*":
        return 0, 0, None
    if node.op is OPS["sum"]:
        is_dot = weight.ndim == 1 and node.attrs["axis"] == (data.ndim - 1,) == (node.ndim,)
        return (node.ndim, 0, None) if is_dot else None
    if node.op is not OPS["einsum"] or weight.ndim > 2:
        return None
    terms, out = split_spec(node.attrs["spec"])
    at = 0 if node.inputs[0] is data else 1
    of_data, of_weight = terms[at], terms[1 - at]
    summed = [label for label in of_weight if label in of_data and label not in out]
    fresh = [label for label in of_weight if label in out and label not in of_data]
    if len(summed) != 1 or len(fresh) != len(of_weight) - 1:
        return None
    axis = out.index(fresh[0]) - len(out) if fresh else None
    return of_data.index(summed[0]), of_weight.index(summed[0]), axis


def mixes_rows(node: Node, data: Node, axis: int | None) -> bool:
    """Say whether a contraction adds up rows of data and leaves each unit alone, as A @ h does.

    `axis` is that of the units, counted from the end, in the data and in the result.
    """
    terms, out = split_spec(node.attrs["spec"])
    places = [i for i, operand in enumerate(node.inputs) if operand is data]
    if axis is None or len(places) != 1 or data.ndim < -axis:
        return False
    unit = terms[places[0]][axis]
    others = "".join(term for i, term in enumerate(terms) if i != places[0])
    return unit not in others and unit in out and out.index(unit) - len(out) == axis


def weight_nodes(nodes: Sequence[Node], placeholders: Iterable[Node] = ()) -> set[Node]:
    """Return the nodes that are functions of parameters (or of these placeholders) alone."""
    return weights_and_numbers(nodes, placeholders)[0]


def weights_and_numbers(
    nodes: Sequence[Node], placeholders: Iterable[Node] = ()
) -> tuple[set[Node], set[Node]]:
    """Return the functions of parameters (or of placeholders) alone, and those of constants."""
    weights, free = set(placeholders), set[Node]()
    for node in nodes:
        if node.op is OPS["param"]:
            weights.add(node)
        elif node.op is OPS["input"] or node in weights:
            continue
        elif all(x in free for x in node.inputs):
            free.add(node)
        elif all(x in free or x in weights for x in node.inputs):
            weights.add(node)
    return weights, free


def weight_of(node: Node, weights: set[Node]) -> Node | None:
    """Return the weights that a node multiplies data with, if it is such a product."""
    is_product = node.op.family == "contraction" or node.op.infix == "*"
    if not is_product or len(node.inputs) != 2:
        return None
    left, right = node.inputs
    if (left in weights) == (right in weights):
        return None
    return left if left in weights else right
