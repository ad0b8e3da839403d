"""What does an op look like with one more axis in front? The same op, its axes moved by one.

Several tangents or cotangents at once are a sweep with one, built a single time and then given a
leading axis: what does not depend on the direction (the partials) is computed once for all. Each op
gives its own answer, as `Op.batched`; one that gives none is applied to one direction after the
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from graphc.ir.dims import Dim, dim_text, same_shape
from graphc.ir.node import Node
from graphc.ir.types import TupleType
from graphc.ops.leaf import zeros_like
from graphc.ops.registry import OPS

#: The operands of a node: those that carry the new axis in front, and None for all others.
Carried: TypeAlias = "Sequence[Node | None]"


def batched_node(node: Node, carried: Carried, size: Dim) -> Node:
    """Return a node for `size` values of its operands at once, along a new first axis.

    **Shapes.** carried operand: [size, *operand.shape] -> [size, *node.shape]
    **Raises.** GraphError where the op has no rule and `size` is a named dim.
    """
    found = batched_at_once(node, carried, size)
    return _one_after_the_other(node, carried, size) if found is None else found


def batched_at_once(node: Node, carried: Carried, size: Dim) -> Node | None:
    """Return the node over one more axis as `batched_node` does; None where its op has no rule."""
    found = node.op.batched(node, carried, size)
    if isinstance(node.type, TupleType):  # its items have the axis
        return found
    assert found is None or same_shape(found.shape, (size, *node.shape)), repr(found)
    return found


# -- what the answers of several families have in common -------------------------------------------


def with_first_axis(x: Node, size: Dim) -> Node:
    """Return x repeated along a new first axis."""
    shape = (size, *x.shape)
    while x.op is OPS["broadcast_to"]:
        x = x.inputs[0]  # one broadcast does the work of two
    return OPS["broadcast_to"](x, shape)


def all_carried(node: Node, carried: Carried, size: Dim) -> list[Node]:
    """Return all operands with the new axis in front, repeated along it where they had none."""
    return [
        with_first_axis(x, size) if with_axis is None else with_axis
        for x, with_axis in zip(node.inputs, carried, strict=True)
    ]


def only(carried: Carried) -> Node:
    """Return the one operand, which carries the new axis: else nothing would be batched."""
    (x,) = carried
    assert x is not None, "a node with no carried operand is not batched"
    return x


def by_element(node: Node, carried: Carried, size: Dim) -> Node:
    """Return the same op on all operands with the new axis; its attributes know of no axes."""
    return node.op.make(all_carried(node, carried, size), **node.attrs)


def past_first_axis(node: Node, carried: Carried, size: Dim) -> Node:
    """Return the same op on all operands with the new axis; its attribute `axis` moves by one."""
    axis = node.attrs["axis"]
    moved = tuple([a + 1 for a in axis]) if isinstance(axis, tuple) else axis + 1
    return node.op.make(all_carried(node, carried, size), **{**node.attrs, "axis": moved})


# -- without an answer -----------------------------------------------------------------------------


def _one_after_the_other(node: Node, carried: Carried, size: Dim) -> Node:
    """Return the op applied to each of `size` directions, joined along the first axis."""
    if not isinstance(size, int):
        raise node.provenance.error(
            f"{node.op.name} cannot be differentiated in {dim_text(size)} directions at once",
            got=repr(node),
            expected="an op with a rule for one more axis, or a number of directions that is known",
            fix="give the dims of this graph as numbers instead of names",
        )
    parts = []
    for k in range(size):
        operands = [
            x if with_axis is None else _row(with_axis, k)
            for x, with_axis in zip(node.inputs, carried, strict=True)
        ]
        result = node.op.make(operands, **node.attrs)
        parts.append(OPS["reshape"](result, (1, *node.shape)))
    if not parts:
        return with_first_axis(zeros_like(node), size)
    return OPS["concat"](*parts, axis=0)


def _row(x: Node, k: int) -> Node:
    bounds = ((k, k + 1, 1), *[(0, dim, 1) for dim in x.shape[1:]])
    return OPS["reshape"](OPS["slice"].make([x], bounds=bounds), x.shape[1:])
