"""The volumes of a ConvNet: stacked feature maps, windows that slide over them, dense bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.draw import palette
from graphc.draw.canvas import Canvas, Point
from graphc.draw.drawing import Drawing
from graphc.draw.typography import listed, text_width
from graphc.draw.volume_arcs import WORDS_SIZE, Top, arcs
from graphc.draw.volume_stages import Stage, find_way, shape_words
from graphc.ir.dims import Dim
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph

_LARGEST, _SMALLEST, _SHEETS, _SHIFT = 120.0, 14.0, 6, 5.0
_GAP = 46.0
_MORE = "⋰"
_FILLS = {
    "input": palette.INPUT_FILL,
    "conv": palette.PAPER,
    "pool": palette.GROUP_FILL,
    "dense": palette.PARAMETER_FILL,
    "join": palette.CONSTANT_FILL,
}


@takes_graph()
def volumes(graph: Graph) -> Drawing:
    """Draw what an image becomes on its way: feature maps as stacked sheets, dense layers as bars.

    Under each volume stands its shape as shape inference has it, `32 @ 8×8`; above each arrow what
    is done. The small square on a volume is the window that one element of the next one reads; a
    filled one is the window over which a transposed convolution spreads one element of the last.
    Where stages meet, a grey volume says how (`concat`, `sum`), and thin lines from above come from
    the stages that skipped others, with what is done on the way.
    Stages are found by pattern: windows contracted with weights, pooled windows, dense products.

    **Raises** GraphError for a graph in which no window slides, and for one with branches that
    meet among themselves before they meet the longest way.
    """
    way = find_way(graph)
    stages = way.stages
    canvas = Canvas(graph.name, wires_first=False)
    placed = _volumes_in_a_row(canvas, stages)
    shown: list[bool] = []
    for i in range(1, len(stages)):
        start, end = (placed[i - 1].right + 5, 0.0), (placed[i].left - 5, 0.0)
        canvas.wire([start, end], key=f"e{i}", tail=f"v{i - 1}", head=f"v{i}", more=stages[i].kind)
        if _window(canvas, i, stages, placed[i if stages[i].spreads else i - 1]):
            shown.append(stages[i].spreads)
    _draw_arcs(canvas, stages, [volume.top for volume in placed])
    x = (placed[0].left + placed[-1].right) / 2
    _legend(canvas, x, shown, any(map(_leaves_out, stages)), way.left_out)
    told = " ".join(f"{_told(stage, stages)}." for stage in stages)
    return canvas.drawing(f"Volumes of {graph.name}", told)


@dataclass(frozen=True)
class _Placed:
    """Where a volume stands: its front sheet, and how far the stack is shifted."""

    corner: Point  # the middle of the front sheet
    size: Point
    depth: float

    @property
    def left(self) -> float:
        return self.corner[0] - self.size[0] / 2

    @property
    def right(self) -> float:
        return self.corner[0] + self.size[0] / 2 + self.depth

    @property
    def top(self) -> Top:
        (x, y), (width, height) = self.corner, self.size
        return Top((x + self.depth, y + self.depth + height / 2), width)


def _volumes_in_a_row(canvas: Canvas, stages: Sequence[Stage]) -> list[_Placed]:
    """Draw the volumes, their shapes under them, and between them what is done."""
    largest = max((_size(dim) for s in stages for dim in _positions(s)), default=1)
    widest = max((_size(s.shape[0]) for s in stages if not _positions(s)), default=1)
    x = 0.0
    placed: list[_Placed] = []
    for i, stage in enumerate(stages):
        if i:
            x += _step(canvas, i, stage.words.replace(", ", "\n"), x)
        width, height, depth = _extent(stage, largest, widest)
        text = shape_words(stage.shape)
        column = max(width + depth, text_width(text, 12))
        middle = x + column / 2
        placed.append(_Placed((middle - depth / 2, -depth / 2), (width, height), depth))
        _stack(canvas, f"v{i}", placed[-1], stage, _sheets(stage))
        if _leaves_out(stage):
            edge = placed[-1].left + depth / 2 - 6, height / 2 + 6
            canvas.words(f"more{i}", edge, _MORE, size=14, color=palette.MUTED)
        y = -_LARGEST / 2 - _SHEETS * _SHIFT - 16
        canvas.words(f"shape{i}", (middle, y), text, size=12)
        x += column
    return placed


def _step(canvas: Canvas, i: int, words: str, x: float) -> float:
    """Write what is done before stage i, right of x; return how much room that takes."""
    gap = max(_GAP, 14 + max(text_width(line, 11) for line in words.split("\n")))
    y = 16.0 + 7 * words.count("\n")
    canvas.words(f"step{i}", (x + gap / 2, y), words, size=11, color=palette.MUTED)
    return gap


def _draw_arcs(canvas: Canvas, stages: Sequence[Stage], tops: Sequence[Top]) -> None:
    """Draw a line for each branch that meets the main way."""
    lines = [(b.start, i, b.words) for i, stage in enumerate(stages) for b in stage.branches]
    for k, arc in enumerate(arcs(lines, tops)):
        tail = None if arc.start is None else f"v{arc.start}"
        canvas.wire(
            arc.points, key=f"skip{k}", tail=tail, head=f"v{arc.end}", width=1.0, more="skip"
        )
        if arc.words:
            color = palette.MUTED
            canvas.words(f"way{k}", arc.words_at, arc.words, size=WORDS_SIZE, color=color)


def _legend(
    canvas: Canvas, x: float, shown: Sequence[bool], has_more: bool, left_out: Sequence[str]
) -> None:
    """Say under the picture what the windows are that it shows: those read, and those written.

    Under that stand the sign of stacks that have more maps than sheets, and the layers that the
    picture leaves out.
    """
    parts = ["□ what one element of the next volume reads"] if not all(shown) else []
    parts += ["■ where one element of the volume before is added"] if any(shown) else []
    y = -_LARGEST / 2 - _SHEETS * _SHIFT - 44
    if shown:
        canvas.words("legend", (x, y), "     ".join(parts), size=11, color=palette.ADJOINT)
        y -= 20
    if has_more:
        words = f"{_MORE} more maps than sheets"
        canvas.words("more", (x, y), words, size=11, color=palette.MUTED)
        y -= 20
    if left_out:
        text = f"not drawn: {listed(left_out)}"
        canvas.words("left_out", (x, y), text, size=11, color=palette.MUTED)


def _told(stage: Stage, stages: Sequence[Stage]) -> str:
    """Return a stage in words: `concat with conv 3×3 (16 @ 8×8): 48 @ 8×8`."""
    others = []
    for branch in stage.branches:
        told = [branch.words] if branch.words else []
        if branch.start is not None:
            source = stages[branch.start]
            told.append(f"{source.words} ({shape_words(source.shape)})")
        others.append(" of ".join(told))
    joined = f" with {' and '.join(others)}" if others else ""
    return f"{stage.words}{joined}: {shape_words(stage.shape)}"


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


def _leaves_out(stage: Stage) -> bool:
    """Say whether a stack shows fewer sheets than the volume has maps."""
    maps = stage.shape[0]
    return bool(_positions(stage)) and not (isinstance(maps, int) and maps <= _SHEETS)


def _stack(canvas: Canvas, key: str, placed: _Placed, stage: Stage, count: int) -> None:
    """Draw sheets from the back to the front; the front one has the volume's name."""
    tooltip = f"{stage.words}: {shape_words(stage.shape)}"
    for k in range(count - 1, -1, -1):
        at = (placed.corner[0] + k * _SHIFT, placed.corner[1] + k * _SHIFT)
        name = f"{key}_{k}" if k else key
        canvas.shape(
            name, at, placed.size, fill=_FILLS[stage.kind], width=1.0,
            more=stage.kind if not k else "sheet", tooltip=tooltip,
        )  # fmt: skip


def _share(window: Dim, size: Dim) -> float:
    """Return how much of an axis a window covers; of an axis without a size, a third."""
    if not isinstance(window, int) or not isinstance(size, int):
        return 0.33
    return min(1.0, window / max(size, 1))


def _window(canvas: Canvas, i: int, stages: Sequence[Stage], under: _Placed) -> bool:
    """Draw the window of stage i on the front sheet of the volume that it slides over, if any."""
    spreads = stages[i].spreads
    window, over = stages[i].window, _positions(stages[i if spreads else i - 1])
    if not window or len(over) < len(window):
        return False
    width, height = under.size
    shares = [_share(w, d) for w, d in zip(window, over, strict=False)]
    wide = max(4.0, width * shares[-1])
    high = max(4.0, height * shares[-2]) if len(shares) > 1 else height
    # What is written stands apart from the window that the next stage reads on the same sheet.
    right, up = (-0.3, -0.3) if spreads else (0.1, 0.1)
    at = (under.corner[0] + right * (width - wide), under.corner[1] + up * (height - high))
    canvas.shape(
        f"window{i}", at, (wide, high), fill=palette.ADJOINT if spreads else None,
        frame=palette.ADJOINT, width=1.6, more="window", tooltip=f"window of {stages[i].words}",
    )  # fmt: skip
    return True
