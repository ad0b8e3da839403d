"""Traces, tables and cards of recurrent networks: each result of a loop is one variable."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

RNN = """
x: input(f64, T, 2, 3)
h0: input(f64, 2, 4)
W: param(f64, 3, 4, init=normal(scale=0.5))
U: param(f64, 4, 4, init=normal(scale=0.5))

def cell(h, x_t):
    h = tanh(x_t @ W + h @ U)
    return h, h

h_T, hs = scan(cell, init=h0, xs=x)
loss = mean(hs**2) + sum(h_T)
output(loss)
"""
AT = {"x": np.linspace(-1, 1, 30).reshape(5, 2, 3), "h0": np.full((2, 4), 0.1)}


def rnn() -> gc.Graph:
    return gc.parse(RNN)


def test_the_forward_trace_has_a_row_for_each_result() -> None:
    graph = rnn()
    rows = {row.name: row for row in gc.trace(graph, AT).rows if row.name}
    found = gc.interpret(
        graph.with_outputs({"hs": graph.find("hs"), "h_T": graph.find("h_T")}), graph.init(), **AT
    )
    assert rows["hs"].value == pytest.approx(found["hs"])
    assert rows["h_T"].value == pytest.approx(found["h_T"])
    assert rows["hs"].symbolic.startswith("scan(cell, init=v1, xs=v0)")


@pytest.mark.parametrize("version", ["A", "B"])
def test_the_reverse_trace_ends_in_the_gradient(version: str) -> None:
    graph = rnn()
    trace = gc.trace(graph, AT, mode="reverse", version=version)
    found = gc.interpret(graph.gradient("loss", ["x", "h0", "W", "U"]), graph.init(), **AT)
    last = {row.name: row.value for row in trace.rows[::-1] if row.name}
    for name in ("x", "h0", "W", "U"):
        assert last[name] == pytest.approx(found[f"d_loss_d_{name}"], rel=1e-12)
    assert "backward(cell, v̄" in str(trace)


def test_the_tangent_trace_ends_in_the_tangent() -> None:
    graph = rnn()
    trace = gc.trace(graph, AT, mode="tangent", wrt="U")
    found = gc.interpret(graph.tangent(["U"]), graph.init(), **AT, U_dot=np.ones((4, 4)))
    assert trace.rows[-1].number == pytest.approx(float(found["loss_dot"]), rel=1e-12)
    assert "tangent(cell, v̇" in str(trace)


def test_the_table_names_what_the_loop_sends_back() -> None:
    table = gc.forward_backward_table(rnn())
    assert table.rows[1].module == "Loop"
    assert "dloss/dW += backward(cell, dloss/dhs, by W)" in [
        line for row in table.rows for line in row.backward
    ]


def test_a_card_of_a_loops_result() -> None:
    card = gc.derive(rnn(), "hs")
    assert "∂loss/∂W += ∂loss/∂hs·∂hs/∂W" in card.part("sends")
    assert "= backward(cell, ∂loss/∂hs, by W)" in card.part("sends")
    assert any(line.startswith("d_hs: f64[T, 2, 4] = ") for line in card.part("adjoint"))


@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("format", ["text", "markdown", "latex", "html"])
def test_layers_in_every_format(layer: str, format: str) -> None:
    x = gc.input("x", (3, 2, 4))
    states = getattr(gc.nn, layer)(x, 5, name="layer")
    graph = gc.graph({"loss": gc.mean(states[0] ** 2)})
    at = {"x": np.ones((3, 2, 4), np.float32)}
    assert gc.trace(graph, at, mode="reverse").format(format)
    assert gc.forward_backward_table(graph).format(format)
    assert gc.derive(graph, "layer.U").format(format)
    assert "Layer" in gc.draw.unit_chain(graph, at=at).description


def test_a_graph_without_a_loop_is_left_alone() -> None:
    from graphc.draw.traces.loops import with_single_results

    graph = gc.graph({"y": gc.tanh(gc.input("x"))})
    assert with_single_results(graph) is graph
