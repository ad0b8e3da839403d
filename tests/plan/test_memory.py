"""What the cost sheet says of memory is what a call takes, by tracemalloc."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc


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


@pytest.mark.parametrize("model", [classifier, attention, convolution, recurrent, blocks])
def test_prediction_is_within_a_tenth_of_what_a_call_takes(model: Callable[[], gc.Graph]) -> None:
    graph = model()
    wrt = None if graph.params else ["x"]
    f = gc.compile(graph, gradient_of="loss", wrt=wrt)
    state = [f.init(seed=0)] if graph.params else []
    sizes = {"N": 256}
    inputs = {
        name: np.ones([sizes.get(str(d), d) for d in node.shape], node.dtype)  # sizes are numbers
        for name, node in graph.inputs.items()
    }
    held = sum(a.nbytes for a in [*(state[0].values() if state else ()), *inputs.values()])
    f(*state, **inputs)
    f(*state, **inputs)
    f._workspaces.buffers.clear()
    tracemalloc.start()
    try:
        f(*state, **inputs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    predicted = int(f.graph.cost().at(**sizes).memory_bytes)
    assert abs(peak + held - predicted) < 0.1 * predicted


def test_a_buffer_is_counted_once_however_many_values_live_in_it() -> None:
    x = gc.input("x", (1000,))
    y = x
    for _ in range(50):
        y = gc.tanh(y + 1)
    z = gc.sum(y)
    # x, one array that fifty values go through, and z.
    assert gc.graph({"z": z}).cost().memory_bytes == 2 * 4000 + 4
