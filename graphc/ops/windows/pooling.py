"""Windows reduced to one number each: sums, largest and smallest elements, and where those stand.

They are what `sum(windows(x))` and `max(windows(x))` mean, computed without ever laying the
windows out: one step for each place in a window, over all windows at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.access import Access, identity
from graphc.ir.attributes import Attributes
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim, product, same_shape, shape_text
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case
from graphc.ir.provenance import user_error
from graphc.ir.types import INT32, TensorType
from graphc.ops.leaf import as_node, zeros_like
from graphc.ops.linear import Linear, Movement
from graphc.ops.movement.indexing import index_node
from graphc.ops.registry import OPS, register
from graphc.ops.windows.sliding import (
    TurnableWindows,
    Windowed,
    parts,
    positions,
    window_attributes,
    windows_that_hold,
)
from graphc.ops.windows.window_code import add_in_windows as add_in_windows_helper
from graphc.ops.windows.window_code import call, extreme_in_windows, reduce_windows


class WindowReduction(TurnableWindows):
    """Each window of the last axes folded to one element by a ufunc."""

    family = "reduction"

    def __init__(self, name: str, doc: str, ufunc: str) -> None:
        self.ufunc = ufunc
        calls: list[tuple[tuple[int, ...], dict[str, Any]]] = [
            ((7,), {"size": 3}),
            ((2, 5, 6), {"size": (2, 3), "stride": (2, 1)}),
            ((2, 6, 6), {"size": 2, "stride": 2}),
            ((1, 5, 7), {"size": (2, 2), "dilation": (1, 3)}),
        ]
        super().__init__(name, doc, [Case((Arg(shape),), words) for shape, words in calls])

    def __call__(self, x: Any, size: Any, stride: Any = 1, dilation: Any = 1) -> Node:
        node = as_node(x)
        return self.make([node], **window_attributes(self.name, node, size, stride, dilation))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0].with_shape(pooled_shape(inputs[0].shape, attrs, self.name))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        self.expect_windows(arrays[0], attrs)
        axes = tuple(range(-len(attrs["size"]), 0))
        fold = getattr(np, self.ufunc)
        return np.asarray(fold.reduce(laid_out(arrays[0], attrs, result.shape), axis=axes))

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        operands = f"np.{self.ufunc}", args[0].text
        return Code(call("reduce_windows", node.attrs, notation, *operands))

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return f"{self.numpy(node, args, notation).text[:-1]}, out={out})"

    def helper(self, node: Node) -> str:
        return reduce_windows(len(node.attrs["size"]))

    def flops(self, node: Node) -> Dim:
        return node.size * product(node.attrs["size"])


class WindowSum(Linear, WindowReduction):
    """The sum of each window: linear."""

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        space = node.inputs[0].shape[node.ndim - len(node.attrs["size"]) :]
        return OPS["window_spread"].make([cotangent], shape=space, **node.attrs)


class WindowExtremum(WindowReduction):
    """The largest or smallest element; the first one that attains it gets the derivative."""

    convention = "window_max, window_min: the first of equal elements gets the derivative"

    def __init__(self, name: str, doc: str, ufunc: str, index_op: str) -> None:
        self.index_op = index_op
        super().__init__(name, doc, ufunc)

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        first = OPS[self.index_op].make(node.inputs, **node.attrs)
        return OPS["take_in_windows"].make([tangent, first], **node.attrs)


class WindowArgExtremum(WindowReduction):
    """The number of the place, row by row, where the extreme element of a window stands first."""

    def __init__(self, name: str, doc: str, ufunc: str, exceeds: str) -> None:
        self.exceeds = exceeds
        self.extreme = name.removeprefix("window_")
        super().__init__(name, doc, ufunc)
        self.cases = tuple([Case(case.args, case.kwargs, False) for case in self.cases])

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return super().infer(inputs, attrs).with_dtype(INT32)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        places = in_rows(laid_out(arrays[0], attrs, result.shape), attrs)
        return getattr(np, self.extreme)(places, -1).astype(INT32)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(call(f"{self.extreme}_in_windows", node.attrs, notation, args[0].text))

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return None

    def helper(self, node: Node) -> str:
        rank = len(node.attrs["size"])
        return extreme_in_windows(rank, self.extreme, self.ufunc, self.exceeds)

    def scratch(self, node: Node) -> Dim:
        # The extreme elements, and for one place which of them it exceeds, also times its number.
        return node.size * (node.inputs[0].dtype.itemsize + 1 + node.dtype.itemsize)


class TakeInWindows(Windowed, Movement):
    """The element of each window at the place with a number, counted row by row."""

    imports = ("from numpy.lib.stride_tricks import sliding_window_view",)

    def __call__(self, x: Any, index: Any, size: Any, stride: Any = 1, dilation: Any = 1) -> Node:
        node = as_node(x)
        attrs = window_attributes(self.name, node, size, stride, dilation)
        return self.make([node, index_node(index)], **attrs)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        wanted = pooled_shape(inputs[0].shape, attrs, self.name)
        expect_one_each(self.name, wanted, *inputs[1:])
        return inputs[0].with_shape(wanted)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        places = in_rows(laid_out(arrays[0], attrs, result.shape), attrs)
        return np.take_along_axis(places, arrays[1][..., None], -1)[..., 0]

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        operands = [zeros_like(node.inputs[0]), cotangent, node.inputs[1]]
        return OPS["add_in_windows"].make(operands, **node.attrs)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        shown = OPS["windows"].make(node.inputs[:1], **node.attrs)
        view = OPS["windows"].numpy(shown, args[:1], notation)
        count = notation.dim(product(node.attrs["size"]))
        shape = ", ".join([*map(notation.dim, node.shape), count])
        return Code(
            f"np.take_along_axis({view}.reshape({shape}), {args[1]}[..., None], -1)[..., 0]"
        )


class AddInWindows(TurnableWindows, Movement):
    """A copy of `base` with one value added for each window, at the place with a number."""

    accumulates = True

    def __call__(
        self, base: Any, values: Any, index: Any, size: Any, stride: Any = 1, dilation: Any = 1
    ) -> Node:
        node = as_node(base)
        attrs = window_attributes(self.name, node, size, stride, dilation)
        return self.make([node, as_node(values), index_node(index)], **attrs)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        wanted = pooled_shape(inputs[0].shape, attrs, self.name)
        expect_one_each(self.name, wanted, *inputs[1:])
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        total = np.array(arrays[0], result.dtype)
        windows = (*arrays[1].shape, *attrs["size"])
        for number, (_, elements) in enumerate(parts(attrs, windows)):
            total[elements] += np.where(arrays[2] == number, arrays[1], 0)
        return total

    def reads(self, node: Node, index: int) -> Access:
        return windows_that_hold(node, node.inputs[index].shape) if index else identity(node.ndim)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        if index == 0:
            return cotangent
        return OPS["take_in_windows"].make([cotangent, node.inputs[2]], **node.attrs)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return call("add_in_windows", node.attrs, notation, out, args[1].text, args[2].text)

    def helper(self, node: Node) -> str:
        return add_in_windows_helper(len(node.attrs["size"]))

    def scratch(self, node: Node) -> Dim:
        # For one place, which values belong there, and those values.
        return node.inputs[1].size * (1 + node.dtype.itemsize)

    def flops(self, node: Node) -> Dim:
        return node.inputs[1].size


def pooled_shape(shape: tuple[Dim, ...], attrs: Mapping[str, Any], op: str) -> tuple[Dim, ...]:
    """Return the shape of one element for each window."""
    lead = shape[: len(shape) - len(attrs["size"])]
    return (*lead, *positions(shape, attrs, op))


def laid_out(x: np.ndarray, attrs: Mapping[str, Any], pooled: Sequence[int]) -> np.ndarray:
    """Return all windows of an array as an array."""
    found = np.empty((*pooled, *attrs["size"]), x.dtype)
    for place, elements in parts(attrs, found.shape):
        found[place] = x[elements]
    return found


def in_rows(windows: np.ndarray, attrs: Mapping[str, Any]) -> np.ndarray:
    """Return windows with all their places along the last axis."""
    lead = windows.shape[: windows.ndim - len(attrs["size"])]
    return windows.reshape(*lead, int(np.prod(attrs["size"])))


def expect_one_each(op: str, pooled: tuple[Dim, ...], *operands: TensorType) -> None:
    """Raise where operands do not have the shape of one element for each window."""
    for operand in operands:
        if not same_shape(operand.shape, pooled):
            raise user_error(
                f"{op}: one element for each window", got=str(operand), expected=shape_text(pooled)
            )


window_sum = register(WindowSum("window_sum", "The sum of each window over the last axes.", "add"))
window_max = register(
    WindowExtremum(
        "window_max",
        "The largest element of each window; the first one that attains it gets the derivative.",
        "maximum",
        "window_argmax",
    )
)
window_min = register(
    WindowExtremum(
        "window_min",
        "The smallest element of each window; the first one that attains it gets the derivative.",
        "minimum",
        "window_argmin",
    )
)
window_argmax = register(
    WindowArgExtremum(
        "window_argmax",
        "Where in each window its largest element stands first, counted row by row.",
        "maximum",
        ">",
    )
)
window_argmin = register(
    WindowArgExtremum(
        "window_argmin",
        "Where in each window its smallest element stands first, counted row by row.",
        "minimum",
        "<",
    )
)
_FRAME = {"size": (2, 3), "stride": (2, 1)}
_INDEX = Arg((2, 2, 4), "int64", 0, 6)
take_in_windows = register(
    TakeInWindows(
        "take_in_windows",
        "The element of each window at the place with a number, counted row by row.",
        [
            Case((Arg((2, 5, 6)), _INDEX), _FRAME),
            Case((Arg((7,)), Arg((3,), "int64", 0, 2)), {"size": 2, "dilation": 4}),
        ],
    )
)
add_in_windows = register(
    AddInWindows(
        "add_in_windows",
        "A copy of base with one value added for each window, at the place with a number.",
        [
            Case((Arg((2, 5, 6)), Arg((2, 2, 4)), _INDEX), _FRAME),
            Case((Arg((7,)), Arg((3,)), Arg((3,), "int64", 0, 2)), {"size": 2, "dilation": 4}),
        ],
    )
)
