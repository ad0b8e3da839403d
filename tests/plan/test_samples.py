"""Samples with much work each run on all cores, their products in pieces; values stay the same."""

from __future__ import annotations

import gc as garbage
import itertools
import os
import re
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.dim_symbols import dim_symbol
from graphc.ops.contraction.threaded_products import HELPERS
from graphc.plan.memory import CORES, cores


def attention(batch: gc.Dim | int, length: gc.Dim | int = 64) -> gc.Graph:
    """Scaled dot-product attention: rows of 8·64·64 scores, and what comes before and after."""
    x = gc.input("x", (batch, length, 64), dtype="float64")

    def heads(name: str) -> gc.Node:
        w = gc.param(name, (64, 64), dtype="float64", init=gc.init.normal(0.2))
        return gc.transpose(gc.reshape(x @ w, (batch, length, 8, 8)), (0, 2, 1, 3))

    q, k, v = heads("q"), heads("k"), heads("v")
    a = gc.softmax(q @ gc.transpose(k, (0, 1, 3, 2)) / 8**0.5, axis=-1)
    h = gc.reshape(gc.transpose(a @ v, (0, 2, 1, 3)), (batch, length, 64))
    b = gc.param("b", (64,), dtype="float64", init=gc.init.normal(0.2))
    return gc.graph({"loss": gc.sum(gc.square(h + b)), "weights": a}, name="attention")


def agrees(graph: gc.Graph, given: dict[str, Any], **how: Any) -> gc.CompiledFunction:
    """Compare two calls with the reference; return the compiled function."""
    f = gc.compile(graph, **how)
    state = f.init(seed=0)
    expected = gc.interpret(f.graph, state, **given)
    for _ in range(2):
        got = f(state, **given)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-9)
    return f


@pytest.mark.parametrize("size", [1, 2, 5, 9])
@pytest.mark.parametrize("kind", ["named", "fixed", "all named"])
def test_attention_runs_by_samples(size: int, kind: str) -> None:
    batch = size if kind == "fixed" else gc.dim("N")
    graph = attention(batch, gc.dim("T") if kind == "all named" else 64)
    given = {"x": np.random.default_rng(0).normal(size=(size, 64, 64))}
    f = agrees(graph, given, gradient_of="loss")
    if kind != "fixed" or size > 8:
        assert f.source.count("in_blocks(block") == 1
        body = f.source.partition("def attention(")[2]
        assert ".dot(" not in body  # BLAS's threads would be in the way


@pytest.mark.parametrize("number", [1, 2, 5])
def test_any_number_of_cores_gives_the_same_bits(number: int) -> None:
    results = []
    for own in (1, number):
        f = gc.compile(attention(gc.dim("N")), gradient_of="loss")
        f.function.__globals__["CORES"] = own
        given = {"x": np.random.default_rng(0).normal(size=(9, 64, 64))}
        results.append(f(f.init(seed=0), **given))
    for name, value in results[0].items():
        np.testing.assert_array_equal(results[1][name], value)


def test_nothing_runs_by_samples_beside_a_convolution() -> None:
    x = gc.input("x", ("N", 8, 64, 64))
    h = gc.relu(gc.nn.conv2d(x, 8, 3))
    scores = gc.softmax(gc.reshape(h, (gc.dim("N"), 8, 62 * 62)), axis=-1)
    for _ in range(3):
        scores = gc.tanh(scores * 2)
    assert "in_blocks(block" not in gc.compile(gc.graph({"y": scores})).source


def test_a_forked_process_has_threads_of_its_own() -> None:
    f = gc.compile(attention(gc.dim("N")), gradient_of="loss")
    f.function.__globals__["CORES"] = 2
    state, x = f.init(seed=0), np.random.default_rng(0).normal(size=(9, 64, 64))
    before = f(state, x=x)["loss"]
    child = os.fork()
    if child == 0:
        os._exit(0 if f(state, x=x)["loss"] == before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_end_with_their_function() -> None:
    before = set(threading.enumerate())
    f = gc.compile(attention(gc.dim("N")), gradient_of="loss")
    f.function.__globals__["CORES"] = 3
    f(f.init(seed=0), x=np.zeros((9, 64, 64)))
    started = set(threading.enumerate()) - before
    assert started
    del f
    garbage.collect()
    for thread in started:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_what_a_block_raises_arrives() -> None:
    f = gc.compile(attention(gc.dim("N")), gradient_of="loss")
    f.function.__globals__["CORES"] = 2
    state, x = f.init(seed=0), np.full((9, 64, 64), 1e200)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        f(state, x=x)
    expected = gc.interpret(f.graph, state, x=x / 1e200)
    np.testing.assert_allclose(f(state, x=x / 1e200)["loss"], expected["loss"])


@pytest.mark.parametrize("size", [1, 3, 8, 20])
def test_blocks_of_two_runs_do_not_share_memory_by_mistake(size: int) -> None:
    """The number of steps in a block depends on how many there are."""
    N = gc.dim("N")
    x = gc.input("x", (N, 32, 512), dtype="float64")
    turned = gc.transpose(gc.tanh(gc.softmax(x @ gc.transpose(x, (0, 2, 1)), axis=-1)), (1, 0, 2))
    wide = gc.input("wide", (4 * N, 32, 512), dtype="float64")
    other = gc.tanh(gc.softmax(wide @ gc.transpose(wide, (0, 2, 1)), axis=-1) * gc.sum(turned))
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(size, 32, 512)), "wide": rng.normal(size=(4 * size, 32, 512))}
    agrees(gc.graph({"a": gc.sum(other), "b": turned}), given)


def test_memory_is_predicted() -> None:
    """Blocks take what the cost sheet says: not the scores of all samples."""
    f = gc.compile(attention(gc.dim("N")), gradient_of="loss")
    state, x = f.init(seed=0), np.random.default_rng(0).normal(size=(32, 64, 64))
    workspace: dict[str, Any] = {}
    f.function(state, x, workspace=workspace)
    kept = sum(array.nbytes for array in workspace["buffers"])
    given = x.nbytes + sum(array.nbytes for array in state.values())
    made = sum(np.asarray(value).nbytes for value in f(state, x=x).values())
    predicted = f.graph.cost().memory_bytes
    sizes = {dim_symbol("N"): 32, dim_symbol(CORES): cores()}
    assert 0.97 < (kept + given + made) / float(predicted.subs(sizes)) < 1.03


@pytest.fixture(scope="module")
def helpers() -> dict[str, Any]:
    def in_blocks(work: Any, extent: int, step: int) -> list[Any]:
        return [work(slice(i, min(i + step, extent)), 0) for i in range(0, extent, step)]

    names: dict[str, Any] = {"np": np, "in_blocks": in_blocks}
    exec(HELPERS, names)
    return names


@pytest.mark.parametrize("lead", [(), (3,), (2, 2)])
@pytest.mark.parametrize("rows", [0, 1, 5, 64, 130])
def test_products_in_tiles(helpers: dict[str, Any], lead: tuple[int, ...], rows: int) -> None:
    rng = np.random.default_rng(rows)
    for depth, columns in itertools.product((0, 1, 3, 257, 600, 1100), (0, 1, 31, 64, 200)):
        for turned in itertools.product((False, True), repeat=3):
            a = rng.normal(size=(*lead, rows, depth))
            b = rng.normal(size=(*(lead if turned[2] else ()), depth, columns))
            left, right = (
                np.ascontiguousarray(m.swapaxes(-1, -2)).swapaxes(-1, -2) if is_turned else m
                for m, is_turned in zip((a, b), turned, strict=False)
            )
            out = np.full((rows, *lead, columns), np.nan)
            target = np.moveaxis(out, 0, -2)
            assert helpers["matmul_in_tiles"](left, right, out=target) is target
            np.testing.assert_allclose(target, a @ b, atol=1e-9)
            if not lead:
                got = helpers["matmul_on_all_cores"](left, right)
                np.testing.assert_allclose(got, a @ b, atol=1e-9)


@pytest.mark.parametrize("turned", [*itertools.product((False, True), repeat=2)])
@pytest.mark.parametrize(
    ("rows", "depth", "columns"), [(129, 600, 257), (577, 300, 514), (200, 2000, 65), (1, 9000, 1)]
)
def test_blas_starts_no_threads_for_any_piece(
    rows: int, depth: int, columns: int, turned: tuple[bool, bool]
) -> None:
    def product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
        (m, k), n = a.shape[-2:], b.shape[-1]
        assert m * k * n <= (2**18 if min(m, n) > 1 else 2**13)
        return np.matmul(a, b, out=out)

    names: dict[str, Any] = {"np": SimpleNamespace(matmul=product, empty=np.empty)}
    exec(HELPERS, names)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(rows, depth)), rng.normal(size=(depth, columns))
    a, b = (np.array(m, order="F" if t else "C") for m, t in zip((a, b), turned, strict=True))
    out = names["matmul_in_tiles"](a, b, np.empty((rows, columns)))
    np.testing.assert_allclose(out, a @ b, atol=1e-9)


@pytest.mark.parametrize(
    ("rows", "columns", "has_pieces"),
    [(256, 1024, True), (1024, 1024, False), (128, 1024, True), (128, 2048, False)],
)
def test_the_largest_products_are_not_cut(rows: int, columns: int, has_pieces: bool) -> None:
    """Where few rows read a large matrix, those are smaller: packing it would not pay."""

    def product(a: Any, b: Any, out: Any) -> Any:
        products.append(a.shape)
        return out

    products: list[tuple[int, ...]] = []
    names: dict[str, Any] = {
        "np": SimpleNamespace(matmul=product, copyto=np.copyto, empty=np.zeros),
        "in_blocks": lambda work, extent, step: work(slice(0, extent), 0),
    }
    exec(HELPERS, names)
    a, b = np.broadcast_to(np.float32(0), (rows, 1024)), np.zeros((1024, columns), np.float32)
    names["matmul_on_all_cores"](a, b, out=np.zeros((rows, columns), np.float32))
    assert (products[0] != a.shape) == has_pieces


@pytest.mark.parametrize(("rows", "width"), [(3, 0), (5000, 0), (0, 7), (1, 1), (5000, 3)])
def test_a_product_with_each_row(helpers: dict[str, Any], rows: int, width: int) -> None:
    rng = np.random.default_rng(0)
    matrix, vector = rng.normal(size=(rows, width)), rng.normal(size=width)
    got = helpers["dot_each_row"](matrix, vector, out=np.full(rows, np.nan))
    np.testing.assert_allclose(got, matrix @ vector, atol=1e-12)


@pytest.mark.parametrize("widths", [(0, 0), (0, 7), (40, 0), (3, 4), (90, 100)])
@pytest.mark.parametrize("length", [0, 1, 255, 3000, 20000])
def test_sums_of_products(helpers: dict[str, Any], widths: tuple[int, int], length: int) -> None:
    rng = np.random.default_rng(length)
    a, b = (rng.normal(size=(length, w) if w else (length,)) for w in widths)
    np.testing.assert_allclose(helpers["sum_of_products"](a, b), a.T @ b, atol=1e-9)


def test_a_single_total_over_a_dim_of_a_long_name() -> None:
    x = gc.input("x", ("number_of_samples_in_a_batch_of_the_training_set", 64), dtype="float64")
    y = gc.sum(gc.tanh(gc.sin(gc.tanh(gc.exp(-gc.square(gc.tanh(gc.sin(x) * 2)) + 1) * 3))))
    given = {"x": np.random.default_rng(0).normal(size=(7, 64))}
    f = agrees(gc.graph({"y": y}), given)
    assert "in_blocks(" in f.source
    assert "parts in" not in f.source and "parts[" not in f.source


@pytest.mark.parametrize("batch", [6, "N"])
def test_a_copy_of_what_a_run_computes_is_made_behind_it(batch: int | str) -> None:
    # Heads that are joined again are a reshape of a transpose: no view, though it reads like one.
    size = gc.dim(batch) if isinstance(batch, str) else batch
    x = gc.input("x", (size, gc.dim("T"), 8), dtype="float64")
    heads = gc.transpose(gc.reshape(x, (size, gc.dim("T"), 2, 4)), (0, 2, 1, 3))
    values = gc.tanh(heads) + gc.softmax(heads * gc.exp(heads), axis=-1)
    joined = gc.reshape(gc.transpose(values, (0, 2, 1, 3)), (size, gc.dim("T"), 8))
    graph = gc.graph({"loss": gc.sum(gc.square(values)), "joined": joined}, name="heads")
    given = {"x": np.random.default_rng(0).normal(size=(6, 5, 8))}
    f = agrees(graph, given, gradient_of="loss", wrt=["x"])
    assert "in_blocks(block" in f.source


def test_grouped_queries_share_keys_that_are_repeated() -> None:
    N, T = gc.dim("N"), gc.dim("T")
    x, scores = gc.input("x", (N, T, 8), "float64"), gc.input("scores", (N, 4, T, T), "float64")
    keys = gc.transpose(gc.reshape(x, (N, T, 2, 4)), (0, 2, 1, 3))
    graph = gc.graph({"y": gc.softmax(scores) @ gc.repeat(keys, 2, axis=1)}, name="groups")
    rng = np.random.default_rng(0)
    agrees(graph, {"x": rng.normal(size=(5, 3, 8)), "scores": rng.normal(size=(5, 4, 3, 3))})


@pytest.mark.parametrize("is_large_first", [False, True])
def test_blocks_of_several_sizes_do_not_share_memory(is_large_first: bool) -> None:
    """A run that multiplies by a large matrix has more samples in a block."""
    N = gc.dim("N")
    x = gc.input("x", (N, 32, 512), dtype="float64")
    W = gc.param("W", (512, 512), dtype="float64")

    def run(h: gc.Node, is_large: bool) -> gc.Node:
        scores = gc.tanh(h * 2) + gc.tanh(h * 3)
        weights = gc.softmax(scores @ gc.transpose(h, (0, 2, 1)), axis=-1)
        found = gc.tanh(weights @ h)
        return gc.tanh(found @ W) * 3 if is_large else found * 3

    first = gc.sum(run(x, is_large_first))
    graph = gc.graph({"y": gc.sum(run(gc.sin(x) + first / 1e6, not is_large_first))})
    f = gc.compile(graph)
    steps = set(re.findall(r"in_blocks\(block\w*, N, max\(1, min\((\d+), N // 4\)\)\)", f.source))
    assert len(steps) == 2
    rng = np.random.default_rng(0)
    given = {"W": rng.normal(size=(512, 512)) / 20}, {"x": rng.normal(size=(100, 32, 512))}
    expected = gc.interpret(graph, given[0], **given[1])
    np.testing.assert_allclose(f(given[0], **given[1])["y"], expected["y"])
