"""Will the flight be late? Two losses of four predictions, then the model that makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import graphc as gc

HERE = Path(__file__).parent
X = np.array([[-20, 45], [80, 0], [4, 15], [45, 60]], np.float32)
PREDICTED = np.array([0.05, 0.02, 0.96, 0.35])
ACTUAL = np.array([1.0, 0.0, 1.0, 1.0])


def main() -> dict[str, float]:
    """Return the losses of the given predictions and of a trained logistic regression."""
    losses = gc.compile(gc.load(HERE / "flight_delay.graph"))
    given = losses(predicted=PREDICTED, actual=ACTUAL)
    result = {name: float(value) for name, value in given.items()}

    step = gc.compile(
        gc.load(HERE / "logistic_regression.graph"),
        minimize="loss",
        optimizer=gc.optim.sgd(0.01),
    )
    state = step.init(seed=0)
    for _ in range(5000):
        trained = step(state, x=X, y=ACTUAL)
    result["trained"] = float(trained["loss"])

    print(f"given predictions:   binary cross-entropy {result['cross_entropy']:.4f}")
    print(f"                     mean squared error   {result['squared_error']:.5f}")
    print(f"logistic regression: binary cross-entropy {result['trained']:.4f} after training")
    return result


if __name__ == "__main__":
    main()
