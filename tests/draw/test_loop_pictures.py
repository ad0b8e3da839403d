"""Loops in pictures: the body in a frame, the adjoint of a loop, layers around loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from drawn_graphs import boxes, edges, laid_out, rectangle, texts

import graphc as gc
from graphc.draw.graphs.loop_bodies import opened_loops
from graphc.draw.graphs.view import view
from graphc.draw.typography import number_text


def recurrent() -> gc.Graph:
    x, y = gc.input("x", ("T", "N", 3)), gc.input("y", ("N", 2))
    _, last = gc.nn.rnn(x, 4, name="rnn")
    p = gc.nn.dense(last, 2, name="out").named("p")
    return gc.graph({"loss": ((p - y) ** 2).mean().named("loss")}, name="recurrent")


def keys(graph: gc.Graph) -> dict[str, str]:
    """Return the DOT name of each variable inside the only loop's frame."""
    (loop,) = opened_loops(view(graph, "strict", 150, None), "strict", 150).values()
    return {box.formula: box.key for box in loop.boxes}


def test_a_loop_is_drawn_as_a_frame_around_one_step() -> None:
    graph = recurrent()
    picture = gc.draw.computation_graph(graph)
    found = keys(graph)
    assert {"slice", "carry", "tanh(v₂₀)"} <= set(found)
    drawn = edges(picture)
    assert ("n_x", found["slice"]) in drawn
    assert (found["tanh(v₂₀)"], "n_last") in drawn
    assert ("n_rnn_2e_U", found["h · rnn.U"]) in drawn
    assert (found["tanh(v₂₀)"], found["carry"]) in drawn
    assert picture.source.count('style="dashed", class="next"') == 1
    assert "rnn_step: one step of T" in texts(picture)


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("layer", [gc.nn.rnn, gc.nn.lstm])
def test_the_edge_to_the_next_step_begins_and_ends_where_no_other_does(
    layer: Callable[..., tuple[gc.Node, gc.Node]], direction: str
) -> None:
    x = gc.input("x", ("T", "N", 3))
    graph = gc.graph({"y": layer(x, 4, name="cell")[0]})
    picture = gc.draw.computation_graph(graph, direction=direction)
    ends: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for edge in laid_out(picture)["edges"]:
        tip, start, *_ = edge["pos"].removeprefix("e,").split(" ")
        for point in (tip, start):
            x_at, y_at = map(float, point.split(","))
            ends[edge.get("class") == "next"].append((x_at, y_at))
    assert len(ends[True]) == (4 if layer is gc.nn.lstm else 2)
    for place in ends[True]:
        assert min(math.dist(place, other) for other in ends[False]) > 8


def test_the_step_stands_inside_the_frame_and_nothing_else_does() -> None:
    graph = recurrent()
    picture = gc.draw.computation_graph(graph)
    found = boxes(picture)
    inside = set(keys(graph).values())
    left = min(rectangle(found[k])[0] for k in inside)
    right = max(rectangle(found[k])[2] for k in inside)
    low = min(rectangle(found[k])[1] for k in inside)
    high = max(rectangle(found[k])[3] for k in inside)
    for key in set(found) - inside:
        a, b, c, d = rectangle(found[key])
        assert c <= left or a >= right or d <= low or b >= high, key


def test_fresh_names_differ_inside_and_outside_of_the_frame() -> None:
    picture = gc.draw.computation_graph(recurrent())
    fresh = [text for text in texts(picture) if text.strip("₀₁₂₃₄₅₆₇₈₉") == "v"]
    assert len(fresh) == len(set(fresh)) > 5


def test_a_loop_can_stay_one_box() -> None:
    graph = recurrent()
    assert "cluster" not in gc.draw.computation_graph(graph, bodies=False).source
    crowded = gc.draw.computation_graph(graph, max_nodes=20, collapse=False)
    assert "cluster" not in crowded.source


def test_the_adjoint_of_a_loop_gathers_those_of_its_results() -> None:
    picture = gc.draw.backprop(recurrent(), of="loss", steps=0)
    shown = texts(picture)
    assert "(<O>last</O>, 0)" in picture.source
    assert {f"s̄₁ · ∂s₁/∂rnn.{p}" for p in "WUb"} <= set(shown)


def test_values_and_adjoints_of_a_loop_are_those_of_evaluation() -> None:
    graph = recurrent()
    rng = np.random.default_rng(1)
    at = {"x": rng.normal(size=(3, 2, 3)), "y": rng.normal(size=(2, 2))}
    state = graph.init(seed=0)
    shown = texts(gc.draw.backprop(graph, of="loss", steps=0, at=at | dict(state)))
    gradient = gc.compile(graph, gradient_of="loss")
    found = gradient(state, **{k: v.astype(np.float32) for k, v in at.items()})
    wanted = np.sqrt(np.square(np.asarray(found["d_loss_d_rnn.U"], np.float64)).sum())
    assert f"‖·‖ {number_text(wanted)}" in shown


def test_layers_behind_a_loop_say_where_their_input_comes_from() -> None:
    shown = texts(gc.draw.network(recurrent()))
    assert "from a loop" in shown and "input" not in shown


def test_a_graph_with_a_loop_and_no_layers_says_so() -> None:
    x = gc.input("x", ("T", 2))
    total, _ = gc.scan(lambda s, x_t: (s + x_t, s), init=gc.zeros((2,)), xs=x)
    graph = gc.graph({"total": total})
    with pytest.raises(gc.GraphError, match="no dense layer"):
        gc.draw.network(graph)


def test_values_from_outside_keep_their_names_inside() -> None:
    x, a = gc.input("x", ("T", 3)), gc.param("a", (3,))
    Q = (gc.exp(a) * 2).named("Q")
    (h,) = gc.scan(lambda h, v: (gc.tanh(h * Q + v),), init=gc.zeros((3,)), xs=x)
    source = gc.draw.computation_graph(gc.graph({"loss": gc.sum(h)})).source
    assert "h · Q" in source
    assert "multiply" not in source


@pytest.mark.parametrize("layers", [1, 2])
def test_no_edge_runs_through_the_title_of_a_frame(layers: int) -> None:
    states = gc.input("x", ("T", "N", 3))
    for i in range(layers):
        states, last = gc.nn.gru(states, 4, name=f"gru{i}")
    drawn = laid_out(gc.draw.computation_graph(gc.graph({"last": last})))
    titles = [o for o in drawn["objects"] if o["name"].startswith("cluster")]
    assert len(titles) == layers
    for title in titles:
        x, y = map(float, title["lp"].split(","))
        wide, high = 72 * float(title["lwidth"]), 72 * float(title["lheight"])
        for edge in drawn["edges"]:
            for px, py in points_on(edge["pos"]):
                assert abs(px - x) > wide / 2 or abs(py - y) > high / 2


def points_on(pos: str) -> list[tuple[float, float]]:
    """Return points on the Bézier curve that graphviz's `pos` describes."""
    words = [w for w in pos.split() if not w.startswith(("e,", "s,"))]
    knots = np.array([[float(v) for v in w.split(",")] for w in words])
    t = np.linspace(0, 1, 30)[:, None]
    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
    pieces = [knots[i : i + 4] for i in range(0, len(knots) - 3, 3)]
    curves = [sum(w * k for w, k in zip(weights, piece, strict=True)) for piece in pieces]
    return [(float(x), float(y)) for curve in curves for x, y in np.asarray(curve)]
