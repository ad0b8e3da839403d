"""XOR: one neuron cannot learn it, and its loss stays at ln 2; a hidden layer can.

No line separates the classes. Wherever the neuron starts, the best that it can do is to answer ½
four times, at a loss of ln 2. Two hidden units solve all four from some initializations and get
stuck from most, so they are started again until they are right; four get stuck far less often.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import graphc as gc

HERE = Path(__file__).parent
OUT = HERE.parent / "build" / "examples"
DATA = {"x": [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], "y": [0.0, 1.0, 1.0, 0.0]}


def two_hidden_units() -> gc.Graph:
    """Return the smallest network that can: 2-2-1."""
    x, y = gc.input("x", ("N", 2), "float64"), gc.input("y", ("N",), "float64")
    h = gc.nn.dense(x, 2, activation=gc.tanh, init=gc.init.normal(1.0), name="hidden")
    z = gc.nn.dense(h, 1, init=gc.init.normal(1.0), name="output")
    p = gc.sigmoid(z[:, 0])
    loss = -gc.mean(y * gc.log(p) + (1 - y) * gc.log(1 - p))
    return gc.graph({"loss": loss, "p": p}, name="two_hidden_units")


def is_solved(loss: float) -> bool:
    """Say whether the network is nearly sure of all four answers."""
    return loss < 0.01


def train(graph: gc.Graph, seeds: range, until_solved: bool) -> list[gc.train.Restart]:
    """Return the runs from several initializations, the best first; each step sees all points."""
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.5, momentum=0.9))
    return gc.train.random_restarts(
        step,
        DATA,
        seeds,
        accept=is_solved if until_solved else None,
        epochs=600,
        batch_size=None,
    )


def main(folder: Path = OUT) -> dict[str, tuple[list[float], int]]:
    """Return, for each model, the losses of its runs, and how many points the best gets right."""
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "one neuron": (gc.load(HERE / "xor_neuron.graph"), range(12), False),
        "two hidden units": (two_hidden_units(), range(1, 12), True),
        "four hidden units": (gc.load(HERE / "xor_hidden.graph"), range(12), False),
    }
    result = {}
    for name, (graph, seeds, until_solved) in models.items():
        runs = train(graph, seeds, until_solved)
        f = gc.compile(graph)
        p = f(runs[0].state, **DATA)["p"]
        right = int(np.sum((p > 0.5) == DATA["y"]))
        losses = [run.value for run in runs]
        result[name] = losses, right
        print(f"{name}: {sum(map(is_solved, losses))} of {len(runs)} starts solve it")
        print(f"  best loss {losses[0]:.6f}, worst {losses[-1]:.6f}  (ln 2 = {np.log(2):.6f})")
        print(f"  p = {p.round(3)}: {right} of 4 right" * is_solved(losses[0]) or f"  p = {p}")
        plot = gc.draw.decision_boundary(f, runs[0].state, DATA["x"], DATA["y"], title=name)
        plot.save(folder / f"xor_{name.replace(' ', '_')}.png")
    return result


if __name__ == "__main__":
    main()
