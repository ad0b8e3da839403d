"""The activation functions: their values and derivatives, and what a hidden layer of each learns.

Where a function has a kink, its derivative there is a convention that graphc states and keeps:
relu'(0) = 0, hardtanh'(±1) = 0. Thresholds have no slope, so nothing below them can learn; a linear
hidden layer adds nothing to softmax regression.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
ACTIVATIONS: dict[str, Callable[[gc.Node], gc.Node]] = {
    "linear": lambda x: x,
    "threshold": lambda x: gc.where(x >= 0, gc.ones_like(x), 0.0),
    "sign": gc.sign,
    "sigmoid": gc.sigmoid,
    "tanh": gc.tanh,
    "relu": gc.relu,
    "hardtanh": gc.hardtanh,
    "softplus": gc.softplus,
}
POINTS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def curves(name: str, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a function's values and derivatives. **Shapes.** [M] -> [M], [M]"""
    x = gc.input("x", ("M",), "float64")
    y = ACTIVATIONS[name](x)
    slope = gc.grad(y.sum(), [x])[0]
    result = gc.compile(gc.graph({"y": y, "slope": slope}, name=name))(x=at)
    return result["y"], result["slope"]


def digits_network(name: str) -> gc.Graph:
    """Return a classifier of digits with one hidden layer of this activation."""
    x, y = gc.input("x", ("N", 64)), gc.input("y", ("N",), dtype="int64")
    h = gc.nn.dense(x, 64, activation=ACTIVATIONS[name], name="hidden")
    z = gc.nn.dense(h, 10, name="out")
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    return gc.graph({"loss": loss, "p": gc.softmax(z)}, name=name)


def learned(name: str) -> tuple[float, float]:
    """Return the held-out accuracy, and how far the hidden weights moved while training."""
    x, y = load_digits(return_X_y=True)
    x, held_out = (x / 16).astype(np.float32), np.arange(len(y)) % 3 == 1
    step = gc.compile(digits_network(name), minimize="loss", optimizer=gc.optim.adam(0.003))
    state = step.init(seed=0)
    before = state["hidden.W"].copy()
    gc.train.fit(step, state, {"x": x[~held_out], "y": y[~held_out]}, epochs=20)
    outputs = step.for_inference()(state, x=x[held_out], y=y[held_out])
    right = np.mean(outputs["p"].argmax(axis=1) == y[held_out])
    return float(right), float(np.abs(state["hidden.W"] - before).max())


def softmax_jacobian(z: np.ndarray) -> np.ndarray:
    """Return ∂p_i/∂z_j = p_i (δ_ij − p_j), as graphc derives it. **Shapes.** [K] -> [K, K]"""
    x = gc.input("z", (len(z),), "float64")
    jacobian = gc.graph({"p": gc.softmax(x)}, name="softmax").jacobian("p", wrt="z")
    return gc.compile(jacobian)(z=z)["d_p_d_z"]


def main(folder: Path = OUT) -> dict[str, dict[str, np.ndarray | float]]:
    """Return each function's values and slopes at -2 … 2, and what it reached on digits."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, places = plt.subplots(2, 4, figsize=(12, 5), sharex=True, layout="constrained")
    grid, result = np.linspace(-3, 3, 601), {}
    print(f"{'':10} values at {POINTS.tolist()}, slopes, accuracy on held-out digits")
    for place, name in zip(places.flat, ACTIVATIONS, strict=True):
        values, slopes = curves(name, POINTS)
        accuracy, moved = learned(name)
        result[name] = {"values": values, "slopes": slopes, "accuracy": accuracy, "moved": moved}
        shown = " ".join(f"{v:6.3f}" for v in values), " ".join(f"{v:5.3f}" for v in slopes)
        print(f"{name:10} {shown[0]}   {shown[1]}   {accuracy:.1%}")
        for curve, style in zip(curves(name, grid), ("-", "--"), strict=True):
            place.plot(grid, curve, style)
        place.set(title=name, ylim=(-1.5, 2))
    places[0, 0].legend(["value", "derivative"], frameon=False)
    figure.savefig(folder / "activations.png", dpi=90)
    plt.close(figure)

    z = np.array([1.0, 2.0, 4.0])
    jacobian = softmax_jacobian(z)
    result["softmax"] = {"values": np.exp(z) / np.exp(z).sum(), "slopes": jacobian}
    print(f"softmax of {z.tolist()}: {result['softmax']['values'].round(3)}; its Jacobian")
    print(jacobian.round(4))
    return result


if __name__ == "__main__":
    main()
