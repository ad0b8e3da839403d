"""Plots: curves with derivatives, loss surfaces, learned filters, sparsity, memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.draw.plots.curves import values_and_slopes
from graphc.draw.plots.learned_filters import contact_sheet
from graphc.draw.plots.loss_surface import surface_values
from graphc.draw.plots.memory import live_bytes

GRID = np.linspace(-3.0, 3.0, 61)


def panels(plot: gc.draw.Plot) -> list[Any]:
    return [axes for axes in plot.figure().axes if axes.axison]


def pixels(plot: gc.draw.Plot) -> np.ndarray:
    shown: np.ndarray = plot.figure().axes[0].images[0].get_array()
    return shown


# -- curves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "gelu"])
def test_curves_are_the_function_and_its_derivative(name: str) -> None:
    values, slopes = values_and_slopes(name, getattr(gc, name), GRID)
    above, _ = values_and_slopes(name, getattr(gc, name), GRID + 1e-6)
    below, _ = values_and_slopes(name, getattr(gc, name), GRID - 1e-6)
    np.testing.assert_allclose(slopes, (above - below) / 2e-6, atol=1e-8)
    left, right = panels(gc.draw.curves([name], (-3.0, 3.0), points=61))
    np.testing.assert_allclose(left.lines[0].get_ydata(), values)
    np.testing.assert_allclose(right.lines[0].get_ydata(), slopes)


def test_each_curve_has_a_dash_of_its_own() -> None:
    (axes,) = panels(gc.draw.curves(["sigmoid", "tanh", "relu"], derivatives=False))
    assert len({line.get_linestyle() for line in axes.lines[:3]}) == 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "sigmoid",
        "tanh",
        "relu",
    ]


def test_eight_activations_have_eight_looks_without_their_colours() -> None:
    names = ["sigmoid", "tanh", "relu", "softplus", "hardtanh", "elu", "positive", "gelu"]
    left, _ = panels(gc.draw.curves(names, title="activations"))
    looks = {f"{line._dash_pattern[1]} {line.get_marker()}" for line in left.lines[:8]}
    assert len(looks) == 8
    assert left.get_title() == "activations: values"


def test_a_function_of_two_arguments_is_told_how_to_be_drawn() -> None:
    with pytest.raises(gc.GraphError, match=r"'heaviside': lambda x: gc.heaviside\(x, …\)"):
        gc.draw.curves(["heaviside"])


def test_a_jump_is_a_gap_and_not_a_line() -> None:
    step = {"step": lambda x: gc.where(x >= 0, gc.ones_like(x), 0.0)}
    (axes,) = panels(gc.draw.curves(step, derivatives=False))
    assert np.isnan(axes.lines[0].get_ydata()).sum() == 1


def test_what_is_no_function_of_one_number_is_refused() -> None:
    with pytest.raises(gc.GraphError, match="did you mean 'sigmoid'"):
        gc.draw.curves(["sigmoidd"])
    with pytest.raises(gc.GraphError, match="no function of one number"):
        gc.draw.curves({"sum": lambda x: x.sum()})
    with pytest.raises(gc.GraphError, match="interval"):
        gc.draw.curves(["tanh"], (1.0, 1.0))


# -- loss surfaces ---------------------------------------------------------------------------------


def quadratic() -> gc.Graph:
    w, b = gc.param("w", (), "float64"), gc.param("b", (2,), "float64")
    t = gc.input("t", (), "float64")
    loss = ((w - t) ** 2 + 3 * (b[1] + 1) ** 2).named("loss")
    return gc.graph({"loss": loss}, name="quadratic")


def test_a_loss_surface_shows_the_loss_at_each_place() -> None:
    graph = quadratic()
    xs, ys = np.linspace(-1, 1, 3), np.linspace(-2, 0, 4)
    state = {"w": 0.0, "b": [5.0, 0.0]}
    over = (("w", ()), ("b", (1,)))
    found = surface_values(graph, graph.find("loss"), state, {"t": 2.0}, over, xs, ys)
    np.testing.assert_allclose(found, (xs[None] - 2) ** 2 + 3 * (ys[:, None] + 1) ** 2)


def test_paths_of_descent_lie_on_the_surface() -> None:
    states = [{"w": float(k), "b": [0.0, -0.5 * k]} for k in range(4)]
    plot = gc.draw.loss_surface(
        quadratic(), "loss", states[0], {"t": 2.0}, over=("w", ("b", (1,))), paths={"sgd": states}
    )
    (axes,) = panels(plot)
    track = axes.lines[0]
    np.testing.assert_allclose(track.get_xdata(), [0, 1, 2, 3])
    np.testing.assert_allclose(track.get_ydata(), [0, -0.5, -1, -1.5])
    assert axes.get_xlim()[0] < 0 < 3 < axes.get_xlim()[1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("w", "b[1]")


def test_a_coordinate_is_one_number() -> None:
    state = {"w": 0.0, "b": [0.0, 0.0]}
    with pytest.raises(gc.GraphError, match="'b' is an array"):
        gc.draw.loss_surface(quadratic(), "loss", state, {"t": 0.0}, over=("w", "b"))
    with pytest.raises(gc.GraphError, match="no parameter is called 'v'"):
        gc.draw.loss_surface(quadratic(), "loss", state, {"t": 0.0}, over=("w", "v"))


# -- filters ---------------------------------------------------------------------------------------


def test_each_filter_is_a_picture_of_its_own() -> None:
    filters = np.arange(5 * 2 * 3, dtype=float).reshape(5, 2, 3)
    sheet = contact_sheet(filters)
    assert np.isfinite(sheet).sum() == filters.size
    np.testing.assert_array_equal(sheet[:2, :3], filters[0])
    assert sheet[0, 4] == filters[1, 0, 0] and np.isnan(sheet[0, 3])


def test_dense_weights_and_convolutions_are_filters_too() -> None:
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(12, 4))
    shown = pixels(gc.draw.learned_filters(dense, size=(3, 4)))
    np.testing.assert_array_equal(shown[:3, :4], dense[:, 0].reshape(3, 4))
    colour = rng.normal(size=(4, 3, 2, 2))
    shown = pixels(gc.draw.learned_filters(colour))
    np.testing.assert_array_equal(shown[:2, 2:4], colour[0, 1])
    with pytest.raises(gc.GraphError, match="no filters"):
        gc.draw.learned_filters(dense)


# -- sparsity --------------------------------------------------------------------------------------


def places(plot: gc.draw.Plot) -> set[tuple[int, int]]:
    line = panels(plot)[0].lines[0]
    return {(int(r), int(c)) for r, c in zip(line.get_ydata(), line.get_xdata(), strict=True)}


def test_the_jacobian_of_a_convolution_is_banded() -> None:
    x, w = gc.input("x", (1, 6)), gc.param("w", (1, 1, 3))
    y = gc.nn.conv1d(x, 1, weight=w, use_bias=False)[0].named("y")
    plot = gc.draw.jacobian_sparsity(gc.graph({"y": y}), "y", "x")
    assert places(plot) == {(r, r + k) for r in range(4) for k in range(3)}


def test_the_hessian_of_a_chain_is_tridiagonal() -> None:
    v = gc.input("v", (5,))
    r = ((v[1:] - v[:-1] ** 2) ** 2).sum().named("r")
    found = places(gc.draw.hessian_sparsity(gc.graph({"r": r}), "r", "v"))
    assert found == {(i, j) for i in range(5) for j in range(5) if abs(i - j) <= 1}


def test_a_pattern_needs_sizes_that_are_numbers() -> None:
    x = gc.input("x", ("N",))
    with pytest.raises(gc.GraphError, match="not known"):
        gc.draw.jacobian_sparsity(gc.graph({"y": gc.tanh(x).named("y")}), "y", "x")


# -- memory ----------------------------------------------------------------------------------------


def test_live_memory_is_what_each_statement_needs() -> None:
    x = gc.input("x", ("N",), "float64")
    y = gc.exp(gc.tanh(gc.sin(x)))
    graph = gc.graph({"y": y})
    # the input; x and sin; x, sin and tanh; x, tanh and exp
    np.testing.assert_array_equal(live_bytes(graph, {"N": 10}), [80, 160, 240, 240])
    axes = panels(gc.draw.memory(graph, N=10))[0]
    assert axes.texts[0].get_text() == "most: 240.0 bytes"


@pytest.mark.parametrize("at_end", [False, True])
def test_the_words_at_the_peak_stay_inside_the_plot(at_end: bool) -> None:
    x = gc.input("x", (100, 1))
    small = x.sum()
    for _ in range(20):
        small = gc.sin(small)
    large = gc.exp(x @ gc.constant(np.ones((1, 90), "float32"))).sum()
    start = small + large if not at_end else gc.exp(x @ (small * np.ones((1, 90), "float32")))
    figure = gc.draw.memory(gc.graph({"y": start.sum()})).figure()
    figure.canvas.draw()
    axes = figure.axes[0]
    words, frame = axes.texts[0].get_window_extent(), axes.get_window_extent()
    assert frame.x0 <= words.x0 and words.x1 <= frame.x1


def test_the_peak_of_the_plot_is_the_peak_of_the_cost() -> None:
    x, w = gc.input("x", ("N", 8)), gc.param("w", (8, 8))
    loss = (gc.tanh(gc.tanh(x @ w) @ w) ** 2).sum().named("loss")
    graph = gc.compile(gc.graph({"loss": loss}), gradient_of="loss").graph
    peak = graph.cost().peak_bytes
    sizes = dict.fromkeys(peak.free_symbols, 32)
    assert live_bytes(graph, {"N": 32}).max() == int(peak.subs(sizes))


def test_memory_needs_a_number_for_each_dim() -> None:
    graph = gc.graph({"y": gc.input("x", ("N",)) * 2})
    with pytest.raises(gc.GraphError, match="each dim needs a number"):
        gc.draw.memory(graph)


# -- files -----------------------------------------------------------------------------------------


def test_plots_are_written_and_equal_plots_are_equal(tmp_path: Path) -> None:
    first, second = (gc.draw.curves(["tanh"]).svg() for _ in range(2))
    assert first == second and "<svg" in first
    assert gc.draw.curves(["tanh"]).save(tmp_path / "tanh.png").stat().st_size > 1000


def test_matplotlib_is_imported_by_plots_only() -> None:
    program = "import graphc, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
