"""Linear, logistic and softmax regression decide between species of iris, each in its own way.

Each is trained by gradient descent on all examples and compared with an independent solution:
least squares in closed form, and scikit-learn's logistic regression with the same penalty.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
Model = Callable[[gc.Node, gc.Node], dict[str, gc.Node]]
State = dict[str, np.ndarray]
PENALTY = 0.1  # λ of λ/2‖w‖² beside the sum of the losses: scikit-learn's 1/C


def linear(x: gc.Node, y: gc.Node) -> dict[str, gc.Node]:
    """Fit 0 or 1 by a plane; a half decides."""
    p = x @ gc.param("w", (2,), "float64") + gc.param("b", (), "float64")
    return {"loss": gc.mean((p - y) ** 2), "p": p}


def logistic(x: gc.Node, y: gc.Node) -> dict[str, gc.Node]:
    """p = σ(w·x + b), cross-entropy as in the book."""
    w = gc.param("w", (2,), "float64")
    p = 1 / (1 + gc.exp(-(x @ w + gc.param("b", (), "float64"))))
    risk = -gc.sum(y * gc.log(p) + (1 - y) * gc.log(1 - p))
    return {"loss": (risk + gc.nn.l2(w, PENALTY)) / x.shape[0], "p": p}


def softmax(x: gc.Node, y: gc.Node) -> dict[str, gc.Node]:
    """p(C_k|x) = exp(x·w_k + b_k)/Σ exp(x·w_l + b_l)."""
    W = gc.param("W", (2, 3), "float64")
    z = x @ W + gc.param("b", (3,), "float64")
    p = gc.exp(z) / gc.exp(z).sum(axis=1, keepdims=True)
    risk = -gc.sum(gc.log(gc.take_along_axis(p, y[:, None], axis=1)))
    return {"loss": (risk + gc.nn.l2(W, PENALTY)) / x.shape[0], "p": p}


def train(model: Model, x: np.ndarray, y: np.ndarray, classes: str) -> tuple[Any, State]:
    """Return the compiled step and its state after 4000 steps on all examples."""
    N = gc.dim("N")
    outputs = model(gc.input("x", (N, 2), "float64"), gc.input("y", (N,), classes))
    graph = gc.graph(outputs, name=model.__name__)
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1, momentum=0.95))
    state = step.init()
    gc.train.fit(step, state, {"x": x, "y": y}, epochs=4000, batch_size=None, shuffle=False)
    return step, state


def main(folder: Path = OUT) -> dict[str, tuple[float, float]]:
    """Return, for each model, the error of its weights and its share of right decisions."""
    folder.mkdir(parents=True, exist_ok=True)
    petals, species = load_iris(return_X_y=True)
    x = gc.train.data.standardizer(petals[:, 2:])(petals[:, 2:])
    late = (species == 2).astype(float)  # two classes: is it the species of the largest petals?
    ones = np.column_stack([x, np.ones(len(x))])

    binary = LogisticRegression(C=1 / PENALTY, tol=1e-10, max_iter=10_000).fit(x, late)
    several = LogisticRegression(C=1 / PENALTY, tol=1e-10, max_iter=10_000).fit(x, species)
    exact = {
        "linear": np.linalg.lstsq(ones, late, rcond=None)[0],
        "logistic": np.append(binary.coef_, binary.intercept_),
    }

    result = {}
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    for model, place in zip((linear, logistic, softmax), axes, strict=True):
        name, y = model.__name__, species if model is softmax else late
        step, state = train(model, x, y, "int64" if model is softmax else "float64")
        p = step.for_inference()(state, x=x, y=y)["p"]
        right = np.mean((p.argmax(axis=1) if model is softmax else p > 0.5) == y)
        if model is softmax:  # only differences between classes matter: compare probabilities
            error = np.abs(p - several.predict_proba(x)).max()
        else:
            error = np.abs(np.append(state["w"], state["b"]) - exact[name]).max()
        plot = gc.draw.decision_boundary(step, state, x, y, title=f"{name} regression")
        plot.draw(place)
        result[name] = float(error), float(right)
        print(f"{name:9} {right:.1%} right, largest difference from the exact solution {error:.1e}")
    figure.savefig(folder / "linear_classifiers.png", dpi=100)
    plt.close(figure)
    return result


if __name__ == "__main__":
    main()
