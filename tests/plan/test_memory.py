"""What the cost sheet says of memory is what a call takes, by tracemalloc."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.run.compiled import CompiledFunction


def classifier() -> gc.Graph:
    N = gc.dim("N")
    x, y = gc.input("x", (N, 200)), gc.input("y", (N,), dtype="int64")
    h = gc.nn.dense(x, 300, activation=gc.relu, name="h")
    z = gc.nn.dense(h, 10, name="z")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()}, name="classifier")


def attention() -> gc.Graph:
    x = gc.input("x", ("N", 64, 32))
    q, k, v = (x @ gc.param(name, (32, 32), init=gc.init.glorot_uniform()) for name in "QKV")
    a = gc.softmax(q @ gc.swapaxes(k, 1, 2), axis=-1)
    return gc.graph({"loss": gc.mean(gc.square(a @ v))}, name="attention")


def convolution() -> gc.Graph:
    x = gc.input("x", ("N", 3, 16, 16))
    h = gc.nn.conv2d(x, 8, 3, padding=1, activation=gc.relu, name="conv")
    return gc.graph({"loss": gc.mean(gc.square(h))}, name="convolution")


def recurrent() -> gc.Graph:
    x = gc.input("x", (20, "N", 16))
    _, h, _ = gc.nn.lstm(x, 32, name="lstm")
    return gc.graph({"loss": gc.mean(gc.square(h))}, name="recurrent")


def blocks() -> gc.Graph:
    x = gc.input("x", ("N", 1000))
    return gc.graph({"loss": gc.sum(gc.gelu_tanh(x))}, name="blocks")


def row_update() -> gc.Graph:
    """Pairs of words: rows of two tables are read, and added to."""
    center = gc.input("center", ("N",), dtype="int64")
    context = gc.input("context", ("N", 3), dtype="int64")
    V, U = (gc.param(name, (500, 50), init=gc.init.normal()) for name in "VU")
    score = gc.einsum("nd,nkd->nk", gc.take(V, center, axis=0), gc.take(U, context, axis=0))
    return gc.graph({"loss": -gc.mean(gc.log_sigmoid(score))}, name="row_update")


def pooling() -> gc.Graph:
    x = gc.input("x", ("N", 1, 20, 20))
    h = gc.nn.max_pool2d(gc.nn.conv2d(x, 6, 5, activation=gc.relu, name="conv"), 2)
    return gc.graph({"loss": gc.mean(gc.square(h))}, name="pooling")


def turned() -> gc.Graph:
    """A transposed convolution reads its image, and the derivative of one behind a slice."""
    x = gc.input("x", ("N", 16, 12, 12))
    h = gc.nn.conv_transpose2d(x, 8, 3, name="turned")[:, :, :13, :13]
    return gc.graph({"loss": gc.mean(gc.square(h))}, name="turned")


def characters() -> gc.Graph:
    """Rows of a table enter a recurrent layer, whose states are classified at each step."""
    x = gc.input("x", (20, "N"), dtype="int64")
    y = gc.input("y", (20, "N"), dtype="int64")
    W = gc.param("W", (30, 24), init=gc.init.normal())
    hs, _ = gc.nn.rnn(gc.take(W, x, axis=0), 24, name="rnn")
    z = gc.nn.dense(hs, 30, name="z")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()}, name="characters")


def mixture() -> gc.Graph:
    """Every point is compared with every component."""
    x = gc.input("x", ("N", 8))
    mu, L = gc.param("mu", (12, 8)), gc.param("L", (12, 8, 8), init=gc.init.normal())
    scaled = (x[None] - mu[:, None]) @ gc.swapaxes(L, 1, 2)
    score = -0.5 * gc.sum(gc.square(scaled), axis=2)
    return gc.graph({"loss": gc.mean(gc.log(gc.sum(gc.exp(score), axis=0)))}, name="mixture")


def normal() -> gc.Graph:
    """`gelu` calls a helper, which holds arrays of its own."""
    x = gc.input("x", ("N", 200))
    return gc.graph({"loss": gc.mean(gc.gelu(gc.nn.dense(x, 300, name="h")))}, name="normal")


def dropped() -> gc.Graph:
    x = gc.input("x", ("N", 200))
    h = gc.nn.dropout(gc.nn.dense(x, 300, activation=gc.relu, name="h"), 0.5)
    return gc.graph({"loss": gc.mean(gc.square(gc.nn.dense(h, 10, name="z")))}, name="dropped")


def logistic() -> gc.Graph:
    """A tall matrix and one column: the chain of the loss runs in blocks."""
    x, y = gc.input("x", ("N", 4)), gc.input("y", ("N",))
    w = gc.param("w", (4,))
    z = x @ w
    loss = gc.mean(gc.log(1 + gc.exp(z)) - y * z)
    return gc.graph({"loss": loss}, name="logistic")


MODELS = [
    classifier, attention, convolution, recurrent, blocks,
    row_update, pooling, characters, mixture, normal, dropped, turned,
]  # fmt: skip


def peak_of(f: CompiledFunction, state: dict[str, np.ndarray], rows: int) -> tuple[int, int]:
    """Return the bytes that a first call takes at most, arguments too, and what is predicted."""
    sizes = {"N": rows}
    inputs = {
        name: np.ones([sizes.get(str(d), d) for d in node.shape], node.dtype)  # type: ignore[call-overload]  # sizes are numbers
        for name, node in f.graph.inputs.items()
    }
    held = sum(a.nbytes for a in [*state.values(), *inputs.values()])
    given: list[dict[str, np.ndarray]] = [state] if state else []
    words: dict[str, Any] = {**inputs}
    if f.draws:
        words["rng"] = np.random.default_rng(0)
    f(*given, **words)
    f(*given, **words)
    f._workspaces.buffers.clear()
    tracemalloc.start()
    try:
        f(*given, **words)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak + held, int(f.graph.cost().at(**sizes).memory_bytes)


@pytest.mark.parametrize("model", MODELS)
def test_prediction_is_within_a_tenth_of_what_a_call_takes(model: Callable[[], gc.Graph]) -> None:
    graph = model()
    f = gc.compile(graph, gradient_of="loss", wrt=None if graph.params else ["x"])
    taken, predicted = peak_of(f, f.init(seed=0), 256)
    assert abs(taken - predicted) < 0.1 * predicted


@pytest.mark.parametrize("model", [m for m in MODELS if m is not blocks])
def test_prediction_for_a_step_is_within_a_tenth(model: Callable[[], gc.Graph]) -> None:
    step = gc.compile(model(), minimize="loss", optimizer="adam(0.01)")
    taken, predicted = peak_of(step, step.init(seed=0), 256)
    assert abs(taken - predicted) < 0.1 * predicted


@pytest.mark.parametrize("rows", [5_000, 30_000, 300_000])
def test_prediction_holds_where_blocks_decide(rows: int) -> None:
    f = gc.compile(logistic(), gradient_of="loss")
    taken, predicted = peak_of(f, f.init(seed=0), rows)
    assert abs(taken - predicted) < 0.1 * predicted


def test_scratch_of_the_largest_call_counts() -> None:
    """`np.take` writes a copy first; two of them come one after the other."""
    x, i = gc.input("x", (100, 100)), gc.input("i", (100,), dtype="int64")
    once = gc.take(x, i, axis=1)
    both = gc.sum(once * gc.take(once, i, axis=1))
    held = 3 * 40_000 + 800
    # x, i, the two arrays and the copy of one; the four bytes of the sum come when that is gone.
    assert gc.graph({"y": both}).cost().memory_bytes == held + 40_000


def test_a_buffer_is_counted_once_however_many_values_live_in_it() -> None:
    x = gc.input("x", (1000,))
    y = x
    for _ in range(50):
        y = gc.tanh(y + 1)
    z = gc.sum(y)
    # x, one array that fifty values go through, and z.
    assert gc.graph({"z": z}).cost().memory_bytes == 2 * 4000 + 4


def test_a_uniform_array_that_is_kept_is_not_written_out_as_well() -> None:
    x = gc.input("x", (1000, 50))
    y = gc.concat([x, gc.zeros((1000, 50))], axis=1)
    cost = gc.optimize(gc.graph({"y": gc.max(y, axis=0)}), 2).cost()
    # x, the zeros, both joined, and y.
    assert cost.memory_bytes == 4 * (50_000 + 50_000 + 100_000 + 100)
