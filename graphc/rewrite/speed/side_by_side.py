"""Side by side: what is done to several slices of an array is done once to the array.

The gates of a recurrent cell are slices of one product; a call for all of them takes as long as a
call for one. A loop then emits the whole array, of which the slices are taken behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from graphc.ir.dims import Dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import inherit
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import fill
from graphc.ops.loop import item
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, Standing, drafted, over_loops, over_nodes
from graphc.rewrite.engine.rule import Firing, Rule, by_whole_pass

JOIN = Rule(
    "join_slices",
    "f(x[:a]), f(x[a:])",
    "f(x)[:a], f(x)[a:]",
    "one call on an array takes less time than two on its halves",
    apply=by_whole_pass,
)
EMIT_WHOLE = Rule(
    "emit_whole",
    "scan(emit x[:a], x[a:])",
    "scan(emit x)[:, :a], …[:, a:]",
    "one array is stacked instead of several slices of it",
    apply=by_whole_pass,
    example=(
        "x: input(f64, 3, 4)\ns: input(f64, 4)\n"
        "def cell(h, x_t):\n    n = tanh(h + x_t)\n    return n, n[:2], n[2:]\n"
        "last, a, b = scan(cell, init=s, xs=x)\ny = a*b"
    ),
)

_SLICE = OPS["slice"]


@dataclass(frozen=True)
class _Part:
    """A node that a chain of pointwise ops computes from a slice: of which array, and where."""

    whole: _Whole
    start: int
    stop: int


@dataclass(eq=False)
class _Whole:
    """An array, or a chain of ops on it, and the slices along one axis in which it is computed."""

    source: Node
    axis: int
    parts: list[tuple[Node, _Part]] = field(default_factory=list)
    next: dict[object, _Whole] = field(default_factory=dict)
    built: Node | None = None

    def pays(self, length: Dim) -> bool:
        """Say whether several slices without overlap cover more than half of what lies between."""
        spans = sorted({(part.start, part.stop) for _, part in self.parts})
        if len(spans) < 2 or not isinstance(length, int):
            return False
        covered = sum(stop - start for start, stop in spans)
        is_apart = all(a[1] <= b[0] for a, b in pairwise(spans))
        return is_apart and 2 * covered > spans[-1][1] - spans[0][0]


def join_slices(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph in which slices that meet the same op are computed side by side."""
    parts = _parts(graph)

    def joined(node: Node, again: Node, new: Standing) -> Firing | None:
        part = parts.get(node) if node.op is not _SLICE else None
        found = _joined(node, part, new) if part is not None else None
        return None if found is None else Firing(JOIN, (node,), found.named(node.name))

    return over_nodes(graph, joined, became)


def _parts(graph: Graph) -> dict[Node, _Part]:
    """Return the nodes that are computed from slices of arrays."""
    parts: dict[Node, _Part] = {}
    wholes: dict[tuple[Node, int], _Whole] = {}
    for node in graph.nodes:
        if node.op is _SLICE:
            axis = _sliced_axis(node)
            if axis is not None:
                start, stop, _ = node.attrs["bounds"][axis]
                key = (node.inputs[0], axis)
                whole = wholes.setdefault(key, _Whole(node.inputs[0], axis))
                parts[node] = _Part(whole, start, stop)
        elif isinstance(node.op, Pointwise):
            own = [x for x in node.inputs if x.op is not OPS["full"]]
            source = parts.get(own[0]) if len(own) == 1 else None
            if source is not None:
                inner = source.whole.next.setdefault(
                    _kind(node), _Whole(source.whole.source, source.whole.axis)
                )
                parts[node] = _Part(inner, source.start, source.stop)
                inner.parts.append((node, parts[node]))
    return parts


def _kind(node: Node) -> object:
    """Return what two calls have in common that differ in the slice alone."""
    numbers = tuple([x.attrs["value"] if x.op is OPS["full"] else None for x in node.inputs])
    return node.op, node.attrs, node.dtype, numbers, tuple(map(type, numbers))


def _sliced_axis(node: Node) -> int | None:
    """Return the one axis of which a slice takes a part, of fixed bounds and step 1."""
    bounds, shape = node.attrs["bounds"], node.inputs[0].shape
    cut = [
        a for a in range(node.ndim) if node.shape[a] is not shape[a] and node.shape[a] != shape[a]
    ]
    if len(cut) != 1 or not all(type(b) is int for b in bounds[cut[0]]) or bounds[cut[0]][2] != 1:
        return None
    return cut[0]


def _joined(node: Node, part: _Part, new: Standing) -> Node | None:
    """Return a node as a slice of what is computed for its neighbours too."""
    whole, axis = part.whole, part.whole.axis
    if not whole.pays(whole.source.shape[axis]):
        return None
    first = min(p.start for _, p in whole.parts)
    last = max(p.stop for _, p in whole.parts)
    if whole.built is None:
        # The operand is a slice by now: of the source, or of what was joined before.
        inner = new[next(x for x in node.inputs if x.op is not OPS["full"])]
        if inner.op is not _SLICE:
            return None
        offset = inner.attrs["bounds"][axis][0] - part.start
        hull = [slice(None)] * axis + [slice(first + offset, last + offset)]
        with inherit(node.provenance):
            shown = _SLICE(inner.inputs[0], hull)
            operands = [
                fill(x.attrs["value"], shown.shape, x.dtype) if x.op is OPS["full"] else shown
                for x in node.inputs
            ]
            built = node.op.make(operands, **node.attrs)
        names = [x.name for x, _ in sorted(whole.parts, key=lambda pair: pair[1].start)]
        whole.built = built.named("_".join(map(str, names))) if all(names) else built
    cut = [slice(None)] * axis + [slice(part.start - first, part.stop - first)]
    with inherit(node.provenance):
        return _SLICE(whole.built, cut)


def emit_whole(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph whose loops emit arrays rather than several slices of one."""
    return over_loops(graph, EMIT_WHOLE, _emitting_whole, became)


def _emitting_whole(node: Node, used: set[int]) -> dict[int, Node] | None:
    draft = drafted(node)
    first = len(draft.carries)
    sliced: dict[Node, list[int]] = {}
    for j, emitted in enumerate(draft.emitted):
        if emitted.op is _SLICE:
            sliced.setdefault(emitted.inputs[0], []).append(j)
    shared = {base: places for base, places in sliced.items() if len(places) > 1}
    if not shared:
        return None
    before = list(draft.emitted)
    gone = {j for places in shared.values() for j in places}
    draft.emitted = [x for j, x in enumerate(before) if j not in gone]
    kept = [j for j in range(len(before)) if j not in gone]
    place = {j: k for k, j in enumerate(kept)}
    of_base = {base: draft.emit(base) for base in shared}
    loop = draft.built()
    results: dict[int, Node] = {}
    for index in sorted(used):
        j = index - first
        if j not in gone:
            results[index] = item(loop, index if j < 0 else first + place[j])
            continue
        emitted = before[j]
        stack = item(loop, first + of_base[emitted.inputs[0]])
        bounds = [slice(None), *[slice(*bound) for bound in emitted.attrs["bounds"]]]
        part, name = _SLICE(stack, bounds), before[j].name
        results[index] = part.named(f"{name}_steps") if name else part
    return results
