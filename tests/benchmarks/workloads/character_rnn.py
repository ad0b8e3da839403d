"""A recurrent net that predicts the next of 64 characters at each step: one step of descent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workload import Arrays, Workload, normal

import graphc as gc

RATE = 0.01


def graph(T: int, vocabulary: int, units: int) -> gc.Graph:
    N = gc.dim("N")
    x, y = (gc.input(name, (T, N), dtype="int64") for name in ("x", "y"))
    W, U = gc.param("W", (vocabulary, units)), gc.param("U", (units, units))
    b, V, c = (
        gc.param("b", (units,)),
        gc.param("V", (units, vocabulary)),
        gc.param("c", (vocabulary,)),
    )

    def cell(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        h = gc.tanh(gc.take(W, x_t, axis=0) + h @ U + b)
        return h, h

    _, hs = gc.scan(cell, init=gc.zeros((N, units)), xs=x)
    z = hs @ V + c
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    return gc.graph({"loss": loss}, name="character_rnn")


def by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """Rows of W, scores, softmax and weight gradients for all steps at once."""
    x, y = data["x"], data["y"]
    W, U, b, V, c = (params[name] for name in ("W", "U", "b", "V", "c"))
    (T, N), (words, H) = x.shape, W.shape
    a, h, d_h = (np.empty((T, N, H), np.float32) for _ in range(3))
    before = np.zeros((T, N, H), np.float32)
    product, later = np.empty((N, H), np.float32), np.empty((N, H), np.float32)
    z = np.empty((T * N, words), np.float32)
    m, rows, ones = np.empty((T * N, 1), np.float32), np.arange(T * N), np.ones(T * N, np.float32)
    dU, dV, d_b, d_c = np.empty_like(U), np.empty_like(V), np.empty_like(b), np.empty_like(c)
    one_hot = np.zeros((T * N, words), np.float32)
    labels = y.reshape(-1)

    def run() -> Mapping[str, Any]:
        np.take(W, x, axis=0, out=a, mode="clip")
        np.add(a, b, out=a)
        for t in range(T):
            before[t].dot(U, out=product)
            np.add(a[t], product, out=product)
            np.tanh(product, out=h[t])
            if t < T - 1:
                np.copyto(before[t + 1], h[t])
        flat = h.reshape(T * N, H)
        flat.dot(V, out=z)
        np.add(z, c, out=z)
        np.maximum.reduce(z, axis=1, keepdims=True, out=m)
        np.subtract(z, m, out=z)
        picked = z[rows, labels]
        np.exp(z, out=z)
        z.dot(ones[:words, None], out=m)
        np.divide(z, m, out=z)
        np.log(m, out=m)
        loss = (np.add.reduce(m, axis=None) - np.add.reduce(picked)) / (T * N)
        z[rows, labels] -= 1
        np.multiply(z, np.float32(1 / (T * N)), out=z)
        flat.T.dot(z, out=dV)
        ones.dot(z, out=d_c)
        z.dot(V.T, out=d_h.reshape(T * N, H))
        np.multiply(h, h, out=a)
        np.subtract(1, a, out=a)
        later.fill(0)
        for t in range(T - 1, -1, -1):
            np.add(d_h[t], later, out=d_h[t])
            np.multiply(d_h[t], a[t], out=d_h[t])
            d_h[t].dot(U.T, out=later)
        flat_d = d_h.reshape(T * N, H)
        before.reshape(T * N, H).T.dot(flat_d, out=dU)
        ones.dot(flat_d, out=d_b)
        one_hot.fill(0)
        one_hot[rows, x.reshape(-1)] = 1
        dW = one_hot.T.dot(flat_d)
        for param, gradient in ((W, dW), (U, dU), (b, d_b), (V, dV), (c, d_c)):
            np.multiply(gradient, RATE, out=gradient)
            np.subtract(param, gradient, out=param)
        return {**params, "loss": loss}

    return run


def score(xp: Any, z: Any, y: Any) -> Any:
    shifted = z - xp.max(z, axis=1, keepdims=True)
    total = xp.log(xp.sum(xp.exp(shifted), axis=1))
    return xp.mean(total - shifted[xp.arange(y.shape[0]), y])


def autograd_loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    x = data["x"]
    h, hs = np.zeros((x.shape[1], len(params["b"])), np.float32), []
    for x_t in x:
        h = xp.tanh(params["W"][x_t] + xp.dot(h, params["U"]) + params["b"])
        hs.append(h)
    z = xp.dot(xp.concatenate(hs), params["V"]) + params["c"]
    return score(xp, z, data["y"].reshape(-1))


def jax_loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    import jax

    x, units = data["x"], len(params["b"])

    def cell(h: Any, x_t: Any) -> Any:
        h = xp.tanh(params["W"][x_t] + h @ params["U"] + params["b"])
        return h, h

    _, hs = jax.lax.scan(cell, xp.zeros((x.shape[1], units), np.float32), x)
    return score(xp, hs.reshape(-1, units) @ params["V"] + params["c"], data["y"].reshape(-1))


def pytensor_loss(pt: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    import pytensor

    x = data["x"]
    units = params["b"].get_value(borrow=True).shape[0]
    zero = pt.zeros((x.type.shape[1], units), dtype="float32")

    def cell(x_t: Any, h: Any, W: Any, U: Any, b: Any) -> Any:
        return pt.tanh(W[x_t] + pt.dot(h, U) + b)

    hs, _ = pytensor.scan(cell, [x], [zero], [params[name] for name in ("W", "U", "b")])
    z = pt.dot(hs.reshape((-1, units)), params["V"]) + params["c"]
    return score(pt, z, data["y"].reshape((-1,)))


def torch_loss(torch: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    """The fused layer, called as `torch.nn.RNN` calls it, on rows of W."""
    functional = torch.nn.functional
    a = functional.embedding(data["x"], params["W"])
    units = a.shape[-1]
    zero = a.new_zeros(1, a.shape[1], units)
    weights = [torch.eye(units), params["U"].T, params["b"], torch.zeros(units)]
    hs, _ = torch.rnn_tanh(a, zero, weights, True, 1, 0.0, True, False, False)
    z = torch.addmm(params["c"], hs.reshape(-1, units), params["V"])
    return functional.cross_entropy(z, data["y"].reshape(-1))


def workload(T: int = 50, N: int = 32, vocabulary: int = 64, units: int = 128) -> Workload:
    rng = np.random.default_rng(0)
    params = {
        "W": normal(rng, vocabulary, units, scale=0.3),
        "U": normal(rng, units, units, scale=units**-0.5),
        "b": np.zeros(units, np.float32),
        "V": normal(rng, units, vocabulary, scale=units**-0.5),
        "c": np.zeros(vocabulary, np.float32),
    }
    x, y = rng.integers(0, vocabulary, (2, T, N))
    return Workload(
        name=f"character RNN, {T} steps, batch {N}, {vocabulary} characters, {units} units, step",
        graph=graph(T, vocabulary, units),
        params=params,
        data={"x": x, "y": y},
        by_hand=by_hand,
        losses={
            "torch": torch_loss,
            "jax": jax_loss,
            "autograd": autograd_loss,
            "pytensor": pytensor_loss,
        },
        rate=RATE,
        small=(lambda: workload(T, 2, 2, 2)) if units > 2 else None,
        tolerance=1e-3,
    )
