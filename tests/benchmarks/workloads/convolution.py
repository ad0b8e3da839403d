"""Convolutions: one 3 × 3 layer, value and all gradients; LeNet-5 on 28 × 28 pixels, one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from workload import Arrays, Workload, normal
from workloads import naive_convolution

import graphc as gc

RATE = 0.01


def shown(x: np.ndarray, k: int) -> np.ndarray:
    """Show the windows of x [channels, height, width, samples]: first places, then positions."""
    return sliding_window_view(x, (k, k), axis=(1, 2)).transpose(0, 4, 5, 1, 2, 3)


def convolve(W: np.ndarray, x: np.ndarray, out: np.ndarray, row: np.ndarray) -> None:
    """Write W @ columns, one row of positions at a time: its columns stay in the cache.

    With samples last, columns are copied in runs of a whole row of all samples.
    """
    F, k = len(W), W.shape[-1]
    windows, flat = shown(x, k), W.reshape(F, -1)
    columns = row.reshape(*windows.shape[:3], *windows.shape[4:])
    for r in range(out.shape[1]):
        columns[...] = windows[:, :, :, r]
        np.matmul(flat, row, out=out[:, r].reshape(F, -1))


def convolve_back(
    W: np.ndarray, x: np.ndarray, d: np.ndarray, d_x: np.ndarray | None, row: np.ndarray
) -> np.ndarray:
    """Return the gradient by W, and write that by x; both need a row's columns only once.

    A small ufunc buffer keeps NumPy from copying rows into it, and back, before it adds them.
    """
    F, k = len(W), W.shape[-1]
    windows, flat = shown(x, k), W.reshape(F, -1)
    columns = row.reshape(*windows.shape[:3], *windows.shape[4:])
    d_W = np.zeros((len(row), F), np.float32)
    if d_x is not None:
        d_x.fill(0)
    for r in range(d.shape[1]):
        d_row = d[:, r].reshape(F, -1)
        columns[...] = windows[:, :, :, r]
        d_W += np.matmul(row, d_row.T)
        if d_x is not None:
            np.matmul(flat.T, d_row, out=row)
            with np.errstate():
                np.setbufsize(1024)
                for j in range(k):
                    d_x[:, r : r + k, j : j + columns.shape[3]] += columns[:, :, j]
    return d_W.T.reshape(W.shape)


# -- one layer -----------------------------------------------------------------------------------


def layer_graph(C: int, size: int, filters: int, k: int) -> gc.Graph:
    N = gc.dim("N")
    x, target = gc.input("x", (N, C, size, size)), gc.input("target", (N, filters, size, size))
    z = gc.nn.conv2d(x, filters, k, padding=k // 2, name="conv")
    return gc.graph({"loss": gc.mean(gc.square(z - target))}, name="conv_layer")


def layer_by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """Channels first and samples last in memory."""
    x, target, W, b = params["x"], data["target"], params["conv.W"], params["conv.b"]
    (N, C, size, _), (F, _, k, _) = x.shape, W.shape
    pad, places = k // 2, N * size * size
    padded = np.zeros((C, size + 2 * pad, size + 2 * pad, N), np.float32)
    d_padded = np.empty_like(padded)
    inside = (slice(None), slice(pad, pad + size), slice(pad, pad + size))
    row = np.empty((C * k * k, size * N), np.float32)
    z = np.empty((F, size, size, N), np.float32)
    ones = np.ones(places, np.float32)

    def run() -> Mapping[str, Any]:
        padded[inside] = x.transpose(1, 2, 3, 0)
        convolve(W, padded, z, row)
        np.add(z, b[:, None, None, None], out=z)
        np.subtract(z, target.transpose(1, 2, 3, 0), out=z)
        loss = np.vdot(z, z) / z.size
        np.multiply(z, np.float32(2 / z.size), out=z)
        d_W = convolve_back(W, padded, z, d_padded, row)
        d_x = d_padded[inside].transpose(3, 0, 1, 2).copy()
        return {"loss": loss, "conv.W": d_W, "conv.b": z.reshape(F, -1).dot(ones), "x": d_x}

    return run


def layer_torch(torch: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    functional = torch.nn.functional
    k = params["conv.W"].shape[-1]
    z = functional.conv2d(params["x"], params["conv.W"], params["conv.b"], padding=k // 2)
    return functional.mse_loss(z, data["target"])


def layer_jax(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    import jax

    z = jax.lax.conv(params["x"], params["conv.W"], (1, 1), "SAME")
    return xp.mean((z + params["conv.b"][:, None, None] - data["target"]) ** 2)


def layer(N: int = 32, C: int = 32, size: int = 16, filters: int = 64, k: int = 3) -> Workload:
    rng = np.random.default_rng(0)
    return Workload(
        name=f"convolution {N}×{C}×{size}×{size}, {filters} filters {k}×{k}, all gradients",
        graph=layer_graph(C, size, filters, k),
        params={
            "x": normal(rng, N, C, size, size),
            "conv.W": normal(rng, filters, C, k, k, scale=(C * k * k) ** -0.5),
            "conv.b": normal(rng, filters),
        },
        data={"target": normal(rng, N, filters, size, size)},
        by_hand=layer_by_hand,
        losses={"torch": layer_torch, "jax": layer_jax},
        naive=naive_convolution.value_and_gradients,
        left_out={"autograd": "no convolution", "pytensor": "no layout in common"},
    )


# -- LeNet ---------------------------------------------------------------------------------------


def lenet_graph() -> gc.Graph:
    N = gc.dim("N")
    x, y = gc.input("x", (N, 1, 28, 28)), gc.input("y", (N,), dtype="int64")
    h = gc.nn.conv2d(x, 6, 5, padding=2, activation=gc.relu, name="conv1")
    h = gc.nn.conv2d(gc.nn.max_pool2d(h, 2), 16, 5, activation=gc.relu, name="conv2")
    h = gc.reshape(gc.nn.max_pool2d(h, 2), (N, 400))
    h = gc.nn.dense(h, 120, activation=gc.relu, name="fc1")
    h = gc.nn.dense(h, 84, activation=gc.relu, name="fc2")
    z = gc.nn.dense(h, 10, name="fc3")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()}, name="lenet")


def pooled(h: np.ndarray, top: np.ndarray) -> None:
    """Write the largest of each 2 × 2 pixels."""
    np.maximum(h[:, ::2, ::2], h[:, ::2, 1::2], out=top)
    np.maximum(top, h[:, 1::2, ::2], out=top)
    np.maximum(top, h[:, 1::2, 1::2], out=top)


def unpooled(h: np.ndarray, top: np.ndarray, d_top: np.ndarray, out: np.ndarray) -> None:
    """Write the gradient through pooling: to the first largest pixel of each 2 × 2."""
    free = np.ones(top.shape, bool)
    for i in (0, 1):
        for j in (0, 1):
            first = (h[:, i::2, j::2] == top) & free
            np.multiply(d_top, first, out=out[:, i::2, j::2])
            free ^= first


def lenet_by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """Channels first and samples last in memory, from the padded images to the dense layers.

    Bias and relu come after pooling, which does not change what they give.
    """
    x, y = data["x"], data["y"]
    N = len(x)
    W1, b1, W2, b2 = (params[n] for n in ("conv1.W", "conv1.b", "conv2.W", "conv2.b"))
    dense = [(params[f"fc{i}.W"], params[f"fc{i}.b"]) for i in (1, 2, 3)]
    padded = np.zeros((1, 32, 32, N), np.float32)
    row1, row2 = (np.empty(s, np.float32) for s in ((25, 28 * N), (150, 10 * N)))
    h1, d_h1 = (np.empty((6, 28, 28, N), np.float32) for _ in range(2))
    h2, d_h2 = (np.empty((16, 10, 10, N), np.float32) for _ in range(2))
    t1, p1, d_p1 = (np.empty((6, 14, 14, N), np.float32) for _ in range(3))
    t2, p2 = (np.empty((16, 5, 5, N), np.float32) for _ in range(2))
    rows, ones = np.arange(N), np.ones(N * 196, np.float32)

    def relu_of_sum(z: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
        np.add(z, b[:, None, None, None], out=out)
        out.clip(0, np.inf, out=out)

    def descend(param: np.ndarray, gradient: np.ndarray) -> None:
        gradient *= RATE
        np.subtract(param, gradient, out=param)

    def run() -> Mapping[str, Any]:
        padded[:, 2:-2, 2:-2] = x.transpose(1, 2, 3, 0)
        convolve(W1, padded, h1, row1)
        pooled(h1, t1)
        relu_of_sum(t1, b1, p1)
        convolve(W2, p1, h2, row2)
        pooled(h2, t2)
        relu_of_sum(t2, b2, p2)
        h = [p2.reshape(400, N).T]
        for W, b in dense:
            z = h[-1].dot(W)
            z += b
            if len(h) < 3:
                z.clip(0, np.inf, out=z)
            h.append(z)
        d = h[-1]
        m = np.maximum.reduce(d, axis=1, keepdims=True)
        np.subtract(d, m, out=d)
        picked = d[rows, y]
        np.exp(d, out=d)
        s = np.add.reduce(d, axis=1, keepdims=True)
        np.divide(d, s, out=d)
        loss = (np.log(s).sum() - picked.sum()) / N
        d[rows, y] -= 1
        d *= np.float32(1 / N)
        for i in (2, 1, 0):
            W, b = dense[i]
            below = W.dot(d.T)
            if i > 0:
                below *= h[i].T > 0
            d_W, d_b = h[i].T.dot(d), ones[:N].dot(d)
            descend(W, d_W)
            descend(b, d_b)
            d = below.T
        d_t2 = d.T.reshape(16, 5, 5, N) * (p2 > 0)
        unpooled(h2, t2, d_t2, d_h2)
        d_W2 = convolve_back(W2, p1, d_h2, d_p1, row2)
        descend(b2, d_t2.reshape(16, -1).dot(ones[: N * 25]))
        descend(W2, d_W2)
        np.multiply(d_p1, p1 > 0, out=d_p1)
        unpooled(h1, t1, d_p1, d_h1)
        descend(W1, convolve_back(W1, padded, d_h1, None, row1))
        descend(b1, d_p1.reshape(6, -1).dot(ones))
        return {**params, "loss": loss}

    return run


def lenet_torch(torch: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    functional = torch.nn.functional
    h = functional.conv2d(data["x"], params["conv1.W"], params["conv1.b"], padding=2)
    h = functional.max_pool2d(functional.relu(h), 2)
    h = functional.max_pool2d(
        functional.relu(functional.conv2d(h, params["conv2.W"], params["conv2.b"])), 2
    ).flatten(1)
    for i in (1, 2, 3):
        h = torch.addmm(params[f"fc{i}.b"], h, params[f"fc{i}.W"])
        h = functional.relu(h) if i < 3 else h
    return functional.cross_entropy(h, data["y"])


def lenet_jax(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    import jax

    def pool(h: Any) -> Any:
        size = (1, 1, 2, 2)
        return jax.lax.reduce_window(h, -np.inf, jax.lax.max, size, size, "VALID")

    h = jax.lax.conv(data["x"], params["conv1.W"], (1, 1), "SAME")
    h = pool(jax.nn.relu(h + params["conv1.b"][:, None, None]))
    h = jax.lax.conv(h, params["conv2.W"], (1, 1), "VALID")
    h = pool(jax.nn.relu(h + params["conv2.b"][:, None, None])).reshape(len(h), -1)
    for i in (1, 2, 3):
        z = h @ params[f"fc{i}.W"] + params[f"fc{i}.b"]
        h = jax.nn.relu(z)
    scores = jax.nn.log_softmax(z)
    return -xp.mean(scores[xp.arange(len(z)), data["y"]])


def lenet(N: int = 64) -> Workload:
    rng = np.random.default_rng(0)
    graph = lenet_graph()
    params = {}
    for name, node in graph.params.items():
        shape = tuple(int(d) for d in node.shape)
        fan = int(np.prod(shape[1:] if len(shape) == 4 else shape[:1]))
        params[name] = normal(rng, *shape, scale=(2 / fan) ** 0.5 if len(shape) > 1 else 0.1)
    return Workload(
        name=f"LeNet-5, batch {N}, SGD step",
        graph=graph,
        params=params,
        data={"x": normal(rng, N, 1, 28, 28), "y": rng.integers(0, 10, N)},
        by_hand=lenet_by_hand,
        losses={"torch": lenet_torch, "jax": lenet_jax},
        rate=RATE,
        left_out={"autograd": "no convolution", "pytensor": "no layout in common"},
        tolerance=1e-3,
    )
