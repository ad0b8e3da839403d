"""Running folds along one axis: cumulative sums and products, and the recurrence behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ir.access import Access, across
from graphc.ir.attributes import Attributes
from graphc.ir.bounds import Bounds
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.ranges import Range, range_of_products
from graphc.ir.types import FLOAT64, INT64, TensorType
from graphc.ops.axes import one_axis
from graphc.ops.batching import Carried, past_first_axis
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node, fill, zeros_like
from graphc.ops.linear import Linear
from graphc.ops.reduction.minus_infinity import may_hold_minus_infinity
from graphc.ops.registry import OPS, register


class Cumulative(Op):
    """A running fold along `axis`; None runs over the flattened array, as in NumPy."""

    family = "movement"

    @property
    def function(self) -> str:
        """NumPy's function, as emitted code calls it."""
        return f"np.{self.name}"

    def __call__(self, x: Any, axis: int | None = None) -> Node:
        node = self.prepared(as_node(x))
        if axis is None:
            node, axis = OPS["reshape"](node, -1), 0
        return self.make([node], axis=one_axis(axis, node.ndim, self.name))

    def prepared(self, node: Node) -> Node:
        """Return the operand in the dtype that this fold computes in."""
        is_small = node.dtype.kind in "bi" and node.dtype != INT64
        return cast(node, INT64) if is_small else node

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return getattr(np, self.name)(arrays[0], axis=attrs["axis"])

    def reads(self, node: Node, index: int) -> Access:
        return across(node.inputs[index].shape, (node.attrs["axis"],))

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"{self.function}({args[0]}, axis={node.attrs['axis']})")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return f"{self.function}({args[0]}, axis={node.attrs['axis']}, out={out})"

    def flops(self, node: Node) -> Dim:
        return node.size


class CumulativeSum(Linear, Cumulative):
    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        axis = node.attrs["axis"]
        return flipped(self(flipped(cotangent, axis), axis), axis)

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return OPS["sum"].bounds(node, operands)

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return OPS["sum"].range(node, operands)


class CumulativeProduct(Cumulative):
    """Its tangent obeys d_k = x_k d_{k-1} + y_{k-1} t_k: no division, so zeros are exact."""

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        axis, x = node.attrs["axis"], node.inputs[0]
        before = shifted(node, axis, 1.0)
        return linear_recurrence(x, OPS["multiply"](before, tangent), axis=axis)

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return range_of_products(operands)


class CumulativeLogSumExp(Cumulative):
    """log(cumsum(exp(x))). Where all are -inf so far: value -inf, derivative 0.

    Its tangent obeys d_k = exp(y_{k-1} - y_k) d_{k-1} + exp(x_k - y_k) t_k, a mean with weights
    that add up to 1: nothing overflows, and what one exponent was rounded by, the next takes back.
    """

    function = "np.logaddexp.accumulate"

    def prepared(self, node: Node) -> Node:
        return node if node.dtype.kind == "f" else cast(node, FLOAT64)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.logaddexp.accumulate(arrays[0], axis=attrs["axis"])

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        axis, x, total = node.attrs["axis"], node.inputs[0], node
        if may_hold_minus_infinity(x):  # of -inf and -inf, exp(x - total) would be nan
            total = OPS["maximum"](node, float(np.finfo(node.dtype).min))
        kept = OPS["exp"](OPS["subtract"](shifted(node, axis, -math.inf), total))
        share = OPS["exp"](OPS["subtract"](x, total))
        return linear_recurrence(kept, OPS["multiply"](share, tangent), axis=axis)

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return replace(operands[0], high=math.inf, nonzero=False)

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return replace(operands[0], high=math.inf)

    def textbook(self, node: Node) -> Node:
        exponentials = OPS["exp"](node.inputs[0])
        return OPS["log"](OPS["cumsum"](exponentials, node.attrs["axis"]))

    def flops(self, node: Node) -> Dim:
        return 25 * node.size


class LinearRecurrence(Op):
    """y_k = a_k * y_{k-1} + b_k along an axis, with y_{-1} = 0. Linear in b."""

    family = "movement"

    def __call__(self, a: Any, b: Any, axis: int = -1) -> Node:
        left, right = as_node(a), as_node(b)
        return self.make([left, right], axis=one_axis(axis, left.ndim, self.name))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[1]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        a, b = (np.moveaxis(x, attrs["axis"], 0) for x in arrays)
        y = np.array(b)
        for k in range(1, len(y)):
            y[k] += a[k] * y[k - 1]
        return np.moveaxis(y, 0, attrs["axis"])

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        (a, _), (ta, tb), axis = node.inputs, tangents, node.attrs["axis"]
        drive = tb
        if ta is not None:
            moved = OPS["multiply"](ta, shifted(node, axis, 0.0))
            drive = moved if tb is None else OPS["add"](moved, tb)
        return None if drive is None else self(a, drive, axis)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node | None:
        if index == 0:
            return None
        # The adjoint runs backwards: c_k = a_{k+1} c_{k+1} + ct_k.
        axis = node.attrs["axis"]
        a = shifted(flipped(node.inputs[0], axis), axis, 0.0)
        return flipped(self(a, flipped(cotangent, axis), axis), axis)

    def reads(self, node: Node, index: int) -> Access:
        return across(node.inputs[index].shape, (node.attrs["axis"],))

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"_linear_recurrence({args[0]}, {args[1]}, axis={node.attrs['axis']})")

    def helper(self, node: Node) -> str:
        return _LINEAR_RECURRENCE

    def flops(self, node: Node) -> Dim:
        return 2 * node.size


def flipped(x: Node, axis: int) -> Node:
    """Return x with the order along one axis reversed."""
    index = [slice(None)] * x.ndim
    index[axis] = slice(None, None, -1)
    return OPS["slice"](x, index)


def shifted(x: Node, axis: int, first: float) -> Node:
    """Return x moved by one along an axis: `first`, then all but the last."""
    size = x.shape[axis]
    if isinstance(size, int) and size <= 1:
        return fill(first, x.shape, x.dtype) if size else zeros_like(x)
    head = fill(first, (*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
    index = [slice(None)] * x.ndim
    if isinstance(size, int):
        index[axis] = slice(0, -1)
        return OPS["concat"](head, OPS["slice"](x, index), axis=axis)
    index[axis] = slice(0, size)  # there may be no last one to leave out
    return OPS["slice"](OPS["concat"](head, x, axis=axis), index)


_LINEAR_RECURRENCE = '''
def _linear_recurrence(a, b, axis):
    """Return y with y[k] = a[k] * y[k - 1] + b[k] along an axis, y[-1] = 0."""
    a, y = np.array(np.moveaxis(a, axis, 0)), np.array(np.moveaxis(b, axis, 0))
    if len(y) * np.log(np.abs(a).max(initial=1)) < 80 and np.isfinite(y).all():
        reach = 1  # of so many terms is y[k] the sum so far, and a[k] the product
        while reach < len(y):
            y[reach:] += a[reach:] * y[:-reach]
            a[reach:] *= a[:-reach]
            reach *= 2
    else:  # where products of a may overflow, step by step
        for k in range(1, len(y)):
            y[k] += a[k] * y[k - 1]
    return np.moveaxis(y, 0, axis)
'''

_CASES = [
    Case((Arg((3, 4)),), {"axis": 1}),
    Case((Arg((3, 4)),), {"axis": 0}),
    Case((Arg((2, 2)),)),
    Case((Arg((2, 0)),), {"axis": 1}),
]
cumsum = register(CumulativeSum("cumsum", "Running sum along an axis.", _CASES))
cumprod = register(
    CumulativeProduct("cumprod", "Running product along an axis; exact at zeros.", _CASES)
)
logcumsumexp = register(
    CumulativeLogSumExp(
        "logcumsumexp", "log(cumsum(exp(x))) along an axis, without overflow.", _CASES
    )
)
linear_recurrence = register(
    LinearRecurrence(
        "linear_recurrence",
        "y_k = a_k y_{k-1} + b_k along an axis.",
        [Case((Arg((3, 4)), Arg((3, 4))), {"axis": 1}), Case((Arg((4,)), Arg((4,))), {"axis": 0})],
    )
)
