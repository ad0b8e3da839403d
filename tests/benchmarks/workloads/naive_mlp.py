"""The multi-layer perceptron as its formulas stand in a textbook: nothing is kept or reused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workload import Arrays


def step(rate: float) -> Callable[[Arrays, Arrays], Callable[[], Mapping[str, Any]]]:
    """Return what makes one step of descent at a rate."""

    def make(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
        return lambda: _step(params, data["x"], data["y"], rate)

    return make


def _step(params: Arrays, x: np.ndarray, y: np.ndarray, rate: float) -> Mapping[str, Any]:
    depth, N = len(params) // 2, len(x)
    h, z = [x], []
    for i in range(1, depth + 1):
        z.append(h[-1] @ params[f"W{i}"] + params[f"b{i}"])
        h.append(np.maximum(z[-1], 0))
    e = np.exp(z[-1] - z[-1].max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()
    d = p.copy()
    d[np.arange(N), y] -= 1
    d = d / N
    for i in range(depth, 0, -1):
        W, b = params[f"W{i}"], params[f"b{i}"]
        d_W, d_b = h[i - 1].T @ d, d.sum(axis=0)
        if i > 1:
            d = (d @ W.T) * (z[i - 2] > 0)
        W -= rate * d_W
        b -= rate * d_b
    return {**params, "loss": loss}
