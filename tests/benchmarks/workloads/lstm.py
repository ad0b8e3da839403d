"""An LSTM layer over T steps, its last output against a target: value and gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workload import Arrays, Workload, normal
from workloads import naive_lstm

import graphc as gc


def graph(T: int, inputs: int, units: int) -> gc.Graph:
    N = gc.dim("N")
    x, target = gc.input("x", (T, N, inputs)), gc.input("target", (N, units))
    _, h, _ = gc.nn.lstm(x, units, name="lstm")
    return gc.graph({"loss": gc.mean(gc.square(h - target))}, name="lstm")


def by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """All inputs in one product before the loop, all weight gradients in one after it.

    In the loop the gates lie side by side: one exponential serves all, and their gradients are
    written where the next product reads them.
    """
    x, target = data["x"], data["target"]
    W, U, b = (params[name] for name in ("lstm.W", "lstm.U", "lstm.b"))
    (T, N, inputs), H = x.shape, U.shape[0]
    z, h_all, c_all = (np.empty((T, N, k * H), np.float32) for k in (4, 1, 1))
    d_h, d_c, t1, t2 = (np.empty((N, H), np.float32) for _ in range(4))
    tanh_all = np.empty((T, N, H), np.float32)
    product = np.empty((N, 4 * H), np.float32)
    h_before, c_before = (np.zeros((T, N, H), np.float32) for _ in range(2))
    ones = np.ones(T * N, np.float32)
    UT = np.empty((4 * H, H), np.float32)

    def run() -> Mapping[str, Any]:
        x.reshape(T * N, inputs).dot(W, out=z.reshape(T * N, 4 * H))
        np.add(z, b, out=z)
        UT[...] = U.T
        for t in range(T):
            a = z[t]
            i, f, g, o = a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :]
            h_before[t].dot(U, out=product)
            np.add(a, product, out=a)
            np.tanh(g, out=t1)
            np.negative(a, out=a)
            np.exp(a, out=a)
            np.add(a, 1, out=a)
            np.divide(1, a, out=a)
            g[...] = t1
            last = t == T - 1
            h, c = (h_all[t], c_all[t]) if last else (h_before[t + 1], c_before[t + 1])
            np.multiply(f, c_before[t], out=c)
            np.multiply(i, g, out=t1)
            np.add(c, t1, out=c)
            np.tanh(c, out=tanh_all[t])
            np.multiply(o, tanh_all[t], out=h)
        np.subtract(h, target, out=d_h)
        loss = np.vdot(d_h, d_h) / d_h.size
        np.multiply(d_h, np.float32(2 / d_h.size), out=d_h)
        d_c.fill(0)
        for t in range(T - 1, -1, -1):
            a, tc = z[t], tanh_all[t]
            i, f, g, o = a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :]
            # d_c += d_h o (1 - tanh² c)
            np.multiply(tc, tc, out=t1)
            np.subtract(1, t1, out=t1)
            np.multiply(t1, o, out=t1)
            np.multiply(t1, d_h, out=t1)
            np.add(d_c, t1, out=d_c)
            np.multiply(d_c, f, out=t2)  # for the step before
            # d_o = d_h tanh c o (1 - o)
            np.multiply(d_h, tc, out=t1)
            np.multiply(t1, o, out=t1)
            np.subtract(1, o, out=o)
            np.multiply(t1, o, out=o)
            # d_f = d_c c f (1 - f)
            np.subtract(1, f, out=f)
            np.multiply(f, t2, out=f)
            np.multiply(f, c_before[t], out=f)
            # d_i = d_c g i (1 - i), d_g = d_c i (1 - g²)
            np.multiply(d_c, i, out=d_c)
            np.multiply(g, d_c, out=t1)
            np.subtract(1, i, out=i)
            np.multiply(i, t1, out=i)
            np.multiply(g, g, out=g)
            np.subtract(1, g, out=g)
            np.multiply(g, d_c, out=g)
            d_c[...] = t2
            a.dot(UT, out=d_h)
        flat = z.reshape(T * N, 4 * H)
        return {
            "loss": loss,
            "lstm.W": x.reshape(T * N, inputs).T.dot(flat),
            "lstm.U": h_before.reshape(T * N, H).T.dot(flat),
            "lstm.b": ones.dot(flat),
        }

    return run


def step(xp: Any, h: Any, c: Any, z: Any, units: int) -> tuple[Any, Any]:
    """Return the next h and c from the gates before their activations."""
    i, f, g, o = (z[:, k * units : (k + 1) * units] for k in range(4))
    i, f, o = (1 / (1 + xp.exp(-gate)) for gate in (i, f, o))
    c = f * c + i * xp.tanh(g)
    return o * xp.tanh(c), c


def autograd_loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    x, units = data["x"], params["lstm.U"].shape[0]
    h = c = np.zeros((x.shape[1], units), np.float32)
    z = xp.dot(x, params["lstm.W"]) + params["lstm.b"]
    for t in range(len(x)):
        h, c = step(xp, h, c, z[t] + xp.dot(h, params["lstm.U"]), units)
    return xp.mean((h - data["target"]) ** 2)


def jax_loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    import jax

    x, units = data["x"], params["lstm.U"].shape[0]
    zero = xp.zeros((x.shape[1], units), np.float32)

    def body(carry: Any, z: Any) -> Any:
        return step(xp, *carry, z + carry[0] @ params["lstm.U"], units), None

    (h, _), _ = jax.lax.scan(body, (zero, zero), x @ params["lstm.W"] + params["lstm.b"])
    return xp.mean((h - data["target"]) ** 2)


def pytensor_loss(pt: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    import pytensor

    x = data["x"]
    units = params["lstm.U"].get_value(borrow=True).shape[0]
    zero = pt.zeros((x.type.shape[1], units), dtype="float32")
    z = pt.dot(x, params["lstm.W"]) + params["lstm.b"]

    def body(z: Any, h: Any, c: Any, U: Any) -> Any:
        return step(pt, h, c, z + pt.dot(h, U), units)

    (h, _), _ = pytensor.scan(body, [z], [zero, zero], [params["lstm.U"]])
    return pt.mean(pt.square(h[-1] - data["target"]))


def torch_loss(torch: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    """The fused layer, called as `torch.nn.LSTM` calls it."""
    x, U = data["x"], params["lstm.U"]
    zero = x.new_zeros(1, x.shape[1], U.shape[0])
    b = params["lstm.b"]
    weights = [params["lstm.W"].T, U.T, b, torch.zeros_like(b)]
    _, h, _ = torch.lstm(x, (zero, zero), weights, True, 1, 0.0, True, False, False)
    return torch.nn.functional.mse_loss(h[0], data["target"])


def workload(T: int, N: int, inputs: int, units: int) -> Workload:
    rng = np.random.default_rng(0)
    params = {
        "lstm.W": normal(rng, inputs, 4 * units, scale=inputs**-0.5),
        "lstm.U": normal(rng, units, 4 * units, scale=units**-0.5),
        "lstm.b": normal(rng, 4 * units, scale=0.1),
    }
    return Workload(
        name=f"LSTM, {T} steps, batch {N}, {inputs} inputs, {units} units, value and gradient",
        graph=graph(T, inputs, units),
        params=params,
        data={"x": normal(rng, T, N, inputs), "target": normal(rng, N, units)},
        by_hand=by_hand,
        losses={
            "torch": torch_loss,
            "jax": jax_loss,
            "autograd": autograd_loss,
            "pytensor": pytensor_loss,
        },
        naive=naive_lstm.value_and_gradients,
        small=(lambda: workload(T, 2, 2, 2)) if units > 2 else None,
        tolerance=1e-3,
    )
