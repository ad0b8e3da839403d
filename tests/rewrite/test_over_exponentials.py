"""Quotients by exponentials: likelihoods whose spread is learned as a logarithm."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc

LIKELIHOODS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "over twice the square": lambda y, m, s: (y - m) ** 2 / (2 * gc.exp(s) ** 2) + s,
    "half of the quotient's square": lambda y, m, s: ((y - m) / gc.exp(s)) ** 2 / 2 + s,
    "minus the logarithm of a density": lambda y, m, s: (
        -(-((y - m) ** 2) / (2 * gc.exp(s) ** 2) - gc.log(gc.exp(s)))
    ),
    "of a variance": lambda y, m, s: 0.5 * (y - m) ** 2 / gc.exp(2 * s) + s,
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize(
    ("log_spread", "residual"), [(50, 1.0), (-30.5, 1e-4), (-40, 1e-7), (-55, 0.0), (-35, 0.01)]
)
def test_a_likelihood_of_any_spread_has_its_gradient(
    name: str, style: str, log_spread: float, residual: float
) -> None:
    y, m, s = gc.input("y", ("N",)), gc.param("m", ()), gc.param("s", ())
    graph = gc.graph({"loss": LIKELIHOODS[name](y, m, s).mean()})
    f = gc.compile(graph, gradient_of="loss", style=style)
    state = {"m": np.float32(0), "s": np.float32(log_spread)}
    got = f(state, y=np.full(3, residual, np.float32))
    spread = np.exp(np.float64(np.float32(log_spread)))
    ratio = float(np.float32(residual)) / spread
    np.testing.assert_allclose(got["loss"], ratio**2 / 2 + state["s"], rtol=1e-5)
    np.testing.assert_allclose(got["d_loss_d_s"], 1 - ratio**2, rtol=1e-5)
    np.testing.assert_allclose(got["d_loss_d_m"], -ratio / spread, rtol=1e-5, atol=1e-37)


def test_a_kernel_divides_by_its_length_once() -> None:
    d, length = gc.input("d", ("N",), dtype="float64"), gc.param("length", (), dtype="float64")
    kernel = gc.exp(-d / (2 * gc.exp(2 * length)))
    f = gc.compile(gc.graph({"loss": (kernel**2).sum()}), gradient_of="loss")
    body = f.source[f.source.index("# forward") : f.source.index("def check")]
    assert body.count("np.exp(") <= 2 and "np.where" not in body and " / " not in body
    got = f({"length": np.array(0.3)}, d=np.linspace(0, 3, 7))["d_loss_d_length"]
    at = np.linspace(0, 3, 7) / np.exp(0.6)
    np.testing.assert_allclose(got, (np.exp(-at) * 2 * at).sum(), rtol=1e-12)


def test_a_logarithm_that_came_out_of_a_slice_stays_there() -> None:
    v = gc.input("v", (2,), dtype="float64")
    a = gc.exp(-(v**2)) + 0.1
    graph = gc.graph({"y": gc.log(a[0]) + gc.log(gc.sqrt(a[1]))})
    at = np.array([0.5, 3.0])
    inner = np.log(np.exp(-(at**2)) + 0.1)
    for level in range(4):
        got = gc.compile(graph, optimize=level)(v=at)["y"]
        np.testing.assert_allclose(got, inner[0] + inner[1] / 2, rtol=1e-14)


#: Number above, number below: as (above + exp(x))/(below + exp(x)).
NUMBERS = [(1.0, 2.0), (3.0, 2.0), (1.0, 4.0), (2.0, 0.5), (3.0, 3.0)]


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize(("above", "below"), NUMBERS)
def test_a_quotient_of_two_sums_with_one_exponential(
    above: float, below: float, style: str
) -> None:
    at = np.float32([-100, -20, -3, 0.5, 30, 85, 90, 1000])
    x = gc.input("x", at.shape)
    y = (above + gc.exp(x)) / (gc.exp(x) + below)
    f = gc.compile(gc.graph({"y": y, "t": gc.sum(y)}), gradient_of="t", wrt=["x"], style=style)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = f(x=at)
    small = np.exp(-np.abs(at.astype(float)))  # exp(x) or exp(-x), whichever is below 1
    e = np.where(at < 0, small, 1.0)
    one = np.where(at < 0, 1.0, small)
    np.testing.assert_allclose(found["y"], (above * one + e) / (below * one + e), rtol=1e-6)
    slopes = (below - above) * small / (below * one + e) ** 2
    rounding = np.where(at < 0, 1e-7, 1e-37)
    assert (abs(found["d_t_d_x"] - slopes) <= 2e-6 * abs(slopes) + rounding).all()


def test_a_small_number_beside_the_exponential_keeps_its_digits() -> None:
    x = gc.input("x", (3,))
    f = gc.compile(gc.graph({"y": (1e-6 + gc.exp(x)) / (1 + gc.exp(x))}))
    at = np.float32([-30, -10, 3])
    e = np.exp(at.astype(float))
    np.testing.assert_allclose(f(x=at)["y"], (1e-6 + e) / (1 + e), rtol=1e-6)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_exponentials_above_and_below_meet(style: str) -> None:
    at = np.float32([-200, -3, 0.5, 60, 100, 1000])
    x = gc.input("x", at.shape)
    y = x * gc.exp(x) / (2 * gc.exp(x - 1))
    f = gc.compile(gc.graph({"y": y, "t": gc.sum(y)}), gradient_of="t", wrt=["x"], style=style)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = f(x=at)
    np.testing.assert_allclose(found["y"], at * np.e / 2, rtol=1e-4)
    np.testing.assert_allclose(found["d_t_d_x"], np.full(6, np.e / 2), rtol=1e-4)


def test_a_weighted_mean_of_one_exponential_has_its_slope_far_out() -> None:
    x = gc.input("x", (3, 1))
    y = gc.sum(x * gc.exp(x), axis=1) / gc.sum(gc.exp(x), axis=1)
    f = gc.compile(gc.graph({"t": gc.sum(gc.square(y))}), gradient_of="t", wrt=["x"])
    at = np.float32([[50], [-95], [300]])
    np.testing.assert_allclose(f(x=at)["d_t_d_x"], 2 * at, rtol=1e-5)
