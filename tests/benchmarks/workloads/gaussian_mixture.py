"""Log-likelihood of a Gaussian mixture with full covariances, as ADBench states it
(Šrajer, Kukelova, Fitzgibbon 2018, doi:10.1080/10556788.2018.1435651): value and gradient.

Component k has the inverse factor Q_k of its covariance, a lower triangle: the exponentials of `q`
on the diagonal, `l` below it, column by column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workload import Arrays, Workload, normal

import graphc as gc


def places(D: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of each element of `l`."""
    columns, rows = np.triu_indices(D, 1)
    return rows, columns


def constant_of(N: int, K: int, D: int) -> float:
    """Return what does not depend on the parameters: normalization and the Wishart prior's."""
    n = D + 1
    log_gamma = 0.25 * D * (D - 1) * math.log(math.pi)
    log_gamma += sum(math.lgamma(0.5 * n + 0.5 * (1 - j)) for j in range(1, D + 1))
    prior = n * D * math.log(1 / math.sqrt(2)) - log_gamma
    return -N * D * 0.5 * math.log(2 * math.pi) - K * prior


def graph(K: int, D: int) -> gc.Graph:
    N = gc.dim("N")
    x = gc.input("x", (N, D))
    alpha, mu = gc.param("alpha", (K,)), gc.param("mu", (K, D))
    q, l = gc.param("q", (K, D)), gc.param("l", (K, D * (D - 1) // 2))  # noqa: E741  # ADBench's names
    rows, columns = places(D)
    diagonal = gc.exp(q)
    # Where each element of the triangle comes from: l, then the diagonal, then a zero.
    source = np.full((D, D), l.shape[1] + D)
    source[rows, columns] = np.arange(l.shape[1])
    source[np.arange(D), np.arange(D)] = l.shape[1] + np.arange(D)
    elements = gc.concat([l, diagonal, gc.zeros((K, 1))], axis=1)
    Q = gc.reshape(gc.take(elements, gc.constant(source.ravel()), axis=1), (K, D, D))
    centered = x[None] - mu[:, None]  # [K, N, D]
    scaled = centered @ gc.swapaxes(Q, 1, 2)
    score = alpha + gc.sum(q, axis=1) - 0.5 * gc.transpose(gc.sum(gc.square(scaled), axis=2))
    likelihood = gc.sum(gc.log(gc.sum(gc.exp(score), axis=1)))
    normalizer = gc.log(gc.sum(gc.exp(alpha))) * N
    prior = 0.5 * (gc.sum(gc.square(diagonal)) + gc.sum(gc.square(l)))
    return gc.graph({"loss": likelihood - normalizer + prior}, name="gaussian_mixture")


def by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """Batched products over the components, in kept buffers; the square is contracted in place."""
    x = data["x"]
    alpha, mu, q, l = (params[name] for name in ("alpha", "mu", "q", "l"))  # noqa: E741  # ADBench's names
    (N, D), K = x.shape, len(alpha)
    rows, columns = places(D)
    i = np.arange(D)
    Q, d_Q = np.zeros((K, D, D), np.float32), np.empty((K, D, D), np.float32)
    centered, scaled, d_centered = (np.empty((K, N, D), np.float32) for _ in range(3))
    score, top = np.empty((K, N), np.float32), np.empty(N, np.float32)
    total, ones = np.empty(N, np.float32), np.ones(N, np.float32)

    def run() -> Mapping[str, Any]:
        diagonal = np.exp(q)
        Q[:, i, i] = diagonal
        Q[:, rows, columns] = l
        np.subtract(x, mu[:, None], out=centered)
        np.matmul(centered, Q.swapaxes(1, 2), out=scaled)
        np.vecdot(scaled, scaled, out=score)
        np.multiply(score, -0.5, out=score)
        np.add(score, (alpha + q.sum(axis=1))[:, None], out=score)
        np.maximum.reduce(score, axis=0, out=top)
        np.subtract(score, top, out=score)
        np.exp(score, out=score)
        np.add.reduce(score, axis=0, out=total)
        np.divide(score, total, out=score)  # each component's share of each point
        np.log(total, out=total)
        shares = score.dot(ones)
        shifted = np.exp(alpha - alpha.max())
        loss = total.sum() + top.sum() - N * (np.log(shifted.sum()) + alpha.max())
        loss += 0.5 * (np.vdot(diagonal, diagonal) + np.vdot(l, l))
        np.multiply(scaled, score[:, :, None], out=scaled)
        np.matmul(scaled.swapaxes(1, 2), centered, out=d_Q)  # minus dloss/dQ
        np.matmul(ones, scaled, out=d_centered[:, 0])
        d_mu = np.matmul(d_centered[:, :1], Q)[:, 0]
        return {
            "loss": loss,
            "alpha": shares - N * shifted / shifted.sum(),
            "mu": d_mu,
            "q": shares[:, None] - d_Q[:, i, i] * diagonal + diagonal * diagonal,
            "l": l - d_Q[:, rows, columns],
        }

    return run


def loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    """Sums of exponentials as the shared libraries write them, shifted by the largest."""
    x, mu, q = data["x"], params["mu"], params["q"]
    K, D = 50, 32
    rows, columns = places(D)
    source = np.full((D, D), len(rows) + D)
    source[rows, columns] = np.arange(len(rows))
    source[np.arange(D), np.arange(D)] = len(rows) + np.arange(D)
    elements = xp.concatenate([params["l"], xp.exp(q), np.zeros((K, 1), np.float32)], axis=1)
    Q = xp.reshape(elements[:, source.ravel()], (K, D, D))
    centered = x[None] - mu[:, None]
    scaled = xp.matmul(centered, xp.transpose(Q, (0, 2, 1)))
    score = params["alpha"] + xp.sum(q, axis=1)
    score = score[:, None] - np.float32(0.5) * xp.sum(scaled * scaled, axis=2)
    top = xp.max(score, axis=0)
    likelihood = xp.sum(top + xp.log(xp.sum(xp.exp(score - top), axis=0)))
    largest = xp.max(params["alpha"])
    normalizer = largest + xp.log(xp.sum(xp.exp(params["alpha"] - largest)))
    prior = np.float32(0.5) * (xp.sum(xp.exp(2 * q)) + xp.sum(params["l"] * params["l"]))
    return likelihood - np.float32(1000) * normalizer + prior


def torch_loss(torch: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    x, mu, q = data["x"], params["mu"], params["q"]
    rows, columns = (torch.from_numpy(a) for a in places(x.shape[1]))
    diagonal = torch.exp(q)
    Q = torch.diag_embed(diagonal).index_put((slice_of(torch, q), rows, columns), params["l"])
    scaled = torch.bmm(x[None] - mu[:, None], Q.transpose(1, 2))
    score = (params["alpha"] + q.sum(1))[:, None] - 0.5 * scaled.square().sum(2)
    likelihood = torch.logsumexp(score, 0).sum()
    normalizer = len(x) * torch.logsumexp(params["alpha"], 0)
    prior = 0.5 * (diagonal.square().sum() + params["l"].square().sum())
    return likelihood - normalizer + prior


def slice_of(torch: Any, q: Any) -> Any:
    return torch.arange(len(q))[:, None]


def workload(N: int = 1000, D: int = 32, K: int = 50) -> Workload:
    rng = np.random.default_rng(0)
    return Workload(
        name=f"Gaussian mixture, {N:,} points, {D} dims, {K} components, value and gradient",
        graph=graph(K, D),
        params={
            "alpha": normal(rng, K),
            "mu": normal(rng, K, D),
            "q": normal(rng, K, D, scale=0.2),
            "l": normal(rng, K, D * (D - 1) // 2, scale=0.1),
        },
        data={"x": normal(rng, N, D)},
        by_hand=by_hand,
        loss=loss,
        losses={"torch": torch_loss},
        small=(lambda: workload(3, 3, 2)) if N > 3 else None,
        tolerance=1e-3,
    )
