"""What a sum of windows passes on: each value goes to all elements of its window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.ir.access import Access
from graphc.ir.attributes import Attributes
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim, as_shape, product
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case
from graphc.ir.types import TensorType
from graphc.ops.leaf import as_node
from graphc.ops.linear import Movement
from graphc.ops.registry import OPS, register
from graphc.ops.windows.pooling import expect_one_each, pooled_shape
from graphc.ops.windows.pooling_gradient import are_apart
from graphc.ops.windows.sliding import TurnableWindows, parts, window_attributes, windows_that_hold
from graphc.ops.windows.window_code import call, spread_windows


class SpreadWindows(TurnableWindows, Movement):
    """For each element of an array, the sum of the values of the windows that hold it.

    Attribute `shape`: how many elements each axis has that the windows slide over.
    """

    variable = "spread"

    def __call__(
        self, values: Any, shape: Any, size: Any, stride: Any = 1, dilation: Any = 1
    ) -> Node:
        node = as_node(values)
        attrs = window_attributes(self.name, node, size, stride, dilation)
        return self.make([node], shape=as_shape(shape), **attrs)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        values = inputs[0]
        lead = values.shape[: values.ndim - len(attrs["size"])]
        whole = values.with_shape((*lead, *attrs["shape"]))
        expect_one_each(self.name, pooled_shape(whole.shape, attrs, self.name), values)
        return whole

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        total = np.zeros(result.shape, result.dtype)
        for _, elements in parts(attrs, (*arrays[0].shape, *attrs["size"])):
            total[elements] += arrays[0]
        return total

    def reads(self, node: Node, index: int) -> Access:
        return windows_that_hold(node, node.inputs[0].shape)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        frame = {key: node.attrs[key] for key in ("size", "stride", "dilation")}
        return OPS["window_sum"].make([cotangent], **frame)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        fresh = f"np.empty({notation.size(node.shape)}, {notation.dtype(node.dtype)})"
        return Code(str(self.numpy_into(node, args, fresh, notation)))

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        verb = "fill_windows" if are_apart(node.attrs) else "spread_windows"
        return call(verb, node.attrs, notation, out, args[0].text)

    def helper(self, node: Node) -> str:
        return spread_windows(len(node.attrs["size"]), are_apart(node.attrs))

    def flops(self, node: Node) -> Dim:
        return node.inputs[0].size * product(node.attrs["size"])


window_spread = register(
    SpreadWindows(
        "window_spread",
        "For each element, the sum of the values of the windows that hold it.",
        [
            Case((Arg((5,)),), {"shape": (7,), "size": 3}),
            Case((Arg((2, 2, 4)),), {"shape": (5, 6), "size": (2, 3), "stride": (2, 1)}),
            Case((Arg((2, 2, 3)),), {"shape": (5, 6), "size": (2, 2), "stride": 2}),
            Case((Arg((1, 4, 4)),), {"shape": (5, 7), "size": (2, 2), "dilation": (1, 3)}),
        ],
    )
)
