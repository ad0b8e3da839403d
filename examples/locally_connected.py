"""Filters of their own at each position learn a blur that varies; a shared filter cannot.

Each place of a sequence of 20 is the mean of three neighbours, weighted differently at each place.
A locally connected layer has those 18 x 3 weights and finds them; a convolution has 3 and finds
the best compromise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gc


def blur_weights() -> np.ndarray:
    """Return the weights of the three neighbours at each of 18 places [18, 3]: ever wider."""
    width = np.linspace(0.4, 3.0, 18)[:, None]
    weights = np.exp(-0.5 * (np.arange(-1, 2) / width) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def network(layer: Callable[..., Any]) -> gc.Graph:
    """Return the layer over sequences [N, 1, 20], with the squared error as its loss."""
    x = gc.input("x", ("N", 1, 20))
    target = gc.input("target", ("N", 1, 18))
    y = layer(x, 1, 3, use_bias=False, name="blur")
    return gc.graph({"loss": gc.nn.mean_squared_error(y, target).mean()}, name="blur")


def main(steps: int = 600) -> dict[str, tuple[int, float, float]]:
    """Train both; return number of weights, loss, and largest error of a weight, by name."""
    true = blur_weights()
    results = {}
    for name in ("locally_connected1d", "conv1d"):
        graph = network(getattr(gc.nn, name))
        step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.02))
        state = step.init(seed=0)
        rng = np.random.default_rng(0)
        for _ in range(steps):
            x = rng.standard_normal((64, 1, 20)).astype(np.float32)
            shown = np.lib.stride_tricks.sliding_window_view(x[:, 0], 3, axis=1)
            target = (shown * true).sum(axis=2)[:, None].astype(np.float32)
            loss = float(step(state, x=x, target=target)["loss"])
        weights = state["blur.W"]
        error = float(np.abs(weights.reshape(-1, 3) - true).max())
        results[name] = weights.size, loss, error
        print(f"{name:<20} {weights.size:>3} weights, loss {loss:.1e}, off by at most {error:.2g}")
    return results


if __name__ == "__main__":
    main()
