"""Self-attention with eight heads as raw operations: value and gradient of all four matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from workload import Arrays, Workload, normal

import graphc as gc

HEADS = 8


def graph(T: int, D: int, heads: int) -> gc.Graph:
    N, width = gc.dim("N"), D // heads
    x, target = gc.input("x", (N, T, D)), gc.input("target", (N, T, D))
    Wq, Wk, Wv, Wo = (gc.param(name, (D, D)) for name in ("Wq", "Wk", "Wv", "Wo"))

    def split(h: gc.Node) -> gc.Node:
        return gc.transpose(gc.reshape(h, (N, T, heads, width)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = q @ gc.swapaxes(k, -1, -2) / width**0.5
    a = gc.exp(scores) / gc.sum(gc.exp(scores), axis=-1, keepdims=True)
    h = gc.reshape(gc.transpose(a @ v, (0, 2, 1, 3)), (N, T, D))
    loss = gc.mean(gc.square(h @ Wo - target))
    return gc.graph({"loss": loss}, name="attention")


def by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """Batched products on views of kept buffers; the softmax and its gradient in place."""
    x, target = data["x"], data["target"]
    Wq, Wk, Wv, Wo = (params[name] for name in ("Wq", "Wk", "Wv", "Wo"))
    N, T, D = x.shape
    heads = HEADS if D > HEADS else 2
    width = D // heads
    scale = np.float32(width**-0.5)
    rows = x.reshape(N * T, D)
    q, k, v, h, d_h, d_q, d_k, d_v = (np.empty((N * T, D), np.float32) for _ in range(8))
    out = np.empty((N * T, D), np.float32)
    a, d_a = (np.empty((N, heads, T, T), np.float32) for _ in range(2))
    m = np.empty((N, heads, T, 1), np.float32)

    def split(array: np.ndarray) -> np.ndarray:
        return array.reshape(N, T, heads, width).transpose(0, 2, 1, 3)

    def run() -> Mapping[str, Any]:
        rows.dot(Wq, out=q)
        np.multiply(q, scale, out=q)
        rows.dot(Wk, out=k)
        rows.dot(Wv, out=v)
        np.matmul(split(q), split(k).swapaxes(-1, -2), out=a)
        np.maximum.reduce(a, axis=-1, keepdims=True, out=m)
        np.subtract(a, m, out=a)
        np.exp(a, out=a)
        np.add.reduce(a, axis=-1, keepdims=True, out=m)
        np.divide(a, m, out=a)
        np.matmul(a, split(v), out=split(h))
        h.dot(Wo, out=out)
        np.subtract(out, target.reshape(N * T, D), out=out)
        loss = np.vdot(out, out) / out.size
        np.multiply(out, np.float32(2 / out.size), out=out)
        d_Wo = h.T.dot(out)
        out.dot(Wo.T, out=d_h)
        np.matmul(a.swapaxes(-1, -2), split(d_h), out=split(d_v))
        np.matmul(split(d_h), split(v).swapaxes(-1, -2), out=d_a)
        np.multiply(d_a, a, out=d_a)
        np.add.reduce(d_a, axis=-1, keepdims=True, out=m)
        np.multiply(a, m, out=a)
        np.subtract(d_a, a, out=d_a)
        np.matmul(d_a, split(k), out=split(d_q))
        np.multiply(d_q, scale, out=d_q)
        np.matmul(d_a.swapaxes(-1, -2), split(q), out=split(d_k))
        return {
            "loss": loss,
            "Wq": rows.T.dot(d_q),
            "Wk": rows.T.dot(d_k),
            "Wv": rows.T.dot(d_v),
            "Wo": d_Wo,
        }

    return run


def loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any], heads: int = HEADS) -> Any:
    x = data["x"]
    N, T, D = x.shape
    width = D // heads

    def split(h: Any) -> Any:
        return xp.transpose(xp.reshape(h, (N, T, heads, width)), (0, 2, 1, 3))

    q, k, v = (split(x @ params[name]) for name in ("Wq", "Wk", "Wv"))
    scores = q @ xp.swapaxes(k, -1, -2) * np.float32(width**-0.5)
    e = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
    a = e / xp.sum(e, axis=-1, keepdims=True)
    h = xp.reshape(xp.transpose(a @ v, (0, 2, 1, 3)), (N, T, D))
    error = h @ params["Wo"] - data["target"]
    return xp.mean(error * error)


def pytensor_loss(pt: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    x = data["x"]
    N, T, D = x.type.shape

    def split(h: Any) -> Any:
        return h.reshape((N, T, HEADS, D // HEADS)).transpose(0, 2, 1, 3)

    q, k, v = (split(pt.dot(x, params[name])) for name in ("Wq", "Wk", "Wv"))
    a = pt.special.softmax(pt.matmul(q, k.transpose(0, 1, 3, 2)) * np.float32(32**-0.5), axis=-1)
    h = pt.matmul(a, v).transpose(0, 2, 1, 3).reshape((N, T, D))
    return pt.mean(pt.square(pt.dot(h, params["Wo"]) - data["target"]))


def torch_loss(
    torch: Any, params: Mapping[str, Any], data: Mapping[str, Any], heads: int = HEADS
) -> Any:
    x = data["x"]
    N, T, D = x.shape
    width = D // heads

    def split(h: Any) -> Any:
        return h.reshape(N, T, heads, width).transpose(1, 2)

    q, k, v = (split(x @ params[name]) for name in ("Wq", "Wk", "Wv"))
    a = torch.softmax(q @ k.transpose(-1, -2) * width**-0.5, dim=-1)
    h = (a @ v).transpose(1, 2).reshape(N, T, D)
    return torch.nn.functional.mse_loss(h @ params["Wo"], data["target"])


def workload(N: int = 8, T: int = 128, D: int = 256, heads: int = HEADS) -> Workload:
    rng = np.random.default_rng(0)
    return Workload(
        name=f"attention block, batch {N}, {T} tokens, {D} wide, {heads} heads, value and gradient",
        graph=graph(T, D, heads),
        params={n: normal(rng, D, D, scale=2 * D**-0.5) for n in ("Wq", "Wk", "Wv", "Wo")},
        data={"x": normal(rng, N, T, D), "target": normal(rng, N, T, D)},
        by_hand=by_hand,
        loss=partial(loss, heads=heads),
        losses={"torch": partial(torch_loss, heads=heads), "pytensor": pytensor_loss},
        small=(lambda: workload(2, 2, 4, 2)) if N > 2 else None,
    )
