"""Logistic regression on a million samples: value and gradient, bound by memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workload import Arrays, Workload, normal

import graphc as gc


def graph(features: int) -> gc.Graph:
    N = gc.dim("N")
    x, y = gc.input("x", (N, features)), gc.input("y", (N,))
    w, b = gc.param("w", (features,)), gc.param("b")
    p = 1 / (1 + gc.exp(-(x @ w + b)))
    loss = -gc.mean(y * gc.log(p) + (1 - y) * gc.log(1 - p))
    return gc.graph({"loss": loss}, name="logistic_regression")


def by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """One exponential serves the loss, log(1 + e^-|z|), and the gradient, σ(z)."""
    x, y, w, b = data["x"], data["y"], params["w"], params["b"]
    N = len(x)
    z, e, t, u = (np.empty(N, np.float32) for _ in range(4))
    ones = np.ones(N, np.float32)

    def run() -> Mapping[str, Any]:
        x.dot(w, out=z)
        np.add(z, b, out=z)
        np.abs(z, out=e)
        np.negative(e, out=e)
        np.exp(e, out=e)
        np.log1p(e, out=t)
        loss = np.add.reduce(t)
        z.clip(0, np.inf, out=t)
        np.multiply(z, y, out=u)
        np.subtract(t, u, out=t)
        loss += np.add.reduce(t)
        # σ(z) = e^min(z, 0) / (1 + e^-|z|)
        z.clip(-np.inf, 0, out=t)
        np.exp(t, out=t)
        np.add(e, 1, out=e)
        np.divide(t, e, out=t)
        np.subtract(t, y, out=t)
        np.divide(t, N, out=t)
        return {"loss": loss / N, "w": t.dot(x), "b": t.dot(ones)}

    return run


def loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    z = data["x"] @ params["w"] + params["b"]
    softplus = xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))
    return xp.mean(softplus - data["y"] * z)


def torch_loss(torch: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    z = torch.addmv(params["b"], data["x"], params["w"])
    return torch.nn.functional.binary_cross_entropy_with_logits(z, data["y"])


def workload(N: int = 1_000_000, features: int = 20) -> Workload:
    rng = np.random.default_rng(0)
    return Workload(
        name=f"logistic regression {N:,} × {features}, value and gradient",
        graph=graph(features),
        params={"w": normal(rng, features), "b": np.array(0.1, np.float32)},
        data={"x": normal(rng, N, features), "y": rng.integers(0, 2, N).astype(np.float32)},
        by_hand=by_hand,
        loss=loss,
        losses={"torch": torch_loss},
        small=(lambda: workload(2, 2)) if N > 2 else None,
        tolerance=1e-3,  # sums of a million float32 numbers
    )
