"""A LeNet-style convolutional network reads handwritten digits: over 98.5 % right.

Data: the 1797 images of 8x8 pixels that come with scikit-learn. Of every three, the last is held
out (`np.arange(N) % 3 == 2`) and never trained on; that was fixed before the first run. The sizes
of the layers, the dropout and the number of epochs were chosen by cross-validation among the other
two thirds. Writes the code, a drawing, the loss curve and the learned filters to
`build/examples/lenet/`.
"""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import graphc as gc

HERE = Path(__file__).parent
OUT = HERE.parent / "build" / "examples" / "lenet"


def digits(held: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the images [N, 1, 8, 8] in [0, 1], the labels [N], and which are held out [N]."""
    x, y = load_digits(return_X_y=True)
    images = (x / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    return images, y.astype(np.int64), np.arange(len(y)) % 3 == held


def draw_filters(filters: np.ndarray, path: Path) -> None:
    """Save a picture of the first layer's filters [out, 1, kh, kw]."""
    figure, axes = plt.subplots(4, len(filters) // 4, figsize=(6, 3.2))
    limit = np.abs(filters).max()
    for axis, weights in zip(axes.flat, filters[:, 0], strict=True):
        axis.imshow(weights, cmap="gray", vmin=-limit, vmax=limit)
        axis.axis("off")
    figure.savefig(path)
    plt.close(figure)


def main(folder: Path = OUT, epochs: int = 40, held: int = 2) -> float:
    """Train, save code and pictures to `folder`, and return the accuracy on held-out digits."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = gc.load(HERE / "lenet.graph")
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.002))
    gc.compile(graph, minimize="loss", optimizer="sgd(0.1)", style="readable").save(
        folder / "lenet.py"
    )

    x, y, held_out = digits(held)
    state = step.init(seed=0)
    started = time.perf_counter()
    data = {"x": x[~held_out], "y": y[~held_out]}
    history = gc.train.fit(step, state, data, epochs=epochs, batch_size=32, seed=0)
    seconds = time.perf_counter() - started
    history.plot(folder / "loss.svg")
    draw_filters(state["conv1.W"], folder / "filters.svg")

    predict = gc.compile(graph.for_inference())
    p = predict(state, x=x[held_out], y=y[held_out])["p"]
    accuracy = float((p.argmax(axis=1) == y[held_out]).mean())
    print(f"trained on {(~held_out).sum()} digits for {epochs} epochs in {seconds:.1f} s")
    print(f"accuracy on the {held_out.sum()} held-out digits: {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    main()
