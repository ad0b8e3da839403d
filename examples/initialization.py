"""Initialization: what small random, Glorot and He weights do to signals in ten hidden layers.

A layer multiplies the size of what passes by about σ_w √n. At σ_w = 0.01 everything dies out on its
way. Glorot & Bengio (2010) keep the size with 1/√n for tanh; relu halves the square, so He et al.
(2015) double it: √(2/n). The same holds for gradients on the way back, and then for learning.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
LAYERS, WIDTH = 10, 128
RULES = {
    "small random": gc.init.normal(0.01),
    "Glorot": gc.init.glorot_normal(),
    "He": gc.init.he_normal(),
}
ACTIVATIONS: dict[str, Callable[[gc.Node], gc.Node]] = {"tanh": gc.tanh, "relu": gc.relu}


def network(rule: object, activation: Callable[[gc.Node], gc.Node]) -> gc.Graph:
    """Return a classifier of ten hidden layers that also gives each layer's root mean square."""
    x, y = gc.input("x", ("N", 64)), gc.input("y", ("N",), dtype="int64")
    h, sizes = x, {}
    for number in range(1, LAYERS + 1):
        h = gc.nn.dense(h, WIDTH, activation=activation, init=rule, name=f"layer{number}")
        sizes[f"size{number}"] = gc.sqrt(gc.mean(h**2))
    z = gc.nn.dense(h, 10, init=rule, name="out")
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    return gc.graph({"loss": loss, "p": gc.softmax(z), **sizes}, name="deep")


def main(folder: Path = OUT) -> dict[str, dict[str, float]]:
    """Return, for each activation and rule, how signals and gradients change, and the accuracy."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = load_digits(return_X_y=True)
    held_out = np.arange(len(y)) % 3 == 1
    to_standard = gc.train.data.standardizer(x[~held_out])
    x = to_standard(x).astype(np.float32)
    data, unseen = {"x": x[~held_out], "y": y[~held_out]}, {"x": x[held_out], "y": y[held_out]}

    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained", sharey="row")
    result = {}
    print("factor from layer to layer, forward and back; accuracy after 6 epochs of SGD")
    for column, (activation, function) in enumerate(ACTIVATIONS.items()):
        for name, rule in RULES.items():
            graph = network(rule, function)
            step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.01, momentum=0.9))
            state = step.init(seed=0)
            first = gc.compile(graph, gradient_of="loss")(state, **data)
            sizes = np.array([float(first[f"size{i}"]) for i in range(1, LAYERS + 1)])
            slopes = np.array(
                [np.sqrt(np.mean(first[f"d_loss_d_layer{i}.W"] ** 2)) for i in range(1, LAYERS + 1)]
            )
            gc.train.fit(step, state, data, epochs=6, batch_size=16)
            outputs = step.for_inference()(state, **unseen)
            right = gc.train.accuracy("p", "y")(outputs, unseen)
            result[f"{activation} {name}"] = {
                "forward": float((sizes[-1] / sizes[0]) ** (1 / (LAYERS - 1))),
                "first": float(sizes[0]),
                "last": float(sizes[-1]),
                "gradient": float(slopes[1]),
                "accuracy": float(right),
            }
            found = result[f"{activation} {name}"]
            print(
                f"{activation} {name:12} signal ×{found['forward']:.3f} a layer, "
                f"gradient of layer 2 {found['gradient']:.1e}, {right:.1%} of held-out digits"
            )
            axes[0, column].semilogy(range(1, LAYERS + 1), sizes, marker=".", label=name)
            axes[1, column].semilogy(range(1, LAYERS + 1), slopes, marker=".", label=name)
        axes[0, column].set(title=activation)
        axes[1, column].set_xlabel("layer")
    axes[0, 0].set_ylabel("signal, root mean square")
    axes[1, 0].set_ylabel("gradient, root mean square")
    axes[0, 0].legend(frameon=False)
    figure.savefig(folder / "initialization.png", dpi=90)
    plt.close(figure)
    return result


if __name__ == "__main__":
    main()
