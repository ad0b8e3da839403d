"""The volumes of a ConvNet: stacked feature maps, windows that slide over them, dense bars."""

from __future__ import annotations

import math

from graphc.draw import palette
from graphc.draw.canvas import Canvas, Point
from graphc.draw.drawing import Drawing
from graphc.draw.typography import text_width
from graphc.draw.volume_stages import Stage, find_stages
from graphc.ir.dims import Dim, dim_text
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph

_LARGEST, _SMALLEST, _SHEETS, _SHIFT = 120.0, 14.0, 6, 5.0
_GAP = 46.0
_FILLS = {
    "input": palette.INPUT_FILL,
    "conv": palette.PAPER,
    "pool": palette.GROUP_FILL,
    "dense": palette.PARAMETER_FILL,
}


@takes_graph()
def volumes(graph: Graph) -> Drawing:
    """Draw what an image becomes on its way: feature maps as stacked sheets, dense layers as bars.

    Under each volume stands its shape as shape inference has it, `32 @ 8×8`; above each arrow what
    is done. The small square on a volume is the window that one element of the next one reads; a
    filled one is the window over which a transposed convolution spreads one element of the last.
    Stages are found by pattern: windows contracted with weights, pooled windows, dense products.

    **Raises** GraphError for a graph in which no window slides.
    """
    stages = find_stages(graph)
    canvas = Canvas(graph.name, wires_first=False)
    largest = max((_size(dim) for s in stages for dim in _positions(s)), default=1)
    widest = max((_size(s.shape[0]) for s in stages if not _positions(s)), default=1)
    x = 0.0
    ends: list[tuple[float, float, Point]] = []
    for i, stage in enumerate(stages):
        width, height, depth = _extent(stage, largest, widest)
        column = max(width + depth, text_width(_shape_text(stage), 12))
        left = x + (column - width - depth) / 2
        corner = (left + width / 2, height / 2 - (height + depth) / 2)
        _stack(canvas, f"v{i}", corner, (width, height), stage, _sheets(stage))
        y = -_LARGEST / 2 - _SHEETS * _SHIFT - 16
        canvas.words(f"shape{i}", (x + column / 2, y), _shape_text(stage), size=12)
        ends.append((left, left + width + depth, corner))
        if i + 1 < len(stages):
            words = stages[i + 1].words.replace(", ", "\n")
            wide = max(text_width(line, 11) for line in words.split("\n"))
            gap = max(_GAP, wide + 14)
            lines = words.count("\n")
            middle = x + column + gap / 2
            canvas.words(
                f"step{i + 1}", (middle, 16.0 + 7 * lines), words, size=11, color=palette.MUTED
            )
            x += column + gap
    for i in range(1, len(stages)):
        start, end = (ends[i - 1][1] + 5, 0.0), (ends[i][0] - 5, 0.0)
        canvas.wire([start, end], key=f"e{i}", tail=f"v{i - 1}", head=f"v{i}", more=stages[i].kind)
        on = i if stages[i].spreads else i - 1
        _window(canvas, i, stages, ends[on][2], _extent(stages[on], largest, widest))
    told = " ".join(f"{stage.words}: {_shape_text(stage)}." for stage in stages)
    return canvas.drawing(f"Volumes of {graph.name}", told)


def _positions(stage: Stage) -> tuple[Dim, ...]:
    return stage.shape[1:]


def _size(dim: Dim) -> int:
    return dim if isinstance(dim, int) else 1


def _extent(stage: Stage, largest: int, widest: int) -> tuple[float, float, float]:
    """Return width and height of a sheet, and how far the stack is shifted."""
    depth = (_sheets(stage) - 1) * _SHIFT
    if not _positions(stage):
        share = math.sqrt(_size(stage.shape[0]) / widest)
        return 12.0, max(24.0, _LARGEST * share), depth
    sides = [max(_SMALLEST, _LARGEST * math.sqrt(_size(d) / largest)) for d in _positions(stage)]
    return sides[-1], sides[-2] if len(sides) > 1 else 14.0, depth


def _sheets(stage: Stage) -> int:
    return max(1, min(_SHEETS, _size(stage.shape[0]))) if _positions(stage) else 1


def _shape_text(stage: Stage) -> str:
    channels = dim_text(stage.shape[0])
    if not _positions(stage):
        return channels
    return f"{channels} @ {'×'.join(map(dim_text, _positions(stage)))}"


def _stack(canvas: Canvas, key: str, corner: Point, size: Point, stage: Stage, count: int) -> None:
    """Draw sheets from the back to the front; the front one has the volume's name."""
    for k in range(count - 1, -1, -1):
        at = (corner[0] + k * _SHIFT, corner[1] + k * _SHIFT)
        name = f"{key}_{k}" if k else key
        canvas.shape(
            name, at, size, fill=_FILLS[stage.kind], width=1.0,
            more=stage.kind if not k else "sheet", tooltip=f"{stage.words}: {_shape_text(stage)}",
        )  # fmt: skip


def _window(
    canvas: Canvas, i: int, stages: list[Stage], corner: Point, extent: tuple[float, float, float]
) -> None:
    """Draw the window of stage i on the front sheet of the volume that it slides over."""
    spreads = stages[i].spreads
    window, over = stages[i].window, _positions(stages[i if spreads else i - 1])
    if not window or len(over) < len(window):
        return
    width, height, _ = extent
    shares = [min(1.0, _size(w) / max(_size(d), 1)) for w, d in zip(window, over, strict=False)]
    wide = max(4.0, width * shares[-1])
    high = max(4.0, height * shares[-2]) if len(shares) > 1 else height
    # What is written stands apart from the window that the next stage reads on the same sheet.
    right, up = (-0.3, -0.3) if spreads else (0.1, 0.1)
    at = (corner[0] + right * (width - wide), corner[1] + up * (height - high))
    canvas.shape(
        f"window{i}", at, (wide, high), fill=palette.ADJOINT if spreads else None,
        frame=palette.ADJOINT, width=1.6, more="window", tooltip=f"window of {stages[i].words}",
    )  # fmt: skip
