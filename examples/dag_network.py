"""A network that is no chain: a skip connection past a layer, and two branches that interweave.

Any graph without cycles is a network. Here the first branch reads the pixels, the second reads the
pixels and the first, then the first reads the second, and the output reads all of them and the
pixels again. Backpropagation adds up what comes back along every path; nothing has to be said.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"


def network(N: int | str = "N", pixels: int = 64, width: int = 32) -> gc.Graph:
    """Return the classifier: two interwoven branches, and skip connections to the output."""
    x, y = gc.input("x", (N, pixels)), gc.input("y", (N,), dtype="int64")
    a1 = gc.nn.dense(x, width, activation=gc.relu, name="a1")
    b1 = gc.nn.dense(gc.concat([x, a1], axis=1), width, activation=gc.tanh, name="b1")
    a2 = a1 + gc.nn.dense(gc.concat([a1, b1], axis=1), width, activation=gc.relu, name="a2")
    b2 = b1 + gc.nn.dense(a2 * b1, width, activation=gc.tanh, name="b2")
    z = gc.nn.dense(gc.concat([x, a2, b2], axis=1), 10, name="out")
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    return gc.graph({"loss": loss, "p": gc.softmax(z)}, name="dag_network")


def main(folder: Path = OUT) -> tuple[float, float]:
    """Return the accuracy on the held-out third, and the largest error of the gradient."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = load_digits(return_X_y=True)
    x, held_out = x / 16, np.arange(len(y)) % 3 == 1

    small = network(3, pixels=5, width=4).astype("float64")  # every path, checked by differences
    at = {"x": x[:3, 2:7], "y": y[:3]}
    error = gc.check_gradient(small, of="loss", at=at).max_error

    graph = network()
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.003))
    state = step.init(seed=0)
    history = gc.train.fit(
        step,
        state,
        {"x": x[~held_out], "y": y[~held_out]},
        epochs=25,
        validation={"x": x[held_out], "y": y[held_out]},
        metrics={"accuracy": gc.train.accuracy("p", "y")},
    )
    accuracy = history.column("validation accuracy")[-1]
    print(f"{sum(node.size for node in graph.params.values()):,} parameters")
    print(f"gradient against finite differences: largest error {error:.1e}")
    print(f"{accuracy:.2%} of {held_out.sum()} held-out digits right")
    history.plot(folder / "dag_network.png", "loss", "accuracy")
    gc.draw.computation_graph(graph).save(folder / "dag_network.svg")
    return accuracy, error


if __name__ == "__main__":
    main()
