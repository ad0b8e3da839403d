"""How does a filter slide? Grids for kernel, stride, padding and dilation, and the matrix of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.draw import palette
from graphc.draw.canvas import Canvas
from graphc.draw.drawing import Drawing
from graphc.draw.layout import Point
from graphc.draw.typography import number_text, subscript, text_width
from graphc.errors import GraphError
from graphc.ops import OPS
from graphc.ops.windows.sliding import per_axis

_CELL = 22.0
_MOST_CELLS = 40


def sliding_filter(
    kernel: Any = 3,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
    size: Any = 5,
    *,
    positions: Sequence[tuple[int, int]] | None = None,
) -> Drawing:
    """Draw a filter on its way over an image: which elements it reads, which one it writes.

    Each argument is a number or a pair (rows, columns). Zeros around the image are dashed; elements
    that are read are thick and dotted (•). By default the first two positions and the last one are
    drawn; `positions` names others, counted from 0. The size of the result is shape inference's.

    **Raises** GraphError where the filter does not fit.
    """
    frame = [
        per_axis("sliding_filter", word, value, 2, least)
        for word, value, least in (
            ("kernel", kernel, 1), ("stride", stride, 1), ("pad", pad, 0),
            ("dilation", dilation, 1), ("size", size, 1),
        )
    ]  # fmt: skip
    kernel_, stride_, pad_, dilation_, size_ = (tuple(map(int, pair)) for pair in frame)
    out = _result_shape(kernel_, stride_, pad_, dilation_, size_)
    _expect_small((*size_, *out))
    last = (out[0] - 1, out[1] - 1)
    second = (0, 1) if out[1] > 1 else (min(1, last[0]), 0)
    shown = list(dict.fromkeys([(0, 0), second, last] if positions is None else positions))
    canvas = Canvas("sliding_filter", wires_first=False)
    whole = (size_[0] + 2 * pad_[0], size_[1] + 2 * pad_[1])
    width = (whole[1] + out[1]) * _CELL + 70
    for index, (row, column) in enumerate(shown):
        if not (0 <= row < out[0] and 0 <= column < out[1]):
            raise GraphError(
                "no such position of the filter", got=f"({row}, {column})",
                expected=f"rows 0 to {last[0]}, columns 0 to {last[1]}",
            )  # fmt: skip
        read = {
            (row * stride_[0] + a * dilation_[0], column * stride_[1] + b * dilation_[1])
            for a in range(kernel_[0])
            for b in range(kernel_[1])
        }
        left = index * (width + 50)
        _grid(canvas, f"i{index}", (left, 0), whole, read, pad_)
        start = left + whole[1] * _CELL + 70
        _grid(canvas, f"o{index}", (start, 0), out, {(row, column)})
        canvas.wire(
            [(left + whole[1] * _CELL + 8, 0), (start - 8, 0)], key=f"w{index}", more="step"
        )
        canvas.words(
            f"at{index}", (left + whole[1] * _CELL / 2, 1.3 * _CELL),
            f"position ({row}, {column})", size=11, color=palette.MUTED,
        )  # fmt: skip
    shapes = f"{_by(size_)} → {_by(out)}"
    words = (
        f"kernel {_by(kernel_)}, stride {_by(stride_)}, padding {_by(pad_)}, "
        f"dilation {_by(dilation_)}:  {shapes}"
    )
    low = -(max(whole[0], out[0]) + 0.6) * _CELL
    canvas.words("caption", (len(shown) * (width + 50) / 2 - 25, low), words, size=12)
    return canvas.drawing("A filter slides over an image", f"{words}. Positions {shown}.")


def _result_shape(
    kernel: Sequence[int],
    stride: Sequence[int],
    pad: Sequence[int],
    dilation: Sequence[int],
    size: Sequence[int],
) -> tuple[int, ...]:
    """Return how many positions the filter has, from the types of the ops themselves."""
    x = OPS["input"]("x", tuple(size), "float64")
    padded = OPS["pad"](x, tuple((p, p) for p in pad)) if any(pad) else x
    found = OPS["windows"](padded, tuple(kernel), tuple(stride), tuple(dilation))
    return tuple(int(d) for d in found.shape[: len(size)])


def _expect_small(sizes: Sequence[int]) -> None:
    if max(sizes) > _MOST_CELLS:
        raise GraphError(
            "too many cells for a picture", got=max(sizes), expected=f"at most {_MOST_CELLS} a side"
        )
    if min(sizes) < 1:
        raise GraphError("the filter is larger than what it slides over: it has no position")


def _grid(
    canvas: Canvas,
    key: str,
    corner: Point,
    size: Sequence[int],
    marked: set[tuple[int, int]],
    pad: Sequence[int] = (0, 0),
) -> None:
    """Draw cells downwards from a corner; marked ones last, so that their frames lie on top."""
    rows, columns = (range(p, whole - p) for p, whole in zip(pad, size, strict=True))
    cells = [(r, c) for r in range(size[0]) for c in range(size[1])]
    for r, c in sorted(cells, key=lambda cell: cell in marked):
        is_marked, is_outside = (r, c) in marked, not (r in rows and c in columns)
        fill = palette.CONSTANT_FILL if is_outside else palette.PAPER
        roles = [w for w, holds in (("marked", is_marked), ("padding", is_outside)) if holds]
        canvas.shape(
            f"{key}_{r}_{c}",
            (corner[0] + (c + 0.5) * _CELL, corner[1] - (r - 0.5) * _CELL - _CELL / 2),
            (_CELL, _CELL),
            "•" if is_marked else "0" if is_outside else "",
            fill=palette.GATE_FILL if is_marked else fill,
            frame=palette.ADJOINT if is_marked else palette.MUTED,
            style="dashed" if is_outside and not is_marked else "",
            width=2.0 if is_marked else 0.8,
            more=" ".join(roles) or "cell",
            tooltip=f"row {r}, column {c}",
        )


def _by(pair: Sequence[int]) -> str:
    return f"{pair[0]}×{pair[1]}"


# -- the matrix of a convolution -------------------------------------------------------------------


def banded_matrix(
    kernel: Any = 3, size: int = 6, *, stride: int = 1, pad: int = 0, dilation: int = 1
) -> Drawing:
    """Draw a 1-D convolution as what it is, a matrix times a vector: y = A x.

    `kernel` is how many weights there are, or the weights themselves. Each row holds the same
    weights, shifted by the stride; all else is 0. Columns of the padding are left out: it is zero.

    **Raises** GraphError where the filter does not fit.
    """
    weights, shown = _weights(kernel)
    (rows,) = _result_shape([len(weights)], [stride], [pad], [dilation], [size])
    _expect_small((rows, size))
    canvas = Canvas("banded_matrix", wires_first=False)
    wide = max(_CELL + 6, max(text_width(text, 13) for text in shown) + 10)
    entries = matrix_entries(len(weights), rows, size, stride, pad, dilation)
    top = 0.5 * rows
    for r in range(rows):
        for c in range(size):
            k = entries.get((r, c))
            canvas.shape(
                f"a_{r}_{c}", ((c + 0.5) * wide, (top - r - 0.5) * _CELL), (wide, _CELL),
                "" if k is None else shown[k],
                fill=palette.PAPER if k is None else (palette.GATE_FILL, palette.INPUT_FILL)[k % 2],
                frame=palette.FORWARD_FRAME if k is None else palette.INK,
                width=0.8, more="zero" if k is None else "weight",
                tooltip=f"row {r + 1}, column {c + 1}: {'0' if k is None else shown[k]}",
            )  # fmt: skip
    _vector(canvas, "x", (size + 1.1) * wide, size)
    _vector(canvas, "y", -1.9 * wide, rows)
    canvas.words("equals", (-0.75 * wide, 0), "=", size=18)
    words = (
        f"y = A x:  {rows}×{size}, {len(weights)} weights, stride {stride}, padding {pad}, "
        f"dilation {dilation}"
    )
    low = -(max(rows, size) / 2 + 0.9) * _CELL
    canvas.words("caption", (size * wide / 2, low), words, size=12)
    return canvas.drawing("The banded matrix of a convolution", words)


def matrix_entries(
    count: int, rows: int, size: int, stride: int, pad: int, dilation: int
) -> dict[tuple[int, int], int]:
    """Return which weight stands at (row, column)."""
    found = {}
    for r in range(rows):
        for k in range(count):
            column = r * stride + k * dilation - pad
            if 0 <= column < size:
                found[r, column] = k
    return found


def _weights(kernel: Any) -> tuple[list[float], list[str]]:
    """Return the weights and how they are written: numbers, or w₁, w₂, …"""
    if isinstance(kernel, int) and not isinstance(kernel, bool):
        if kernel < 1:
            raise GraphError("a filter has at least one weight", got=kernel)
        return [1.0] * kernel, [f"w{subscript(str(i + 1))}" for i in range(kernel)]
    array = np.asarray(kernel, np.float64)
    if array.ndim != 1 or not array.size:
        raise GraphError(
            "a filter is a list of weights", got=str(list(array.shape)), expected="[k]"
        )
    return array.tolist(), [number_text(value) for value in array]


def _vector(canvas: Canvas, name: str, x: float, count: int) -> None:
    for i in range(count):
        y = (0.5 * count - i - 0.5) * _CELL
        canvas.shape(
            f"{name}_{i}", (x, y), (_CELL + 4, _CELL), f"{name}{subscript(str(i + 1))}",
            fill=palette.INPUT_FILL if name == "x" else palette.OUTPUT_FILL, width=0.8,
            more="vector",
        )  # fmt: skip
