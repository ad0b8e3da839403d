"""What is known of a layer while the network is being found, and in which order do layers stand?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from heapq import heapify, heappop

from graphc.draw.network_parts import Link
from graphc.ir.dims import Dim
from graphc.ir.node import Node


@dataclass
class Draft:
    """A layer while it is being found."""

    start: Node
    sum: Node  # where products and biases have been added up
    size: Dim
    is_input: bool
    axis: int | None  # which axis of the sum holds the units, counted from the end
    sources: list[Link] = field(default_factory=list)
    biases: list[Node] = field(default_factory=list)
    read: Node | None = None  # what the next layer's product reads, or what a blend is shown as
    seen: list[Node] = field(default_factory=list)  # functions of this layer's sum
    skips: list[tuple[Node, Node]] = field(default_factory=list)  # before and after a skip
    skip_links: list[Link] = field(default_factory=list)  # one for each of the skips
    is_blend: bool = False
    joint: str = ""  # how the units of other layers make a blend's
    after: tuple[int, ...] = ()  # layers that it is another function of than a link shows
    whole: int | None = None  # the input that indices pick this one from
    indices: str = ""  # which: [0]


def below(drafts: Sequence[Draft], merged: Mapping[int, int], index: int) -> set[int]:
    """Return the layers that a layer is computed from; those of `merged` went into others."""
    found: set[int] = set()
    pending = [index]
    while pending:
        draft = drafts[pending.pop()]
        tails = {link.tail for link in (*draft.sources, *draft.skip_links)}
        fresh = {*tails, *draft.after} - found
        found |= fresh
        pending += fresh
    return found | {late for early, late in merged.items() if early in found}


def in_order(
    drafts: Sequence[Draft], used: Iterable[int], steps: Iterable[tuple[int, int]]
) -> list[int]:
    """Return layers as they were met, each behind those that feed it; x[0] stands before x[1]."""
    tails: dict[int, set[int]] = {index: set() for index in used}
    for tail, head in steps:
        tails[head].add(tail)
    sorter = TopologicalSorter(tails)
    sorter.prepare()
    ready: list[tuple[int, list[tuple[bool, int]], int]] = []
    found = []
    while sorter.is_active():
        ready += [(*_place(drafts, index), index) for index in sorter.get_ready()]
        heapify(ready)
        found.append(heappop(ready)[-1])
        sorter.done(found[-1])
    return found


def _place(drafts: Sequence[Draft], index: int) -> tuple[int, list[tuple[bool, int]]]:
    """Return where a layer stands among others that are ready; indices from the end come last."""
    draft = drafts[index]
    numbers = [int(digits) for digits in re.findall(r"-?\d+", draft.indices)]
    return index if draft.whole is None else draft.whole, [(n < 0, n) for n in numbers]
