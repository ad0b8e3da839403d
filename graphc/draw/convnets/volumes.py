"""The volumes of a ConvNet: stacked feature maps, windows that slide over them, dense bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.draw import palette
from graphc.draw.canvas import Canvas
from graphc.draw.convnets.places import WORDS_SIZE, Cell, Grid, Line, Skip, Top, arcs, grid
from graphc.draw.convnets.stages import Stage, find_way, shape_words
from graphc.draw.drawing import Drawing
from graphc.draw.layout import Point
from graphc.draw.typography import listed, text_width
from graphc.ir.dims import Dim
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph

_LARGEST, _SMALLEST, _SHEETS, _SHIFT = 120.0, 14.0, 6, 5.0
_GAP = 46.0
_ROW = 214.0  # from one row of volumes to the next
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
    the stages that skipped others, with what is done on the way. Ways of several layers have a row
    of their own below the longest one, and so have groups of channels, as AlexNet's two towers.
    Stages are found by pattern: windows contracted with weights, pooled windows, dense products.

    **Raises** GraphError for a graph in which no window slides, and for one with branches that
    meet among themselves before they meet the longest way.
    """
    way = find_way(graph)
    stages = way.stages
    canvas = Canvas(graph.name, wires_first=False)
    found = grid(stages)
    placed = _volumes_in_rows(canvas, found)
    shown: list[bool] = []
    for line in found.lines:
        _draw_line(canvas, line, found, placed)
        stage = found.cells[line.head].stage
        over = line.head if stage.spreads else line.tail
        if line.way == "straight" and _window(canvas, line, found, placed[over]):
            shown.append(stage.spreads)
    main = [placed[f"v{i}"] for i in range(len(stages))]
    _draw_arcs(canvas, found.skips, [volume.top for volume in main])
    x = (main[0].left + main[-1].right) / 2
    has_more = any(_leaves_out(cell.stage) for cell in found.cells.values())
    low = _lowest(found)
    _legend(canvas, (x, low), shown, has_more, way.left_out)
    told = " ".join(f"{_told(stage, stages)}." for stage in stages)
    return canvas.drawing(f"Volumes of {graph.name}", told)


@dataclass(frozen=True)
class _Placed:
    """Where a volume stands: its front sheet, and how far the stack is shifted."""

    corner: Point  # the middle of the front sheet
    size: Point
    depth: float
    edge: float  # how far right its column reaches

    @property
    def left(self) -> float:
        return self.corner[0] - self.size[0] / 2

    @property
    def right(self) -> float:
        return self.corner[0] + self.size[0] / 2 + self.depth

    @property
    def middle(self) -> float:
        return self.corner[1] + self.depth / 2

    @property
    def top(self) -> Top:
        (x, y), (width, height) = self.corner, self.size
        return Top((x + self.depth, y + self.depth + height / 2), width)


def _volumes_in_rows(canvas: Canvas, found: Grid) -> dict[str, _Placed]:
    """Draw the volumes column by column, their shapes under them, and before them what is done."""
    cells = list(found.cells.values())
    largest = max((_size(dim) for c in cells for dim in _positions(c.stage)), default=1)
    flat = [c.stage.shape[0] for c in cells if not _positions(c.stage)]
    widest = max(map(_size, flat), default=1)
    x = 0.0
    placed: dict[str, _Placed] = {}
    for column in range(1 + max(cell.column for cell in cells)):
        here = [cell for cell in cells if cell.column == column]
        words = {c.key: c.stage.words.replace(", ", "\n") for c in here if column and c.says}
        gap = max((_words_width(text) for text in words.values()), default=0.0)
        for key, text in words.items():
            y = 16.0 + 7 * text.count("\n") - _ROW * found.cells[key].row
            canvas.words(f"step{_name(key)}", (x + gap / 2, y), text, size=11, color=palette.MUTED)
        x += gap
        extents = {c.key: _extent(c.stage, largest, widest) for c in here}
        shapes = {c.key: shape_words(c.stage.shape) for c in here}
        wide = max(
            max(width + depth, text_width(shapes[key], 12))
            for key, (width, _, depth) in extents.items()
        )
        for cell in here:
            middle = x + wide / 2, -_ROW * cell.row
            placed[cell.key] = _volume(canvas, cell, middle, extents[cell.key], x + wide)
            y = middle[1] - _LARGEST / 2 - _SHEETS * _SHIFT - 16
            canvas.words(f"shape{_name(cell.key)}", (middle[0], y), shapes[cell.key], size=12)
        x += wide
    return placed


def _volume(
    canvas: Canvas, cell: Cell, middle: Point, extent: tuple[float, float, float], edge: float
) -> _Placed:
    """Draw one volume, and the sign of those that have more maps than sheets."""
    (width, height, depth), (x, y) = extent, middle
    placed = _Placed((x - depth / 2, y - depth / 2), (width, height), depth, edge)
    _stack(canvas, cell.key, placed, cell.stage, _sheets(cell.stage))
    if _leaves_out(cell.stage):
        corner = placed.left + depth / 2 - 6, y + height / 2 + 6
        canvas.words(f"more{_name(cell.key)}", corner, _MORE, size=14, color=palette.MUTED)
    return placed


def _name(key: str) -> str:
    """Return how the words of a volume are called: by its number on the main way."""
    return key.removeprefix("v")


def _words_width(text: str) -> float:
    return max(_GAP, 14 + max(text_width(line, 11) for line in text.split("\n")))


def _lowest(found: Grid) -> float:
    """Return where the words below the lowest row begin."""
    return -_LARGEST / 2 - _SHEETS * _SHIFT - 44 - _ROW * (found.rows - 1)


def _draw_line(canvas: Canvas, line: Line, found: Grid, placed: Mapping[str, _Placed]) -> None:
    """Draw an arrow: from and to a branch it leaves the main way, or joins it, at a dot."""
    tail, head = placed[line.tail], placed[line.head]
    start, end = (tail.right + 5, tail.middle), (head.left - 5, head.middle)
    key, more = f"e_{line.tail}_{line.head}", found.cells[line.head].stage.kind
    points = [start, end]
    if line.way == "out":
        at = tail.edge + 5
        points = [(at, start[1]), (at, end[1]), end]
        canvas.dot(points[0])
    elif line.way == "back":
        at = end[0] - 14
        points = [start, (at, start[1]), (at, end[1])]
        canvas.dot(points[-1])
    is_read = line.way != "back"
    canvas.wire(points, key=key, tail=line.tail, head=line.head, arrow=is_read, more=more)


def _draw_arcs(canvas: Canvas, skips: Sequence[Skip], tops: Sequence[Top]) -> None:
    """Draw a line for each branch that meets the main way and has no row of its own."""
    for k, arc in enumerate(arcs(skips, tops)):
        skip = arc.skip
        tail, head = None if skip.start is None else f"v{skip.start}", f"v{skip.end}"
        canvas.wire(arc.points, key=f"skip{k}", tail=tail, head=head, width=1.0, more="skip")
        if skip.words:
            color = palette.MUTED
            canvas.words(f"way{k}", arc.words_at, skip.words, size=WORDS_SIZE, color=color)


def _legend(
    canvas: Canvas, at: Point, shown: Sequence[bool], has_more: bool, left_out: Sequence[str]
) -> None:
    """Say under the picture what the windows are that it shows: those read, and those written.

    Under that stand the sign of stacks that have more maps than sheets, and the layers that the
    picture leaves out.
    """
    parts = ["□ what one element of the next volume reads"] if not all(shown) else []
    parts += ["■ where one element of the volume before is added"] if any(shown) else []
    x, y = at
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


def _window(canvas: Canvas, line: Line, found: Grid, under: _Placed) -> bool:
    """Draw the window of a step on the front sheet of the volume that it slides over, if any."""
    stage = found.cells[line.head].stage
    spreads = stage.spreads
    window = stage.window
    over = _positions(found.cells[line.head if spreads else line.tail].stage)
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
        f"window{_name(line.head)}", at, (wide, high), fill=palette.ADJOINT if spreads else None,
        frame=palette.ADJOINT, width=1.6, more="window", tooltip=f"window of {stage.words}",
    )  # fmt: skip
    return True
