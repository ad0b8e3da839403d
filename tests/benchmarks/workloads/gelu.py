"""gelu in its tanh form: the sum over n numbers, and its gradient; pointwise work alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workload import Arrays, Workload, normal

import graphc as gc

A, B = (2 / np.pi) ** 0.5, 0.044715
#: Elements that stay in the second-level cache through all calls of the chain.
BLOCK = 32768


def graph() -> gc.Graph:
    x = gc.input("x", (gc.dim("n"),))
    return gc.graph({"loss": gc.sum(gc.gelu_tanh(x))}, name="gelu")


def by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """y = x σ(u), u = 2a(x + bx³); y' = σ + xσ(1 − σ)·u': one exponential, in blocks."""
    x = params["x"]
    n = min(BLOCK, x.size)
    square, s, u = (np.empty(n, np.float32) for _ in range(3))
    flat = np.empty(n, bool)

    def run() -> Mapping[str, Any]:
        d, total = np.empty_like(x), 0.0
        for start in range(0, x.size, n):
            xb, out = x[start : start + n], d[start : start + n]
            k = xb.size
            q, sb, ub = square[:k], s[:k], u[:k]
            np.multiply(xb, xb, out=q)
            np.multiply(q, -2 * A * B, out=ub)
            np.subtract(ub, 2 * A, out=ub)
            np.multiply(ub, xb, out=ub)
            np.exp(ub, out=ub)
            np.add(ub, 1, out=ub)
            np.divide(1, ub, out=sb)
            np.multiply(xb, sb, out=ub)
            total += np.add.reduce(ub)
            np.multiply(q, 6 * A * B, out=q)
            np.add(q, 2 * A, out=q)
            np.multiply(q, ub, out=q)
            np.subtract(1, sb, out=ub)
            np.equal(ub, 0, out=flat[:k])
            np.copyto(q, 0, where=flat[:k])  # where x² overflows, the slope is 1 or 0
            np.multiply(q, ub, out=q)
            np.add(sb, q, out=out)
        return {"x": d, "loss": total}

    return run


def loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    x = params["x"]
    return xp.sum(0.5 * x * (1 + xp.tanh(np.float32(A) * (x + np.float32(B) * (x * x * x)))))


def torch_loss(torch: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    return torch.nn.functional.gelu(params["x"], approximate="tanh").sum()


def jax_loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    import jax

    return xp.sum(jax.nn.gelu(params["x"], approximate=True))


def workload(n: int) -> Workload:
    x = normal(np.random.default_rng(0), n)
    return Workload(
        name=f"gelu, {n:,} elements, value and gradient",
        graph=graph(),
        params={"x": x},
        data={},
        by_hand=by_hand,
        loss=loss,
        losses={"torch": torch_loss, "jax": jax_loss},
        small=(lambda: workload(2)) if n > 2 else None,
        tolerance=1e-3,  # sums of 10 million float32 numbers
    )
