"""Backpropagation through time: the steps of a loop, and adjoints that run back through them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from drawn_graphs import edges

import graphc as gc
from graphc.draw.graphs.unrolling import unrolled

Model = Callable[[], gc.Graph]


def simple() -> gc.Graph:
    x, y = gc.input("x", ("T", "N", 3), "float64"), gc.input("y", ("N", 2), "float64")
    _, last = gc.nn.rnn(x, 4, name="rnn")
    loss = ((gc.nn.dense(last, 2, name="out") - y) ** 2).mean()
    return gc.graph({"loss": loss}, name="recurrent")


def every_step() -> gc.Graph:
    x = gc.input("x", ("T", "N", 3), "float64")
    hidden, *_ = gc.nn.lstm(x, 4, name="lstm")
    return gc.graph({"loss": (gc.nn.dense(hidden, 2, name="out") ** 2).mean()}, name="tagger")


def backwards() -> gc.Graph:
    x = gc.input("x", ("T", 3), "float64")
    U = gc.param("U", (3, 3), "float64")
    init = gc.constant(np.ones(3))
    last, seen = gc.scan(
        lambda h, x_t: (gc.sin(h @ U + x_t), h * x_t), init=init, xs=x, reverse=True
    )
    return gc.graph({"loss": (seen**2).sum() + last.sum()}, name="backwards")


def both_ways() -> gc.Graph:
    x = gc.input("x", ("T", "N", 3), "float64")
    hidden, _ = gc.nn.bidirectional(gc.nn.gru, x, 2, name="both")
    return gc.graph({"loss": (hidden**2).sum()}, name="both")


def without_a_sequence() -> gc.Graph:
    h = gc.input("h", (3,), "float64")
    U = gc.param("U", (3, 3), "float64")
    last, _ = gc.scan(lambda h: (gc.tanh(h @ U), h), init=h, length=9)
    return gc.graph({"loss": (last**2).sum()}, name="iterated")


MODELS = [simple, every_step, backwards, both_ways, without_a_sequence]


def point(graph: gc.Graph, length: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = {"T": length, "N": 2}
    shapes = {name: [sizes.get(str(d), d) for d in x.shape] for name, x in graph.inputs.items()}
    return graph.init(0) | {name: rng.normal(size=shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("steps", [2, 3, 4])
@pytest.mark.parametrize("model", MODELS)
def test_what_is_drawn_computes_the_same(model: Model, steps: int) -> None:
    graph = model()
    for length in (5, 7):
        at = point(graph, length)
        written = unrolled(graph, steps)
        assert written is not None
        wanted, got = (
            gc.interpret(
                g.gradient("loss", [*graph.inputs, *graph.params]),
                {name: at[name] for name in g.params},
                **{name: at[name] for name in g.inputs},
            )
            for g in (graph, written.graph)
        )
        assert wanted.keys() == got.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-10)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_values_are_shown_whatever_the_number_of_steps(model: Model, length: int) -> None:
    graph = model()
    gc.draw.backprop(graph, at=point(graph, length), saved=True).svg()


def test_adjoints_run_back_from_step_to_step() -> None:
    picture = gc.draw.backprop(simple())
    assert "step 1: 5 variables collapsed, h₁ = tanh(x₁ · W + 0 · U + b)" in picture.description
    back = picture.description.partition("Backward: ")[2]
    assert "d/dstep 1 = h̄₁ = h̄₂ · ∂h₂/∂h₁." in back
    drawn = edges(picture)
    assert ("d_g_step_20_2", "d_g_step_20_1") in drawn
    weights = "d_g_weights_20_of_20_all_20_steps"
    assert {(f"d_g_step_20_{k}", weights) for k in "12T"} <= drawn


def test_a_step_with_two_states_sends_back_what_arrives_at_both() -> None:
    back = gc.draw.backprop(every_step(), wrt=["x"]).description.partition("Backward: ")[2]
    assert "(c̄₂, h̄₂) · ∂(c₂, h₂)/∂x₂" in back


def test_a_short_loop_is_written_out_whole() -> None:
    x = gc.input("x", (3, 2), "float64")
    U = gc.param("U", (2, 2), "float64")
    last, _ = gc.scan(lambda h, x_t: (gc.tanh(h @ U + x_t), h), init=gc.constant(np.zeros(2)), xs=x)
    picture = gc.draw.backprop(gc.graph({"loss": last.sum()}))
    assert all(f"step {k}:" in picture.description for k in (1, 2, 3))
    assert "…" not in picture.description


def test_what_a_loop_ends_with_goes_by_its_name() -> None:
    graph = gc.parse("""
x: input(f64, T, 3)
h0: input(f64, 3)
def cell(h, x_t):
    h = tanh(h + x_t)
    return h, h
h_T, hs = scan(cell, init=h0, xs=x)
loss = sum(h_T) + sum(hs)
output(loss)
""")
    told = gc.draw.backprop(graph).description
    assert "x_T = x[T − 1:]" in told and "h_T = tanh(h_T−1 + x_T)" in told  # xT is x transposed
    assert "h₃" not in told


def test_a_loop_may_stay_one_box() -> None:
    assert "step 1" not in gc.draw.backprop(simple(), steps=0).description
    assert "s1 = scan(" in gc.draw.backprop(simple(), steps=0).description
