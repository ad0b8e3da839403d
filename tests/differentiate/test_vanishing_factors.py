"""Cotangents that die out where what they are multiplied with overflows, or rounds to 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

#: Formulas whose slope is 0 at ±1e4 and at ±800, where an exponential overflows.
FLAT: dict[str, Callable[[Node], Node]] = {
    "exp(-exp(x))": lambda x: gc.exp(-gc.exp(x)),
    "expm1(-2*exp(x))": lambda x: gc.expm1(-2 * gc.exp(x)),
    "exp(x - exp(x))": lambda x: gc.exp(x - gc.exp(x)),
    "log1mexp(-exp(x))": lambda x: gc.log1mexp(-gc.exp(gc.abs(x))),
    "root of a share": lambda x: gc.softplus(x) * gc.sqrt(gc.sigmoid(x)) * gc.sigmoid(-x),
}


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("name", FLAT)
def test_flat_tails(name: str, level: int) -> None:
    x = gc.input("x", ("N",), "float64")
    graph = gc.graph({"total": gc.sum(FLAT[name](x))})
    at = np.array([-1e4, -800.0, 800.0, 1e4])
    slopes = gc.compile(graph, gradient_of="total", wrt=["x"], optimize=level)(x=at)
    np.testing.assert_allclose(slopes["d_total_d_x"], np.zeros(4), atol=1e-300)


def test_no_other_slope_is_hidden() -> None:
    """The slope of log(1 + exp(x)) is 1 there: as it is written it is inf/inf, which is not 0."""
    x = gc.input("x", ("N",), "float64")
    graph = gc.graph({"total": gc.sum(gc.log(1 + gc.exp(x)))})
    written = gc.compile(graph, gradient_of="total", wrt=["x"], optimize=0)
    assert np.isnan(written(x=np.array([1e4]))["d_total_d_x"]).all()


@pytest.mark.parametrize("shift", ["max", "min"])
def test_an_exponential_that_cannot_overflow_is_not_guarded(shift: str) -> None:
    """The adjoint of running sums has zeros, which an exponential of at most 1 leaves alone."""

    def graph(exponent: Node) -> gc.Graph:
        return gc.graph({"y": gc.sum(gc.square(gc.cumsum(gc.exp(exponent), axis=1)[:, :3]))})

    def backward(graph: gc.Graph) -> str:
        source = gc.compile(graph, gradient_of="y", wrt="x", style="readable").source
        return source.partition("# backward")[2].partition("def check")[0]

    x = gc.input("x", ("N", 5), "float64")
    extreme = getattr(gc, shift)(x, axis=1)[:, None]
    shifted = graph(x - extreme if shift == "max" else extreme - x)
    assert "== 0" not in backward(shifted)
    assert gc.check_gradient(shifted, of="y")
    assert "== 0" in backward(graph(x - x[:, :1]))
