"""Lay apart: what is read in equal slices side by side is written one slice behind the other.

Gates lie side by side because one product computes them. A call on a slice of their columns runs
row by row; on a block of memory of its own it runs once through. So the ops before the slices write
each of them into a block. The first of them reads its operand turned, which costs less than two
slices do, and least where that op is the cheapest: the minus of a sigmoid, not its division.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from graphc.ir.dims import same
from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import inherit
from graphc.ir.walk import consumers, topological
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import fill
from graphc.ops.loop import Item, Scan, item
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, drafted, replaced
from graphc.rewrite.engine.rule import Firing, Rule, by_whole_pass

APART = Rule(
    "lay_apart",
    "scan(f(x)[:, :a], f(x)[:, a:])",
    "scan(f(x turned)[0], f(x turned)[1])",
    "a block of memory is read in one go, a slice of columns row by row",
    apply=by_whole_pass,
)

_SLICE = OPS["slice"]


@dataclass(frozen=True)
class _Columns:
    """The last axis of an array, cut into `count` slices of `width` columns."""

    count: int
    width: int

    def turned(self, x: Node) -> Node:
        """Return an array as a view whose first axis counts the slices."""
        if x.op is OPS["full"]:
            return fill(x.attrs["value"], (self.count, *x.shape[:-1], self.width), x.dtype)
        rows = x.ndim - 1
        cut = OPS["reshape"](x, (*x.shape[:-1], self.count, self.width))
        return OPS["transpose"](cut, (rows, *range(rows), rows + 1))

    def picked(self, part: Node, whole: Node, lead: int) -> Node:
        """Return what stands for a slice in an array that counts the slices along axis `lead`."""
        place = part.attrs["bounds"][-1][0] // self.width
        with inherit(part.provenance):
            block = _SLICE(whole, [*[slice(None)] * lead, slice(place, place + 1)])
            found = OPS["reshape"](block, part.shape)
        return found.named(part.name)


def lay_apart(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph whose loops write slices that are read apart one behind the other."""
    firings: list[Firing] = []
    new: dict[Node, Node] = {}
    #: Loops and their stacks whose slices lie apart now -> how these are cut.
    cut: dict[Node, dict[int, _Columns]] = {}
    stacks: dict[Node, _Columns] = {}
    for node in graph.nodes:
        source = node.inputs[0] if node.inputs else node
        if isinstance(node.op, Item) and node.attrs["index"] in cut.get(source, ()):
            index = node.attrs["index"]
            stacks[node] = cut[source][index]
            new[node] = item(new[source], index)
        elif source in stacks:
            new[node] = stacks[source].picked(node, new[source], 1)
        else:
            new[node] = rebuilt(node, tuple([new[x] for x in node.inputs]))
        if isinstance(node.op, Scan):
            found = _laid(new[node], _readers_of_stacks(graph, node))
            if found is not None:
                new[node], cut[node] = found
                firings.append(Firing(APART, (node,), new[node]))
    return replaced(graph, new, became), tuple(firings)


def _readers_of_stacks(graph: Graph, loop: Node) -> Callable[[int], list[Node] | None]:
    """Return a function from a result's index to what reads it; None where it leaves the graph."""
    roots = set(graph.roots())
    results = [node for node in graph.consumers[loop] if isinstance(node.op, Item)]

    def readers(index: int) -> list[Node] | None:
        own = [node for node in results if node.attrs["index"] == index]
        if any(node in roots for node in own):
            return None
        return [user for node in own for user in graph.consumers[node]]

    return readers


def _laid(
    loop: Node, outside: Callable[[int], list[Node] | None]
) -> tuple[Node, dict[int, _Columns]] | None:
    """Return a loop whose slices lie apart, and which of its stacks are cut; None: no change."""
    draft = drafted(loop)
    order = topological(draft.roots())
    users, roots = consumers(order), set(draft.roots())
    following = {carry.following for carry in draft.carries}
    replacement: dict[Node, Node] = {}
    cut: dict[int, _Columns] = {}
    for x in order:
        columns = _columns(users[x]) if x not in following and _may_lie_apart(x) else None
        if columns is None:
            continue
        places = [len(draft.carries) + j for j, e in enumerate(draft.emitted) if e is x]
        if any(not _are_cut_alike(outside(index), columns) for index in places):
            continue
        cut |= dict.fromkeys(places, columns)
        replacement[x] = _turned(_chain(x, users, roots), columns)
        replacement |= {part: columns.picked(part, replacement[x], 0) for part in users[x]}
    if not replacement:
        return None
    draft.rework(replacement)
    return draft.built(), cut


def _chain(x: Node, users: Mapping[Node, Sequence[Node]], roots: Container[Node]) -> list[Node]:
    """Return a value and, one after the other, the only array that each is computed from alone.

    What has a name keeps its shape.
    """
    chain = [x]
    while True:
        arrays = [operand for operand in chain[-1].inputs if operand.op is not OPS["full"]]
        if len(arrays) != 1 or arrays[0].name or not _may_lie_apart(arrays[0]):
            return chain
        if len(users[arrays[0]]) > 1 or arrays[0] in roots:
            return chain
        chain += arrays


def _turned(chain: Sequence[Node], columns: _Columns) -> Node:
    """Return what a chain ends in, each slice in one piece."""
    found: dict[Node, Node] = {}
    for x in reversed(chain):
        with inherit(x.provenance):
            operands = [found[y] if y in found else columns.turned(y) for y in x.inputs]
            found[x] = x.op.make(operands, **x.attrs).named(x.name)
    return found[chain[0]]


def _may_lie_apart(x: Node) -> bool:
    """Say whether a value is computed element by element from arrays that lie in one piece."""
    return (
        isinstance(x.op, Pointwise)
        and x.ndim > 1
        and all(operand.op is OPS["full"] or _is_computed(operand) for operand in x.inputs)
    )


def _is_computed(x: Node) -> bool:
    return bool(x.inputs) and not (x.op.is_view or x.op.is_inserted)


def _columns(parts: Sequence[Node]) -> _Columns | None:
    """Return how slices cut an array, if they cut its columns into two or more of one width."""
    found = {_place(part) for part in parts}
    if len(found) < 2:
        return None
    widths = {place[1] for place in found if place is not None}
    total = parts[0].inputs[0].shape[-1]
    if len(widths) != 1 or None in found or not isinstance(total, int):
        return None
    (width,) = widths
    starts = [place[0] for place in found if place is not None]
    is_even = total % width == 0 and all(start % width == 0 for start in starts)
    return _Columns(total // width, width) if is_even else None


def _place(part: Node) -> tuple[int, int] | None:
    """Return the first column of a slice and their number, where it takes columns alone."""
    if part.op is not _SLICE:
        return None
    *rows, (start, stop, step) = part.attrs["bounds"]
    is_fixed = isinstance(start, int) and isinstance(stop, int) and step == 1 and stop > start
    are_whole = all(
        same(first, 0) and same(last, dim) and by == 1
        for (first, last, by), dim in zip(rows, part.inputs[0].shape[:-1], strict=True)
    )
    return (start, stop - start) if is_fixed and are_whole else None


def _are_cut_alike(parts: Sequence[Node] | None, columns: _Columns) -> bool:
    """Say whether all that reads a stack takes slices of it that lie apart in one piece."""
    if parts is None:
        return False
    places = [_place(part) for part in parts]
    return all(p is not None and p[1] == columns.width and p[0] % p[1] == 0 for p in places)
