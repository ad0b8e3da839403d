"""Mean subtraction and standardization of inputs: what they do to the valley, and to the descent.

Linear regression on raw measurements of diabetes patients (years, mmHg, mg/dl, …). Gradient descent
takes about κ steps, the condition number of the Hessian, which graphc derives. Raw inputs make it
fifty million; subtracting the mean cuts that down, and so does dividing by the standard deviation.
Both are measured on the training set and applied to the held-out one, too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_diabetes

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
STEPS = 2000


def regression() -> gc.Graph:
    x, y = gc.input("x", ("N", 11), "float64"), gc.input("y", ("N",), "float64")
    w = gc.param("w", (11,), "float64")
    return gc.graph({"loss": gc.mean((x @ w - y) ** 2) / 2}, name="regression")


def with_bias(x: np.ndarray) -> np.ndarray:
    """Return the inputs with a column of ones. **Shapes.** [N, 10] -> [N, 11]"""
    return np.column_stack([x, np.ones(len(x))])


def main(folder: Path = OUT) -> dict[str, dict[str, float]]:
    """Return, for each scaling, the condition number, and how far descent stays from the best."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = load_diabetes(return_X_y=True, scaled=False)
    train, test = gc.train.data.split({"x": x, "y": y}, share=0.25, seed=0)
    scalings = {
        "raw": lambda x: x,
        "mean subtracted": gc.train.data.subtract_mean(train["x"]),
        "standardized": gc.train.data.standardizer(train["x"]),
    }
    target = gc.train.data.standardizer(train["y"])
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    graph = regression()
    hessian = gc.compile(graph.hessian("loss", wrt="w"))
    result = {}
    for name, scaling in scalings.items():
        data = {"x": with_bias(scaling(train["x"])), "y": target(train["y"])}
        unseen = {"x": with_bias(scaling(test["x"])), "y": target(test["y"])}
        found = hessian(graph.init(), **data)
        curvature = np.linalg.eigvalsh(next(h for h in found.values() if h.shape == (11, 11)))
        step = gc.compile(
            graph, minimize="loss", optimizer=gc.optim.sgd(float(1.9 / curvature[-1]))
        )
        state = step.init()
        history = gc.train.fit(step, state, data, STEPS, batch_size=None, shuffle=False)
        exact = np.linalg.lstsq(data["x"], data["y"], rcond=None)[0]
        best = np.mean((data["x"] @ exact - data["y"]) ** 2) / 2
        result[name] = {
            "condition": float(curvature[-1] / curvature[0]),
            "excess": float(history.losses[-1] - best),
            "held-out": float(step.for_inference()(state, **unseen)["loss"]),
        }
        print(
            f"{name:16} κ = {result[name]['condition']:9,.0f}, after {STEPS} steps "
            f"{result[name]['excess']:.1e} above the least loss {best:.4f}; "
            f"held-out {result[name]['held-out']:.4f}"
        )
        axes.loglog(np.array(history.losses) - best + 1e-16, label=name)
    axes.set(xlabel="step", ylabel="loss above the least")
    axes.legend(frameon=False)
    figure.savefig(folder / "input_scaling.png", dpi=90)
    plt.close(figure)
    return result


if __name__ == "__main__":
    main()
