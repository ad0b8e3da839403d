"""The gradient of the largest element of a window: it goes where that element stands first.

`add_in_windows` says this with the number of the place, which has to be found beforehand. Where the
largest element itself is known, as it is after pooling, comparing with it finds the place while
adding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.access import Access, across, identity
from graphc.ir.attributes import Attributes
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim, shape_text
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType
from graphc.ops.leaf import as_node, fill
from graphc.ops.linear import Movement
from graphc.ops.registry import OPS, register
from graphc.ops.windows.pooling import expect_one_each, pooled_shape
from graphc.ops.windows.sliding import (
    TurnableWindows,
    Windowed,
    window_attributes,
    windows_that_hold,
)
from graphc.ops.windows.window_code import at_extreme, call


class AtExtreme(Windowed, Movement):
    """One value for each window of x, where its extreme stands first.

    The last operands are the values, x, and the extreme of each window of x, given again so that
    nobody computes it twice.
    """

    verb = ""

    def __init__(self, name: str, doc: str, number: str, cases: Sequence[Case]) -> None:
        self.number = number
        super().__init__(name, doc, cases)

    def extremes(self, x: Node, attrs: Mapping[str, Any]) -> Node:
        return OPS[self.number.replace("arg", "")].make([x], **attrs)

    def reads(self, node: Node, index: int) -> Access:
        if index == len(node.inputs) - 2:  # all of each window that holds the element
            rank = len(node.attrs["size"])
            return across(node.shape, range(node.ndim - rank, node.ndim))
        is_base = index < len(node.inputs) - 3
        values = node.inputs[-1].shape
        return identity(node.ndim) if is_base else windows_that_hold(node, values)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        operands = [a.text for a in args[-3:]]
        return call(f"{self.verb}_at_extreme", node.attrs, notation, out, *operands)

    def helper(self, node: Node) -> str:
        return at_extreme(len(node.attrs["size"]), self.verb)

    def scratch(self, node: Node) -> Dim:
        # Which places are still free, and for one place which values belong there, and those.
        return node.inputs[-1].size * (3 + node.dtype.itemsize)

    def flops(self, node: Node) -> Dim:
        return node.inputs[-1].size


class AddAtExtreme(TurnableWindows, AtExtreme):
    """A copy of `base` with a value added for each window of x, where its extreme stands first."""

    accumulates = True
    verb = "add"

    def __call__(
        self,
        base: Any,
        values: Any,
        x: Any,
        extreme: Any = None,
        *,
        size: Any,
        stride: Any = 1,
        dilation: Any = 1,
    ) -> Node:
        nodes = as_node(base), as_node(values), as_node(x)
        attrs = window_attributes(self.name, nodes[0], size, stride, dilation)
        if extreme is None:
            return self.of(*nodes, attrs)
        return self.make([*nodes, as_node(extreme)], **attrs)

    def of(self, base: Node, values: Node, x: Node, attrs: Mapping[str, Any]) -> Node:
        """Return the node for windows that are known."""
        return self.make([base, values, x, self.extremes(x, attrs)], **attrs)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        base, values, _, extreme = inputs
        wanted = pooled_shape(base.shape, attrs, self.name)
        expect_one_each(self.name, wanted, values, extreme)
        return base

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        base, values, x, extreme = arrays
        found = TensorType(np.dtype(np.int32), extreme.shape)
        index = OPS[self.number].reference([x], attrs, found)
        return OPS["add_in_windows"].reference([base, values, index], attrs, result)

    def expand(self, node: Node) -> Node:
        base, values, x, _ = node.inputs
        index = OPS[self.number].make([x], **node.attrs)
        return OPS["add_in_windows"].make([base, values, index], **node.attrs)


class PutAtExtreme(AtExtreme):
    """Zeros, but for one value for each window of x, where its extreme stands first.

    No two windows have an element in common, so nothing is added up.
    """

    verb = "put"

    def __call__(
        self, values: Any, x: Any, extreme: Any = None, *, size: Any, stride: Any, dilation: Any = 1
    ) -> Node:
        node = as_node(x)
        attrs = window_attributes(self.name, node, size, stride, dilation)
        known = self.extremes(node, attrs) if extreme is None else as_node(extreme)
        return self.make([as_node(values), node, known], **attrs)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        values, x, extreme = inputs
        if not are_apart(attrs):
            raise user_error(
                f"{self.name}: windows have elements in common",
                got=", ".join(f"{k}={shape_text(attrs[k])}" for k in ("size", "stride")),
                expected="a stride of at least the size, and no dilation",
            )
        expect_one_each(self.name, pooled_shape(x.shape, attrs, self.name), values, extreme)
        return values.with_shape(x.shape)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        zeros = np.zeros(result.shape, result.dtype)
        return self._adding.reference([zeros, *arrays], attrs, result)

    def expand(self, node: Node) -> Node:
        zeros = fill(0, node.shape, node.dtype)
        return self._adding.make([zeros, *node.inputs], **node.attrs)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        fresh = f"np.empty({notation.size(node.shape)}, {notation.dtype(node.dtype)})"
        return Code(str(self.numpy_into(node, args, fresh, notation)))

    @property
    def _adding(self) -> Op:
        return OPS[self.name.replace("put", "add")]


def are_apart(attrs: Mapping[str, Any]) -> bool:
    """Say whether windows are known to have no element in common."""
    frame = zip(*(attrs[k] for k in ("size", "stride", "dilation")), strict=True)
    return all(d == 1 and isinstance(k, int) and isinstance(s, int) and k <= s for k, s, d in frame)


_CASES = [
    Case((Arg((2, 5, 6)), Arg((2, 2, 4)), Arg((2, 5, 6))), {"size": (2, 3), "stride": (2, 1)}),
    Case((Arg((7,)), Arg((3,)), Arg((7,))), {"size": 2, "dilation": 4}),
    Case((Arg((2, 4, 4)), Arg((2, 2, 2)), Arg((2, 4, 4))), {"size": (2, 2), "stride": 2}),
]
add_at_window_max = register(
    AddAtExtreme(
        "add_at_window_max",
        "A copy of base with one value added for each window of x, where its maximum stands first.",
        "window_argmax",
        _CASES,
    )
)
add_at_window_min = register(
    AddAtExtreme(
        "add_at_window_min",
        "A copy of base with one value added for each window of x, where its minimum stands first.",
        "window_argmin",
        _CASES,
    )
)
_APART = [
    Case((Arg((2, 2, 2)), Arg((2, 4, 4))), {"size": (2, 2), "stride": 2}),
    Case((Arg((2, 1, 2)), Arg((2, 4, 5))), {"size": (2, 2), "stride": (3, 2)}),
    Case((Arg((2,)), Arg((7,))), {"size": 2, "stride": 4}),
]
put_at_window_max = register(
    PutAtExtreme(
        "put_at_window_max",
        "One value for each window of x, where its maximum stands first; 0 elsewhere.",
        "window_argmax",
        _APART,
    )
)
put_at_window_min = register(
    PutAtExtreme(
        "put_at_window_min",
        "One value for each window of x, where its minimum stands first; 0 elsewhere.",
        "window_argmin",
        _APART,
    )
)
