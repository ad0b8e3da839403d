"""The four point sets of TensorFlow's Playground, each by the model that just suffices.

Circle, xor and gauss fall to logistic regression on the right features (x₁², x₂², x₁x₂), because a
line in the plane of features is a circle or a hyperbola in the plane of inputs. The spiral takes a
hidden layer; sin x₁ and sin x₂ are offered as features there, as in the Playground.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
FEATURES = {
    "x1": lambda x: x[:, 0],
    "x2": lambda x: x[:, 1],
    "x1²": lambda x: x[:, 0] ** 2,
    "x2²": lambda x: x[:, 1] ** 2,
    "x1x2": lambda x: x[:, 0] * x[:, 1],
    "sin x1": lambda x: gc.sin(x[:, 0]),
    "sin x2": lambda x: gc.sin(x[:, 1]),
}
#: Set -> features, sizes of hidden layers.
MODELS: dict[str, tuple[list[str], list[int]]] = {
    "circle": (["x1²", "x2²"], []),
    "xor": (["x1x2"], []),
    "gauss": (["x1", "x2"], []),
    "spiral": (["x1", "x2", "sin x1", "sin x2"], [16, 16]),
}


def points(name: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points [count, 2] in about -6 … 6 and their classes [count], 0 or 1."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 2
    if name == "circle":
        radius = np.where(y == 1, rng.uniform(0, 2.5, count), rng.uniform(3.5, 5, count))
        angle = rng.uniform(0, 2 * np.pi, count)
        x = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    elif name == "xor":
        x = rng.uniform(0.3, 5, (count, 2)) * rng.choice([-1, 1], (count, 2))
        y = (x.prod(axis=1) > 0).astype(int)
    elif name == "gauss":
        x = rng.normal(0, 1, (count, 2)) + np.where(y[:, None] == 1, 2.5, -2.5)
    else:
        turn = np.arange(count) // 2 / (count / 2)
        angle = 1.75 * turn * 2 * np.pi + np.pi * y
        x = 5 * turn[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
        x += rng.normal(0, 0.05, (count, 2))
    return x.astype(np.float32), y.astype(np.float32)


def network(features: list[str], hidden: list[int]) -> gc.Graph:
    """Return features, hidden layers of tanh, and one probability."""
    x, y = gc.input("x", ("N", 2)), gc.input("y", ("N",))
    h = gc.stack([FEATURES[name](x) for name in features], axis=1)
    for size in hidden:
        h = gc.nn.dense(h, size, activation=gc.tanh)
    p = gc.sigmoid(gc.nn.dense(h, 1, name="out")[:, 0])
    loss = -gc.mean(y * gc.log(p) + (1 - y) * gc.log(1 - p))
    return gc.graph({"loss": loss, "p": p}, name="playground")


def main(folder: Path = OUT) -> dict[str, float]:
    """Return the accuracy on 500 new points of each set."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, places = plt.subplots(1, 4, figsize=(16, 4), layout="constrained")
    accuracy = {}
    for place, (name, (features, hidden)) in zip(places, MODELS.items(), strict=True):
        graph = network(features, hidden)
        step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.02))
        state = step.init(seed=0)
        (x, y), (x_new, y_new) = points(name, 500, seed=1), points(name, 500, seed=2)
        gc.train.fit(step, state, {"x": x, "y": y}, epochs=300 if hidden else 60, batch_size=32)
        p = gc.compile(graph)(state, x=x_new, y=y_new)["p"]
        accuracy[name] = float(np.mean((p > 0.5) == y_new))
        size = " → ".join(map(str, [*hidden, 1]))
        print(f"{name:6} {', '.join(features):24} → {size}: {accuracy[name]:.1%} of new points")
        gc.draw.decision_boundary(step, state, x_new, y_new, title=name).draw(place)
    figure.savefig(folder / "playground.png", dpi=90)
    plt.close(figure)
    return accuracy


if __name__ == "__main__":
    main()
