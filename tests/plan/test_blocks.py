"""Chains of pointwise work on long arrays run block by block, and give what whole arrays give."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

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


def attention(batch: gc.Dim | int) -> gc.Graph:
    """Scaled dot-product attention with its gradient: rows of 8·64·64 scores."""
    x = gc.input("x", (batch, 64, 64), dtype="float64")

    def heads(name: str) -> gc.Node:
        w = gc.param(name, (64, 64), dtype="float64", init=gc.init.normal(0.2))
        return gc.transpose(gc.reshape(x @ w, (batch, 64, 8, 8)), (0, 2, 1, 3))

    q, k, v = heads("q"), heads("k"), heads("v")
    a = gc.softmax(q @ gc.transpose(k, (0, 1, 3, 2)) / 8**0.5, axis=-1)
    h = gc.reshape(gc.transpose(a @ v, (0, 2, 1, 3)), (batch, 64, 64))
    return gc.graph({"loss": gc.sum(gc.square(h)), "weights": a}, name="attention")


@pytest.mark.parametrize("size", [1, 2, 5, 9])
@pytest.mark.parametrize("is_named", [True, False])
def test_samples_with_much_work_are_blocks(size: int, is_named: bool) -> None:
    graph = attention(gc.dim("N") if is_named else size)
    f = gc.compile(graph, gradient_of="loss")
    if is_named or size > 8:
        assert "in_blocks(" in f.source
        assert "matmul_in_parts(" not in f.source  # 64·8·64 products are few enough
    state = f.init(seed=0)
    given = {"x": np.random.default_rng(0).normal(size=(size, 64, 64))}
    for _ in range(2):
        got, expected = f(state, **given), gc.interpret(f.graph, state, **given)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [0, 1, 3])
def test_other_views_of_the_rows_are_seen_outside_too(size: int) -> None:
    x = gc.input("x", ("N", 300, 100), dtype="float64")
    h = gc.tanh(x - gc.max(x, axis=2, keepdims=True))
    flat = gc.reshape(gc.exp(h) * 2, (gc.dim("N") * 3, 10000))
    turned = gc.transpose(gc.sin(h), (0, 2, 1))
    outputs = {"flat": flat, "turned": turned, "total": gc.sum(flat * flat), "lines": flat - 1}
    graph = gc.graph(outputs)
    f = gc.compile(graph)
    assert "in_blocks(" in f.source
    given = {"x": np.random.default_rng(0).normal(size=(size, 300, 100))}
    for _ in range(2):
        got, expected = f(**given), gc.interpret(graph, **given)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-12, atol=1e-12)


def test_large_products_of_a_stack_are_split() -> None:
    a, b = gc.input("a", ("N", 128, 96)), gc.input("b", ("N", 96, 128))
    graph = gc.graph({"y": gc.exp(-gc.square(gc.tanh(a @ b)))})
    f = gc.compile(graph)
    assert "matmul_in_parts(" in f.source
    rng = np.random.default_rng(0)
    given = {"a": rng.normal(size=(3, 128, 96)), "b": rng.normal(size=(3, 96, 128))}
    given = {name: value.astype(np.float32) for name, value in given.items()}
    np.testing.assert_allclose(f(**given)["y"], gc.interpret(graph, **given)["y"], rtol=1e-4)


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
    for cores in ("1", "2", "3", "64"):
        monkeypatch.setenv("OMP_NUM_THREADS", cores)
        module: dict[str, Any] = {"__name__": "module"}
        exec(gc.compile(graph).source, module)
        assert module["CORES"] == int(cores)
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


def test_what_all_blocks_read_is_not_overwritten_by_one_of_them() -> None:
    x, v = gc.input("x", (128, 128, 128)), gc.input("v", (128,))
    bias = gc.tanh(gc.cumsum(v))  # dies in the chain, and is as long as the largest of each row
    largest = gc.max(chain(x + bias), axis=(1, 2))
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(128, 128, 128)), "v": rng.normal(size=128)}
    given = {name: value.astype(np.float32) for name, value in given.items()}
    f = gc.compile(gc.graph({"y": gc.cumsum(largest)}))
    assert loops(f.source) == 1
    np.testing.assert_allclose(f(**given)["y"], gc.interpret(f.graph, **given)["y"], rtol=1e-4)


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


@pytest.mark.parametrize("size", [1, 3, 6, 8, 20])
def test_runs_of_other_steps_have_blocks_of_their_own(size: int) -> None:
    N = gc.dim("N")
    x, z = gc.input("x", (N, 32768), dtype="float64"), gc.input("z", (N, 16384), dtype="float64")
    in_eights = gc.sum(gc.max(chain(z), axis=1))
    in_fours = gc.max(chain(gc.reshape(chain(x + in_eights), (2 * N, 16384))), axis=1)
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(size, 32768)), "z": rng.normal(size=(size, 16384))}
    agrees(gc.graph({"a": in_fours, "b": in_eights}), given, 2)


def test_a_single_long_row_is_no_stack_of_blocks() -> None:
    x = gc.input("x", (1, 3 * BLOCK), dtype="float64")
    graph = gc.graph({"y": gc.cumsum(chain(gc.cumsum(x, axis=1) * 1e-3), axis=1)})
    agrees(graph, {"x": np.linspace(-3, 3, 3 * BLOCK)[None]}, 0)


@pytest.mark.parametrize("length", [0, 1, 7, BLOCK])
def test_an_extent_may_be_a_sum(length: int) -> None:
    x = gc.input("x", ("n",), dtype="float64")
    longer = gc.concat([x, np.linspace(0, 1, BLOCK + 5)])
    agrees(gc.graph({"y": gc.cumsum(chain(longer))}), {"x": np.linspace(-3, 3, length)})


def test_fixed_numbers_of_blocks_are_counted_beforehand() -> None:
    x = gc.input("x", (1000, 500), dtype="float64")
    graph = gc.graph({"y": gc.cumsum(chain(x), axis=0)})
    assert "workers = min(CORES, 4)" in gc.compile(graph).source  # of 262 rows
    agrees(graph, {"x": np.random.default_rng(0).normal(size=(1000, 500))})


def test_a_product_over_an_empty_axis_is_zero() -> None:
    a, b = (gc.input(name, (20, 128, name), dtype="float64") for name in "ab")
    product = gc.tanh(gc.einsum("nik,njk->nij", a, a)) + gc.tanh(gc.einsum("nik,njk->nij", b, b))
    graph = gc.graph({"y": chain(product)})
    assert "matmul_in_parts(" in gc.compile(graph).source
    agrees(graph, {"a": np.zeros((20, 128, 0)), "b": np.ones((20, 128, 1))})
