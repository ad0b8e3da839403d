"""The last state of a loop, read from the stack of all states, is what the loop hands on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.dims import as_dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.rewrite.pipeline import optimize

T, N, H = 6, 3, 4
READS: dict[str, Callable[[Node], Node]] = {
    "the last": lambda hs: hs[-1],
    "some of it": lambda hs: hs[-1, :, 1:3],
    "turned": lambda hs: hs[-1, :, ::-1],
    "as a stack of one": lambda hs: hs[-1:],
}


def model(cell: Callable[..., Any], read: Callable[[Node], Node], dims: tuple[Any, Any]) -> Graph:
    hs = cell(gc.input("x", (*dims, H)), H, name="r")[0]
    return gc.graph({"loss": gc.mean(gc.square(read(hs)))}).astype("float64")


def agrees(graph: Graph) -> None:
    state, data = graph.init(0), np.random.default_rng(1).standard_normal((T, N, H))
    wanted = gc.interpret(graph.gradient("loss"), state, x=data)
    got = gc.compile(graph, gradient_of="loss")(state, x=data)
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dims", [(T, N), ("T", "N")])
@pytest.mark.parametrize("cell", [gc.nn.rnn, gc.nn.lstm, gc.nn.gru])
@pytest.mark.parametrize("read", READS)
def test_no_cotangent_of_all_states_is_made(
    cell: Callable[..., Any], read: str, dims: tuple[Any, Any]
) -> None:
    graph = model(cell, READS[read], dims)
    agrees(graph)
    history = gc.compile(graph, gradient_of="loss").history
    assert "last_state" in {firing.rule.name for record in history for firing in record.firings}
    written = [node for node in history[-1].graph.nodes if node.op.name == "slice_add"]
    assert not [node for node in written if node.ndim == 3 and node.shape[0] == as_dim(dims[0])]


@pytest.mark.parametrize("at", [0, 1, -2])
def test_other_states_are_read_from_the_stack(at: int) -> None:
    agrees(model(gc.nn.rnn, lambda hs: hs[at], ("T", "N")))


def test_a_loop_that_runs_backwards_ends_at_the_first_step() -> None:
    x = gc.input("x", ("T", "N", H))

    def step(h: Node, x: Node) -> tuple[Node, Node]:
        h = gc.tanh(h * 0.5 + x)
        return h, h

    W = gc.param("W", (H, H), init=gc.init.orthogonal())
    for at in (0, -1):
        _, hs = gc.scan(step, init=gc.zeros(("N", H)), xs=x @ W, reverse=True)
        graph = gc.graph({"loss": gc.mean(gc.square(hs[at]))}).astype("float64")
        agrees(graph)
        names = [node.op.name for node in optimize(graph).nodes]
        assert ("slice" in names) == (at == -1)


def test_what_is_not_carried_stays_in_its_stack() -> None:
    x = gc.input("x", ("T", "N", H))

    def step(h: Node, x: Node) -> tuple[Node, Node]:
        h = gc.tanh(h * 0.5 + x)
        return h, gc.sin(h)

    W = gc.param("W", (H, H), init=gc.init.orthogonal())
    _, ys = gc.scan(step, init=gc.zeros(("N", H)), xs=x @ W)
    agrees(gc.graph({"loss": gc.mean(gc.square(ys[-1]))}).astype("float64"))
