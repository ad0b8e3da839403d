"""Sums and limits of many elements: quicker than `a.sum()` and `maximum`, and as exact."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.run.compiled import CompiledFunction


def sum_of_gelu() -> CompiledFunction:
    """Return a chain that is long enough to go by blocks."""
    graph = gc.graph({"loss": gc.sum(gc.gelu_tanh(gc.input("x", ("n",))))})
    return gc.compile(graph, gradient_of="loss", wrt=["x"])


@pytest.mark.parametrize("count", [1, 63, 1000, 32767, 32768, 32831, 100_000, 262_145, 600_001])
def test_sums_in_parts_leave_no_element_out(count: int) -> None:
    f = sum_of_gelu()
    x = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    expected = gc.interpret(f.graph, x=x.astype(np.float64))["loss"]
    assert "sum_in_parts(" in f.source
    np.testing.assert_allclose(f(x=x)["loss"], expected, rtol=2e-6, atol=1e-6 * count**0.5)


@pytest.mark.parametrize("value", [0.1, 0.7, 3.3])
def test_equal_numbers_add_up_without_drift(value: float) -> None:
    """One running sum of 250,000 equal numbers is 5e-4 off, 64 of them side by side 7e-6."""
    x = np.full(250_000, value, np.float32)
    one = sum_of_gelu()(x=x[:1])["loss"]
    np.testing.assert_allclose(sum_of_gelu()(x=x)["loss"], 250_000 * np.float64(one), rtol=4e-6)


def test_what_is_not_finite_stays_so() -> None:
    x = np.ones(100_000, np.float32)
    for place, value in ((0, np.inf), (99_999, np.nan), (50_000, np.inf)):
        x[:] = 1
        x[place] = value
        np.testing.assert_equal(sum_of_gelu()(x=x)["loss"], np.float32(value))


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_many_elements_are_limited_in_one_call(level: int) -> None:
    x = gc.input("x", ("N", 512))
    b = gc.param("b", (512,))
    graph = gc.graph({"y": gc.relu(x + b), "z": gc.clip(x + b, -1, 1)})
    assert "np.maximum(" in gc.emit(graph), "who reads is not asked to see a limit of infinity"
    f = gc.compile(graph, optimize=level)
    assert f.source.count("np.clip(") == 2
    assert "np.maximum(" not in f.source and "np.minimum(" not in f.source
    few = gc.compile(gc.graph({"y": gc.relu(gc.input("x", ("N", 8)))}))
    assert "np.maximum(" in few.source
    numbers = np.array([[-np.inf, -2, -0.5, -0.0, 0, 0.5, 2, np.inf]], np.float32).repeat(64, 1)
    state = {"b": np.zeros(512, np.float32)}
    found = f(state, x=numbers)
    np.testing.assert_array_equal(found["y"], np.maximum(numbers, 0))
    np.testing.assert_array_equal(found["z"], np.clip(numbers, -1, 1))


@pytest.mark.parametrize("count", [3, 100_000, 600_001])
def test_blocks_limit_by_numbers_in_one_call(count: int) -> None:
    x = gc.input("x", ("n",))
    y = gc.tanh(gc.maximum(gc.minimum(3, gc.exp(x) - 1), 0.25) + gc.maximum(x, x * x))
    f = gc.compile(gc.graph({"loss": gc.sum(y)}), gradient_of="loss", wrt=["x"])
    assert ".clip(" in f.source and f.source.count("np.maximum(") == 1
    given = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    given[0], given[1] = np.inf, -np.inf
    expected = gc.interpret(f.graph, x=given)["loss"]
    np.testing.assert_allclose(f(x=given)["loss"], expected, rtol=1e-5)
