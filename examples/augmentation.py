"""Random crops and flips: a network told by examples what does not matter.

Trained on 200 digits and tested on others, as they are, shifted by a pixel, and in the mirror.
Random crops of the padded image teach that a shift does not matter, random flips teach the same of
the mirror. Neither is free: on digits as they are both cost a few per cent, since a network of this
size has more to tell apart, and a mirrored 2 looks much like a 5. Augment by what occurs in use.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def crop(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shift each image by up to a pixel. **Shapes.** [N, 8, 8] -> [N, 8, 8]"""
    return gc.train.data.random_crop(images, (8, 8), rng, padding=1)


def flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return gc.train.data.random_flip(images, rng)


def crop_and_flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return flip(crop(images, rng), rng)


AUGMENTATIONS: dict[str, Change | None] = {
    "none": None,
    "crops": crop,
    "flips": flip,
    "crops and flips": crop_and_flip,
}


def network() -> gc.Graph:
    x, y = gc.input("x", ("N", 8, 8)), gc.input("y", ("N",), dtype="int64")
    h = gc.nn.dense(x.reshape(-1, 64), 128, activation=gc.relu, name="hidden")
    z = gc.nn.dense(h, 10, name="out")
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    return gc.graph({"loss": loss, "p": gc.softmax(z)}, name="digits")


def main(folder: Path = OUT) -> dict[str, dict[str, float]]:
    """Return the mean accuracy over three seeds of each augmentation on each test set."""
    folder.mkdir(parents=True, exist_ok=True)
    images, y = load_digits().images.astype(np.float32) / 16, load_digits().target
    held_out = np.arange(len(y)) % 3 == 1
    unseen, rng = images[held_out], np.random.default_rng(0)
    tests = {"as they are": unseen, "shifted": crop(unseen, rng), "mirrored": unseen[:, :, ::-1]}
    step = gc.compile(network(), minimize="loss", optimizer=gc.optim.adam(0.003))
    right = gc.train.accuracy("p", "y")

    result = {}
    print(f"{'':16} " + "  ".join(tests))
    for name, change in AUGMENTATIONS.items():
        rows = []
        for seed in range(3):
            few = np.random.default_rng(seed).permutation(np.flatnonzero(~held_out))[:200]
            augment = change and (lambda batch, rng, f=change: {"x": f(batch["x"], rng)})
            state = step.init(seed=seed)
            data = {"x": images[few], "y": y[few]}
            gc.train.fit(step, state, data, epochs=120, seed=seed, augment=augment)
            given = [{"x": test, "y": y[held_out]} for test in tests.values()]
            rows.append([right(step.for_inference()(state, **test), test) for test in given])
        result[name] = dict(zip(tests, np.mean(rows, axis=0).tolist(), strict=True))
        print(f"{name:16} " + "  ".join(f"{v:{len(t)}.1%}" for t, v in result[name].items()))
    draw(folder / "augmentation.png", images[y == 2][0])
    return result


def draw(path: Path, image: np.ndarray) -> None:
    """Save one digit as each augmentation shows it to the network."""
    figure, axes = plt.subplots(3, 10, figsize=(8, 2.6), layout="constrained")
    rng = np.random.default_rng(1)
    for row, (name, change) in zip(axes, list(AUGMENTATIONS.items())[1:], strict=True):
        for place, shown in zip(row, change(np.repeat(image[None], 10, axis=0), rng), strict=True):
            place.imshow(shown, cmap="gray_r")
            place.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(path, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    main()
