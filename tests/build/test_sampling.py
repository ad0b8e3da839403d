"""Draws with given probabilities: the frequencies, the ends, the errors."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_frequencies_follow_the_weights(style: str) -> None:
    weights = gc.input("weights", (5,), "float64")
    graph = gc.graph({"drawn": gc.random_choice(weights, ("N", 3)), "n": gc.input("x", ("N",))})
    f = gc.compile(graph, style=style)
    given = np.array([4.0, 0.0, 1.0, 0.0, 3.0])
    call = {"weights": given, "x": np.zeros(20_000, np.float32)}
    drawn = f(**call, rng=np.random.default_rng(0))["drawn"]
    assert drawn.shape == (20_000, 3)
    assert drawn.dtype == np.int64
    share = np.bincount(drawn.reshape(-1), minlength=5) / drawn.size
    # Five standard deviations of a share are at most 0.0102.
    np.testing.assert_allclose(share, given / 8, atol=0.0102)
    assert share[1] == share[3] == 0
    judged = gc.interpret(graph, **call, rng=np.random.default_rng(0))["drawn"]
    np.testing.assert_array_equal(drawn, judged)


def test_the_draws_are_numpys_inversion_of_the_distribution() -> None:
    p = np.array([0.1, 0.2, 0.3, 0.4])
    graph = gc.graph({"drawn": gc.random_choice(gc.constant(p), (1000,))}, name="draws")
    drawn = gc.compile(graph)(rng=np.random.default_rng(5))["drawn"]
    expected = np.random.default_rng(5).choice(4, 1000, p=p)  # which inverts it as well
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 2.0], [2.0, 0.0]])
def test_what_has_all_the_weight_is_always_drawn(weights: list[float]) -> None:
    graph = gc.graph({"drawn": gc.random_choice(gc.constant(np.array(weights)), (50,))})
    drawn = gc.compile(graph)(rng=np.random.default_rng(0))["drawn"]
    assert (drawn == int(np.argmax(weights))).all()


def test_no_rounding_leads_past_the_last_index() -> None:
    """The largest uniform number below 1, times a total that rounds up, still finds an index."""
    below = np.cumsum(np.full(10, 0.1))
    point = np.nextafter(1.0, 0.0) * below[-1]
    place = gc.searchsorted(gc.constant(below[:-1]), gc.constant([point, below[-1]]), side="right")
    np.testing.assert_array_equal(gc.compile(gc.graph({"i": place}))()["i"], [9, 9])


def test_uniform_draws_are_written_without_what_changes_nothing() -> None:
    graph = gc.graph({"x": gc.random_uniform((2,)), "y": gc.random_normal((2,), scale=0.5)})
    source = gc.emit(graph)
    assert "= rng.random((2,), dtype=np.float32)" in source
    assert "= 0.5 * rng.standard_normal((2,), dtype=np.float32)" in source


def test_a_place_cuts_the_gradient() -> None:
    x = gc.input("x", (3,))
    place = gc.searchsorted(gc.constant(np.array([0.0, 1.0], np.float32)), x)
    table = gc.param("table", (3,))
    graph = gc.graph({"loss": gc.sum(gc.take(table, place, axis=0) * x)}, name="steps")
    got = gc.compile(graph, gradient_of="loss", wrt=["x"])(
        {"table": np.array([1.0, 2.0, 3.0], np.float32)}, x=np.array([-1.0, 0.5, 2.0], np.float32)
    )
    np.testing.assert_array_equal(got["d_loss_d_x"], [1, 2, 3])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (gc.input("w", (2, 2)), "one weight for each index"),
        (gc.input("w", (2,), "int64"), "one weight for each index"),
    ],
)
def test_what_is_no_weights(weights: gc.Node, message: str) -> None:
    with pytest.raises(gc.GraphError, match=message):
        gc.random_choice(weights, (3,))
    with pytest.raises(gc.GraphError, match="'left' or 'right'"):
        gc.searchsorted(gc.input("a", (2,)), 1.0, side="middle")
    with pytest.raises(gc.GraphError, match="one axis"):
        gc.searchsorted(gc.input("a", (2, 2)), 1.0)
