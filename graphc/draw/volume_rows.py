"""In which column and row does each volume stand? Ways beside the main one have rows of their own.

So have groups of channels that never meet between two layers, as on the two cards of AlexNet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from graphc.draw.volume_stages import Branch, Stage

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
