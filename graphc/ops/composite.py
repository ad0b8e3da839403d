"""Composite ops: known by one name, defined by a graph of other ops, lowered to it at the end.

Keeping them whole until then lets rules and readers see `softmax` where the model says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.access import Access, across
from graphc.ir.attributes import Attributes
from graphc.ir.bounds import Bounds
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op, Order, Turn
from graphc.ir.provenance import user_error
from graphc.ir.ranges import Range
from graphc.ir.types import FLOAT64, TensorType
from graphc.ops.axes import one_axis
from graphc.ops.batching import Carried, past_first_axis
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node
from graphc.ops.reduction.folding import Reduction, refuse_no_elements
from graphc.ops.reduction.minus_infinity import may_hold_minus_infinity
from graphc.ops.registry import OPS, register


class LogSumExp(Reduction):
    """log(sum(exp(x))), shifted by the maximum. All -inf: value -inf, derivative 0."""

    def __init__(self) -> None:
        super().__init__(
            "logsumexp",
            "log(sum(exp(x))) without overflow.",
            dtype="float",
            needs_elements=True,
        )

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        x, axis = arrays[0], attrs["axis"]
        shift = x.max(axis=axis, keepdims=True)
        shift = np.where(np.isfinite(shift), shift, 0).astype(x.dtype)
        total = np.log(np.exp(x - shift).sum(axis=axis, keepdims=True)) + shift
        return total if attrs["keepdims"] else total.reshape(result.shape)

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        weights = softmax.make([node.inputs[0]], axis=node.attrs["axis"])
        return OPS["sum"](
            OPS["multiply"](weights, tangent), node.attrs["axis"], node.attrs["keepdims"]
        )

    def lower(self, node: Node) -> Node:
        x, axis = node.inputs[0], node.attrs["axis"]
        shift, _, total = shifted_exponentials(x, axis)
        value = OPS["add"](OPS["log"](total), shift)
        if not node.attrs["keepdims"]:
            value = OPS["reshape"](value, node.shape)
        return value

    def textbook(self, node: Node) -> Node:
        exponentials = OPS["exp"](node.inputs[0])
        return OPS["log"](OPS["sum"](exponentials, node.attrs["axis"], node.attrs["keepdims"]))

    def flops(self, node: Node) -> Dim:
        return 13 * node.inputs[0].size


class AcrossAxes(Op):
    """An op of one array that looks across `axis` (a sorted tuple) and keeps the shape."""

    family = "composite"

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0]

    def reads(self, node: Node, index: int) -> Access:
        return across(node.inputs[index].shape, node.attrs["axis"])

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        axes = tuple([at for at, axis in enumerate(order) if axis in node.attrs["axis"]])
        return self.make([turned(node.inputs[0], order)], axis=axes), order

    def flops(self, node: Node) -> Dim:
        return 14 * node.size

    def shown_attributes(self, node: Node) -> dict[str, Any]:
        axes = node.attrs["axis"]
        return {"axis": axes[0] if len(axes) == 1 else axes}


class Softmax(AcrossAxes):
    """exp(x)/sum(exp(x)) over `axis`, shifted by the maximum. All -inf: 0."""

    def __call__(self, x: Any, axis: Any = -1) -> Node:
        node = as_node(x)
        if node.dtype.kind != "f":
            node = cast(node, FLOAT64)
        several = axis if isinstance(axis, tuple) else (axis,)
        axes = tuple(sorted(one_axis(a, node.ndim, self.name) for a in several))
        refuse_no_elements(self.name, node, axes)
        return self.make([node], axis=axes)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        x, axis = arrays[0], attrs["axis"]
        shift = x.max(axis=axis, keepdims=True)
        e = np.exp(x - np.where(np.isfinite(shift), shift, 0).astype(x.dtype))
        return e / np.maximum(e.sum(axis=axis, keepdims=True), 1)

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        weighted = OPS["multiply"](node, tangent)
        total = OPS["sum"](weighted, node.attrs["axis"], True)
        return OPS["subtract"](weighted, OPS["multiply"](node, total))

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return Bounds(0.0, 1.0)

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        (a,) = operands
        return Range(0.0, 1.0, a.nan or a.high == np.inf)

    def lower(self, node: Node) -> Node:
        _, exponentials, total = shifted_exponentials(node.inputs[0], node.attrs["axis"])
        if may_hold_minus_infinity(node.inputs[0]):
            total = OPS["maximum"](total, 1.0)
        return OPS["divide"](exponentials, total)

    def textbook(self, node: Node) -> Node:
        exponentials = OPS["exp"](node.inputs[0])
        return OPS["divide"](exponentials, OPS["sum"](exponentials, node.attrs["axis"], True))

    def latex(self, node: Node, args: Sequence[str]) -> str:
        return rf"\operatorname{{softmax}}\left({args[0]}\right)"


class LogSoftmax(AcrossAxes):
    """x - logsumexp(x) over `axis`."""

    def __call__(self, x: Any, axis: Any = -1) -> Node:
        node = softmax(x, axis)
        return self.make(node.inputs, axis=node.attrs["axis"])

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        total = logsumexp.reference(arrays, {**attrs, "keepdims": True}, result)
        return arrays[0] - total

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        weights = softmax.make(node.inputs, **node.attrs)
        total = OPS["sum"](OPS["multiply"](weights, tangent), node.attrs["axis"], True)
        return OPS["subtract"](tangent, total)

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return Bounds(-np.inf, 0.0)

    def lower(self, node: Node) -> Node:
        x = node.inputs[0]
        return OPS["subtract"](x, logsumexp(x, node.attrs["axis"], True))


def shifted_exponentials(x: Node, axis: tuple[int, ...]) -> tuple[Node, Node, Node]:
    """Return (shift, exp(x - shift), its sum); the shift is the maximum, so exp cannot overflow."""
    shift = OPS["max"](x, axis, True)
    if may_hold_minus_infinity(x):
        shift = OPS["where"](OPS["isfinite"](shift), shift, 0.0)
    exponentials = OPS["exp"](OPS["subtract"](x, shift))
    return shift, exponentials, OPS["sum"](exponentials, axis, True)


class Moment(Reduction):
    """Variance and its root, by two passes: exact where subtracting squares would cancel."""

    def __init__(self, name: str, doc: str, meaning: Callable[[Moment, Node], Node]) -> None:
        self.meaning = meaning
        super().__init__(name, doc, name, dtype="float", needs_elements=True)

    def __call__(self, x: Any, axis: Any = None, keepdims: bool = False, ddof: float = 0) -> Node:
        node = super().__call__(x, axis, keepdims)
        return self.make(node.inputs, **node.attrs, ddof=ddof)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        ddof = attrs.get("ddof", 0)
        if not isinstance(ddof, (int, float)):
            raise user_error(f"{self.name}: ddof is a number", got=repr(ddof))
        return super().infer(inputs, attrs)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return self.by_numpy(arrays[0], **attrs)

    def expand(self, node: Node) -> Node:
        """Return the definition in differentiable ops."""
        return self.meaning(self, node)

    lower = expand

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return Bounds(0.0, np.inf, pole=operands[0].pole)

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        (a,) = operands
        return Range(0.0, np.inf, a.nan or not a.is_bounded)

    def _words(self, node: Node) -> list[str]:
        return super()._words(node) + ([f"ddof={node.attrs['ddof']}"] if node.attrs["ddof"] else [])

    def centred(self, node: Node) -> tuple[Node, Node, Dim]:
        """Return deviations from the mean, the sum of their squares, and what to divide it by."""
        x, axis = node.inputs[0], node.attrs["axis"]
        deviation = OPS["subtract"](x, OPS["mean"](x, axis, True))
        total = OPS["sum"](OPS["square"](deviation), axis, node.attrs["keepdims"])
        count = self.count(node)
        return deviation, total, count - node.attrs["ddof"] if node.attrs["ddof"] else count


def _variance(op: Moment, node: Node) -> Node:
    _, total, count = op.centred(node)
    return OPS["divide"](total, count)


def _deviation(op: Moment, node: Node) -> Node:
    return OPS["sqrt"](_variance(op, node))


softmax = register(
    Softmax(
        "softmax",
        "exp(x)/sum(exp(x)) over an axis, without overflow.",
        [
            Case((Arg((3, 4)),)),
            Case((Arg((3, 4)),), {"axis": 0}),
            Case((Arg((2, 3, 4)),), {"axis": (0, 2)}),
        ],
    )
)
log_softmax = register(
    LogSoftmax(
        "log_softmax",
        "log(softmax(x)) without underflow.",
        [Case((Arg((3, 4)),)), Case((Arg((3, 4)),), {"axis": 0})],
    )
)
logsumexp = register(LogSumExp())
var = register(Moment("var", "Variance over axes, divided by count - ddof.", _variance))
std = register(
    Moment("std", "Standard deviation over axes; derivative 0 for constant input.", _deviation)
)
