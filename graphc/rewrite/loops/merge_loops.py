"""Merge loops: a loop that computes what another one computes as well becomes part of it.

Differentiation makes such pairs: the loop of the model, and the same loop emitting also what the
backward pass reads (or, in forward mode, carrying the tangents beside the values).
"""

from __future__ import annotations

from itertools import count

from graphc.ir.dims import same
from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import RANKS, inherit
from graphc.ir.walk import substitute, topological
from graphc.ops.leaf import input_for
from graphc.ops.loop import Item, Parts, Scan, item
from graphc.rewrite.engine.bodies import Became, Draft, drafted, has_loops
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.engine.rule import Firing, Rule, by_whole_pass

MERGE_LOOPS = Rule(
    "merge_loops",
    "scan(body), scan(larger body)",
    "scan(larger body)",
    "the larger loop goes through the same states",
    apply=by_whole_pass,
    example=(
        "x: input(f64, 3)\ns: input(f64)\n"
        "def cell(a, x_t):\n    return tanh(a + x_t)\n"
        "def larger(a, x_t):\n    return tanh(a + x_t), a\n"
        "(u,) = scan(cell, init=s, xs=x)\nv, w = scan(larger, init=s, xs=x)\ny = u*v + sum(w)"
    ),
)


def merge_loops(
    graph: Graph, became: Became, number: ValueNumbers
) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph with loops merged that go through the same states."""
    firings: list[Firing] = []
    while has_loops(graph):
        merged = _merged_pair(graph, became, number)
        if merged is None:
            break
        graph, firing = merged
        firings.append(firing)
    return graph, tuple(firings)


def _merged_pair(graph: Graph, became: Became, number: ValueNumbers) -> tuple[Graph, Firing] | None:
    loops = [node for node in graph.nodes if isinstance(node.op, Scan)]
    for j, second in enumerate(loops):
        for first in loops[:j]:
            if not _may_merge(first, second, number):
                continue
            is_larger = Parts(first).carries >= Parts(second).carries
            large, small = (first, second) if is_larger else (second, first)
            found = _joined(large, small, number)
            if found is not None:
                return _with_pair(graph, large, small, found, became)
    return None


def _may_merge(a: Node, b: Node, number: ValueNumbers) -> bool:
    """Say whether two loops start from the same states and neither waits for the other."""
    if a.attrs["reverse"] != b.attrs["reverse"] or not same(a.attrs["length"], b.attrs["length"]):
        return False
    starts = [{number(x) for x in Parts(loop).operands.carries} for loop in (a, b)]
    if not (starts[0] <= starts[1] or starts[1] <= starts[0]) or not all(starts):
        return False
    return a not in set(topological(b.inputs)) and b not in set(topological(a.inputs))


def _joined(
    large: Node, small: Node, number: ValueNumbers
) -> tuple[Draft, dict[int, int], dict[int, Node]] | None:
    """Return the larger loop emitting also what the smaller one does, and where that is found."""
    draft, other = drafted(large), drafted(small)
    replacement: dict[Node, Node] = {}
    partner: dict[int, int] = {}
    for i, carry in enumerate(other.carries):
        for k, candidate in enumerate(draft.carries):
            is_free = k not in partner.values() and candidate.leaf.type == carry.leaf.type
            if is_free and number(candidate.initial) == number(carry.initial):
                partner[i] = k
                replacement[carry.leaf] = candidate.leaf
                break
        else:
            return None
    taken = {leaf.attrs["name"] for node in (large, small) for leaf in node.attrs["body"].inputs}
    for mine, others in ((draft.sequences, other.sequences), (draft.constants, other.constants)):
        known = {number(operand): leaf for leaf, operand in mine}
        for leaf, operand in others:
            if number(operand) in known:
                replacement[leaf] = known[number(operand)]
            else:
                replacement[leaf] = known[number(operand)] = _renamed(leaf, taken)
                mine.append((replacement[leaf], operand))
    results = substitute([*[c.following for c in other.carries], *other.emitted], replacement)
    inside = ValueNumbers()
    for i, k in partner.items():
        if inside(results[i]) != inside(draft.carries[k].following):
            return None
    known_results = {inside(x): x for x in draft.emitted}
    emitted = {}
    for j, node in enumerate(results[len(other.carries) :]):
        emitted[j] = known_results.setdefault(inside(node), node)
    return draft, partner, emitted


def _renamed(leaf: Node, taken: set[str]) -> Node:
    """Return an input of another name: leaves of one name are one value, and bodies share names."""
    name = next(n for i in count(2) if (n := f"{leaf.attrs['name']}_{i}") not in taken)
    taken.add(name)
    with inherit(leaf.provenance):
        return input_for(leaf, name, leaf.shape)


def _with_pair(
    graph: Graph,
    large: Node,
    small: Node,
    found: tuple[Draft, dict[int, int], dict[int, Node]],
    became: Became,
) -> tuple[Graph, Firing]:
    draft, partner, emitted = found
    places = {j: draft.emit(node) for j, node in emitted.items()}
    earliest = min((large, small), key=lambda x: RANKS[x.provenance.phase])
    with inherit(earliest.provenance):
        loop = draft.built()
    count = len(draft.carries)
    index = {
        large: {i: i for i in range(count + len(draft.emitted))},
        small: partner | {len(partner) + j: count + k for j, k in places.items()},
    }
    new: dict[Node, Node] = {}

    def replaced(node: Node) -> Node:
        if isinstance(node.op, Item) and node.inputs[0] in index:
            with inherit(node.provenance):
                again = item(loop, index[node.inputs[0]][node.attrs["index"]])
            return again.named(node.name)
        return rebuilt(node, tuple([new[x] for x in node.inputs]))

    waiting = {large, small}
    for node in topological([*loop.inputs, *graph.roots()]):
        if node not in waiting:
            new[node] = replaced(node)
    # The operands of the merged loop lie before both, so nothing of them has been replaced.
    became.update((old, again) for old, again in new.items() if old is not again)
    became.update({large: loop, small: loop})
    return graph.mapped(new, history=()), Firing(MERGE_LOOPS, (small, large), loop)
