"""Found by an audit of gradients where a value is cut off, or is nothing: they stay numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

LEVELS = (0, 1, 2, 3)
STYLES = ("readable", "fast")
INF, NAN = np.inf, np.nan


def gradient(
    function: Callable[..., Node], at: dict[str, list[float]], level: int, style: str
) -> dict[str, np.ndarray]:
    """Return the function's value, and the gradient of its sum in each argument."""
    leaves = [gc.input(name, np.shape(value), "float64") for name, value in at.items()]
    value = function(*leaves)
    graph = gc.graph({"total": gc.sum(value), "value": value}, name="delicate")
    f = gc.compile(graph, gradient_of="total", wrt=list(at), optimize=level, style=style)
    return f(**{name: np.array(value) for name, value in at.items()})


def silu_twice(x: Node) -> Node:
    return gc.silu(x) * 2 + gc.exp(gc.silu(x))


def silu_shared(x: Node) -> Node:
    y = gc.silu(x)
    return y * 2 + gc.exp(y)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("function", [silu_twice, silu_shared])
@pytest.mark.parametrize("away", [-INF, NAN])
def test_a_branch_not_taken_that_is_read_twice(
    away: float, function: Callable[[Node], Node], level: int, style: str
) -> None:
    def masked(x: Node) -> Node:
        return gc.where(gc.isfinite(x), function(x), 0.0)

    def otherwise(x: Node) -> Node:
        return gc.where(gc.logical_not(gc.isfinite(x)), 1.0, function(x))

    for choice in (masked, otherwise):
        got = gradient(choice, {"x": [away, 1.0]}, level, style)["d_total_d_x"]
        expected = gradient(function, {"x": [1.0]}, 0, "readable")["d_total_d_x"]
        np.testing.assert_allclose(got, [0, *expected], rtol=1e-14)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("function", "value"),
    [
        (lambda x, y: gc.exp(x) ** y, [1, np.e]),
        (lambda x, y: gc.prod(gc.exp(x) ** y), np.e),
        (lambda x, y: gc.log(gc.prod(gc.softmax(x) ** y)), 0),
        (lambda x, y: gc.sum(gc.log(gc.softmax(x) ** y)), 0),
        (lambda x, y: gc.exp(x) ** gc.cast(y > 0, "float64"), [1, np.e]),
        (lambda x, y: gc.exp(x) ** 0 * gc.exp(y - y), [1, 1]),
    ],
)
def test_nothing_to_the_power_of_nothing_is_one(
    function: Callable[[Node, Node], Node], value: object, level: int, style: str
) -> None:
    got = gradient(function, {"x": [-INF, 1.0], "y": [0.0, 1.0]}, level, style)["value"]
    np.testing.assert_allclose(got, value, rtol=1e-14)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", [2, 3])
@pytest.mark.parametrize(
    ("function", "x", "m"),
    [
        (lambda x, m: gc.log(gc.sum(m * gc.exp(x), axis=1)), [1.0, 2.0], [0.0, 0.0]),
        (lambda x, m: gc.log(gc.mean(m * gc.exp(x), axis=1)), [1.0, 900.0], [0.0, 0.0]),
        (lambda x, m: gc.log(gc.sum(gc.exp(m) * gc.exp(x), axis=1)), [-INF, -INF], [1.0, 2.0]),
        (lambda x, m: gc.log(gc.sum((1 + m * m) * gc.exp(x), axis=1)), [-INF, -INF], [1.0, 2.0]),
    ],
)
def test_the_logarithm_of_a_sum_of_nothing_has_no_slope(
    function: Callable[[Node, Node], Node], x: list[float], m: list[float], level: int, style: str
) -> None:
    alone = gradient(function, {"x": [[0.5, 1.0]], "m": [[1.0, 2.0]]}, 0, "readable")
    both = {"x": [x, [0.5, 1.0]], "m": [m, [1.0, 2.0]]}
    got = gradient(function, both, level, style)
    np.testing.assert_allclose(got["value"], [-INF, *alone["value"]], rtol=1e-14)
    np.testing.assert_allclose(got["d_total_d_x"], [[0, 0], *alone["d_total_d_x"]], rtol=1e-13)
    slopes = got["d_total_d_m"]
    np.testing.assert_allclose(slopes[1:], alone["d_total_d_m"], rtol=1e-13)
    assert (slopes[0] == 0).all() or (slopes[0] > 1e100).all()  # a weight of 0 makes it huge


@pytest.mark.parametrize("style", STYLES)
def test_large_logits_cancel_before_a_weighted_sum_is_added(style: str) -> None:
    def loss(z: Node, w: Node) -> Node:
        return gc.log(gc.sum(w * gc.exp(z)) / gc.sum(gc.exp(z)))

    value = gradient(loss, {"z": [1e9, 1e9], "w": [0.25, 0.5]}, 2, style)["value"]
    np.testing.assert_allclose(value, np.log(0.375), rtol=1e-15)
