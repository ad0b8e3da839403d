"""Which table does `graphc trace` print? That of a point, whose missing values it draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from graphc.draw.traces import ForwardBackward, Trace, forward_backward_table, trace
from graphc.draw.traces.pieces import words
from graphc.draw.typography import listed
from graphc.ir.graph import Graph
from graphc.rewrite.before_derivative import stabilized_around
from graphc.run.points import sample_point, sample_sizes


def table(
    graph: Graph,
    values: Mapping[str, Any],
    mode: str,
    wrt: str | None,
    of: str | None,
    version: str,
    *,
    level: int,
    seed: int,
) -> Trace | ForwardBackward:
    """Return the table of modules, which is over names alone, or a trace at a point."""
    if mode == "modules":
        return forward_backward_table(graph, of)
    point, told = _completed(graph, values, seed)
    if level:
        told.append(f"after the forward passes of level {level}")
    stable = stabilized_around(graph, filter(None, (wrt, of)), level)
    found = trace(stable, point, mode, wrt=wrt, of=of, version=version)
    if not told:
        return found
    gap = [words("; ")] if found.remark else []
    return replace(found, remark=[*found.remark, *gap, words("; ".join(told))])


def _completed(
    graph: Graph, values: Mapping[str, Any], seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Return values of inputs and parameters, and words on those that were not given.

    `values` may fix dims, too. Inputs that they leave out are drawn from the seed, and parameters
    are initialized from it.
    """
    sizes = sample_sizes(graph, values)  # refuses a name that the graph does not have
    leaves = {**graph.inputs, **graph.params}
    point = {name: value for name, value in values.items() if name in leaves}
    drawn = [name for name in graph.inputs if name not in point]
    started = [name for name in graph.params if name not in point]
    if drawn:
        sampled = sample_point(graph, values, seed)
        point |= {name: sampled[name] for name in drawn}
    if seed or len(started) < len(graph.params):  # else all are initial, and the title says so
        state = graph.init(seed=seed, **sizes) if started else {}
        point |= {name: state[name] for name in started}
    else:
        started = []
    told = [f"{listed(drawn)} drawn at random (seed {seed})"] if drawn else []
    told += [f"{listed(started)} initialized (seed {seed})"] if started else []
    return point, told
