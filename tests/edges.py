"""An edge: a function at a kink, and its derivatives there, by every way of computing them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node

WAYS = ["reference", "readable", "fast"]
#: Relative errors: well above rounding, well below a wrong term.
TOLERANCE = {"float32": 4e-6, "float64": 1e-12}


@dataclass(frozen=True)
class Edge:
    """A function of one vector x, a point, and the first and second derivatives of its sum there.

    `second` is the derivative of the sum of the first: zeros unless said, None where the first is
    infinite, so that there is none.
    """

    name: str
    function: Callable[[Node], Node]
    at: list[float]
    first: list[float]
    second: list[float] | None = field(default_factory=list)


def vector(x: Node, values: list[float]) -> Node:
    """Return a constant vector of x's dtype."""
    return gc.constant(np.array(values, x.dtype))


def rows(x: Node, count: int = 2) -> Node:
    return gc.reshape(x, (count, x.shape[0] // count))


def run(graph: Graph, of: str, wrt: list[str], way: str, feed: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs and gradients, by the reference or by compiled code."""
    feed = {name: value for name, value in feed.items() if name in graph.inputs}
    if way == "reference":
        return dict(gc.interpret(graph.gradient(of, wrt), **feed))
    return dict(gc.compile(graph, gradient_of=of, wrt=wrt, style=way)(**feed))


def derivatives(edge: Edge, dtype: str, way: str) -> list[np.ndarray]:
    """Return the first derivative and, where it is declared, the second."""
    x = gc.input("x", (len(edge.at),), dtype=dtype)
    feed = {"x": np.array(edge.at, dtype)}
    total = gc.sum(edge.function(x))
    found = [run(gc.graph({"y": total}, name="edge"), "y", ["x"], way, feed)["d_y_d_x"]]
    if edge.second is not None:
        (slope,) = gc.grad(total, [x])
        slopes = gc.graph({"slope": gc.sum(slope)}, name="edge")
        is_constant = "x" not in slopes.inputs
        second = np.zeros(len(edge.at), dtype)
        found.append(
            second if is_constant else run(slopes, "slope", ["x"], way, feed)["d_slope_d_x"]
        )
    return found


def agree(got: np.ndarray, expected: list[float], dtype: str) -> None:
    assert got.dtype == dtype
    np.testing.assert_allclose(got, np.array(expected), rtol=TOLERANCE[dtype], atol=0)


def check(edge: Edge, dtype: str, way: str) -> None:
    found = derivatives(edge, dtype, way)
    agree(found[0], edge.first, dtype)
    if edge.second is not None:
        agree(found[1], edge.second or [0.0] * len(edge.at), dtype)
