"""gelu in its tanh form: the sum over n numbers, and its gradient; pointwise work alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from workload import Arrays, Workload, normal
from workloads import naive_gelu

import graphc as gc

A, B = (2 / np.pi) ** 0.5, 0.044715
#: Elements that stay in the cache through all calls of the chain, and are enough for a thread.
BLOCK = 131072
#: From how many elements on `einsum`, which adds up 64 numbers side by side, is the quicker.
LONG = 8192
CORES = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def graph() -> gc.Graph:
    x = gc.input("x", (gc.dim("n"),))
    return gc.graph({"loss": gc.sum(gc.gelu_tanh(x))}, name="gelu")


def by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """y = x σ(u), u = 2a(x + bx³); y' = σ + xσ(1 − σ)·u': one exponential, in blocks, by threads.

    With e = exp(-u) and σ = 1/(1 + e), 1 − σ = eσ keeps its digits; where e or u' overflows, the
    second term is 0 and shows as NaN.
    """
    x = params["x"]
    n = min(BLOCK, x.size)
    starts = range(0, x.size, n)
    workers = min(CORES, len(starts))
    kept = [[np.empty(n, np.float32) for _ in range(4)] for _ in range(workers)]
    masks = [np.empty(n, bool) for _ in range(workers)]

    def part(start: int, out: np.ndarray, worker: int) -> float:
        xb = x[start : start + n]
        k = xb.size
        q, s, u, v = (array[:k] for array in kept[worker])
        np.multiply(xb, xb, out=q)
        np.multiply(q, -2 * A * B, out=u)
        np.subtract(u, 2 * A, out=u)
        np.multiply(u, xb, out=u)
        np.exp(u, out=u)
        np.add(u, 1, out=s)
        np.divide(1, s, out=s)
        np.multiply(xb, s, out=v)
        total = np.einsum("i->", v) if k > LONG else np.add.reduce(v)
        np.multiply(u, s, out=u)
        np.multiply(u, v, out=u)
        np.multiply(q, 6 * A * B, out=q)
        np.add(q, 2 * A, out=q)
        np.multiply(u, q, out=u)
        bad = np.isnan(u, out=masks[worker][:k])
        u[bad] = 0
        np.add(s, u, out=out[start : start + n])
        return float(total)

    def share(out: np.ndarray, worker: int) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return sum(part(start, out, worker) for start in starts[worker::workers])

    def run() -> Mapping[str, Any]:
        d = np.empty_like(x)
        if workers == 1:
            return {"x": d, "loss": share(d, 0)}
        with ThreadPoolExecutor(workers - 1) as pool:
            others = [pool.submit(share, d, worker) for worker in range(1, workers)]
            total = share(d, 0) + sum(other.result() for other in others)
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
        naive=naive_gelu.value_and_gradient,
        small=(lambda: workload(2)) if n > 2 else None,
        tolerance=1e-3,  # sums of 10 million float32 numbers
    )
