"""Two threads call one compiled function a thousand times each: every result is the same."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc

CALLS = 1_000


def classifier() -> gc.Graph:
    N = gc.dim("N")
    x, y = gc.input("x", (N, 8)), gc.input("y", (N,), dtype="int64")
    h = gc.nn.dense(x, 16, activation=gc.tanh, name="h")
    z = gc.nn.dense(h, 4, name="z")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()}, name="classifier")


def recurrent() -> gc.Graph:
    x = gc.input("x", (5, "N", 3))
    _, h, _ = gc.nn.lstm(x, 4, name="lstm")
    return gc.graph({"loss": gc.mean(gc.square(h))}, name="recurrent")


def blocks() -> gc.Graph:
    W, x = gc.param("W", (4,), init=gc.init.ones()), gc.input("x", ("N", 4))
    return gc.graph({"loss": gc.mean(gc.gelu_tanh(x @ W))}, name="blocks")


@pytest.mark.parametrize("model", [classifier, recurrent, blocks])
def test_every_call_of_every_thread_gives_the_same(model: Callable[[], gc.Graph]) -> None:
    graph = model()
    f = gc.compile(graph, gradient_of="loss")
    state = f.init(seed=0)
    rng = np.random.default_rng(0)
    batches = [given(graph, rng, rows) for rows in (7, 12)]
    expected = [f(state, **batch) for batch in batches]
    before = [{name: a.copy() for name, a in batch.items()} for batch in batches]
    wrong: list[str] = []

    def work(first: int) -> None:
        for call in range(CALLS):
            which = (first + call) % 2
            for name, value in f(state, **batches[which]).items():
                if not np.array_equal(value, expected[which][name]):
                    wrong.append(name)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    for batch, copy in zip(batches, before, strict=True):
        for name, value in copy.items():
            np.testing.assert_array_equal(batch[name], value)


def given(graph: gc.Graph, rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """Return inputs with this many rows."""
    found = {}
    for name, node in graph.inputs.items():
        shape = [d if isinstance(d, int) else rows for d in node.shape]
        is_index = node.dtype.kind == "i"
        values = rng.integers(0, 4, shape) if is_index else rng.normal(size=shape)
        found[name] = np.asarray(values, node.dtype)
    return found
