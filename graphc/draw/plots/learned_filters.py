"""What has a first layer learned? Each unit's weights as a picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.draw.palette import ADJOINT, FORWARD_FRAME, PAPER, VALUE
from graphc.draw.plots.plot import Plot
from graphc.errors import GraphError
from graphc.run.arguments import as_array
from graphc.run.figures import matplotlib_module

_GAP = 1


def learned_filters(
    weights: Any, size: tuple[int, int] | None = None, *, most: int = 64, title: str = ""
) -> Plot:
    """Draw weights as small pictures, one a filter: blue is positive, white 0, brown negative.

    All filters share one scale, which the bar beside them states. The weights of a convolution are
    filters as they are, their channels side by side; those of a dense layer that reads images need
    the image's `size` (rows, columns).

    **Shapes.** weights: [filters, channels, h, w], or [h·w, units] with `size`
    **Raises.** GraphError for another shape.
    """
    filters = _filters(as_array(weights, np.dtype("float64"), "weights"), size)[:most]
    sheet = contact_sheet(filters)
    largest = float(np.nanmax(np.abs(filters))) or 1.0

    def draw(axes: Any) -> None:
        ends = [ADJOINT, PAPER, VALUE]
        colours = matplotlib_module().colors.LinearSegmentedColormap.from_list("weights", ends)
        shown = axes.imshow(
            sheet, cmap=colours.with_extremes(bad=FORWARD_FRAME), vmin=-largest, vmax=largest
        )
        axes.figure.colorbar(shown, ax=axes, shrink=0.8)
        axes.set_axis_off()
        axes.set_title(title)

    return Plot(draw, title or "learned filters")


def _filters(array: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Return filters as pictures [filters, h, w]; several channels stand side by side."""
    if array.ndim == 4 and array.size:
        count, channels, high, wide = array.shape
        return array.transpose(0, 2, 1, 3).reshape(count, high, channels * wide)
    if array.ndim == 2 and size is not None and size[0] * size[1] == array.shape[0] and array.size:
        return array.T.reshape(array.shape[1], *size)
    raise GraphError(
        "these weights are no filters",
        got=f"{list(array.shape)}" + (f", size {size}" if size else ""),
        expected="[filters, channels, h, w], or [h·w, units] and size=(h, w)",
    )


def contact_sheet(filters: np.ndarray) -> np.ndarray:
    """Return all filters in one array, NaN between them. **Shapes.** [F, h, w] -> [H, W]"""
    count, high, wide = filters.shape
    columns = math.ceil(math.sqrt(count * high / wide))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (high + _GAP) - _GAP, columns * (wide + _GAP) - _GAP), np.nan)
    for k, picture in enumerate(filters):
        top, left = k // columns * (high + _GAP), k % columns * (wide + _GAP)
        sheet[top : top + high, left : left + wide] = picture
    return sheet
