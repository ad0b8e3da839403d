"""What does each stage compute and cost? Its outputs at one point, and its cost there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.draw.explorer.lineage import Stage, for_each_stage
from graphc.draw.typography import array_text, listed, name_text
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.plan.cost import cost
from graphc.run.points import sample_point, sample_sizes
from graphc.run.reference import bind, evaluate

#: A stage of more operations is not evaluated: the interpreter would take minutes for a page.
MOST_FLOPS = 5_000_000_000


@dataclass(frozen=True)
class Point:
    """Where everything is evaluated: the values of inputs and parameters, and the sizes of dims.

    Where that is too much work there are no values, and `left_out` says why.
    """

    values: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    words: str
    left_out: str = ""


@dataclass(frozen=True)
class Amount:
    """One cost, as an expression of the dims and as a number at the point."""

    formula: str
    number: int


@dataclass(frozen=True)
class Measure:
    """What a stage costs, and how far its outputs are from those of the stage before."""

    #: FLOPs, bytes moved, bytes at the peak.
    amounts: tuple[Amount, ...]
    #: The largest |before − after|, and the output in which it occurs; None where no output is
    #: shared, or none is computed.
    difference: float | None
    where: str


#: No output is in both stages.
_NOTHING_SHARED: tuple[float | None, str] = (None, "")


def point_of(stages: Sequence[Stage], at: Mapping[str, Any] | None) -> Point:
    """Return the given values, completed by drawn ones.

    **Raises** GraphError for a name that the graph does not have, or a value that does not fit.
    """
    graph = stages[0].graph
    sizes = sample_sizes(graph, at)
    dims = [f"{name} = {sizes[name]}" for name in graph.dims]
    most = max(_amount(cost(stage.graph).flops, sizes).number for stage in _ends(stages))
    if most > MOST_FLOPS:
        many = f"an evaluation takes {most:,} FLOPs, and up to {MOST_FLOPS:,} are computed"
        return Point({}, sizes, listed(dims), many)
    values = sample_point(graph, at)
    bind(graph, *_split(graph, values))
    given = [
        f"{name_text(name)} = {array_text(values[name])[0]}"
        for name, node in graph.inputs.items()
        if not node.shape
    ]
    return Point(values, sizes, listed([*given, *dims]))


def _ends(stages: Sequence[Stage]) -> Sequence[Stage]:
    return stages[:: max(1, len(stages) - 1)]


def _split(
    graph: Graph, values: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray] | None, dict[str, np.ndarray]]:
    state = {name: values[name] for name in graph.params}
    return state or None, {name: values[name] for name in graph.inputs}


def values_at(stages: Sequence[Stage], point: Point) -> list[Mapping[Node, np.ndarray]]:
    """Return the values of each stage's nodes, by the reference interpreter.

    A stage in which nothing happens has those of the stage before.
    """

    def evaluated(place: int) -> Mapping[Node, np.ndarray]:
        graph = stages[place].graph
        env, sizes = bind(graph, *_split(graph, point.values))
        return evaluate(graph.nodes, env, sizes=sizes, rng=np.random.default_rng(0))

    return [{} for _ in stages] if point.left_out else for_each_stage(stages, evaluated)


def measures(
    stages: Sequence[Stage], arrays: Sequence[Mapping[Node, np.ndarray]], point: Point
) -> list[Measure]:
    """Return the measure of each stage; `arrays` holds the values of each stage's nodes."""
    found: list[Measure] = []
    for place, stage in enumerate(stages):
        before = place - 1
        if place and stage.leaves_as_it_was(stages[before]):
            gap = None if point.left_out else 0.0
            found.append(Measure(found[-1].amounts, gap, ""))
            continue
        total = cost(stage.graph)
        costs = total.flops, total.bytes, total.peak_bytes
        amounts = tuple([_amount(cost, point.sizes) for cost in costs])
        difference, where = _NOTHING_SHARED
        if place and not point.left_out:
            outputs = _roots(stages[before].graph, arrays[before])
            difference, where = _gap(outputs, _roots(stage.graph, arrays[place]))
        found.append(Measure(amounts, difference, where))
    return found


def _amount(expression: Any, sizes: Mapping[str, int]) -> Amount:
    known = {symbol: sizes[symbol.name] for symbol in expression.free_symbols}
    return Amount(str(expression), int(expression.subs(known)))


def _roots(graph: Graph, arrays: Mapping[Node, np.ndarray]) -> dict[str, np.ndarray]:
    outputs = {name: arrays[node] for name, node in graph.outputs.items()}
    return outputs | {f"{name} ←": arrays[node] for name, node in graph.updates.items()}


def _gap(
    before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]
) -> tuple[float | None, str]:
    """Return the largest difference of two stages' outputs; NaN in both places is no difference."""
    largest = _NOTHING_SHARED
    for name in before:
        if name not in after:
            continue
        a, b = (np.asarray(side[name], np.float64) for side in (before, after))
        with np.errstate(invalid="ignore"):
            gaps = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        gap = float(np.nan_to_num(gaps, nan=np.inf, posinf=np.inf).max(initial=0.0))
        if largest[0] is None or gap > largest[0]:
            largest = gap, name_text(name)
    return largest
