"""Word vectors by skip-gram with negative sampling (Mikolov et al. 2013): one step of descent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workload import Arrays, Workload, normal

import graphc as gc

RATE = 0.05


def graph(words: int, width: int, negatives: int) -> gc.Graph:
    N = gc.dim("N")
    center = gc.input("center", (N,), dtype="int64")
    context = gc.input("context", (N, 1 + negatives), dtype="int64")
    V, U = gc.param("V", (words, width)), gc.param("U", (words, width))
    v, u = gc.take(V, center, axis=0), gc.take(U, context, axis=0)
    score = gc.einsum("nd,nkd->nk", v, u)
    positive = gc.log(gc.sigmoid(score[:, 0]))
    negative = gc.log(gc.sigmoid(-score[:, 1:]))
    loss = -gc.mean(positive + gc.sum(negative, axis=1))
    return gc.graph({"loss": loss}, name="skip_gram")


def by_hand(params: Arrays, data: Arrays) -> Callable[[], Mapping[str, Any]]:
    """Only the rows that the batch touches change."""
    V, U = params["V"], params["U"]
    center, context = data["center"], data["context"]
    N, K = context.shape
    width = V.shape[1]
    u, d_u = (np.empty((N, K, width), np.float32) for _ in range(2))
    v, d_v = (np.empty((N, 1, width), np.float32) for _ in range(2))
    s, e, t = (np.empty((N, 1, K), np.float32) for _ in range(3))
    sign = np.ones(K, np.float32)
    sign[0] = -1

    # `ufunc.at` is fast on flat arrays alone, and takes two real numbers as a complex one. Places
    # are copied and added to: NumPy repeats a number along a row faster by copying than by adding.
    pairs = np.tile(np.arange(width // 2), (512, 1))
    places = np.empty_like(pairs)

    def add_at(table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
        flat, values = table.reshape(-1).view(np.complex64), values.reshape(-1, width)
        for start in range(0, len(rows), 512):
            some = rows[start : start + 512, None] * (width // 2)
            at = places[: len(some)]
            at[...] = some
            np.add(at, pairs[: len(some)], out=at)
            added = values[start : start + 512].reshape(-1).view(np.complex64)
            np.add.at(flat, at.reshape(-1), added)

    def run() -> Mapping[str, Any]:
        np.take(V, center, axis=0, out=v[:, 0], mode="clip")
        np.take(U, context, axis=0, out=u, mode="clip")
        np.matmul(v, u.swapaxes(1, 2), out=s)
        np.multiply(s, sign, out=s)  # the loss is the sum of log(1 + e^s)
        np.abs(s, out=e)
        np.negative(e, out=e)
        np.exp(e, out=e)
        np.log1p(e, out=t)
        loss = np.add.reduce(t, axis=None)
        s.clip(0, np.inf, out=t)
        loss = (loss + np.add.reduce(t, axis=None)) / N
        s.clip(-np.inf, 0, out=t)
        np.exp(t, out=t)
        np.add(e, 1, out=e)
        np.divide(t, e, out=t)
        np.multiply(t, np.float32(-RATE / N) * sign, out=t)
        np.matmul(t, u, out=d_v)
        np.einsum("nk,nd->nkd", t[:, 0], v[:, 0], out=d_u)
        add_at(V, center, d_v)
        add_at(U, context.ravel(), d_u)
        return {**params, "loss": loss}

    return run


def loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    v, u = params["V"][data["center"]], params["U"][data["context"]]
    s = xp.sum(v[:, None, :] * u, axis=2)
    s = s * np.array([-1] + [1] * 5, np.float32)
    softplus = xp.maximum(s, 0) + xp.log1p(xp.exp(-xp.abs(s)))
    return xp.sum(softplus) / data["center"].shape[0]


def jax_loss(xp: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    v, u = params["V"][data["center"]], params["U"][data["context"]]
    s = xp.einsum("nd,nkd->nk", v, u) * np.array([-1] + [1] * 5, np.float32)
    return xp.sum(xp.logaddexp(s, 0)) / len(data["center"])


def torch_loss(torch: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    functional = torch.nn.functional
    v = functional.embedding(data["center"], params["V"])
    u = functional.embedding(data["context"], params["U"])
    s = torch.bmm(u, v.unsqueeze(2)).squeeze(2)
    total = functional.logsigmoid(s[:, 0]).sum() + functional.logsigmoid(-s[:, 1:]).sum()
    return -total / len(v)


def workload(words: int = 10_000, width: int = 100, N: int = 1024, negatives: int = 5) -> Workload:
    rng = np.random.default_rng(0)
    # Words are as frequent as in text: the r-th with probability ∝ 1/r.
    odds = 1 / np.arange(1, words + 1)
    context = rng.choice(words, (N, 1 + negatives), p=odds / odds.sum())
    return Workload(
        name=f"skip-gram, {words:,} words, {width} wide, batch {N}, SGD step",
        graph=graph(words, width, negatives),
        params={
            "V": normal(rng, words, width, scale=0.3),
            "U": normal(rng, words, width, scale=0.3),
        },
        data={"center": rng.choice(words, N, p=odds / odds.sum()), "context": context},
        by_hand=by_hand,
        loss=loss,
        losses={"torch": torch_loss, "jax": jax_loss},
        rate=RATE,
        small=(lambda: workload(2, 2, 2, 2)) if N > 2 else None,
    )
