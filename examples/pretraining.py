"""Greedy layer-wise pre-training and fine-tuning, against training from scratch with 100 labels.

Three sigmoid layers are trained one after another, without labels, each as the encoder of a
denoising autoencoder over the codes of the layer below (Vincent et al. 2008). Then an output layer
is added and everything is fine-tuned on 100 labelled digits. From scratch with plain momentum, deep
layers of sigmoids learn badly, and pre-training is worth ten points of accuracy. Adam, which came
later, gets as far from scratch: with it the advantage is gone, and that is shown too.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
SIZES = (64, 100, 100, 100)
LABELS, SEEDS = 100, range(6)
FINE_TUNING = {"momentum": gc.optim.sgd(0.1, momentum=0.9), "adam": gc.optim.adam(0.003)}
State = dict[str, np.ndarray]


def stage(size_in: int, size_out: int) -> gc.Graph:
    """Return one denoising autoencoder of one sigmoid layer; its code is an output."""
    x, clean = gc.input("x", ("N", size_in)), gc.input("clean", ("N", size_in))
    code = gc.nn.dense(x, size_out, activation=gc.sigmoid, name="layer")
    rebuilt = gc.nn.dense(code, size_in, name="decoder")
    loss = gc.square(clean - rebuilt).sum(axis=1).mean()
    return gc.graph({"loss": loss, "code": code}, name="stage")


def classifier() -> gc.Graph:
    """Return the whole network: three sigmoid layers and softmax."""
    x, y = gc.input("x", ("N", SIZES[0])), gc.input("y", ("N",), dtype="int64")
    h = x
    for number, size in enumerate(SIZES[1:], 1):
        h = gc.nn.dense(h, size, activation=gc.sigmoid, name=f"layer{number}")
    z = gc.nn.dense(h, 10, name="out")
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    return gc.graph({"loss": loss, "p": gc.softmax(z)}, name="classifier")


def noisy(batch: dict, rng: np.random.Generator) -> dict:
    x = batch["x"]
    return {"x": x + 0.2 * rng.normal(size=x.shape).astype(np.float32)}


def pretrained(stages: list, x: np.ndarray, seed: int) -> State:
    """Return the weights of all layers, each trained on the codes of the one below."""
    layers: State = {}
    for number, step in enumerate(stages, 1):
        state = step.init(seed=seed)
        gc.train.fit(step, state, {"x": x, "clean": x}, epochs=30, seed=seed, augment=noisy)
        layers |= {f"layer{number}.{part}": state[f"layer.{part}"] for part in "Wb"}
        x = step.for_inference()(state, x=x, clean=x)["code"]
    return layers


def main(folder: Path = OUT) -> dict[str, np.ndarray]:
    """Return the held-out accuracies [seeds, 2] for each optimizer: from scratch, pre-trained."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = load_digits(return_X_y=True)
    x, held_out = (x / 16).astype(np.float32), np.arange(len(y)) % 3 == 1
    x_train, y_train, unseen = x[~held_out], y[~held_out], {"x": x[held_out], "y": y[held_out]}

    adam = gc.optim.adam(0.002)
    stages = [
        gc.compile(stage(below, size), minimize="loss", optimizer=adam)
        for below, size in pairwise(SIZES)
    ]
    steps = {
        name: gc.compile(classifier(), minimize="loss", optimizer=optimizer)
        for name, optimizer in FINE_TUNING.items()
    }
    found = {name: np.zeros((len(SEEDS), 2)) for name in steps}
    right = gc.train.accuracy("p", "y")
    for row, seed in enumerate(SEEDS):
        layers = pretrained(stages, x_train, seed)
        few = np.random.default_rng(seed).permutation(len(y_train))[:LABELS]
        data = {"x": x_train[few], "y": y_train[few]}
        for name, step in steps.items():
            for column, start in enumerate(({}, layers)):
                state = step.init(seed=seed) | {k: a.copy() for k, a in start.items()}
                gc.train.fit(step, state, data, epochs=100, batch_size=10, seed=seed)
                outputs = step.for_inference()(state, **unseen)
                found[name][row, column] = right(outputs, unseen)

    print(f"{LABELS} labels; accuracy on {held_out.sum()} held-out digits over {len(SEEDS)} seeds")
    for name, values in found.items():
        (scratch, after), wins = values.mean(axis=0), int((values[:, 1] > values[:, 0]).sum())
        spread = values.std(axis=0, ddof=1)
        print(
            f"  {name:8} from scratch {scratch:.1%} ± {spread[0]:.1%}, "
            f"pre-trained {after:.1%} ± {spread[1]:.1%}, better on {wins} of {len(SEEDS)} seeds"
        )
    draw(folder / "pretraining.png", found)
    return found


def draw(path: Path, found: dict[str, np.ndarray]) -> None:
    """Save one line a seed: from scratch on the left, pre-trained on the right."""
    figure, axes = plt.subplots(1, len(found), sharey=True, figsize=(6, 3.5), layout="constrained")
    for place, (name, values) in zip(axes, found.items(), strict=True):
        place.plot([0, 1], values.T, marker="o", color="#0072B2", alpha=0.6)
        place.set(title=name, xlim=(-0.3, 1.3), xticks=[0, 1])
        place.set_xticklabels(["from scratch", "pre-trained"])
    axes[0].set_ylabel("held-out accuracy")
    figure.savefig(path, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    main()
