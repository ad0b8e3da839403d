"""A 1-D convolution learns motifs from few examples, because its weights are shared by all places.

Each sequence of 60 numbers is noise with one of three motifs of 9 numbers somewhere in it. The
network is told only which. From 150 sequences three filters (30 parameters) learn it; a network of
dense layers (4,099 parameters), which would have to see each motif at each place, does not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import graphc as gc

HERE = Path(__file__).parent
LENGTH, SPAN = 60, 9


def sequences(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return noise with a motif in it, x [count, 1, 60], and which one it is, y [count]."""
    t = np.linspace(-1, 1, SPAN)
    motifs = np.array([np.exp(-6 * t * t) - 0.4, np.sign(t), np.sin(3 * np.pi * t)])
    motifs *= 2.5 / np.linalg.norm(motifs, axis=1, keepdims=True)
    x = 0.25 * rng.standard_normal((count, LENGTH))
    y = rng.integers(0, 3, count)
    start = rng.integers(0, LENGTH - SPAN + 1, count)
    x[np.arange(count)[:, None], start[:, None] + np.arange(SPAN)] += motifs[y]
    return {"x": x[:, None].astype(np.float32), "y": y}


def dense_network() -> gc.Graph:
    """Return a network of dense layers for the same task."""
    x, y = gc.input("x", ("N", 1, LENGTH)), gc.input("y", ("N",), dtype="int64")
    h = gc.nn.dense(x[:, 0], 64, name="hidden", activation=gc.relu)
    p = gc.sigmoid(gc.nn.dense(h, 3, name="output"))
    loss = gc.nn.binary_cross_entropy(p, gc.one_hot(y, 3)).mean()
    return gc.graph({"loss": loss, "p": p}, name="dense_network")


def main(epochs: int = 150) -> dict[str, float]:
    """Train both on the same 150 sequences; return their accuracies on new ones."""
    rng = np.random.default_rng(0)
    data, test = sequences(150, rng), sequences(1000, rng)
    accuracy = {}
    for name, graph in (
        ("convolution", gc.load(HERE / "motifs.graph")),
        ("dense layers", dense_network()),
    ):
        step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.01))
        state = step.init(seed=0)
        gc.train.fit(step, state, data, epochs=epochs, batch_size=30, seed=0)
        p = gc.compile(graph)(state, **test)["p"]
        accuracy[name] = float((p.argmax(axis=1) == test["y"]).mean())
        size = sum(int(param.size) for param in graph.params.values())
        print(f"{name:<12} {size:>5,} parameters, {accuracy[name]:.1%} of new sequences right")
    return accuracy


if __name__ == "__main__":
    main()
