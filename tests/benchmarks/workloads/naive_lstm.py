"""The LSTM step by step: each multiplies its input, and adds to the gradients of the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workload import Arrays


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def value_and_gradients(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    x, target = data["x"], data["target"]
    W, U, b = (params[name] for name in ("lstm.W", "lstm.U", "lstm.b"))
    N, H = target.shape

    def run() -> Mapping[str, Any]:
        h = c = np.zeros((N, H), np.float32)
        steps = []
        for x_t in x:
            z = x_t @ W + h @ U + b
            i, f, o = sigmoid(z[:, :H]), sigmoid(z[:, H : 2 * H]), sigmoid(z[:, 3 * H :])
            g = np.tanh(z[:, 2 * H : 3 * H])
            before = h, c
            c = f * c + i * g
            h = o * np.tanh(c)
            steps.append((x_t, *before, i, f, g, o, c))
        loss = ((h - target) ** 2).mean()
        d_W, d_U, d_b = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
        d_h, d_c = 2 * (h - target) / h.size, np.zeros_like(c)
        for x_t, h_before, c_before, i, f, g, o, c in reversed(steps):
            d_o = d_h * np.tanh(c) * o * (1 - o)
            d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
            d_i = d_c * g * i * (1 - i)
            d_f = d_c * c_before * f * (1 - f)
            d_g = d_c * i * (1 - g**2)
            d_z = np.concatenate([d_i, d_f, d_g, d_o], axis=1)
            d_W += x_t.T @ d_z
            d_U += h_before.T @ d_z
            d_b += d_z.sum(axis=0)
            d_h, d_c = d_z @ U.T, d_c * f
        return {"loss": loss, "lstm.W": d_W, "lstm.U": d_U, "lstm.b": d_b}

    return run
