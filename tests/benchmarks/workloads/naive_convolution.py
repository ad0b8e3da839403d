"""A convolution layer as one einsum over all windows; its gradients are two more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from workload import Arrays


def value_and_gradients(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """Return z = W * x + b against a target: the mean square, and d_W, d_b, d_x."""
    x, W, b, target = params["x"], params["conv.W"], params["conv.b"], data["target"]
    k = W.shape[-1]

    def windows(a: np.ndarray, pad: int) -> np.ndarray:
        padded = np.pad(a, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        return sliding_window_view(padded, (k, k), axis=(2, 3))

    def run() -> Mapping[str, Any]:
        of_x = windows(x, k // 2)
        z = np.einsum("ncxyij,fcij->nfxy", of_x, W, optimize=True) + b[:, None, None]
        loss = ((z - target) ** 2).mean()
        d = 2 * (z - target) / z.size
        d_W = np.einsum("ncxyij,nfxy->fcij", of_x, d, optimize=True)
        of_d = windows(d, k - 1 - k // 2)
        d_x = np.einsum("nfxyij,fcij->ncxy", of_d, W[:, :, ::-1, ::-1], optimize=True)
        return {"loss": loss, "conv.W": d_W, "conv.b": d.sum(axis=(0, 2, 3)), "x": d_x}

    return run
