"""Loops that start from one array of zeros: each has its own, and the array stays what it was."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

STYLES = [(style, level) for style in ("readable", "fast") for level in (0, 1, 2, 3)]


def moments() -> gc.Graph:
    """A sum and a sum of squares, both from the same zeros."""
    x, z = gc.input("x", ("T", 2), dtype="float64"), gc.zeros((2,), dtype="float64")

    def cell(s: Node, q: Node, v: Node) -> tuple[Node, Node]:
        return s + v, q + v * v

    s, q = gc.scan(cell, init=(z, z), xs=x)
    return gc.graph({"s": s, "q": q, "loss": gc.sum(s * q)})


def two_loops() -> gc.Graph:
    """A second loop starts from the zeros that the first one started from."""
    x, z = gc.input("x", ("T", 2), dtype="float64"), gc.zeros((2,), dtype="float64")
    (a,) = gc.scan(lambda c, v: c + gc.sin(v), init=z, xs=x)
    (b,) = gc.scan(lambda c, v: c + gc.cos(c * v), init=z, xs=x)
    return gc.graph({"a": a, "b": b, "loss": gc.sum(a * b)})


def kept() -> gc.Graph:
    """The zeros are an output, too."""
    x, z = gc.input("x", ("T", 2), dtype="float64"), gc.zeros((2,), dtype="float64")
    (t,) = gc.scan(lambda c, v: c + v, init=z, xs=x)
    return gc.graph({"t": t, "z": z, "loss": gc.sum(t * t)})


def joined() -> gc.Graph:
    """Two carries have one next value."""
    x, z = gc.input("x", ("T", 2), dtype="float64"), gc.zeros((2,), dtype="float64")

    def cell(s: Node, q: Node, v: Node) -> tuple[Node, Node]:
        both = s + gc.sin(v)
        return both, both

    s, q = gc.scan(cell, init=(z, z), xs=x)
    return gc.graph({"s": s, "q": q, "loss": gc.sum(s * q)})


def ahead() -> gc.Graph:
    """A carry takes the sum of another one, which goes on; a third reads that a step later."""
    x, z = gc.input("x", ("T", 2), dtype="float64"), gc.zeros((2,), dtype="float64")

    def cell(s: Node, q: Node, late: Node, v: Node) -> tuple[Node, Node, Node]:
        both = s + gc.sin(v)
        return both, both, gc.cos(q)

    start = gc.full((2,), 2.0, dtype="float64")
    s, q, late = gc.scan(cell, init=(start, z, z), xs=x)
    return gc.graph({"s": s, "q": q, "late": late, "loss": gc.sum(s * q * late)})


@pytest.mark.parametrize("model", [moments, two_loops, kept, joined, ahead])
@pytest.mark.parametrize("style, level", STYLES)
def test_no_loop_changes_what_another_one_starts_from(
    model: Callable[[], gc.Graph], style: str, level: int
) -> None:
    graph = model()
    given = {"x": np.array([[1.0, 2.0], [3.0, 4.0], [0.5, -1.0]])}
    f = gc.compile(graph, gradient_of="loss", wrt=["x"], style=style, optimize=level)
    expected = gc.interpret(graph.gradient("loss", ["x"]), **given)
    for _ in range(2):
        got = f(**given)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-12, atol=1e-12)
