"""A loop of no steps gives its first value back, which nothing may overwrite while it is read."""

from __future__ import annotations

import numpy as np
import pytest
from stepping import STYLES, assert_steps_agree

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE, phase

X = gc.input("x", ("T", 3), dtype="float64")
Y = gc.input("y", (3,), dtype="float64")
H, B = gc.param("H", (3,), dtype="float64"), gc.param("B", (3,), dtype="float64")
STATE = {"H": np.array([1.0, 2.0, 3.0]), "B": np.array([5.0, 6.0, 7.0])}


def calls(*names: str) -> list[dict[str, np.ndarray]]:
    given = [{"x": np.ones((steps, 3)), "y": np.arange(3.0)} for steps in (2, 0, 3, 0)]
    return [{name: call[name] for name in names} for call in given]


def cell(h: Node, x: Node) -> tuple[Node, Node]:
    h = gc.tanh(x + h)
    return h, h


def shown() -> Graph:
    """The last value is an output, and its reverse is; the first one is updated."""
    last, steps = gc.scan(cell, init=H, xs=X)
    outputs = {"sum": steps.sum() + B.sum(), "last": last, "turned": last[::-1]}
    with phase(UPDATE):
        return Graph(outputs, updates={"H": H + 1, "B": B + last})


def stored() -> Graph:
    """The last value becomes another parameter's."""
    last, steps = gc.scan(cell, init=H, xs=X)
    with phase(UPDATE):
        return Graph({"sum": steps.sum() + B.sum()}, updates={"H": H * 2, "B": last})


def chained() -> Graph:
    """A second loop starts where the first one ended."""
    middle, _ = gc.scan(cell, init=H, xs=X)
    last, steps = gc.scan(cell, init=middle, xs=X * 2.0)
    with phase(UPDATE):
        return Graph({"sum": steps.sum(), "last": last}, updates={"H": H - 1})


@pytest.mark.filterwarnings("ignore::graphc.errors.GraphWarning")
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("model", [shown, stored, chained])
def test_what_a_loop_started_from_is_updated(model: object, style: str) -> None:
    graph = model()  # type: ignore[operator]
    state = {name: STATE[name] for name in graph.params}
    assert_steps_agree(graph, state, calls("x"), style=style)


@pytest.mark.parametrize("style", STYLES)
def test_the_memory_that_a_loop_started_from_is_not_used_again(style: str) -> None:
    first = gc.exp(gc.sin(Y))
    last, steps = gc.scan(cell, init=first, xs=X)
    later = gc.cumsum(gc.tanh(steps.sum(axis=0) + Y))
    graph = gc.graph({"z": (last * gc.sigmoid(later)).sum(), "later": gc.exp(gc.cumsum(later))})
    assert_steps_agree(graph, {}, calls("x", "y"), style=style)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_the_gradient_of_a_loop_that_never_has_a_step(style: str, reverse: bool) -> None:
    h, x = gc.input("h", (3,), dtype="float64"), gc.input("x", (0, 3), dtype="float64")
    last, steps = gc.scan(lambda h, x: (gc.sin(x + h), h), init=h, xs=x, reverse=reverse)
    graph = gc.graph({"loss": gc.sum(gc.square(last)) + steps.sum()})
    f = gc.compile(graph, gradient_of="loss", wrt=["h", "x"], style=style)
    got = f(h=np.arange(3.0), x=np.zeros((0, 3)))
    assert got["d_loss_d_h"].tolist() == [0, 2, 4]
    assert got["d_loss_d_x"].shape == (0, 3)
