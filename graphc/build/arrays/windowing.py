"""Sliding windows as an array function."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Node
from graphc.ops.registry import OPS


def windows(x: Any, size: Any, stride: Any = 1, dilation: Any = 1) -> Node:
    """Show all windows over the last axes: first their positions, then the places in a window.

    As NumPy's `sliding_window_view`, with strides, and elements `dilation` apart. Contracted with
    filters they are a convolution, reduced they are pooling.

    Args:
        size: the elements of a window along the last axis, or a number for each of the last axes.
        stride: how far a window moves in one step; a number, or one for each axis.
        dilation: the distance of the elements of a window.

    **Shapes.** x: [..., H, W], size (kh, kw) ->
    [..., (H - kh)//stride + 1, (W - kw)//stride + 1, kh, kw]
    **Raises.** GraphError where the window is larger than the array.
    """
    return OPS["windows"](x, size, stride, dilation)
