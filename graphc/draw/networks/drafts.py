"""What is known of layers while a network is being found? Drafts of them, and blends of units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from heapq import heapify, heappop

from graphc.draw.networks.activations import nodes_between
from graphc.draw.networks.parts import Link
from graphc.draw.silent import bare
from graphc.ir.dims import Dim, same
from graphc.ir.node import Node
from graphc.ir.walk import reached
from graphc.ops import OPS


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

    def read(at: int) -> set[int]:
        draft = drafts[at]
        return {link.tail for link in (*draft.sources, *draft.skip_links)} | {*draft.after}

    found = reached(read(index), read)
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


# -- units made from other layers' units ---------------------------------------------------------

_INFIX = {"*": "product", "+": "sum", "-": "difference", "/": "quotient"}


@dataclass(frozen=True)
class Part:
    """What a blend takes from one layer: the node that holds it, which units, and to where."""

    node: Node
    layer: int
    rows: range | None = None  # None: all of them
    first: Dim = 0  # the unit of the blend that the first one goes to
    spreads: bool = False  # one unit that meets all units of the blend


@dataclass(frozen=True)
class Blend:
    """Units that stand for no sum of their own; a layer once a product reads them.

    `start` holds them first; `axis` is theirs, counted from the end. `joint` is what they are of
    the units of several layers: `product`.
    """

    start: Node
    axis: int | None
    size: Dim
    parts: tuple[Part, ...]
    joint: str = ""
    inner: tuple[Node, ...] = ()  # where the blends start that this one is made from

    @property
    def is_slice(self) -> bool:
        """Say whether these are some units of one layer, nothing else."""
        return len(self.parts) == 1 and self.parts[0].rows is not None

    def follows(self, node: Node) -> bool:
        """Say whether a function of the blend still has a place for each unit."""
        return same(units_of(node, self.axis), self.size)


def units_of(node: Node, axis: int | None) -> Dim:
    """Return how many units a node holds along an axis counted from the end."""
    return node.shape[axis] if axis is not None and node.ndim >= -axis else 1


def sliced_rows(node: Node, axis: int | None, size: Dim) -> range | None:
    """Return which units of a layer a node takes, where it is a slice of fewer, or turned."""
    if node.op is not OPS["slice"] or axis is None or node.ndim < -axis:
        return None
    bounds = node.attrs["bounds"][axis]
    if not same(units_of(node.inputs[0], axis), size) or not all(type(b) is int for b in bounds):
        return None
    rows = range(*bounds)
    return None if rows == range(rows.stop) and same(rows.stop, size) else rows


def joint_of(node: Node, operands: Sequence[tuple[Node, Blend | None]]) -> str:
    """Return what a node makes of several layers' units: `f` where it is more than one step."""
    direct = all(b is None or (b.is_slice and bare(x) is b.start) for x, b in operands)
    return _INFIX.get(node.op.infix or "", node.op.name.replace("_", " ")) if direct else "f"


def is_mixed(node: Node, start: Node) -> bool:
    """Say whether a node holds weighed sums over `start`, whose units it then has no more."""
    return any(x.op.family == "contraction" for x in nodes_between(start, node))


def narrow(node: Node) -> Node:
    """Return what a node is before it was broadcast."""
    while node.op in (OPS["broadcast_to"], OPS["cast"]):
        node = node.inputs[0]
    return node
