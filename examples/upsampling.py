"""A transposed convolution makes images twice as large, better than copying each pixel does.

Digits of 8x8 pixels are shrunk to 4x4 by averaging; the network learns to undo that. A third of the
digits is held out (the last of every three), and its error is compared with that of copying.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"


def network() -> gc.Graph:
    """Return the network from small images [N, 1, 4, 4] to large ones [N, 1, 8, 8]."""
    small = gc.input("small", ("N", 1, 4, 4))
    large = gc.input("large", ("N", 1, 8, 8))
    h = gc.nn.conv2d(small, 32, 3, padding="same", name="look", activation=gc.relu)
    y = gc.nn.conv_transpose2d(h, 1, 4, stride=2, padding=1, name="grow")
    return gc.graph({"loss": gc.nn.mean_squared_error(y, large).mean(), "y": y}, name="upsampling")


def shrunk(images: np.ndarray) -> np.ndarray:
    """Return images [N, 1, 8, 8] at half the size, by compiled average pooling."""
    x = gc.input("x", ("N", 1, 8, 8))
    pool = gc.compile(gc.graph({"y": gc.nn.avg_pool2d(x, 2)}, name="shrink"))
    return pool(x=images)["y"]


def draw(rows: dict[str, np.ndarray], path: Path) -> None:
    """Save a picture of images [count, 1, h, w], a row for each name."""
    count = len(next(iter(rows.values())))
    figure, axes = plt.subplots(len(rows), count, figsize=(count, len(rows)))
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        line[0].set_title(name, loc="left", fontsize=9)
        for axis, image in zip(line, images[:, 0], strict=True):
            axis.imshow(image, cmap="gray_r", vmin=0, vmax=1)
            axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(folder: Path = OUT, epochs: int = 60) -> tuple[float, float]:
    """Train; return the squared error on held-out digits, and that of copying each pixel."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = load_digits().images[:, None].astype(np.float32) / 16
    held_out = np.arange(len(pixels)) % 3 == 2
    small = shrunk(pixels)
    graph = network()
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.003))
    state = step.init(seed=0)
    data = {"small": small[~held_out], "large": pixels[~held_out]}
    gc.train.fit(step, state, data, epochs=epochs, batch_size=32, seed=0)

    test = {"small": small[held_out], "large": pixels[held_out]}
    result = gc.compile(graph)(state, **test)
    error = float(result["loss"])
    copied = small[held_out].repeat(2, axis=2).repeat(2, axis=3)
    copying = float(np.square(copied - pixels[held_out]).mean())
    print(f"squared error on {held_out.sum()} held-out digits: {error:.4f}; copying: {copying:.4f}")
    rows = {"4 x 4": test["small"], "transposed convolution": result["y"], "true": test["large"]}
    draw({name: images[:10] for name, images in rows.items()}, folder / "upsampling.png")
    return error, copying


if __name__ == "__main__":
    main()
