"""Gradient clipping at a cliff: a weight that is applied fifty times, as in a recurrent network.

The loss ½(w⁵⁰ − 1)² is flat below 1 and rises like a wall above it. From w = 1.2 the gradient is
3.8 billion: one step of plain descent leaves the world, and graphc says where the numbers overflow.
Clipped to norm 1 the same descent walks down the wall (Pascanu et al. 2013).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
TIMES, RATE = 50, 0.005


def recurrence() -> gc.Graph:
    """Return ½(y − target)² of y = w·w·…·w·x, the weight applied fifty times."""
    x, target = gc.input("x", (), "float64"), gc.input("target", (), "float64")
    w = gc.param("w", (), "float64", init=1.2)
    y = x
    for _ in range(TIMES):
        y = w * y
    return gc.graph({"loss": 0.5 * (y - target) ** 2, "y": y}, name="recurrence")


def train(optimizer: gc.optim.Optimizer) -> tuple[list[float], str]:
    """Return the path of w, and the message where the numbers overflow."""
    step = gc.compile(recurrence(), minimize="loss", optimizer=optimizer)
    state = step.init()
    path = [float(state["w"])]
    try:
        with np.errstate(over="ignore"):  # the message below says more than NumPy's warning
            gc.train.fit(
                step,
                state,
                {"x": [1.0], "target": [1.0]},
                epochs=200,
                callbacks=[lambda epoch, now: path.append(float(now["w"]))],
            )
    except gc.GraphError as error:
        return path, str(error)
    return path, ""


def main(folder: Path = OUT) -> dict[str, tuple[float, str]]:
    """Return the last w of each descent, and its error message."""
    folder.mkdir(parents=True, exist_ok=True)
    sgd = gc.optim.sgd(RATE)
    optimizers = {
        "not clipped": sgd,
        "clipped by norm": gc.optim.clip_by_norm(sgd, 1.0),
        "clipped by value": gc.optim.clip_by_value(sgd, 1.0),
    }
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    w = np.linspace(0.8, 1.22, 400)
    axes.semilogy(w, 0.5 * (w**TIMES - 1) ** 2 + 1e-9, color="0.6", label="½(w⁵⁰ − 1)²")
    result = {}
    for name, optimizer in optimizers.items():
        path, message = train(optimizer)
        result[name] = path[-1], message
        print(f"{name}: w = {path[-1]:.6g} after {len(path) - 1} steps")
        if message:
            print("  " + message.replace("\n", "\n  "))
        if name == "clipped by norm":
            near = np.array(path)
            axes.semilogy(near, 0.5 * (near**TIMES - 1) ** 2 + 1e-9, "o-", ms=3, label=name)
    axes.set(xlabel="w", ylabel="loss")
    axes.legend(frameon=False)
    figure.savefig(folder / "gradient_clipping.png", dpi=90)
    plt.close(figure)
    return result


if __name__ == "__main__":
    main()
