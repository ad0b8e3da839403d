"""XOR: one neuron cannot learn it, and its loss stays at ln 2; one hidden layer can."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import graphc as gc

HERE = Path(__file__).parent
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([0.0, 1.0, 1.0, 0.0])


def train(file: str, optimizer: gc.optim.Optimizer, steps: int) -> tuple[float, np.ndarray]:
    """Return the last loss and the four predictions."""
    step = gc.compile(gc.load(HERE / file), minimize="loss", optimizer=optimizer)
    state = step.init(seed=0)
    for _ in range(steps):
        result = step(state, x=X, y=Y)
    return float(result["loss"]), result["p"]


def main() -> tuple[float, float]:
    """Return the losses of one neuron and of the network with a hidden layer."""
    neuron, p = train("xor_neuron.graph", gc.optim.sgd(0.5), 2000)
    print(f"one neuron:       loss {neuron:.6f} (ln 2 = {np.log(2):.6f})  p = {p.round(3)}")
    hidden, p = train("xor_hidden.graph", gc.optim.adam(0.05), 1000)
    print(f"one hidden layer: loss {hidden:.6f}                  p = {p.round(3)}")
    return neuron, hidden


if __name__ == "__main__":
    main()
