"""Linear regression on scikit-learn's diabetes data, beside the exact least-squares solution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes

import graphc as gc

HERE = Path(__file__).parent


def main() -> float:
    """Return the largest difference between the trained and the exact predictions."""
    x, y = load_diabetes(return_X_y=True)
    x, y = (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()

    graph = gc.load(HERE / "linear_regression.graph")
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.05, momentum=0.9))
    state = step.init(seed=0)
    for _ in range(3000):
        result = step(state, x=x, y=y)

    exact, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y)
    difference = float(np.abs(np.append(state["w"], state["b"]) - exact).max())
    print(f"mean squared error {float(result['loss']):.6f} of standardized disease progression")
    print(f"largest difference from least squares: {difference:.1e}")
    return difference


if __name__ == "__main__":
    main()
