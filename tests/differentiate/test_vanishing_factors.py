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


#: Formulas that have reached a limit where an exponential overflows, and their slopes at ±1e4.
AT_LIMITS: dict[str, tuple[Callable[[Node], Node], float, float]] = {
    "tanh": (lambda x: x * gc.tanh(gc.exp(x)), 0, 1),
    "tanh of a multiple": (lambda x: x * gc.tanh(3 * gc.exp(x) * x), 0, 1),
    "erf": (lambda x: x * gc.erf(gc.cosh(x)), 1, 1),
    "atan": (lambda x: x * gc.atan(gc.exp(gc.abs(x)) + x), np.pi / 2, np.pi / 2),
    "a rectifier": (lambda x: x * gc.relu(1 - gc.exp(x)), 1, 0),
    "a quotient": (lambda x: x - 3 * x / (2 + x**2 + gc.exp(x)), 1, 1),
    "two of them": (lambda x: x * gc.tanh(gc.exp(x)) * gc.sigmoid(gc.exp(x)), 0, 1),
    "seen in another shape": (
        lambda x: (gc.reshape(x, (-1, 1)) * gc.tanh(gc.reshape(gc.exp(x), (-1, 1))))[:, 0],
        0,
        1,
    ),
    "a density": (lambda x: x + gc.exp(-0.5 * (x * gc.exp(-x)) ** 2), 1, 1),
    "a logistic share": (lambda x: x * gc.sigmoid((x - 1) * gc.exp(-x)), 0, 0.5),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("name", AT_LIMITS)
def test_slopes_at_limits(name: str, level: int, style: str) -> None:
    form, below, above = AT_LIMITS[name]
    x = gc.input("x", ("N",), "float64")
    graph = gc.graph({"total": gc.sum(form(x))})
    f = gc.compile(graph, gradient_of="total", wrt=["x"], optimize=level, style=style)
    slopes = f(x=np.array([-1e4, 1e4]))["d_total_d_x"]
    np.testing.assert_allclose(slopes, [below, above], rtol=1e-3, atol=1e-3)
    assert gc.check_gradient(graph, of="total", at={"x": np.array([-0.7, 0.3, 1.1])})


#: Formulas of which tangents and second derivatives, too, are 0 at ±1e4.
STRAIGHT: dict[str, Callable[[Node], Node]] = {
    **{name: FLAT[name] for name in ("exp(-exp(x))", "expm1(-2*exp(x))", "exp(x - exp(x))")},
    **{name: form for name, (form, _, _) in AT_LIMITS.items() if name != "a quotient"},
    "exp of cosh": lambda x: gc.exp(-gc.cosh(x)),
    "tanh of sinh": lambda x: gc.tanh(gc.sinh(x)),
    "1 over sinh": lambda x: 1 / gc.sinh(x),
    "a secant's square": lambda x: 4 / (gc.exp(x) + gc.exp(-x)) ** 2,
    "the number of photons": lambda x: 1 / (gc.exp(gc.abs(x)) - 1),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("name", STRAIGHT)
def test_curvatures_at_limits(name: str, style: str) -> None:
    x = gc.input("x", ("N",), "float64")
    total = gc.sum(STRAIGHT[name](x))
    (slope,) = gc.grad(total, [x])
    graph = gc.graph({"total": gc.sum(slope)})
    f = gc.compile(graph, gradient_of="total", wrt=["x"], style=style)
    curvature = f(x=np.array([-1e4, 1e4]))["d_total_d_x"]
    np.testing.assert_allclose(curvature, [0, 0], atol=1e-6)
    assert gc.check_gradient(graph, of="total", at={"x": np.array([-0.7, 0.3, 1.1])})


@pytest.mark.parametrize("name", STRAIGHT)
def test_tangents_at_limits(name: str) -> None:
    x = gc.input("x", ("N",), "float64")
    graph = gc.graph({"y": STRAIGHT[name](x)})
    at = np.array([-1e4, 1e4])
    gradient = gc.compile(gc.graph({"y": gc.sum(graph.outputs["y"])}), gradient_of="y", wrt=["x"])
    tangent = gc.compile(graph.tangent(wrt=["x"]))(x=at, x_dot=np.ones(2))["y_dot"]
    np.testing.assert_allclose(tangent, gradient(x=at)["d_y_d_x"], atol=1e-12)


def test_a_parameter_beside_what_overflows() -> None:
    x, w = gc.input("x", (2,), "float64"), gc.input("w", (2,), "float64")
    graph = gc.graph({"total": gc.sum(gc.tanh(w * gc.exp(x)))})
    f = gc.compile(graph, gradient_of="total", wrt=["x", "w"])
    for value in f(x=np.array([800.0, 1e4]), w=np.array([0.5, -2.0])).values():
        assert np.isfinite(value).all()


@pytest.mark.parametrize("inner", [gc.log, gc.sqrt, gc.asinh])
def test_slopes_behind_what_grows_slowly_are_not_hidden(inner: Callable[[Node], Node]) -> None:
    """exp(x) overflows there, and inner(exp(x)) need not be large."""
    x = gc.input("x", ("N",), "float64")
    graph = gc.graph({"total": gc.sum(gc.tanh(1e-200 * inner(2 + x**2 + gc.exp(x))))})
    f = gc.compile(graph, gradient_of="total", wrt=["x"], optimize=0)
    assert np.isnan(f(x=np.array([800.0]))["d_total_d_x"]).all()


@pytest.mark.parametrize(
    "form",
    [lambda x: x * gc.tanh(gc.softplus(x)), lambda x: gc.tanh(x * gc.sigmoid(x)), gc.gelu, gc.silu],
)
def test_what_cannot_overflow_is_not_guarded(form: Callable[[Node], Node]) -> None:
    x = gc.input("x", ("N",), "float64")
    f = gc.compile(gc.graph({"y": gc.sum(form(x))}), gradient_of="y", wrt=["x"], style="readable")
    assert "== 0" not in f.source.partition("# backward")[2]


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
