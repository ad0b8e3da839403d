"""What does an op look like with one more axis in front? The same op, its axes moved by one.

Several tangents or cotangents at once are a sweep with one, built a single time and then given a
leading axis: what does not depend on the direction (the partials) is computed once for all. A
family's rule is registered below. An op may state its own as a method `batched(node, operands,
size)`; one that states none is applied to one direction after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from graphc.errors import GraphError
from graphc.ir.dims import Dim, dim_text, same_shape
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops.along_axis import AddAlongAxis, TakeAlongAxis
from graphc.ops.barrier import RecomputeFrom
from graphc.ops.composite import LogSoftmax, Softmax
from graphc.ops.contraction import LETTERS, Einsum, einsum_labels, split_spec
from graphc.ops.dropout import IdleDropout
from graphc.ops.indexing import Gather, ScatterAdd
from graphc.ops.leaf import zeros_like
from graphc.ops.movement import BroadcastTo, Concat, Pad, Reshape, Transpose
from graphc.ops.pointwise import Pointwise
from graphc.ops.reduction import Reduction
from graphc.ops.registry import OPS
from graphc.ops.running import Cumulative, LinearRecurrence
from graphc.ops.slicing import Slice, SliceAdd

#: The operands of a node: those that carry the new axis in front, and None for all others.
Carried = Sequence["Node | None"]


def batched_node(node: Node, carried: Carried, size: Dim) -> Node:
    """Return a node for `size` values of its operands at once, along a new first axis.

    **Shapes.** carried operand: [size, *operand.shape] -> [size, *node.shape]
    **Raises.** GraphError where the op has no rule and `size` is a named dim.
    """
    found = batched_at_once(node, carried, size)
    return _one_after_the_other(node, carried, size) if found is None else found


def batched_at_once(node: Node, carried: Carried, size: Dim) -> Node | None:
    """Return the node over one more axis as `batched_node` does; None where its op has no rule."""
    own = getattr(node.op, "batched", None)
    found = own(node, carried, size) if own else _rule(node.op, node, carried, size)
    assert found is None or same_shape(found.shape, (size, *node.shape)), repr(found)
    return found


def with_first_axis(x: Node, size: Dim) -> Node:
    """Return x repeated along a new first axis."""
    shape = (size, *x.shape)
    while isinstance(x.op, BroadcastTo):
        x = x.inputs[0]  # one broadcast does the work of two
    return OPS["broadcast_to"](x, shape)


@singledispatch
def _rule(op: Op, node: Node, carried: Carried, size: Dim) -> Node | None:
    return None


@_rule.register(Pointwise)
@_rule.register(IdleDropout)
def _elementwise(op: Op, node: Node, carried: Carried, size: Dim) -> Node:
    return op.make(_all_carried(node, carried, size), **node.attrs)


@_rule.register(Reduction)
@_rule.register(Softmax)
@_rule.register(LogSoftmax)
def _over_axes(op: Op, node: Node, carried: Carried, size: Dim) -> Node:
    attrs = {**node.attrs, "axis": tuple([a + 1 for a in node.attrs["axis"]])}
    return op.make(_all_carried(node, carried, size), **attrs)


@_rule.register(Concat)
@_rule.register(Cumulative)
@_rule.register(LinearRecurrence)
@_rule.register(TakeAlongAxis)
@_rule.register(AddAlongAxis)
def _along_axis(op: Op, node: Node, carried: Carried, size: Dim) -> Node:
    attrs = {**node.attrs, "axis": node.attrs["axis"] + 1}
    return op.make(_all_carried(node, carried, size), **attrs)


@_rule.register(Gather)
@_rule.register(ScatterAdd)
def _at_indices(op: Op, node: Node, carried: Carried, size: Dim) -> Node | None:
    arrays = 1 if isinstance(op, Gather) else 2
    if any(x is not None for x in carried[arrays:]):
        return None  # other places for each direction
    operands = _all_carried(node, carried, size)[:arrays]
    return op.make([*operands, *node.inputs[arrays:]], axis=node.attrs["axis"] + 1)


@_rule.register(Reshape)
def _reshape(op: Op, node: Node, carried: Carried, size: Dim) -> Node:
    return OPS["reshape"](_only(carried), (size, *node.shape))


@_rule.register(RecomputeFrom)
def _barrier(op: Op, node: Node, carried: Carried, size: Dim) -> Node:
    value, cotangent = carried
    value = with_first_axis(node.inputs[0], size) if value is None else value
    return op.make([value, node.inputs[1] if cotangent is None else cotangent])


@_rule.register(Transpose)
def _transpose(op: Op, node: Node, carried: Carried, size: Dim) -> Node:
    return OPS["transpose"](_only(carried), (0, *[a + 1 for a in node.attrs["axes"]]))


@_rule.register(BroadcastTo)
def _broadcast(op: Op, node: Node, carried: Carried, size: Dim) -> Node:
    source = node.inputs[0]
    aligned = (size, *[1] * (node.ndim - source.ndim), *source.shape)
    return OPS["broadcast_to"](OPS["reshape"](_only(carried), aligned), (size, *node.shape))


@_rule.register(Pad)
def _pad(op: Op, node: Node, carried: Carried, size: Dim) -> Node:
    attrs = {**node.attrs, "widths": ((0, 0), *node.attrs["widths"])}
    return op.make([_only(carried)], **attrs)


@_rule.register(Slice)
@_rule.register(SliceAdd)
def _slice(op: Op, node: Node, carried: Carried, size: Dim) -> Node:
    bounds = ((0, size, 1), *node.attrs["bounds"])
    return op.make(_all_carried(node, carried, size), bounds=bounds)


@_rule.register(Einsum)
def _contraction(op: Op, node: Node, carried: Carried, size: Dim) -> Node | None:
    terms, out = split_spec(node.attrs["spec"])
    free = next((letter for letter in LETTERS if letter not in node.attrs["spec"]), None)
    if free is None:
        return None
    operands, labels = [], []
    for x, with_axis, term in zip(node.inputs, carried, terms, strict=True):
        operands.append(x if with_axis is None else with_axis)
        labels.append(term if with_axis is None else free + term)
    return einsum_labels(operands, labels, free + out)


def _all_carried(node: Node, carried: Carried, size: Dim) -> list[Node]:
    return [
        with_first_axis(x, size) if with_axis is None else with_axis
        for x, with_axis in zip(node.inputs, carried, strict=True)
    ]


def _only(carried: Carried) -> Node:
    (x,) = carried
    assert x is not None, "a node with no carried operand is not batched"
    return x


def _one_after_the_other(node: Node, carried: Carried, size: Dim) -> Node:
    """Return the op applied to each of `size` directions, joined along the first axis."""
    if not isinstance(size, int):
        raise GraphError(
            f"{node.op.name} cannot be differentiated in {dim_text(size)} directions at once",
            where=str(node.provenance.origin) or None,
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
