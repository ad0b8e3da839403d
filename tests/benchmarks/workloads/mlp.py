"""A multi-layer perceptron with softmax cross-entropy, one step of gradient descent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from workload import Arrays, Workload, normal
from workloads import naive_mlp

import graphc as gc

RATE = 0.01
#: From how many elements on `clip` is nearly as quick as `maximum` with an array of zeros.
MANY = 16384


def graph(sizes: Sequence[int]) -> gc.Graph:
    N = gc.dim("N")
    h = gc.input("x", (N, sizes[0]))
    y = gc.input("y", (N,), dtype="int64")
    for i, (rows, columns) in enumerate(pairwise(sizes), 1):
        W, b = gc.param(f"W{i}", (rows, columns)), gc.param(f"b{i}", (columns,))
        z = h @ W + b
        h = gc.relu(z)
    p = gc.exp(z) / gc.exp(z).sum(axis=1, keepdims=True)
    loss = -gc.log(gc.take_along_axis(p, y[:, None], axis=1)).mean()
    return gc.graph({"loss": loss}, name="mlp")


def descend(params: Arrays, gradients: Arrays) -> None:
    """One step of plain descent, in place."""
    for name, gradient in gradients.items():
        np.multiply(gradient, RATE, out=gradient)
        np.subtract(params[name], gradient, out=params[name])


def by_hand(
    params: Arrays, data: Arrays, update: Callable[[Arrays, Arrays], None] = descend
) -> Callable[[], Mapping[str, Any]]:
    """Kept buffers, `out=` everywhere, products straight into gradients, in-place updates."""
    x, y = data["x"], data["y"]
    depth = len(params) // 2
    W = [params[f"W{i}"] for i in range(1, depth + 1)]
    b = [params[f"b{i}"] for i in range(1, depth + 1)]
    N = len(x)
    rows, ones = np.arange(N), np.ones(N, np.float32)
    zeros = [np.zeros((N, w.shape[1]), np.float32) for w in W]
    h = [np.empty((N, w.shape[1]), np.float32) for w in W]
    d = [np.empty_like(a) for a in h]
    mask = [np.empty(a.shape, bool) for a in h]
    dW, db = [np.empty_like(w) for w in W], [np.empty_like(v) for v in b]
    m, s = np.empty((N, 1), np.float32), np.empty((N, 1), np.float32)
    gradients = {f"W{i}": dw for i, dw in enumerate(dW, 1)}
    gradients |= {f"b{i}": dv for i, dv in enumerate(db, 1)}

    def run() -> Mapping[str, Any]:
        below = x
        for i in range(depth):
            below.dot(W[i], out=h[i])
            np.add(h[i], b[i], out=h[i])
            if i < depth - 1 and h[i].size < MANY:
                np.maximum(h[i], zeros[i], out=h[i])
            elif i < depth - 1:
                h[i].clip(0, np.inf, out=h[i])
            below = h[i]
        z, d_z = h[-1], d[-1]
        np.maximum.reduce(z, axis=1, keepdims=True, out=m)
        np.subtract(z, m, out=d_z)
        picked = d_z[rows, y]
        np.exp(d_z, out=d_z)
        np.add.reduce(d_z, axis=1, keepdims=True, out=s)
        np.divide(d_z, s, out=d_z)
        np.log(s, out=s)
        loss = (np.add.reduce(s, axis=None) - np.add.reduce(picked)) / N
        d_z[rows, y] -= 1
        np.multiply(d_z, np.float32(1 / N), out=d_z)
        for i in range(depth - 1, -1, -1):
            (h[i - 1].T if i else x.T).dot(d[i], out=dW[i])
            ones.dot(d[i], out=db[i])
            if i:
                d[i].dot(W[i].T, out=d[i - 1])
                np.greater(h[i - 1], 0, out=mask[i - 1])
                np.multiply(d[i - 1], mask[i - 1], out=d[i - 1])
        update(params, gradients)
        return {**params, "loss": loss}

    return run


def loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    h, depth = data["x"], len(params) // 2
    for i in range(1, depth + 1):
        z = h @ params[f"W{i}"] + params[f"b{i}"]
        h = xp.maximum(z, 0)
    shifted = z - xp.max(z, axis=1, keepdims=True)
    total = xp.log(xp.sum(xp.exp(shifted), axis=1))
    return xp.mean(total - shifted[xp.arange(len_of(data["y"])), data["y"]])


def len_of(y: Any) -> Any:
    return y.shape[0]


def torch_loss(torch: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    functional = torch.nn.functional
    h, depth = data["x"], len(params) // 2
    for i in range(1, depth + 1):
        z = torch.addmm(params[f"b{i}"], h, params[f"W{i}"])
        h = functional.relu(z)
    return functional.cross_entropy(z, data["y"])


def workload(sizes: Sequence[int], batch: int, small: bool = True) -> Workload:
    rng = np.random.default_rng(0)
    params = {}
    for i, (rows, columns) in enumerate(pairwise(sizes), 1):
        params[f"W{i}"] = normal(rng, rows, columns, scale=(2 / rows) ** 0.5)
        params[f"b{i}"] = np.zeros(columns, np.float32)
    x, y = normal(rng, batch, sizes[0]), rng.integers(0, sizes[-1], batch)
    return Workload(
        name=f"MLP {'-'.join(map(str, sizes))}, batch {batch}, SGD step",
        graph=graph(sizes),
        params=params,
        data={"x": x, "y": y},
        by_hand=by_hand,
        loss=loss,
        losses={"torch": torch_loss},
        naive=naive_mlp.step(RATE),
        rate=RATE,
        small=(lambda: workload([2] * len(sizes), 2, small=False)) if small else None,
    )
