"""What does each stage compute and cost? Its outputs at one point, and its cost there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.draw.explorer.stages import Stage
from graphc.draw.typography import array_text, listed, name_text
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.plan.cost import cost
from graphc.run.points import sample_point
from graphc.run.reference import bind, evaluate


@dataclass(frozen=True)
class Point:
    """Where everything is evaluated: the values of inputs and parameters, and the sizes of dims."""

    values: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    words: str


@dataclass(frozen=True)
class Amount:
    """One cost, as an expression of the dims and as a number at the point."""

    formula: str
    number: int


@dataclass(frozen=True)
class Measure:
    """What a stage costs, and how far its outputs are from those of the stage before."""

    flops: Amount
    bytes: Amount
    peak: Amount
    #: The largest |before − after|, and the output in which it occurs; None where none is shared.
    difference: float | None
    where: str


#: No output is in both stages.
_NOTHING_SHARED: tuple[float | None, str] = (None, "")


def point_of(graph: Graph, at: Mapping[str, Any] | None) -> Point:
    """Return the given values, completed by drawn ones.

    **Raises** GraphError for a name that the graph does not have, or a value that does not fit.
    """
    values = sample_point(graph, at)
    _, sizes = bind(graph, *_split(graph, values))
    given = [
        f"{name_text(name)} = {array_text(values[name])[0]}"
        for name, node in graph.inputs.items()
        if not node.shape
    ]
    dims = [f"{name} = {sizes[name]}" for name in graph.dims]
    return Point(values, sizes, listed([*given, *dims]))


def _split(
    graph: Graph, values: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray] | None, dict[str, np.ndarray]]:
    state = {name: values[name] for name in graph.params}
    return state or None, {name: values[name] for name in graph.inputs}


def values_at(graph: Graph, point: Point) -> Mapping[Node, np.ndarray]:
    """Return the value of every node, by the reference interpreter."""
    env, sizes = bind(graph, *_split(graph, point.values))
    return evaluate(graph.nodes, env, sizes=sizes, rng=np.random.default_rng(0))


def measures(
    stages: Sequence[Stage], arrays: Sequence[Mapping[Node, np.ndarray]], point: Point
) -> list[Measure]:
    """Return the measure of each stage; `arrays` holds the values of each stage's nodes."""
    found: list[Measure] = []
    for place, stage in enumerate(stages):
        before = place - 1
        if place and stage.leaves_as_it_was(stages[before]):
            same = found[-1]
            found.append(Measure(same.flops, same.bytes, same.peak, 0.0, ""))
            continue
        total = cost(stage.graph)
        flops, traffic, peak = (
            _amount(e, point) for e in (total.flops, total.bytes, total.peak_bytes)
        )
        difference, where = _NOTHING_SHARED
        if place:
            outputs = _roots(stages[before].graph, arrays[before])
            difference, where = _gap(outputs, _roots(stage.graph, arrays[place]))
        found.append(Measure(flops, traffic, peak, difference, where))
    return found


def _amount(expression: Any, point: Point) -> Amount:
    sizes = {symbol: point.sizes[symbol.name] for symbol in expression.free_symbols}
    return Amount(str(expression), int(expression.subs(sizes)))


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
