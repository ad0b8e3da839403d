"""The unit chain: values above, local derivatives below, the gradient of each unit's parameters."""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np
import pytest
from drawn_graphs import boxes, center, edges, laid_out, texts

import graphc as gc
from graphc.draw import Drawing

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def load(name: str) -> gc.Graph:
    return gc.load(EXAMPLES / f"{name}.graph")


def words(drawing: Drawing) -> set[str]:
    return {
        html.unescape(text).replace("\N{NO-BREAK SPACE}", " ").strip() for text in texts(drawing)
    }


def test_the_units_of_the_binary_network_are_those_of_the_lecture() -> None:
    drawing = gc.draw.unit_chain(load("binary_network"), of="J")
    assert words(drawing) >= {
        "⇒ J = y*·ln(y) + (1 − y*)·ln(1 − y)",
        "⇐ dJ/dy = y*/y − (1 − y*)/(1 − y)",
        "⇒ y = σ(b)",
        "⇐ dy/db = y·(1 − y)",
        "⇒ b = Σⱼ βⱼ·zⱼ",
        "⇐ db/dzⱼ = βⱼ",
        "∇ dJ/dβⱼ += dJ/db·zⱼ",
        "⇐ dzⱼ/daⱼ = zⱼ·(1 − zⱼ)",
        "⇒ aⱼ = Σᵢ αⱼᵢ·xᵢ",
        "⇐ daⱼ/dxᵢ = αⱼᵢ",
        "∇ dJ/dαⱼᵢ += dJ/daⱼ·xᵢ",
    }
    assert [w for w in texts(drawing) if w in ("Loss", "Sigmoid", "Linear")] == [
        "Linear", "Sigmoid", "Linear", "Sigmoid", "Loss",
    ]  # fmt: skip


def test_the_chain_runs_in_one_line_from_left_to_right() -> None:
    drawing = gc.draw.unit_chain(load("four_layer_scalar"), at={"x": 2})
    found = boxes(drawing)
    units = [center(found[f"u{i}"]) for i in range(6)]
    assert [x for x, _ in units] == sorted(x for x, _ in units)
    assert len({round(y) for _, y in units}) == 1
    for edge in laid_out(drawing)["edges"]:
        points = [tuple(map(float, p.split(",")[-2:])) for p in edge["pos"].split()]
        heights = [y for _, y in points]
        assert max(heights) - min(heights) < 1, "arrows run straight"


def test_values_run_above_and_derivatives_back_below() -> None:
    drawing = gc.draw.unit_chain(load("four_layer_scalar"))
    ends: dict[str, list[float]] = {"solid": [], "dashed": []}
    for edge in laid_out(drawing)["edges"]:
        style = edge.get("style", "solid")
        points = [tuple(map(float, p.split(",")[-2:])) for p in edge["pos"].split()]
        ends[style].append(points[0][1])
        marks = [p[:2] for p in edge["pos"].split()]
        assert ("s," in marks) == (style == "dashed"), "a derivative's arrow points back"
    assert min(ends["solid"]) > max(ends["dashed"])


def test_every_value_has_its_derivative_against_it() -> None:
    source = gc.draw.unit_chain(load("binary_network")).source
    solid = set(re.findall(r'id="e_(\w+)"', source))
    dashed = set(re.findall(r'id="g_(\w+)"', source))
    assert dashed < solid
    assert len(solid - dashed) == 1, "only the label y* gets no derivative"


def test_numbers_are_those_of_the_gradient() -> None:
    graph = load("four_layer_scalar")
    shown = words(gc.draw.unit_chain(graph, at={"x": 2}))
    found = gc.interpret(graph.gradient("y", ["x", "h1", "h2"]), graph.init(), x=2.0)
    for name in ("d_y_d_x", "d_y_d_h1", "d_y_d_h2"):
        assert "◂ " + f"{found[name]:.4g}".replace("-", "−") in shown
    assert "▸ " + f"{found['y']:.4g}".replace("-", "−") in shown


def test_a_value_with_several_users_shows_the_sum() -> None:
    shown = words(gc.draw.unit_chain(load("cos_sin")))
    assert {"Σ dJ/dt", "dJ/du₁", "Σ adds over all uses"} <= shown
    assert "Σ adds over all uses" not in words(gc.draw.unit_chain(load("four_layer_scalar")))


def test_arrays_that_indices_do_not_show_are_written_as_matrices() -> None:
    shown = words(gc.draw.unit_chain(load("digits_mlp")))
    assert "⇐ dloss/dz₁ += dloss/dh₁ ⊙ (h₁ > 0)" in shown
    assert "∇ dloss/dW₁ += xᵀ · dloss/dz₁" in shown
    assert "⇐ what a unit sends back" in shown


def test_local_derivatives_multiply_to_the_gradient() -> None:
    """The factors that the picture shows, multiplied by hand, are what reverse mode finds."""
    graph = load("binary_network")
    state, x = graph.init(seed=3), np.array([1.0, -2.0, 0.5])
    a = state["alpha"] @ x
    z = 1 / (1 + np.exp(-a))
    y = 1 / (1 + np.exp(-(state["beta"] @ z)))
    along = (1 / y) * (y * (1 - y)) * state["beta"] * (z * (1 - z)) @ state["alpha"]
    found = gc.interpret(graph.gradient("J", ["x"]), state, x=x, y_star=1.0)["d_J_d_x"]
    assert found == pytest.approx(along, rel=1e-12)


def test_an_element_that_depends_on_another_in_two_ways_has_no_single_local_derivative() -> None:
    graph = gc.parse(
        "x: input(f64, 3)\nw: param(f64, 3)\nh = x * w\nn = h / sum(h)\nloss = sum(n**2)\n"
        "output(loss)"
    )
    assert not any(text.startswith("⇐ dnᵢ/dhᵢ =") for text in words(gc.draw.unit_chain(graph)))


def test_edges_join_units_and_variables_only() -> None:
    for tail, head in edges(gc.draw.unit_chain(load("xor_hidden"))):
        assert {tail[0], head[0]} == {"u", "v"}


def test_same_bytes_every_time() -> None:
    first, second = (gc.draw.unit_chain(load("binary_network")).source for _ in range(2))
    assert first == second


def test_too_many_units() -> None:
    x = gc.input("x")
    for i in range(50):
        x = gc.tanh(x).named(f"h{i}")
    graph = gc.graph({"y": x})
    with pytest.raises(gc.GraphError, match="too many units"):
        gc.draw.unit_chain(graph)
    assert "⇒ h₁ = tanh(h₀)" in words(gc.draw.unit_chain(graph, max_units=60))


def test_the_description_tells_the_chain_in_words() -> None:
    drawing = gc.draw.unit_chain(load("binary_network"))
    assert "Sigmoid: y = σ(b); dy/db = y·(1 − y)." in drawing.description
    assert drawing.title == "Unit chain of J in binary_network"


def test_a_variable_has_one_name_in_the_picture_and_in_its_legend() -> None:
    graph = gc.parse(
        "x: input(f64)\ny_star: input(f64)\nw: param(f64)\ny = sigmoid(w*x)\n"
        "J = (y - y_star)**2\noutput(J)"
    )
    point = {"x": 0.5, "y_star": 1.0, "w": 2.0}
    for picture in (gc.draw.unit_chain(graph, at=point), gc.draw.backprop(graph, "J", at=point)):
        assert "y_star" not in " ".join(texts(picture))
        assert any("y* = 1" in text for text in texts(picture))
