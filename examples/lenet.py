"""A LeNet-style convolutional network reads handwritten digits: over 98.5 % right.

Data: the 1797 images of 8x8 pixels that come with scikit-learn. Of every three, the last is held
out (`np.arange(N) % 3 == 2`) and never trained on; that was fixed before the first run. The sizes
of the layers, the dropout, the distortions and the number of epochs were chosen by
cross-validation among the other two thirds; a first version, without distortions, had reached
98.0 %. Holding out the first or the second third instead, `main(held=0)` and `main(held=1)`, gives
99.0 and 99.2 %. The code stands in docs/emitted-lenet.md; a picture of the first filters is saved
to `build/examples/`.
"""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import graphc as gc

HERE = Path(__file__).parent
OUT = HERE.parent / "build" / "examples"


def digits(held: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the images [N, 1, 8, 8] in [0, 1], the labels [N], and which are held out [N]."""
    x, y = load_digits(return_X_y=True)
    images = (x / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    return images, y.astype(np.int64), np.arange(len(y)) % 3 == held


def distorted(batch: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the images slightly turned, stretched and shifted, each in its own way."""
    images = batch["x"][:, 0]
    count = len(images)
    angle = np.deg2rad(rng.uniform(-12, 12, (count, 1, 1)))
    tall, wide = rng.uniform(0.9, 1.1, (2, count, 1, 1))
    down, right = rng.uniform(-0.7, 0.7, (2, count, 1, 1))
    row, column = np.mgrid[:8, :8] - 3.5
    r = np.cos(angle) * tall * row - np.sin(angle) * wide * column + down
    c = np.sin(angle) * tall * row + np.cos(angle) * wide * column + right
    # Each pixel is interpolated between the four around it; there is nothing beyond the border.
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    r, c = np.clip(r + 5.5, 0, 10.999), np.clip(c + 5.5, 0, 10.999)
    i, j, n = r.astype(int), c.astype(int), np.arange(count)[:, None, None]
    r, c = r - i, c - j
    top = (1 - c) * padded[n, i, j] + c * padded[n, i, j + 1]
    bottom = (1 - c) * padded[n, i + 1, j] + c * padded[n, i + 1, j + 1]
    return {"x": ((1 - r) * top + r * bottom)[:, None].astype(np.float32)}


def draw_filters(filters: np.ndarray, path: Path) -> None:
    """Save a picture of the first layer's filters [32, 1, 3, 3]: light adds, dark takes away."""
    figure, axes = plt.subplots(2, 16, figsize=(8, 1.3))
    limit = np.abs(filters).max()
    for axis, weights in zip(axes.flat, filters[:, 0], strict=True):
        axis.imshow(weights, cmap="gray", vmin=-limit, vmax=limit)
        axis.axis("off")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(folder: Path = OUT, epochs: int = 80, held: int = 2) -> float:
    """Train, save a picture to `folder`, and return the accuracy on held-out digits."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = gc.load(HERE / "lenet.graph")
    x, y, held_out = digits(held)
    data = {"x": x[~held_out], "y": y[~held_out]}
    rate = gc.optim.cosine(0.003, epochs * -(-len(data["y"]) // 32))
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(rate))
    state = step.init(seed=0)
    started = time.perf_counter()
    gc.train.fit(step, state, data, epochs=epochs, batch_size=32, seed=0, augment=distorted)
    seconds = time.perf_counter() - started
    draw_filters(state["conv1.W"], folder / "lenet.png")

    predict = gc.compile(graph.for_inference())
    p = predict(state, x=x[held_out], y=y[held_out])["p"]
    accuracy = float((p.argmax(axis=1) == y[held_out]).mean())
    print(f"trained on {(~held_out).sum()} digits for {epochs} epochs in {seconds:.1f} s")
    print(f"accuracy on the {held_out.sum()} held-out digits: {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    main()
