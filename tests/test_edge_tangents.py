"""The table of conventions once more, in forward mode: the tangents of the tangents, too.

Every case of `test_edge_gradients` moves one element of x at a time, so that the tangents of the
sum are its gradient; its second derivatives are the tangents of the tangent along (1, 1, …).
"""

from __future__ import annotations

import numpy as np
import pytest
from edges import TOLERANCE, Edge, agree
from test_edge_gradients import BROADCASTING, CONVENTIONS

import graphc as gc

pytestmark = pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
#: Here the value itself is nan, -∞ times 0. Reverse mode never reads it, forward mode does.
NO_VALUE = ("log times 0",)
CASES = [
    pytest.param(edge, id=f"{line} | {edge.name}")
    for line, edges in {**CONVENTIONS, "uses": BROADCASTING}.items()
    for edge in edges
    if edge.name not in NO_VALUE
]


def by_forward_mode(graph: gc.Graph, of: str, edge: Edge, dtype: str, way: str) -> np.ndarray:
    """Return the tangent of an output along each unit vector of x."""
    size = len(edge.at)
    (motion,) = [n for n in graph.tangent(["x"], directions=size).inputs if n not in graph.inputs]
    moved = graph.tangent(["x"], directions=size)
    (output,) = [n for n in moved.outputs if n.startswith(f"{of}_dot") and n not in graph.outputs]
    feed = {"x": np.array(edge.at, dtype), motion: np.eye(size, dtype=dtype)}
    feed |= {name: np.ones(size, dtype) for name in graph.inputs if name != "x"}
    if way == "reference":
        return np.asarray(gc.interpret(moved, **feed)[output])
    return np.asarray(gc.compile(moved, style=way)(**feed)[output])


@pytest.mark.parametrize("way", ["reference", "readable"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("edge", CASES)
def test_first_and_second_order(edge: Edge, dtype: str, way: str) -> None:
    x = gc.input("x", (len(edge.at),), dtype=dtype)
    graph = gc.graph({"y": gc.sum(edge.function(x))}, name="edge")
    agree(by_forward_mode(graph, "y", edge, dtype, way), edge.first, dtype)
    if edge.second is not None:
        twice = by_forward_mode(graph.tangent(["x"]), "y_dot", edge, dtype, way)
        agree(twice, edge.second or [0.0] * len(edge.at), dtype)


@pytest.mark.parametrize("name", NO_VALUE)
def test_what_has_no_value_has_no_tangent(name: str) -> None:
    (edge,) = [e for edges in CONVENTIONS.values() for e in edges if e.name == name]
    graph = gc.graph({"y": gc.sum(edge.function(gc.input("x", (len(edge.at),), "float64")))})
    assert np.isnan(gc.interpret(graph, x=np.array(edge.at, float))["y"])
    found = by_forward_mode(graph, "y", edge, "float64", "reference")
    assert np.isnan(found[0]) and found[1:].tolist() == edge.first[1:]
