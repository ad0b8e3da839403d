"""Evaluate a model on given values; what they leave out is drawn from the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.commands.stage import in_use
from graphc.commands.values import split_state
from graphc.compile import compile
from graphc.errors import GraphError, nearest
from graphc.ir.graph import Graph
from graphc.ir.labels import typed_names
from graphc.run.points import known_sizes
from graphc.run.reference import interpret


def evaluate(
    graph: Graph,
    values: Mapping[str, Any],
    gradient: str | None,
    wrt: Sequence[str] | None,
    predict: str | None,
    *,
    seed: int,
    level: int,
    reference: bool,
    check_finite: bool,
) -> Mapping[str, Any]:
    """Return the outputs by name, and the gradient of one where it is asked for.

    values     of inputs and parameters, and sizes of dims that these do not tell
    predict    outputs that are computed alone, in use; values that they do not need are left out
    level      of the passes
    reference  take the interpreter instead of compiled code
    """
    whole, graph = graph, in_use(graph, predict)
    spare = {*whole.inputs, *whole.params} - {*graph.inputs, *graph.params}
    values = {name: value for name, value in values.items() if name not in spare}
    given, inputs = split_state(values, graph.params)
    sizes = known_sizes(graph, values)
    inputs = {n: v for n, v in inputs.items() if n in graph.inputs or n not in sizes}
    _check_names(graph, inputs)
    state = {**graph.init(seed=seed, **sizes), **given} if graph.params else None
    if any(node.op.is_random for node in graph.nodes):
        inputs["rng"] = np.random.default_rng(seed)
    if reference:
        graph = graph.gradient(gradient, wrt) if gradient else graph
        return interpret(graph, state, check_finite=check_finite, **inputs)
    function = compile(graph, gradient_of=gradient, wrt=wrt, optimize=level)
    return function(state, check_finite=check_finite, **inputs)


def _check_names(graph: Graph, inputs: Mapping[str, Any]) -> None:
    """Raise a GraphError for a value that the model does not take: a file may hold several."""
    known = [*graph.inputs, *graph.params]
    strange = [n for n in inputs if n not in graph.inputs and not nearest(n, known)]
    if strange:
        first = next(iter(graph.inputs), "x")
        raise GraphError(
            f"{graph.name} has no input called {strange[0]!r}",
            got=", ".join(inputs),
            expected=typed_names(graph.inputs) or "no inputs",
            fix=f"--at {first}=@data.npz takes one array of a file"
            + (f"; parameters are {', '.join(graph.params)}" if graph.params else ""),
        )
