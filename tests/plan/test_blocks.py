"""Chains of pointwise work on long arrays run block by block, and give what whole arrays give."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.plan.blocks import BLOCK


def chain(x: gc.Node) -> gc.Node:
    for _ in range(4):
        x = gc.tanh(x * 1.5 + 0.25)
    return x


def loops(source: str) -> int:
    return source.count("# blocks stay in the cache")


@pytest.mark.parametrize("length", [0, 1, 5, BLOCK, BLOCK + 1, 3 * BLOCK - 7])
def test_any_length_gives_what_the_reference_gives(length: int) -> None:
    x = gc.input("x", ("n",), dtype="float64")
    y = chain(x)
    graph = gc.graph({"y": y, "total": gc.sum(y * y), "last": gc.exp(-y)})
    f = gc.compile(graph)
    assert loops(f.source) == 1
    given = {"x": np.linspace(-3, 3, length)}
    for _ in range(2):
        got, expected = f(**given), gc.interpret(graph, **given)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-12, atol=1e-12)


def test_rows_of_a_matrix_are_the_blocks_of_a_matrix() -> None:
    x, b = gc.input("x", ("n", 100), dtype="float64"), gc.input("b", (100,), dtype="float64")
    graph = gc.graph({"y": chain(x + b) * gc.sum(b), "scale": gc.sum(chain(x))})
    f = gc.compile(graph)
    assert f"{BLOCK // 100}):" in f.source
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(1000, 100)), "b": rng.normal(size=100)}
    got, expected = f(**given), gc.interpret(graph, **given)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-10)


def test_products_with_a_narrow_matrix_join_the_chain() -> None:
    N = gc.dim("N")
    x, y = gc.input("x", (N, 5), dtype="float64"), gc.input("y", (N,), dtype="float64")
    w = gc.param("w", (5,), dtype="float64", init=gc.init.normal())
    p = gc.sigmoid(x @ w)
    loss = -gc.mean(y * gc.log(p) + (1 - y) * gc.log(1 - p))
    graph = gc.graph({"loss": loss}, name="logistic")
    f = gc.compile(graph, gradient_of="loss")
    assert loops(f.source) == 1
    assert "d_w += " in f.source
    rng = np.random.default_rng(0)
    state = f.init(seed=1)
    given = {"x": rng.normal(size=(2 * BLOCK + 3, 5)), "y": rng.uniform(size=2 * BLOCK + 3)}
    got, expected = f(state, **given), gc.interpret(f.graph, state, **given)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-10)


def test_short_chains_and_small_arrays_run_whole() -> None:
    n, small = gc.input("n", ("n",)), gc.input("small", (100,))
    short = gc.graph({"y": gc.tanh(n * 2) + 1})
    assert not loops(gc.compile(short).source)
    assert not loops(gc.compile(gc.graph({"y": chain(small)})).source)


def test_whole_numbers_are_not_summed_as_floats() -> None:
    k = gc.input("k", ("n",), dtype="int64")
    y = k
    for _ in range(10):
        y = y * 3 + 1
    graph = gc.graph({"total": gc.sum(y)})
    given = {"k": np.array([2**40 + 1, 3, -(2**41)])}
    assert gc.compile(graph)(**given)["total"] == gc.interpret(graph, **given)["total"]
