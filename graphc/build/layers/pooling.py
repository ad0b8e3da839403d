"""Pooling layers: the largest element, or the mean, of each window of the last axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.build.layers.naming import layer_name, remember
from graphc.build.layers.plain import floating
from graphc.build.layers.window_layers import (
    Frame,
    Widths,
    expect_axes,
    expect_fit,
    frame_of,
    padded,
)
from graphc.ir.dims import product
from graphc.ir.node import Node
from graphc.ir.provenance import scope, user_error
from graphc.ops.leaf import as_node, fill
from graphc.ops.registry import OPS
from graphc.ops.windows.sliding import per_axis, span

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]


def max_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    ceil_mode: bool = False,
    name: str | None = None,
) -> Node:
    """Return the largest element of each window of a sequence; see `max_pool2d`.

    **Shapes.** x: [..., C, L] -> [..., C, (L + 2*padding - k)//stride + 1]
    **Raises.** GraphError as `max_pool2d`.
    """
    return _max_pool(1, x, kernel_size, stride, padding, dilation, ceil_mode, name)


def max_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    ceil_mode: bool = False,
    name: str | None = None,
) -> Node:
    """Return the largest element of each window of an image.

    The first element that attains it (row by row) gets the derivative.

    Args:
        kernel_size: the size of a window: a number, or one for each axis.
        stride: how far a window moves in one step; the kernel's size unless given.
        padding: elements around the image that are never the largest; at most half the kernel.
        dilation: the distance of a window's elements.
        ceil_mode: also pool the last elements, that do not fill a window.

    **Shapes.** x: [..., C, H, W] -> [..., C, (H + 2*padding - kh)//stride + 1, …]
    **Raises.** GraphError where the window is larger than the padded image, or the padding than
    half the window.
    """
    return _max_pool(2, x, kernel_size, stride, padding, dilation, ceil_mode, name)


def max_pool3d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    ceil_mode: bool = False,
    name: str | None = None,
) -> Node:
    """Return the largest element of each window of a volume; see `max_pool2d`.

    **Shapes.** x: [..., C, D, H, W] -> [..., C, (D + 2*padding - kd)//stride + 1, …]
    **Raises.** GraphError as `max_pool2d`.
    """
    return _max_pool(3, x, kernel_size, stride, padding, dilation, ceil_mode, name)


def avg_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    name: str | None = None,
) -> Node:
    """Return the mean of each window of a sequence; see `avg_pool2d`.

    **Shapes.** x: [..., C, L] -> [..., C, (L + 2*padding - k)//stride + 1]
    **Raises.** GraphError as `avg_pool2d`.
    """
    return _avg_pool(1, x, kernel_size, stride, padding, ceil_mode, count_include_pad, name)


def avg_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    name: str | None = None,
) -> Node:
    """Return the mean of each window of an image; that of all of it is `x.mean(axis=(-2, -1))`.

    Args:
        kernel_size: the size of a window: a number, or one for each axis.
        stride: how far a window moves in one step; the kernel's size unless given.
        padding: zeros around the image; at most half the kernel.
        ceil_mode: also pool the last elements, that do not fill a window.
        count_include_pad: whether the zeros around the image count as elements of a window.

    **Shapes.** x: [..., C, H, W] -> [..., C, (H + 2*padding - kh)//stride + 1, …]
    **Raises.** GraphError where the window is larger than the padded image, or the padding than
    half the window.
    """
    return _avg_pool(2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, name)


def avg_pool3d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    name: str | None = None,
) -> Node:
    """Return the mean of each window of a volume; see `avg_pool2d`.

    **Shapes.** x: [..., C, D, H, W] -> [..., C, (D + 2*padding - kd)//stride + 1, …]
    **Raises.** GraphError as `avg_pool2d`.
    """
    return _avg_pool(3, x, kernel_size, stride, padding, ceil_mode, count_include_pad, name)


def _max_pool(
    rank: int,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    name: str | None,
) -> Node:
    node = floating(as_node(x))
    label = layer_name(f"max_pool{rank}d", name, node)
    with scope(label):
        frame = _frame(label, node, rank, kernel_size, stride, padding, dilation)
        widths = _up_to_last_start(frame) if ceil_mode else frame.widths
        expect_fit(label, node, frame, widths)
        image = padded(node, widths, -np.inf)
        pooled = OPS["window_max"](image, frame.kernel, frame.stride, frame.dilation)
        return remember(node, pooled, label)


def _avg_pool(
    rank: int,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    name: str | None,
) -> Node:
    node = floating(as_node(x))
    label = layer_name(f"avg_pool{rank}d", name, node)
    with scope(label):
        frame = _frame(label, node, rank, kernel_size, stride, padding)
        widths = _up_to_last_start(frame) if ceil_mode else frame.widths
        expect_fit(label, node, frame, widths)
        total = OPS["window_sum"](padded(node, widths), frame.kernel, frame.stride)
        counted = frame.widths if count_include_pad else ((0, 0),) * rank
        if widths == counted:
            return remember(node, OPS["divide"](total, product(frame.kernel)), label)
        # Only elements that count are ones; the sums of their windows say how many there are.
        ones = padded(fill(1.0, node.shape[-rank:], node.dtype), counted, 1.0)
        rest = tuple([(a - c, b - d) for (a, b), (c, d) in zip(widths, counted, strict=True)])
        number = OPS["window_sum"](padded(ones, rest), frame.kernel, frame.stride)
        number = OPS["maximum"](number, 1.0)  # which it is, but only we know
        return remember(node, OPS["divide"](total, number), label)


def _frame(
    label: str, x: Node, rank: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1
) -> Frame:
    """Return how the windows lie; the padding so narrow that each holds an element of x."""
    expect_axes(label, x, rank)
    kernel = per_axis(label, "kernel_size", kernel_size, rank)
    frame = frame_of(label, kernel, kernel if stride is None else stride, padding, dilation)
    for k, pair in zip(kernel, frame.widths, strict=True):
        if isinstance(k, int) and any(isinstance(w, int) and 2 * w > k for w in pair):
            raise user_error(
                f"{label}: the padding is wider than half the window",
                got=f"padding {padding!r} with kernel_size {kernel}",
            )
    return frame


def _up_to_last_start(frame: Frame) -> Widths:
    """Return the padding with which the last elements get a window of their own.

    One more window fits with stride - 1 more elements; but none may start behind x and its
    padding before it, which span - 1 elements after x ensure.
    """
    extended = []
    axes = zip(frame.widths, frame.kernel, frame.stride, frame.dilation, strict=True)
    for (before, after), k, s, d in axes:
        wider, furthest = after + s - 1, span(k, d) - 1
        if not isinstance(wider - furthest, int):
            raise user_error(
                "ceil_mode needs a kernel, stride and padding that are known",
                got=f"kernel {k}, stride {s}, padding {after}",
            )
        extended.append((before, min(wider, furthest)))
    return tuple(extended)
