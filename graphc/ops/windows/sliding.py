"""Sliding windows over the last axes, with stride and dilation, and adding windows back.

`windows` shows one element many times; it copies nothing. Products of windows are convolutions,
and what adds windows back where they came from, its transpose, is transposed convolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.access import Access, Span, along, identity, whole
from graphc.ir.attributes import Attributes, plain
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import (
    Dim,
    Shape,
    as_dim,
    dim_text,
    floor_divide,
    normal,
    same,
    same_shape,
    shape_text,
)
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op, Order, Turn
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType
from graphc.ops.batching import Carried, by_element
from graphc.ops.leaf import as_node, full, zeros_like
from graphc.ops.linear import Movement
from graphc.ops.movement.rearranging import BroadcastTo
from graphc.ops.registry import OPS, register
from graphc.ops.windows.window_code import add_windows, call


class Windowed(Op):
    """An op over windows of the last axes of its first input.

    Attributes: `size`, `stride` and `dilation`, one number for each of those axes. The window at
    position p holds the elements p*stride + i*dilation; the i < size are its places.
    """

    family = "movement"

    def expect_windows(self, x: np.ndarray, attrs: Mapping[str, Any]) -> None:
        """Raise where an array of a named size turns out to be smaller than a window."""
        positions(x.shape, attrs, self.name)

    def shown_attributes(self, node: Node) -> dict[str, Any]:
        attrs = dict(node.attrs)
        return {k: v for k, v in attrs.items() if k == "size" or any(n != 1 for n in v)}

    def reads(self, node: Node, index: int) -> Access:
        """Return what one element reads: its own lead axes, and a window of the others."""
        rank = len(node.attrs["size"])
        lead = node.inputs[index].ndim - rank
        spans = [along(axis) for axis in range(node.inputs[index].ndim)]
        if index == 0:
            frame = zip(*(node.attrs[k] for k in ("size", "stride", "dilation")), strict=True)
            for axis, (k, s, d) in enumerate(frame, lead):
                spans[axis] = Span(0, as_dim(d * (k - 1)), ((axis, s),))
        return tuple(spans)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        """Return the op with one more axis in front, which the windows leave alone."""
        return by_element(node, carried, size)


class TurnableWindows(Windowed):
    """An op over windows that may as well have its operands' axes in another order."""

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order] | None:
        attrs = _in_order(node, order)
        if attrs is None:
            return None
        return self.make([turned(x, order) for x in node.inputs], **attrs), order


def _in_order(node: Node, order: Sequence[int]) -> dict[str, Any] | None:
    """Return the attributes of windows over axes in another order.

    Windows slide over the last axes; an axis among those that they do not reach into has size 1.
    None where the others change places: the places in a window are counted row by row.
    """
    rank = len(node.attrs["size"])
    lead = node.ndim - rank
    sliding = [axis for axis in order if axis >= lead]
    if sliding != sorted(sliding):
        return None
    last = order[min(i for i, axis in enumerate(order) if axis >= lead) :]
    attrs: dict[str, Any] = {
        key: tuple([node.attrs[key][axis - lead] if axis >= lead else 1 for axis in last])
        for key in ("size", "stride", "dilation")
    }
    if "shape" in node.attrs:
        attrs["shape"] = tuple([node.shape[axis] for axis in last])
    return attrs


class Windows(Windowed, Movement):
    """x[…, p*stride + i*dilation] at […, p, i]: first all positions p, then all places i."""

    is_view = True
    imports = ("from numpy.lib.stride_tricks import sliding_window_view",)

    def __call__(self, x: Any, size: Any, stride: Any = 1, dilation: Any = 1) -> Node:
        node = as_node(x)
        return self.make([node], **window_attributes(self.name, node, size, stride, dilation))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        x = inputs[0]
        lead = x.shape[: x.ndim - len(attrs["size"])]
        return x.with_shape((*lead, *positions(x.shape, attrs, self.name), *attrs["size"]))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        self.expect_windows(arrays[0], attrs)
        found = np.empty(result.shape, result.dtype)
        for place, elements in parts(attrs, result.shape):
            found[place] = arrays[0][elements]
        return found

    def reads(self, node: Node, index: int) -> Access:
        rank = len(node.attrs["size"])
        lead = node.inputs[0].ndim - rank
        spans = [along(axis) for axis in range(lead)]
        steps = zip(node.attrs["stride"], node.attrs["dilation"], strict=True)
        for axis, (s, d) in enumerate(steps, lead):
            spans.append(Span(0, 0, ((axis, s), (axis + rank, d))))
        return tuple(spans)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return OPS["windows_add"].make([zeros_like(node.inputs[0]), cotangent], **node.attrs)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        attrs, ndim = node.attrs, node.inputs[0].ndim
        rank = len(attrs["size"])
        spans = [span(k, d) for k, d in zip(attrs["size"], attrs["dilation"], strict=True)]
        axes = [str(a) for a in range(ndim - rank, ndim)]
        size, axis = notation.size(tuple(spans)), axes[0] if rank == 1 else f"({', '.join(axes)})"
        code = f"sliding_window_view({args[0]}, {size}, axis={axis})"
        steps = [1] * (ndim - rank) + [*attrs["stride"], *attrs["dilation"]]
        words = [":" if isinstance(s, int) and s == 1 else f"::{notation.dim(s)}" for s in steps]
        while words and words[-1] == ":":
            words.pop()
        return Code(f"{code}[{', '.join(words)}]" if words else code)


class WindowsAdd(Windowed, Movement):
    """A copy of `base` with windows added where `windows` would take them from."""

    accumulates = True
    variable = "overlap"

    def __call__(
        self, base: Any, values: Any, size: Any, stride: Any = 1, dilation: Any = 1
    ) -> Node:
        node = as_node(base)
        attrs = window_attributes(self.name, node, size, stride, dilation)
        return self.make([node, as_node(values)], **attrs)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        wanted = OPS["windows"].infer(inputs[:1], attrs)
        if not same_shape(wanted.shape, inputs[1].shape):
            raise user_error(
                f"{self.name}: the values do not fit the windows",
                got=str(inputs[1]),
                expected=shape_text(wanted.shape),
            )
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        total = np.array(arrays[0], result.dtype)
        for place, elements in parts(attrs, arrays[1].shape):
            total[elements] += arrays[1][place]
        return total

    def reads(self, node: Node, index: int) -> Access:
        return windows_that_hold(node, node.inputs[index].shape) if index else identity(node.ndim)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return cotangent if index == 0 else OPS["windows"].make([cotangent], **node.attrs)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        values, code = node.inputs[1], args[1].text
        if isinstance(values.op, BroadcastTo) or values.op is full:
            # An addition would broadcast the values by itself; this one needs whole windows.
            code = f"np.broadcast_to({code}, {notation.shape(values.shape)})"
        return call("add_windows", node.attrs, notation, out, code)

    def helper(self, node: Node) -> str:
        return add_windows(len(node.attrs["size"]))

    def flops(self, node: Node) -> Dim:
        return node.inputs[1].size


def windows_that_hold(node: Node, values: Shape) -> Access:
    """Return what an element of an array reads of values by window: of those that it lies in."""
    attrs, rank = node.attrs, len(node.attrs["size"])
    lead = node.ndim - rank
    spans = [along(axis) for axis in range(lead)] + [whole(dim) for dim in values[lead:]]
    frame = zip(attrs["size"], attrs["stride"], attrs["dilation"], strict=True)
    for axis, (k, s, d) in enumerate(frame, lead):
        if s == 1:
            spans[axis] = Span(normal(-d * (k - 1)), 0, ((axis, 1),))
    return tuple(spans)


def window_attributes(op: str, x: Node, size: Any, stride: Any, dilation: Any) -> dict[str, Any]:
    """Return size, stride and dilation as one number for each axis that has windows."""
    sizes = tuple(size) if isinstance(size, (list, tuple)) else (size,)
    if not 0 < len(sizes) <= x.ndim:
        raise user_error(
            f"{op}: one size for each axis that the windows slide over",
            got=f"{size!r} for {x.type}",
            expected=f"1 … {x.ndim} sizes" if x.ndim else "an array with an axis",
        )
    named = {"size": sizes, "stride": stride, "dilation": dilation}
    return {key: per_axis(op, key, value, len(sizes)) for key, value in named.items()}


def per_axis(op: str, what: str, value: Any, rank: int, least: int = 1) -> tuple[Dim, ...]:
    """Return one number for each of `rank` axes; a single one stands for all of them.

    **Raises.** GraphError for another count, and for numbers below `least`.
    """
    given = plain(value)
    values = tuple(given) if isinstance(given, (list, tuple)) else (given,) * rank
    fits = [is_count(v) and not is_below(v, least) for v in values]
    if len(values) != rank or not all(fits):
        kind = "positive" if least else "non-negative"
        raise user_error(
            f"{op}: {what} must be a {kind} integer, or {rank} of them", got=repr(value)
        )
    return tuple([as_dim(v) for v in values])


def is_count(value: Any) -> bool:
    """Say whether a value is an integer, or a dim."""
    if isinstance(value, (bool, float)):
        return False
    return isinstance(value, (int, np.integer)) or hasattr(value, "free_symbols")


def is_below(value: Any, least: int) -> bool:
    """Say whether a number is too small; of a dim nobody knows."""
    return isinstance(value, (int, np.integer)) and bool(value < least)


def span(size: Dim, dilation: Dim) -> Dim:
    """Return how many elements lie between the ends of a window, both included."""
    return as_dim(dilation * (size - 1) + 1)


def positions(shape: Shape, attrs: Mapping[str, Any], op: str) -> Shape:
    """Return how many windows fit along each of the last axes: floor((n - span)/stride) + 1.

    Windows of one element fit into an axis without elements: there are none.
    """
    size, stride, dilation = attrs["size"], attrs["stride"], attrs["dilation"]
    counts = []
    for n, k, s, d in zip(shape[len(shape) - len(size) :], size, stride, dilation, strict=True):
        room = n - span(k, d)
        if isinstance(room, int) and room < 0 and not same(k, 1):
            raise user_error(
                f"{op}: the window is larger than the array",
                got=f"a window over {dim_text(span(k, d))} of {dim_text(n)} elements",
                expected=f"windows {shape_text(tuple(map(span, size, dilation)))} that fit into "
                f"{shape_text(shape)}",
                fix="pad the array, or make the window or its dilation smaller",
            )
        counts.append(as_dim(floor_divide(room, s) + 1))
    return tuple(counts)


def parts(attrs: Mapping[str, Any], windows: Sequence[int]) -> Iterator[tuple[Any, Any]]:
    """Yield the index of each place in the windows, and of the elements of the array there.

    `windows` is the shape of the array of windows.
    """
    rank = len(attrs["size"])
    counts = windows[len(windows) - 2 * rank : len(windows) - rank]
    for place in np.ndindex(*attrs["size"]):
        numbers = zip(place, attrs["stride"], attrs["dilation"], counts, strict=True)
        elements = [slice(i * d, i * d + n * s, s) for i, s, d, n in numbers]
        yield (..., *place), (..., *elements)


windows = register(
    Windows(
        "windows",
        "Sliding windows over the last axes: first their positions, then the places in them.",
        [
            Case((Arg((7,)),), {"size": 3}),
            Case((Arg((2, 6, 7)),), {"size": (2, 3), "stride": (2, 1), "dilation": (1, 2)}),
            Case((Arg((2, 3, 4, 3)),), {"size": (2, 2, 2), "stride": 2}),
            Case((Arg((5,)),), {"size": 2, "stride": 4}),
        ],
    )
)
windows_add = register(
    WindowsAdd(
        "windows_add",
        "A copy of base with windows added where they would be taken from.",
        [
            Case((Arg((7,)), Arg((5, 3))), {"size": 3}),
            Case(
                (Arg((2, 6, 7)), Arg((2, 3, 3, 2, 3))),
                {"size": (2, 3), "stride": (2, 1), "dilation": (1, 2)},
            ),
            Case((Arg((5,)), Arg((1, 2))), {"size": 2, "stride": 4}),
        ],
    )
)
