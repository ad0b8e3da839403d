"""Reduce once: sums that are multiples of one another, and values with and without kept axes.

The backward pass of a normalization is full of them: Σ d and Σ d·x̂ are the gradients of the shift
and the gain, and the gradient of its input needs Σ d·w/σ and Σ d·w/σ·x̂.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt, standing_for
from graphc.ir.provenance import BACKWARD, FORWARD, UPDATE, inherit
from graphc.ops.reduction.spread import count_of, times, varying_axes, without_copies
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, replaced
from graphc.rewrite.engine.factors import factors_of
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.engine.rule import Firing, by_whole_pass, rounding

ONCE = rounding(
    "reduce_once",
    "sum(x), mean(x*c)",
    "sum(x), sum(x)*c/n",
    "multiples of one sum are added up once; with and without kept axes, a value is the same",
    apply=by_whole_pass,
    example="x: input(f64, N, 4)\nc: input(f64, 4)\nh = tanh(x)\nz = h*c\n"
    "w = z - mean(z, axis=0)\ns = sum(h, axis=0)\noutput(s, w)",
)

_PHASES = (FORWARD, BACKWARD, UPDATE)


@dataclass(frozen=True, eq=False)
class _Reduction:
    """A reduction; a sum is read as (product of `factors`)·(sum of the rest).

    The factors are the same along the summed axes; each has its number, says whether it divides,
    and the node. Reductions with one `key` are multiples of one another.
    """

    node: Node
    key: Hashable
    factors: Counter[tuple[int, bool]] = field(default_factory=Counter)
    nodes: dict[int, Node] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Order reductions by what the others may be computed from: fewest factors, sums first."""
        phase = _PHASES.index(self.node.provenance.phase)
        return self.factors.total(), self.node.op.name == "mean", phase

    def is_multiple_of(self, base: _Reduction) -> bool:
        phases = [_PHASES.index(r.node.provenance.phase) for r in (base, self)]
        return base.factors <= self.factors and phases[0] <= phases[1]


def reduce_once(
    graph: Graph, became: Became, number: ValueNumbers
) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph in which no reduction is computed that is a multiple of another one."""
    plan = _plan(graph.nodes, number)
    if not plan:
        return graph, ()
    new: dict[Node, Node] = {}
    firings: list[Firing] = []
    for node in _order(graph.nodes, plan):
        if node in plan:
            reduction, base = plan[node]
            with inherit(node.provenance):
                found = standing_for(_multiple(reduction, base, new), node)
            firings.append(Firing(ONCE, (node,), found))
            new[node] = found
        else:
            new[node] = rebuilt(node, tuple([new[x] for x in node.inputs]))
    return replaced(graph, {node: new[node] for node in graph.nodes}, became), tuple(firings)


def _plan(nodes: Sequence[Node], number: ValueNumbers) -> dict[Node, tuple[_Reduction, _Reduction]]:
    """Return the reductions that are multiples of another one, each with that one."""
    groups: dict[Hashable, list[_Reduction]] = {}
    for node in nodes:
        if "keepdims" in node.attrs and len(node.inputs) == 1:
            reduction = _read(node, number)
            groups.setdefault(reduction.key, []).append(reduction)
    plan: dict[Node, tuple[_Reduction, _Reduction]] = {}
    for group in groups.values():
        base = min(group, key=lambda reduction: reduction.rank)
        others = (r for r in group if r is not base and r.is_multiple_of(base))
        plan.update((r.node, (r, base)) for r in others)
    return plan


def _read(node: Node, number: ValueNumbers) -> _Reduction:
    """Return a reduction with what it is a multiple of."""
    x = node.inputs[0]
    if node.op.name in ("sum", "mean") and x.dtype.kind == "f":
        axes = set(node.attrs["axis"])
        factors: Counter[tuple[int, bool]] = Counter()
        rest: Counter[tuple[int, bool]] = Counter()
        found: dict[int, Node] = {}
        for factor, divides in factors_of(x):
            varying = varying_axes(factor)
            is_steady = varying is not None and not axes & set(varying)
            (factors if is_steady else rest)[number(factor), divides] += 1
            found[number(factor)] = factor
        if rest:
            key = ("sum", node.attrs["axis"], frozenset(rest.items()))
            return _Reduction(node, key, factors, found)
    attrs = [(name, value) for name, value in node.attrs.items() if name != "keepdims"]
    return _Reduction(node, (node.op.name, number(x), tuple(attrs)))


def _order(nodes: Sequence[Node], plan: dict[Node, tuple[_Reduction, _Reduction]]) -> list[Node]:
    """Return the nodes with the reduction that another one is a multiple of ahead of that."""
    order: dict[Node, None] = {}
    for root in nodes:
        stack = [root]
        while stack:
            top = stack[-1]
            needed = (*top.inputs, plan[top][1].node) if top in plan else top.inputs
            missing = [x for x in needed if x not in order]
            if missing:
                stack += reversed(missing)
                continue
            order[stack.pop()] = None
    return list(order)


def _multiple(reduction: _Reduction, base: _Reduction, new: dict[Node, Node]) -> Node:
    """Return a reduction as a multiple of another one."""
    node, x = reduction.node, reduction.node.inputs[0]
    value = OPS["reshape"](new[base.node], node.shape)
    parts: dict[bool, Node] = {}
    for (number, divides), count in (reduction.factors - base.factors).items():
        one = without_copies(new[reduction.nodes[number]], node.attrs["axis"])
        factor = OPS["reshape"](one, node.shape)
        for _ in range(count):
            known = parts.get(divides)
            parts[divides] = factor if known is None else OPS["multiply"](known, factor)
    if len(parts) == 2:
        value = OPS["multiply"](value, OPS["divide"](parts[False], parts[True]))
    elif parts:
        ((divides, factor),) = parts.items()
        value = OPS["divide" if divides else "multiply"](value, factor)
    if node.op is base.node.op:
        return value
    length = count_of(x, node.attrs["axis"])
    return times(value, length) if node.op.name == "sum" else OPS["divide"](value, length)
