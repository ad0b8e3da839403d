"""In which column and row does each volume stand? Ways beside the main one have rows of their own.

So have groups of channels that never meet between two layers, as on the two cards of AlexNet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from graphc.draw.convnets.stages import Branch, Stage
from graphc.draw.layout import Point
from graphc.draw.typography import text_width

#: Into how many rows groups are drawn apart; more of them are told in words.
_MOST_GROUPS = 3


@dataclass(frozen=True)
class Cell:
    """A volume in its place; `says` whether what is done before it is written there."""

    key: str
    stage: Stage
    column: int
    row: int
    says: bool = True


@dataclass(frozen=True)
class Line:
    """An arrow from one volume to the next: within a row, across rows, or from and to a branch."""

    tail: str
    head: str
    way: str  # straight, across, out or back


@dataclass(frozen=True)
class Skip:
    """A line above the volumes: from which column, or an input of its own, to which; its words."""

    start: int | None
    end: int
    words: str


@dataclass(frozen=True)
class Grid:
    """All volumes of a picture by key, the arrows between them, and the lines above them."""

    cells: Mapping[str, Cell]
    lines: Sequence[Line]
    skips: Sequence[Skip]

    @property
    def rows(self) -> int:
        return 1 + max(cell.row for cell in self.cells.values())


def grid(stages: Sequence[Stage]) -> Grid:
    """Return the places of the stages on the main way, and of those on branches beside it."""
    beside = [
        (end, branch)
        for end, stage in enumerate(stages)
        for branch in stage.branches
        if _has_row(stage, branch)
    ]
    is_single = any(stage.branches for stage in stages)
    parts = dict.fromkeys(range(len(stages)), 1) if is_single else _parts(stages)
    cells: dict[str, Cell] = {}
    lines: list[Line] = []
    for i, stage in enumerate(stages):
        for row in range(parts[i]):
            channels, *positions = stage.shape
            shape = (channels // parts[i], *positions)
            cell = Cell(_key(i, row), replace(stage, shape=shape), i, row, row == 0)
            cells[cell.key] = cell
        lines += _between(i, stage, parts) if i else []
    taken: list[tuple[int, int, int]] = []  # row, first and last column
    for number, (end, branch) in enumerate(beside):
        first = end - len(branch.stages) if branch.start is None else branch.start + 1
        span = first, end - 1
        row = 1
        while any(r == row and a <= span[1] and span[0] <= b for r, a, b in taken):
            row += 1
        taken.append((row, *span))
        keys = [f"b{number}_{j}" for j in range(len(branch.stages))]
        for j, stage in enumerate(branch.stages):
            cells[keys[j]] = Cell(keys[j], stage, first + j, row, stage.before is not None)
        if branch.start is not None:
            lines.append(Line(_key(branch.start, 0), keys[0], "out"))
        lines += [Line(a, b, "straight") for a, b in pairwise(keys)]
        lines.append(Line(keys[-1], _key(end, 0), "back"))
    skips = [
        Skip(branch.start, end, branch.words)
        for end, stage in enumerate(stages)
        for branch in stage.branches
        if not _has_row(stage, branch)
    ]
    return Grid(cells, lines, skips)


def _key(i: int, row: int) -> str:
    return f"v{i}" if row == 0 else f"v{i}_row{row}"


def _has_row(join: Stage, branch: Branch) -> bool:
    """Say whether a branch is drawn volume by volume: a shortcut that one layer fits is not."""
    layers = [stage for stage in branch.stages if stage.kind != "input"]
    return len(layers) > 1 or (bool(layers) and join.words == "concat")


def _between(i: int, stage: Stage, parts: Mapping[int, int]) -> list[Line]:
    """Return the arrows from the parts of one stage to those of the next."""
    tails, heads = parts[i - 1], parts[i]
    apart = tails == heads and (stage.groups > 1 or stage.kind == "pool" or heads == 1)
    return [
        Line(_key(i - 1, a), _key(i, b), "straight" if a == b else "across")
        for a in range(tails)
        for b in range(heads)
        if a == b or not apart
    ]


def _parts(stages: Sequence[Stage]) -> dict[int, int]:
    """Return in how many rows each stage stands: where a convolution writes or reads groups."""
    parts = dict.fromkeys(range(len(stages)), 1)
    for i, stage in enumerate(stages):
        if not 1 < stage.groups <= _MOST_GROUPS:
            continue
        first = i - 1
        while first > 0 and stages[first].kind == "pool":
            first -= 1
        last = i
        while last + 1 < len(stages) and _keeps_apart(stages[last + 1]):
            last += 1
        inside = range(max(first, 1), last + 1)
        if all(_divides(stage.groups, stages[k], parts[k]) for k in inside):
            parts |= dict.fromkeys(inside, stage.groups)
    return parts


def _keeps_apart(stage: Stage) -> bool:
    return stage.kind == "pool" and len(stage.shape) > 1


def _divides(groups: int, stage: Stage, parts: int) -> bool:
    """Say whether a volume falls into groups of channels, and into no others already."""
    channels = stage.shape[0]
    whole = isinstance(channels, int) and channels % groups == 0
    return whole and len(stage.shape) > 1 and parts in (1, groups)


# -- the lines above the volumes -----------------------------------------------------------------

WORDS_SIZE = 11.0
_STEP = 26.0  # from one line to the next above it
_PORT = 10.0  # between two lines that end at one volume
_ARM = 30.0  # how far the line of an input of its own reaches


@dataclass(frozen=True)
class Top:
    """The upper side of a volume: its middle, how wide it is."""

    middle: Point
    width: float


@dataclass(frozen=True)
class Arc:
    """Where a skip runs: from the top of a volume, or from words alone, to that of a later one."""

    skip: Skip
    points: tuple[Point, ...]
    words_at: Point


def arcs(lines: Sequence[Skip], tops: Sequence[Top]) -> list[Arc]:
    """Return the arcs of skips above volumes, none over another's words."""
    ports = _ports(lines, tops)
    base = max(top.middle[1] for top in tops) + 20
    levels: dict[int, int] = {}
    spans = [_span(line, ports[i]) for i, line in enumerate(lines)]
    for i in sorted(range(len(lines)), key=lambda i: (spans[i][1] - spans[i][0], i)):
        under = [levels[j] for j in levels if _overlap(spans[i], spans[j])]
        levels[i] = max(under, default=-1) + 1
    found = []
    for i, skip in enumerate(lines):
        (x0, y0), (x1, y1) = ports[i]
        y = base + _STEP * levels[i]
        if skip.start is None:
            points: tuple[Point, ...] = ((x0, y), (x1, y), (x1, y1))
            words_at = (x0 - text_width(skip.words, WORDS_SIZE) / 2 - 6, y)
        else:
            points = ((x0, y0), (x0, y), (x1, y), (x1, y1))
            words_at = ((x0 + x1) / 2, y + 9)
        found.append(Arc(skip, points, words_at))
    return found


def _ports(lines: Sequence[Skip], tops: Sequence[Top]) -> Mapping[int, tuple[Point, Point]]:
    """Return the two ends of each line, side by side where a volume has several.

    Those that arrive stand left of those that leave, and no line crosses one of its neighbours.
    """
    ends: dict[tuple[int, int], Point] = {}
    for at, top in enumerate(tops):
        near = sorted(
            (i for i, line in enumerate(lines) if line.end == at),
            key=lambda i: (lines[i].start is not None, -(lines[i].start or 0)),
        )
        far = [i for i, line in enumerate(lines) if line.start == at]
        far.sort(key=lambda i: (-lines[i].end, -i))
        all_here = [*((i, 1) for i in near), *((i, 0) for i in far)]
        pitch = min(_PORT, top.width / max(len(all_here), 1))
        for place, key in enumerate(all_here):
            ends[key] = (
                top.middle[0] + (place - (len(all_here) - 1) / 2) * pitch,
                top.middle[1],
            )
    for i, line in enumerate(lines):
        if line.start is None:
            x, y = ends[i, 1]
            ends[i, 0] = (x - _ARM, y)
    return {i: (ends[i, 0], ends[i, 1]) for i in range(len(lines))}


def _span(line: Skip, ends: tuple[Point, Point]) -> tuple[float, float]:
    """Return how far a line and its words reach."""
    (left, _), (right, _) = ends
    wide = text_width(line.words, WORDS_SIZE)
    if line.start is None:
        return left - wide - 12, right
    middle = (left + right) / 2
    return min(left, middle - wide / 2), max(right, middle + wide / 2)


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1]
