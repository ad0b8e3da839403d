"""What are the numbers on a picture? One evaluation at a point, by the reference interpreter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.build.init import initial_state
from graphc.differentiate.sweeps.reverse import cotangents
from graphc.draw import palette
from graphc.draw.dim_formula import shape_formula
from graphc.draw.dot_source import Note
from graphc.draw.typography import array_text, listed, name_text, nested_text, number_text
from graphc.errors import GraphError, did_you_mean
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.types import TupleType
from graphc.ops import OPS
from graphc.run.reference import bind, evaluate

#: Larger arrays, and the middle of a longer list, are not told in the words that name a point.
_MOST_NUMBERS, _MOST_WORDS = 4, 8


@dataclass(frozen=True)
class Values:
    """The value of each node at one point, the sizes of dims, and the words that name the point."""

    arrays: Mapping[Node, np.ndarray]
    sizes: Mapping[str, int]
    point: str = ""

    def of(self, root: Node, known: Mapping[Node, np.ndarray]) -> np.ndarray:
        """Return the value of a small graph over nodes whose values are known."""
        return evaluate([root], known, sizes=self.sizes)[root]


def evaluated(graph: Graph, at: Mapping[str, Any], more: Iterable[Node] = ()) -> Values:
    """Return the values of all nodes of a graph, and of `more`, at a point.

    `at` maps names of inputs and parameters to numbers or arrays. Without any parameter in it, all
    of them have their initial values for seed 0. Random draws use seed 0.
    **Raises** GraphError for a name that the graph does not have, or one that is missing.
    """
    leaves = {**graph.inputs, **graph.params}
    for name in at:
        if name not in leaves:
            raise GraphError(
                f"no input or parameter is called {name!r}",
                expected=", ".join(leaves) or "no values: the graph has neither",
                fix=did_you_mean(name, leaves),
            )
    initial = bool(graph.params) and not any(name in at for name in graph.params)
    missing = [name for name in (graph.inputs if initial else leaves) if name not in at]
    if missing:
        raise GraphError(
            "each input and parameter needs a value",
            got=f"no value for {listed(missing)}",
            expected=listed([f"{name}: {node.type}" for name, node in leaves.items()]),
            fix=f"at={{{', '.join(f'{name!r}: …' for name in missing[:3])}}}",
        )
    inputs = {name: at[name] for name in graph.inputs}
    state = _initial(graph, inputs) if initial else {name: at[name] for name in graph.params}
    env, sizes = bind(graph.with_outputs(graph.outputs), state or None, inputs)
    arrays = evaluate([*graph.nodes, *more], env, sizes=sizes, rng=np.random.default_rng(0))
    given = graph.inputs if initial else leaves
    shown = [
        f"{name_text(name)} = {nested_text(env[node], number_text)}"
        for name, node in given.items()
        if env[node].size <= _MOST_NUMBERS
    ]
    dims = [f"{name} = {sizes[name]}" for name in graph.dims]
    words = [*shown, *dims, *["initial parameters"] * initial]
    return Values(arrays, sizes, listed(words, _MOST_WORDS))


def evaluated_adjoints(
    graph: Graph, target: Node, at: Mapping[str, Any], nodes: Sequence[Node]
) -> tuple[Values, dict[Node, np.ndarray]]:
    """Return the values at a point, and those of the adjoints of nodes that the target reads."""
    seed = OPS["full"]((), 1.0, target.dtype)
    found = cotangents([target], [seed], nodes)
    flowing = {node: c for node, c in zip(nodes, found, strict=True) if c is not None}
    values = evaluated(graph, at, flowing.values())
    return values, {node: values.arrays[c] for node, c in flowing.items()}


def _initial(graph: Graph, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the initial parameters, for the sizes that the inputs have."""
    shapes = {name: np.shape(value) for name, value in inputs.items()}
    sizes = {
        str(dim): size
        for name, node in graph.inputs.items()
        for dim, size in zip(node.shape, shapes[name], strict=False)
        if type(dim) is not int
    }
    return initial_state(graph, seed=0, **sizes)


def value_rows(array: np.ndarray, mark: str, color: str) -> list[Note]:
    """Return the lines under a box that tell a value; the mark stands before the first."""
    lines = array_text(array)
    return [Note(f"{mark} {lines[0]}", color), *[Note(line, color) for line in lines[1:]]]


def notes(node: Node, values: Values | None) -> Sequence[Note]:
    """Return what stands under a variable's box: its value, or the shape of an array."""
    if isinstance(node.type, TupleType):
        return []  # the results of a loop have boxes of their own
    if values is not None and node in values.arrays:
        return value_rows(values.arrays[node], "▸", palette.VALUE)
    return [Note(shape_formula(node.shape), palette.MUTED)] if node.shape else []
