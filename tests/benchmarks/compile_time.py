"""How long does compiling take? `python tests/benchmarks/compile_time.py` prints the table.

It counts CPU seconds; the figures that matter are the last column, which stays level when
the compiler is linear. The committed result is docs/compile-time.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from workloads.convolution import lenet_graph
from workloads.lstm import graph as lstm_graph

import graphc as gc

ROOT = Path(__file__).resolve().parents[2]


def chain(length: int) -> gc.Graph:
    """Return a graph of `length` pointwise nodes in a row."""
    h = gc.input("x", (8,))
    for _ in range(length // 2):
        h = gc.tanh(h * 1.01)
    return gc.graph({"y": h})


def network(layers: int) -> gc.Graph:
    """Return a multi-layer perceptron, 32 wide."""
    h = gc.input("x", ("N", 32))
    for i in range(layers):
        W = gc.param(f"W{i}", (32, 32), init=gc.init.he_normal())
        h = gc.relu(h @ W + gc.param(f"b{i}", (32,)))
    return gc.graph({"loss": gc.mean(h * h)})


def vgg16() -> gc.Graph:
    """Return VGG-16 (Simonyan & Zisserman 2015, arXiv:1409.1556) on 224 × 224 pixels."""
    N = gc.dim("N")
    h, y = gc.input("x", (N, 3, 224, 224)), gc.input("y", (N,), dtype="int64")
    for block, (layers, filters) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]):
        for i in range(layers):
            name = f"conv{block + 1}_{i + 1}"
            h = gc.nn.conv2d(h, filters, 3, padding=1, activation=gc.relu, name=name)
        h = gc.nn.max_pool2d(h, 2)
    h = gc.reshape(h, (N, 512 * 7 * 7))
    for i in (1, 2):
        h = gc.nn.dense(h, 4096, activation=gc.relu, name=f"dense{i}")
    z = gc.nn.dense(h, 1000, name="scores")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()}, name="vgg16")


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def rows() -> list[tuple[str, int, float]]:
    """Return (what, nodes, seconds) for each compilation."""
    found = []
    digits = gc.load(str(ROOT / "examples" / "digits_mlp.graph"))
    found.append(
        (
            "digits MLP, training step, first in the process",
            len(digits.nodes),
            seconds(lambda: gc.compile(digits, minimize="loss", optimizer=gc.optim.sgd(0.1))),
        )
    )
    sgd = gc.optim.sgd(0.1)
    models: dict[str, tuple[gc.Graph, dict[str, object]]] = {
        "LeNet, training step": (lenet_graph(), {"minimize": "loss", "optimizer": sgd}),
        "LSTM, value and gradient": (lstm_graph(50, 64, 128), {"gradient_of": "loss"}),
        "VGG-16, value and gradient": (vgg16(), {"gradient_of": "loss"}),
    }
    for what, (graph, words) in models.items():
        took = seconds(lambda graph=graph, words=words: gc.compile(graph, **words))
        found.append((what, len(graph.nodes), took))
    for style in ("fast", "readable"):
        for length in (1_000, 10_000, 100_000):
            graph = chain(length)
            took = seconds(lambda graph=graph, style=style: gc.compile(graph, style=style))
            found.append((f"chain, {style}", len(graph.nodes), took))
    for length in (1_000, 10_000):
        graph = gc.graph({"y": gc.sum(chain(length).outputs["y"])})
        took = seconds(lambda graph=graph: gc.compile(graph, gradient_of="y", wrt=["x"]))
        found.append(("chain and its gradient, fast", len(graph.nodes), took))
    for layers in (10, 100, 1_000):
        graph = network(layers)
        took = seconds(
            lambda graph=graph: gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1))
        )
        found.append((f"MLP of {layers} layers, training step", len(graph.nodes), took))
    return found


def table() -> str:
    lines = ["| graph | nodes | seconds | ms per 1,000 nodes |", "|---|---:|---:|---:|"]
    for what, nodes, took in rows():
        lines.append(f"| {what} | {nodes:,} | {took:.2f} | {1e6 * took / nodes:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
