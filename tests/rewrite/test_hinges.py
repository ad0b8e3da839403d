"""Slopes of hinges are written without choices that change nothing, and keep their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

HINGES = {
    "maximum": lambda z: gc.maximum(z, 0) ** 2,
    "swapped": lambda z: gc.square(gc.maximum(0, z)),
    "relu": lambda z: gc.relu(z) ** 2,
    "margin": lambda z: gc.maximum(0, 1 - z) ** 2,
    "cubed": lambda z: gc.maximum(z, 0) ** 3,
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("name", HINGES)
def test_a_squared_hinge_has_a_slope_without_choices(name: str, style: str) -> None:
    z = gc.input("z", ("N",), dtype="float64")
    graph = gc.graph({"loss": gc.mean(HINGES[name](z))})
    given = {"z": np.array([-2.0, -0.0, 0.0, 1.0, 3.0, 1e300, -np.inf])}
    with np.errstate(all="ignore"):
        plain = gc.compile(graph, gradient_of="loss", wrt=["z"], optimize=0)(**given)
        f = gc.compile(graph, gradient_of="loss", wrt=["z"], style=style)
        found = f(**given)
    np.testing.assert_allclose(found["d_loss_d_z"], plain["d_loss_d_z"], rtol=1e-15)
    assert "np.where(" not in f.source and "np.greater(" not in f.source


def test_what_may_be_infinite_keeps_its_choice() -> None:
    """0 times infinity is NaN where the hinge is not active."""
    z, w = (gc.input(name, ("N",), dtype="float64") for name in "zw")
    graph = gc.graph({"y": gc.where(z > 0, w * gc.maximum(z, 0), 0.0)})
    found = gc.compile(graph)(z=np.array([-1.0, 2.0]), w=np.array([np.inf, 3.0]))["y"]
    np.testing.assert_array_equal(found, [0, 6])


def test_sizes_cancel() -> None:
    a, e = gc.param("a", ()), gc.input("e", ("N",))
    f = gc.compile(gc.graph({"loss": gc.mean(a + e)}), gradient_of="loss", style="readable")
    assert "d_a = np.float32(1)" in f.source


def test_a_factor_inside_a_logarithm_leaves_its_slope() -> None:
    s = gc.input("s", ("N",))
    f = gc.compile(gc.graph({"loss": gc.mean(gc.log(3 * s))}), gradient_of="loss", wrt=["s"])
    readable = gc.compile(
        gc.graph({"loss": gc.mean(gc.log(3 * s))}), gradient_of="loss", wrt=["s"], style="readable"
    )
    assert "d_s = 1 / np.float32(N) / s" in readable.source
    at = np.array([0.5, 2.0], np.float32)
    np.testing.assert_allclose(f(s=at)["d_loss_d_s"], 0.5 / at, rtol=1e-6)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_the_slope_of_a_spread_has_one_guard(style: str) -> None:
    """0.5/std is infinite for equal numbers; 1/N, through which it comes, is never 0."""
    s = gc.input("s", ("N",), dtype="float64")
    f = gc.compile(gc.graph({"loss": gc.std(s)}), gradient_of="loss", wrt=["s"], style=style)
    assert "1 / np.float64(N) == 0" not in f.source
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(f(s=np.ones(4))["d_loss_d_s"], np.zeros(4))
    at = np.array([1.0, 2.0, 4.0, 9.0])
    wanted = (at - at.mean()) / (4 * at.std())
    np.testing.assert_allclose(f(s=at)["d_loss_d_s"], wanted, rtol=1e-12)


@pytest.mark.parametrize("mask", [gc.isnan, lambda x: gc.cast(x, "bool"), lambda x: x > 2])
def test_a_choice_between_comparisons_is_no_hinge(mask: Any) -> None:
    x = gc.input("x", ("N",), dtype="float64")
    graph = gc.graph({"y": gc.where(mask(x), x > 0, x < 1), "z": gc.where(mask(x), mask(x), x > 3)})
    at = np.array([-1.0, 0.0, 0.5, 3.0, np.nan])
    expected = gc.interpret(graph, x=at)
    for name, value in gc.compile(graph)(x=at).items():
        np.testing.assert_array_equal(value, expected[name])


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("delta", [0.3, 1.0, 2.5])
def test_the_slope_of_hubers_loss_is_a_clipped_difference(delta: float, style: str) -> None:
    z, y = gc.input("z", ("N",), dtype="float64"), gc.input("y", ("N",), dtype="float64")
    graph = gc.graph({"loss": gc.mean(gc.nn.huber(z, y, delta=delta))})
    f = gc.compile(graph, gradient_of="loss", wrt=["z"], style=style)
    at = {"z": np.array([-9.0, -delta, -0.1, 0.0, 0.2, delta, 7.0, np.nan]), "y": np.zeros(8)}
    np.testing.assert_allclose(
        f(**at)["d_loss_d_z"], np.clip(at["z"], -delta, delta) / 8, rtol=1e-14
    )
    assert "sign" not in f.source.partition("def graph")[2]
