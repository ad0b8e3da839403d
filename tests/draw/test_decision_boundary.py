"""The plane of two inputs, coloured by what a classifier decides."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.run.compiled import CompiledFunction

X = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])


def logistic(dtype: str = "float64") -> tuple[CompiledFunction, dict]:
    """p = σ(4 x₁ - 2): the boundary is the vertical line x₁ = ½."""
    x, y = gc.input("x", ("N", 2), dtype), gc.input("y", ("N",), dtype)
    w, b = gc.param("w", (2,), dtype, init=[4.0, 0.0]), gc.param("b", (), dtype, init=-2.0)
    p = gc.sigmoid(x @ w + b)
    graph = gc.graph({"loss": gc.nn.binary_cross_entropy(p, y).mean(), "p": p})
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1))
    return step, step.init()


def drawn(plot: gc.draw.Plot) -> Any:
    return plot.figure().axes[0]


def contour_points(axes: Any) -> np.ndarray:
    from matplotlib.contour import ContourSet

    sets = [c for c in axes.collections if isinstance(c, ContourSet)]
    return np.concatenate([path.vertices for c in sets for path in c.get_paths()])


def test_the_boundary_lies_where_the_probability_is_a_half() -> None:
    step, state = logistic()
    line = contour_points(drawn(gc.draw.decision_boundary(step, state, X, [0, 1, 0, 1])))
    np.testing.assert_allclose(line[:, 0], 0.5, atol=1e-3)
    assert np.ptp(line[:, 1]) > 1.0


def test_the_boundary_moves_with_the_threshold() -> None:
    step, state = logistic()
    plot = gc.draw.decision_boundary(step, state, X, threshold=1 / (1 + np.exp(-1)))
    np.testing.assert_allclose(contour_points(drawn(plot))[:, 0], 0.75, atol=1e-3)


def test_classes_are_bounded_where_their_scores_are_equal() -> None:
    x = gc.input("x", ("N", 2))
    W = gc.param("W", (2, 3), init=[[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    f = gc.compile(gc.graph({"scores": x @ W}))
    plot = gc.draw.decision_boundary(f, f.init(), [[-1, -1], [1, 1]], [2, 0], output="scores")
    line = contour_points(drawn(plot))
    np.testing.assert_allclose(line[:, 0], 0.0, atol=0.02)


def test_features_map_the_plane_to_what_the_input_takes() -> None:
    x = gc.input("x", ("N", 3))
    w = gc.param("w", (3,), init=[1.0, 1.0, -1.0])
    f = gc.compile(gc.graph({"score": x @ w}))

    def circle(points: np.ndarray) -> np.ndarray:
        return np.column_stack([points**2, np.ones(len(points))])

    corners = [[-2, -2], [2, 2]]
    plot = gc.draw.decision_boundary(
        f, f.init(), corners, features=circle, output="score", threshold=0
    )
    radius = np.linalg.norm(contour_points(drawn(plot)), axis=1)
    np.testing.assert_allclose(radius, 1.0, atol=1e-3)


@pytest.mark.parametrize("y", [[0, 1, 0, 1], [-1, 1, -1, 1], np.eye(2)[[0, 1, 0, 1]]])
def test_examples_are_drawn_by_class(y: Any) -> None:
    step, state = logistic()
    axes = drawn(gc.draw.decision_boundary(step, state, X, y))
    points = {c.get_label(): c.get_offsets() for c in axes.collections if len(c.get_offsets()) == 2}
    np.testing.assert_array_equal(points["class 1"], X[[1, 3]])


def test_dropout_is_switched_off() -> None:
    x = gc.input("x", ("N", 2))
    f = gc.compile(gc.graph({"p": gc.sigmoid(gc.nn.dropout(x, 0.5).sum(axis=1))}))
    first = gc.draw.decision_boundary(f, None, X).svg()
    assert first == gc.draw.decision_boundary(f, None, X).svg()


def test_it_is_saved_whole_in_three_formats(tmp_path: Path) -> None:
    step, state = logistic("float32")
    plot = gc.draw.decision_boundary(step, state, X, [0, 1, 0, 1], title="p = ½")
    for kind in ("svg", "png", "pdf"):
        assert plot.save(tmp_path / f"plane.{kind}").stat().st_size > 1000
    assert ElementTree.fromstring(plot._repr_svg_()).tag.endswith("svg")
    assert "p = ½" in repr(plot)
    with pytest.raises(GraphError, match="cannot write a plot"):
        plot.save(tmp_path / "plane.gif")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"X": np.zeros((3, 3))}, "over pairs"),
        ({"X": np.zeros((0, 2))}, "over pairs"),
        ({"X": [[0.0, np.nan]]}, "not finite"),
        ({"X": "ab"}, "wrong dtype"),
        ({"y": [0, 1]}, r"one class a point[\s\S]*\[4\]"),
        ({"output": "q"}, "no output is called 'q'"),
        ({"input": "z"}, "no input is called 'z'"),
    ],
)
def test_what_cannot_be_drawn(arguments: dict, words: str) -> None:
    step, state = logistic()
    with pytest.raises(GraphError, match=words):
        gc.draw.decision_boundary(step, state, **{"X": X, **arguments})


def test_a_graph_without_a_value_for_each_point() -> None:
    x = gc.input("x", ("N", 2))
    f = gc.compile(gc.graph({"total": x.sum()}))
    with pytest.raises(GraphError, match="no output has a value for each point"):
        gc.draw.decision_boundary(f, None, X)
