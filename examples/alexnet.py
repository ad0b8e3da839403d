"""AlexNet at full size: shapes of all layers, 60,965,224 parameters, one pass there and back.

Five convolutions (the second, fourth and fifth in two groups, which stood on two cards), local
response normalization, overlapping max pooling, dropout and three dense layers (Krizhevsky,
Sutskever & Hinton 2012). The image is noise: what is shown are sizes, counts, time and memory.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

import graphc as gc


def alexnet(size: int = 227, classes: int = 1000) -> gc.Graph:
    """Return the network over images [N, 3, size, size], with its loss."""
    x = gc.input("x", ("N", 3, size, size))
    y = gc.input("y", ("N",), dtype="int64")
    h = gc.nn.conv2d(x, 96, 11, stride=4, name="conv1", activation=gc.relu)
    with gc.scope("norm1"):
        h = gc.nn.local_response_norm(h, 5, alpha=5e-4, beta=0.75, k=2.0)
    h = gc.nn.max_pool2d(h, 3, 2, name="pool1")
    h = gc.nn.conv2d(h, 256, 5, padding=2, groups=2, name="conv2", activation=gc.relu)
    with gc.scope("norm2"):
        h = gc.nn.local_response_norm(h, 5, alpha=5e-4, beta=0.75, k=2.0)
    h = gc.nn.max_pool2d(h, 3, 2, name="pool2")
    h = gc.nn.conv2d(h, 384, 3, padding=1, name="conv3", activation=gc.relu)
    h = gc.nn.conv2d(h, 384, 3, padding=1, groups=2, name="conv4", activation=gc.relu)
    h = gc.nn.conv2d(h, 256, 3, padding=1, groups=2, name="conv5", activation=gc.relu)
    h = gc.nn.max_pool2d(h, 3, 2, name="pool5")
    h = gc.reshape(h, (gc.dim("N"), -1))
    h = gc.nn.dropout(gc.nn.dense(h, 4096, name="dense6", activation=gc.relu))
    h = gc.nn.dropout(gc.nn.dense(h, 4096, name="dense7", activation=gc.relu))
    z = gc.nn.dense(h, classes, name="dense8")
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    return gc.graph({"loss": loss, "p": gc.softmax(z)}, name="alexnet")


def layers(graph: gc.Graph) -> list[tuple[str, str, int]]:
    """Return (layer, shape of its result, parameters) for each scope, in order."""
    params = set(graph.params.values())
    shapes: dict[str, str] = {}
    for node in graph.nodes:
        scope = node.provenance.scope
        if scope and node not in params:
            shapes[scope] = str(node.type)
    counts = dict.fromkeys(shapes, 0)
    for name, node in graph.params.items():
        counts[name.rpartition(".")[0]] += int(node.size)
    return [(scope, shapes[scope], counts[scope]) for scope in shapes]


def layer_table(graph: gc.Graph) -> str:
    """Return the layers as lines of text, and the number of all parameters below."""
    rows = layers(graph)
    lines = [f"{name:<10} {shape:<24} {count:>12,}" for name, shape, count in rows]
    total = sum(count for _, _, count in rows)
    return "\n".join([*lines, f"{'parameters':<35} {total:>12,}"])


def one_pass(graph: gc.Graph, rng: np.random.Generator, samples: int = 1) -> dict[str, np.ndarray]:
    """Compile, run value and gradient once on noise, print time and memory; return the results."""
    started = time.perf_counter()
    function = gc.compile(graph, gradient_of="loss")
    print(f"compiled with its gradient in {time.perf_counter() - started:.2f} s")
    state = function.init(seed=0)
    image = graph.inputs["x"]
    x = rng.standard_normal((samples, *image.shape[1:]), dtype=np.float32)
    y = np.zeros(samples, np.int64)
    started = time.perf_counter()
    results = function(state, x=x, y=y, rng=rng)
    seconds = time.perf_counter() - started
    print(f"loss {results['loss']:.4f}; there and back in {seconds:.2f} s, {peak():.2f} GB at most")
    return results


def peak() -> float:
    """Return the most memory that this process has held, in GB."""
    status = Path("/proc/self/status")
    if status.exists():  # of this program alone, not of the one that started it
        held = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(held.split()[1]) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main(graph: gc.Graph | None = None) -> dict[str, np.ndarray]:
    """Print the table of layers, and what one pass there and back takes; return its results."""
    graph = alexnet() if graph is None else graph
    print(layer_table(graph))
    return one_pass(graph, np.random.default_rng(0))


if __name__ == "__main__":
    main()
