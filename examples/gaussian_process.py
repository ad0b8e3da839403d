"""Gaussian process regression: a kernel learned from the likelihood as textbooks write it."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

import graphc as gc


def likelihood() -> tuple[gc.Graph, gc.Graph]:
    """Return the negative log likelihood of N observations, and the prediction at M places.

    The inverse and the determinant stand as in the formula (Rasmussen & Williams 2006, eq. 2.30);
    what is compiled solves an equation, and takes a logarithm that does not underflow.
    """
    x, y = gc.input("x", ("N", 10), dtype="float64"), gc.input("y", ("N",), dtype="float64")
    new = gc.input("new", ("M", 10), dtype="float64")
    height, length, noise = (
        gc.exp(gc.param(f"log_{name}", (), init=gc.init.constant(start), dtype="float64"))
        for name, start in (("height", 0.0), ("length", 1.0), ("noise", -1.0))
    )

    def kernel(a: gc.Node, b: gc.Node) -> gc.Node:
        squares = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
        return height * gc.exp(-squares / (2 * length**2))

    covariance = kernel(x, x) + noise * gc.eye(x.shape[0], dtype="float64")
    fit = y @ gc.inv(covariance) @ y
    loss = 0.5 * (fit + gc.log(gc.det(covariance)) + x.shape[0] * np.log(2 * np.pi))
    mean = kernel(new, x) @ gc.solve(covariance, y)
    return gc.graph({"loss": loss}), gc.graph({"mean": mean})


def main() -> float:
    """Return how far the likelihood is from scikit-learn's for the learned kernel, relatively."""
    x, y = load_diabetes(return_X_y=True)
    x, y = (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()
    seen, held_out = {"x": x[:300], "y": y[:300]}, y[300:]

    loss, prediction = likelihood()
    step = gc.compile(loss, minimize="loss", optimizer=gc.optim.adam(0.05))
    state = step.init(seed=0)
    for _ in range(200):
        step(state, **seen)

    height, length, noise = (
        float(np.exp(state[f"log_{k}"])) for k in ("height", "length", "noise")
    )
    print(f"height {height:.2f}, length {length:.2f}, noise {noise:.3f}")
    value = float(gc.compile(loss)(state, **seen)["loss"])
    theirs = GaussianProcessRegressor(
        ConstantKernel(height) * RBF(length) + WhiteKernel(noise), optimizer=None, alpha=0
    ).fit(seen["x"], seen["y"])
    difference = abs(value + theirs.log_marginal_likelihood_value_) / abs(value)
    print(f"negative log likelihood {value:.3f}, scikit-learn's to {difference:.0e}")

    mean = gc.compile(prediction)(state, x=seen["x"], y=seen["y"], new=x[300:])["mean"]
    explained = 1 - np.mean((mean - held_out) ** 2) / np.var(held_out)
    print(f"variance explained on {len(held_out)} held-out patients: {100 * explained:.1f} %")
    return difference


if __name__ == "__main__":
    main()
