"""Every kink has a convention, and it survives every level and both styles of the compiler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

INF = float("inf")


@dataclass(frozen=True)
class Kink:
    """A function of one array, a point, and the gradient of its sum there."""

    name: str
    function: Callable[[Node], Node]
    at: Sequence[float]
    gradient: Sequence[float]


KINKS = [
    Kink("relu", gc.relu, [-1, 0, 1], [0, 0, 1]),
    Kink("hardtanh", gc.hardtanh, [-2, -1, 0, 1, 2], [0, 0, 1, 0, 0]),
    Kink("clip", lambda x: gc.clip(x, -1, 1), [-2, -1, 0, 1, 2], [0, 1, 1, 1, 0]),
    Kink("abs", gc.abs, [-1, 0, 1], [-1, 0, 1]),
    Kink("sign", gc.sign, [-1, 0, 1], [0, 0, 0]),
    Kink("maximum of a constant", lambda x: gc.maximum(x, 0.0), [-1, 0, 1], [0, 0.5, 1]),
    Kink("minimum of a constant", lambda x: gc.minimum(x, 0.0), [-1, 0, 1], [1, 0.5, 0]),
    Kink("maximum of itself", lambda x: gc.maximum(x, x), [-1, 0, 1], [1, 1, 1]),
    Kink("max with ties", gc.max, [1, 3, 3], [0, 1, 0]),
    Kink("min with ties", gc.min, [1, 1, 3], [1, 0, 0]),
    Kink("sqrt", gc.sqrt, [0, 1], [INF, 0.5]),
    Kink("sqrt times 0", lambda x: gc.sqrt(x) * 0.0, [0, 1], [0, 0]),
    Kink("sqrt, one element read", lambda x: gc.sqrt(x)[1], [0, 1], [0, 0.5]),
    Kink("sqrt of one element", lambda x: gc.sqrt(x[1]), [0, 1], [0, 0.5]),
    Kink(
        "sqrt of a difference that is 0",
        lambda x: gc.sqrt(gc.square(1 + x[:1] ** 2) - gc.square(x[1:])),
        [0, 1],
        [0, -INF],
    ),
    Kink("power 0.5, one element read", lambda x: (x**0.5)[1], [0, 1], [0, 0.5]),
    Kink("log, one element read", lambda x: gc.log(x)[1], [0, 1], [0, 1]),
    Kink("log", gc.log, [0, 1], [INF, 1]),
    Kink("norm", gc.norm, [0, 0], [0, 0]),
    Kink("norm written out", lambda x: gc.sqrt(gc.sum(x * x)), [0, 0], [0, 0]),
    Kink("x**1", lambda x: x**1, [0, 2], [1, 1]),
    Kink("x**2", lambda x: x**2, [0, 2], [0, 4]),
    Kink("x**3", lambda x: x**3, [0, 2], [0, 12]),
    Kink("x**y by y", lambda y: gc.power(0.0, y), [1, 2], [0, 0]),
    Kink("x*x**0.5", lambda x: x * x**0.5, [0, 4], [0, 3]),
    Kink("where around log", lambda x: gc.where(x > 0, gc.log(x), 0.0), [-1, 0, 2], [0, 0, 0.5]),
    Kink("where around sqrt", lambda x: gc.where(x > 0, gc.sqrt(x), x), [-1, 0, 4], [1, 1, 0.25]),
    Kink("where around 1/x", lambda x: gc.where(x == 0, 1.0, 1 / x), [0, 2], [0, -0.25]),
    Kink("prod with a zero", gc.prod, [2, 0, 3], [0, 6, 0]),
    Kink("prod with two zeros", gc.prod, [0, 0, 3], [0, 0, 0]),
    Kink("cumprod with a zero", gc.cumprod, [2, 0, 3], [1, 8, 0]),
    Kink("std of a constant", gc.std, [2, 2, 2], [0, 0, 0]),
    Kink("var of a constant", gc.var, [2, 2, 2], [0, 0, 0]),
    Kink("logsumexp, one masked", gc.logsumexp, [0, -INF, 0], [0.5, 0, 0.5]),
    Kink("logsumexp, all masked", gc.logsumexp, [-INF, -INF], [0, 0]),
    Kink("softplus", gc.softplus, [0], [0.5]),
    Kink("log_sigmoid", gc.log_sigmoid, [0], [0.5]),
    Kink("floor", gc.floor, [0.5, 1], [0, 0]),
    Kink("round", gc.round, [0.5, 1], [0, 0]),
    Kink("repeated indices", lambda x: gc.take(x, np.array([0, 0, 1])), [1, 2], [2, 1]),
    Kink("both operands", lambda x: x @ x, [1, 2], [2, 4]),
    Kink("unused elements", lambda x: x[:1] * 3.0, [1, 2], [3, 0]),
    Kink("tanh far out", gc.tanh, [20, 50], [4 * np.exp(-40), 0]),
]


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("kink", KINKS, ids=lambda kink: kink.name)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_conventions_survive_the_compiler(kink: Kink, style: str, level: int) -> None:
    x = gc.input("x", (len(kink.at),), dtype="float64")
    graph = gc.graph({"y": gc.sum(kink.function(x))}, name="kink")
    f = gc.compile(graph, gradient_of="y", wrt=["x"], style=style, optimize=level)
    got = f(x=np.array(kink.at, float))["d_y_d_x"]
    np.testing.assert_allclose(got, kink.gradient, rtol=1e-12, atol=1e-15)


@dataclass(frozen=True)
class Curve:
    """A function of one number, a point, and its second derivative there."""

    name: str
    function: Callable[[Node], Node]
    at: float
    curvature: float


CURVES = [
    Curve("x**2 at 0", lambda x: x**2, 0.0, 2.0),
    Curve("x*x at 0", lambda x: x * x, 0.0, 2.0),
    Curve("x**3 at 0", lambda x: x**3, 0.0, 0.0),
    Curve("where around log", lambda x: gc.where(x > 0, gc.log(x), x * x), 0.0, 2.0),
    Curve("where around sqrt", lambda x: gc.where(x > 0, gc.sqrt(x), 0.0), 0.0, 0.0),
    Curve("relu at 0", gc.relu, 0.0, 0.0),
    Curve("abs at 0", gc.abs, 0.0, 0.0),
    Curve("softplus at 40", gc.softplus, 40.0, np.exp(-40.0) / (1 + np.exp(-40.0)) ** 2),
    Curve("softplus at -40", gc.softplus, -40.0, np.exp(-40.0) / (1 + np.exp(-40.0)) ** 2),
    Curve("log_sigmoid at 40", gc.log_sigmoid, 40.0, -np.exp(-40.0) / (1 + np.exp(-40.0)) ** 2),
    Curve("tanh at 20", gc.tanh, 20.0, -8 * np.exp(-40.0)),
    Curve("sigmoid at 40", gc.sigmoid, 40.0, -np.exp(-40.0)),
]


@pytest.mark.parametrize("level", [0, 2, 3])
@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_second_derivatives_survive_the_compiler(curve: Curve, style: str, level: int) -> None:
    x = gc.input("x", (), dtype="float64")
    (slope,) = gc.grad(curve.function(x), [x])
    graph = gc.graph({"slope": slope + 0.0 * x}, name="curve")
    f = gc.compile(graph, gradient_of="slope", wrt=["x"], style=style, optimize=level)
    got = float(f(x=curve.at)["d_slope_d_x"])
    assert got == pytest.approx(curve.curvature, rel=1e-9, abs=1e-300)


def test_unused_inputs_have_a_zero_gradient_of_their_shape() -> None:
    x, unused = gc.input("x", (2,), dtype="float64"), gc.input("u", ("N", 3), dtype="float64")
    dx, du = gc.grad(gc.sum(x * x), [x, unused])
    assert (dx.shape, du.type) == ((2,), unused.type)
    graph = gc.graph({"du": du + 0 * unused})
    np.testing.assert_array_equal(gc.compile(graph)(u=np.ones((4, 3)))["du"], np.zeros((4, 3)))


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_empty_batches(style: str) -> None:
    x = gc.input("x", ("N", 3), dtype="float64")
    W = gc.param("W", (3, 2), dtype="float64", init=gc.init.ones())
    graph = gc.graph({"loss": gc.sum(gc.relu(x @ W)), "h": gc.softmax(x @ W)})
    f = gc.compile(graph, gradient_of="loss", style=style)
    result = f(f.init(), x=np.zeros((0, 3)))
    assert float(result["loss"]) == 0.0
    assert result["h"].shape == (0, 2)
    np.testing.assert_array_equal(result["d_loss_d_W"], np.zeros((3, 2)))
