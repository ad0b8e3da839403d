"""Stochastic gradient descent: one example at a time, minibatches, and all examples at once.

The mean of the gradients of single examples is the gradient of all, so each small step is right on
average, and one pass over the data takes many of them. Same model, same data, same rate: the fewer
examples a step takes, the further a pass gets, and the longer it runs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
SIZES = {"one at a time": 1, "minibatches of 32": 32, "all at once": None}


def softmax_regression() -> gc.Graph:
    x, y = gc.input("x", ("N", 64), "float64"), gc.input("y", ("N",), dtype="int64")
    W, b = gc.param("W", (64, 10), "float64"), gc.param("b", (10,), "float64")
    z = x @ W + b
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    return gc.graph({"loss": loss, "p": gc.softmax(z)}, name="softmax_regression")


def main(folder: Path = OUT) -> dict[str, float]:
    """Return the loss after five passes for each size, and how unbiased single gradients are."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = load_digits(return_X_y=True)
    x, held_out = x / 16, np.arange(len(y)) % 3 == 1
    data, unseen = {"x": x[~held_out], "y": y[~held_out]}, {"x": x[held_out], "y": y[held_out]}
    graph = softmax_regression()

    gradient = gc.compile(graph, gradient_of="loss", wrt=["W"])
    state = graph.init()
    whole = gradient(state, **data)["d_loss_d_W"]
    single = [gradient(state, **one)["d_loss_d_W"] for one in gc.train.data.batches(data, 1)]
    result = {"bias": float(np.abs(np.mean(single, axis=0) - whole).max())}
    print(f"mean of {len(single)} single gradients against that of all: {result['bias']:.0e} apart")

    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.05))
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, size in SIZES.items():
        state = step.init()
        history = gc.train.fit(step, state, data, epochs=5, batch_size=size, validation=unseen)
        losses = history.column("validation loss")
        result[name] = losses[-1]
        seconds = sum(epoch.seconds for epoch in history.epochs)
        steps = len(history.step_losses)
        print(f"{name:18} {steps:5} steps, {seconds:.2f} s, held-out loss {losses[-1]:.3f}")
        axes.plot(range(6), [np.log(10), *losses], marker="o", label=name)
    axes.set(xlabel="passes over the data", ylabel="held-out loss")
    axes.legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 0.85))
    figure.savefig(folder / "sgd.png", dpi=90)
    plt.close(figure)
    return result


if __name__ == "__main__":
    main()
