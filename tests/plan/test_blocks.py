"""Chains of pointwise work on long arrays run block by block, and give what whole arrays give."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.plan.memory import cores as foreseen
from graphc.plan.program import BLOCK


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


def test_threads_that_share_a_function_do_not_meet() -> None:
    x = gc.input("x", ("n",), dtype="float64")
    f = gc.compile(gc.graph({"y": chain(x), "total": gc.sum(chain(x) * 2)}))
    arrays = [np.linspace(-3, 3 + i, 3 * BLOCK + i) for i in range(4)]
    expected = [f(x=array) for array in arrays]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            for got, wanted in zip(threads.map(lambda x: f(x=x), arrays), expected, strict=True):
                assert got["total"] == wanted["total"]
                np.testing.assert_array_equal(got["y"], wanted["y"])


def test_the_number_of_cores_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = gc.input("x", ("n",))
    graph = gc.graph({"total": gc.sum(chain(x))})
    given = np.random.default_rng(0).normal(size=5 * BLOCK + 11).astype(np.float32)
    totals = []
    for cores in ("0", "1", "2", "3", "64"):
        monkeypatch.setenv("OMP_NUM_THREADS", cores)
        module: dict[str, Any] = {"__name__": "module"}
        exec(gc.compile(graph).source, module)
        assert module["CORES"] == (int(cores) or os.cpu_count())  # 0 is any number, as for BLAS
        assert module["CORES"] == foreseen()
        totals.append(module["graph"](given)["total"])
    assert len({float(total) for total in totals}) == 1


def agrees(graph: gc.Graph, given: dict[str, Any], loops_expected: int = 1) -> None:
    """Compare two calls on the same workspace with the reference."""
    f = gc.compile(graph)
    assert loops(f.source) == loops_expected
    expected = gc.interpret(graph, **given)
    for _ in range(2):
        got = f(**given)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-9)


def test_a_view_of_all_rows_outlives_the_blocks() -> None:
    x = gc.input("x", (600, 30), dtype="float64")
    turned = gc.transpose(gc.cumsum(x @ gc.transpose(x), axis=0))
    graph = gc.graph({"y": chain(chain(turned * 0.1)) @ x})
    agrees(graph, {"x": np.random.default_rng(0).normal(size=(600, 30))})


def test_a_total_begins_while_the_chain_still_reads() -> None:
    x, v = gc.input("x", ("N", 5), dtype="float64"), gc.input("v", (5,), dtype="float64")
    graph = gc.graph({"y": gc.cumsum(chain(chain(x @ gc.cumsum(v))) @ x)})
    rng = np.random.default_rng(0)
    agrees(graph, {"x": rng.normal(size=(2 * BLOCK, 5)), "v": rng.normal(size=5)})


@pytest.mark.parametrize("size", [1, 300, 700, 3000])
def test_runs_of_other_steps_have_blocks_of_their_own(size: int) -> None:
    x, z = (gc.input(name, ("N", w), dtype="float64") for name, w in (("x", 400), ("z", 200)))
    graph = gc.graph({"a": gc.sum(chain(x) * gc.sum(chain(z)))})
    rng = np.random.default_rng(0)
    agrees(graph, {"x": rng.normal(size=(size, 400)), "z": rng.normal(size=(size, 200))}, 2)


@pytest.mark.parametrize("length", [0, 1, 7, BLOCK])
def test_an_extent_may_be_a_sum(length: int) -> None:
    x = gc.input("x", ("n",), dtype="float64")
    longer = gc.concat([x, np.linspace(0, 1, BLOCK + 5)])
    agrees(gc.graph({"y": gc.cumsum(chain(longer))}), {"x": np.linspace(-3, 3, length)})


def test_fixed_numbers_of_blocks_are_counted_beforehand() -> None:
    x = gc.input("x", (1000, 500), dtype="float64")
    graph = gc.graph({"y": gc.cumsum(chain(x), axis=0)})
    assert "workers = min(CORES, 2)" in gc.compile(graph).source  # of 524 rows, or of 500
    agrees(graph, {"x": np.random.default_rng(0).normal(size=(1000, 500))})
