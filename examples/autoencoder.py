"""Autoencoders of real digits: 64 pixels through 16 numbers and back, beside PCA of the same width.

The best linear code of a given width is PCA's (Baldi & Hornik 1989), so a linear autoencoder gets
there and no further, and PCA is the figure that a deep one has to beat. The autoencoder minimizes
‖x − dec(enc(x))‖². The denoising autoencoder (Vincent et al. 2008) minimizes ‖x − dec(enc(x +
noise))‖²: it sees noisy digits and is asked for clean ones. All figures are on held-out digits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import graphc as gc

HERE = Path(__file__).parent
OUT = HERE.parent / "build" / "examples"
CODE, NOISE, EPOCHS, BATCH = 16, 0.25, 150, 32


def linear_autoencoder() -> gc.Graph:
    """Return the autoencoder without hidden layers: two matrices, 64-16-64."""
    x, clean = gc.input("x", ("N", 64)), gc.input("clean", ("N", 64))
    code = gc.nn.dense(x, CODE, name="code")
    reconstruction = gc.nn.dense(code, 64, name="reconstruct")
    loss = gc.square(clean - reconstruction).sum(axis=1).mean()
    return gc.graph({"loss": loss, "reconstruction": reconstruction}, name="linear_autoencoder")


def noisy(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the pixels with normal noise. **Shapes.** [N, 64] -> [N, 64]"""
    return x + NOISE * rng.normal(size=x.shape).astype(np.float32)


def train(graph: gc.Graph, x: np.ndarray, denoise: bool) -> tuple:
    """Return the function that reconstructs, and its state, after training on digits x [N, 64]."""
    steps = EPOCHS * -(-len(x) // BATCH)
    optimizer = gc.optim.adam(gc.optim.cosine(0.003, steps))
    step = gc.compile(graph, minimize="loss", optimizer=optimizer)
    state = step.init(seed=0)
    augment = (lambda batch, rng: {"x": noisy(batch["x"], rng)}) if denoise else None
    gc.train.fit(step, state, {"x": x, "clean": x}, EPOCHS, BATCH, augment=augment)
    return step.for_inference(), state


def main(folder: Path = OUT) -> dict[str, tuple[float, float]]:
    """Return the squared error of each method on held-out digits: given clean, given noisy."""
    folder.mkdir(parents=True, exist_ok=True)
    images = (load_digits().data / 16).astype(np.float32)
    held_out = np.arange(len(images)) % 3 == 1
    x, clean = images[~held_out], images[held_out]
    given = {"clean": clean, "noisy": noisy(clean, np.random.default_rng(0))}

    pca = PCA(CODE).fit(x)
    shown = {"PCA": {k: pca.inverse_transform(pca.transform(a)) for k, a in given.items()}}
    deep = gc.load(HERE / "autoencoder.graph")
    kinds = {
        "linear": (linear_autoencoder(), False),
        "autoencoder": (deep, False),
        "denoising": (deep, True),
    }
    for name, (graph, denoise) in kinds.items():
        f, state = train(graph, x, denoise)
        shown[name] = {k: f(state, x=a, clean=clean)["reconstruction"] for k, a in given.items()}

    print(f"squared error of {len(clean)} held-out digits through {CODE} numbers")
    errors = {}
    for name, found in shown.items():
        errors[name] = tuple(
            float(np.square(clean - rebuilt).sum(axis=1).mean()) for rebuilt in found.values()
        )
        from_clean, from_noisy = errors[name]
        print(f"  {name:12} {from_clean:.3f} from clean, {from_noisy:.3f} from noisy ones")
    draw(folder / "autoencoder.png", clean, given["noisy"], shown)
    return errors


def draw(path: Path, clean: np.ndarray, noise: np.ndarray, shown: dict) -> None:
    """Save ten digits, noisy, and as each method rebuilds them from noise."""
    rows = {"clean": clean, "noisy": noise} | {k: v["noisy"] for k, v in shown.items()}
    figure, axes = plt.subplots(len(rows), 10, figsize=(8, 0.85 * len(rows)), layout="constrained")
    for row, (name, images) in zip(axes, rows.items(), strict=True):
        for place, image in zip(row, images[:10], strict=True):
            place.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            place.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(path, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    main()
