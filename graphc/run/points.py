"""Draw a point at which a graph can be evaluated, completing what the user has given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.build.init import checked_size, generator_of, initial_state
from graphc.errors import GraphError, did_you_mean
from graphc.ir.dims import evaluate_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.run.arguments import Argument, as_array, bind_dims
from graphc.run.sizes import dims_of_state


def sample_point(
    graph: Graph, at: Mapping[str, Any] | None = None, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return a value for every input and parameter: those in `at`, others drawn from `seed`.

    `at` may also fix dims (`N=4`); the others become 3, 4, 5, … so that no two agree by accident.
    Float inputs lie in (0.1, 0.9), inside the domain of logarithms and roots; integers are 0 or
    1, which index every axis of at least two; parameters are initialized and slightly perturbed,
    because a check at exact zeros would sit on kinks.
    """
    leaves = {**graph.params, **graph.inputs}
    given, sizes = _given(graph, at)
    rng = generator_of(seed)
    missing = [name for name in graph.params if name not in given]
    state = (
        initial_state(graph, seed, **{n: sizes[n] for n in dims_of_state(graph)}) if missing else {}
    )
    point = dict(given)
    for name, leaf in leaves.items():
        if name in state and name not in given:
            point[name] = _perturbed(state[name], leaf, rng)
        elif name not in given:
            point[name] = _drawn(leaf, evaluate_shape(leaf.shape, sizes), rng)
    return point


def sample_sizes(graph: Graph, at: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Return the dims of the point that `sample_point` draws, without drawing it."""
    return _given(graph, at)[1]


def known_sizes(graph: Graph, at: Mapping[str, Any]) -> dict[str, int]:
    """Return the dims that `at` fixes: by their names, or by the shapes of its arrays."""
    leaves = {**graph.params, **graph.inputs}
    return _known_sizes(graph, leaves, at, _arrays(leaves, at))


def _given(
    graph: Graph, at: Mapping[str, Any] | None
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Return the arrays that `at` gives, and the size of each dim."""
    at = dict(at or {})
    leaves = {**graph.params, **graph.inputs}
    known = [*leaves, *graph.dims]
    for name in at:
        if name not in known:
            raise GraphError(
                f"{graph.name} has no input, parameter or dim called {name!r}",
                expected=", ".join(known),
                fix=did_you_mean(name, known),
            )
    given = _arrays(leaves, at)
    sizes = _known_sizes(graph, leaves, at, given)
    free = iter(range(3, 3 + len(graph.dims)))
    return given, {n: sizes[n] if n in sizes else next(free) for n in graph.dims}


def _arrays(leaves: Mapping[str, Node], at: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {n: as_array(at[n], leaf.dtype, repr(n)) for n, leaf in leaves.items() if n in at}


def _known_sizes(
    graph: Graph, leaves: Mapping[str, Node], at: Mapping[str, Any], given: Mapping[str, np.ndarray]
) -> dict[str, int]:
    sizes = {n: checked_size(n, at[n]) for n in graph.dims if n in at and n not in leaves}
    bound = bind_dims([Argument(repr(n), leaves[n], array) for n, array in given.items()])
    for name in sizes:
        if bound.get(name, sizes[name]) != sizes[name]:
            raise GraphError(f"{name} = {sizes[name]} contradicts an array", got=bound[name])
    return sizes | bound


def _perturbed(array: np.ndarray, leaf: Node, rng: np.random.Generator) -> np.ndarray:
    if not leaf.attrs["trainable"]:
        return array
    return (array + 0.1 * rng.standard_normal(array.shape)).astype(array.dtype)


def _drawn(leaf: Node, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if leaf.dtype.kind == "f":
        return rng.uniform(0.1, 0.9, shape).astype(leaf.dtype)
    return rng.integers(0, 2, shape).astype(leaf.dtype)
