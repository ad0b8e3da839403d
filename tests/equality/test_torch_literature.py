"""Models of the literature equal PyTorch's autograd: each typed here and there as its paper has it.

They were chosen for what they put together: splines, running sums and products, indices that are
predictions, factors that are exactly 0. Those with loops stand in `test_torch_literature_loops.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch_equality import DTYPES, assert_equal, normal, params, torch, weights

import graphc as gc
from graphc.ir.node import Node

F = torch.nn.functional
RNG = np.random.default_rng(23)
Model = tuple[Callable[..., Any], Callable[..., Any], dict[str, np.ndarray], dict[str, np.ndarray]]


# -- a Kolmogorov-Arnold layer: cubic splines by de Boor's recursion (arXiv:2404.19756) ------------

KNOTS = np.arange(-3.0, 9.0) * 0.75 - 2.25
KAN = weights(RNG, C=(3, 4, 8), W=(4, 3))


def kan(x: Node) -> Node:
    C, W = params(KAN, x)
    t, z = gc.constant(KNOTS, x.dtype), x[:, :, None]
    basis = gc.astype((z >= t[:-1]) & (z < t[1:]), x.dtype)
    for k in range(1, 4):
        left = (z - t[: -k - 1]) / (t[k:-1] - t[: -k - 1])
        right = (t[k + 1 :] - z) / (t[k + 1 :] - t[1:-k])
        basis = left * basis[:, :, :-1] + right * basis[:, :, 1:]
    return gc.einsum("nig,oig->no", basis, C) + gc.silu(x) @ W


def kan_torch(x: Any, C: Any, W: Any) -> Any:
    t, z = torch.tensor(KNOTS).to(x.dtype), x[:, :, None]
    basis = ((z >= t[:-1]) & (z < t[1:])).to(x.dtype)
    for k in range(1, 4):
        left = (z - t[: -k - 1]) / (t[k:-1] - t[: -k - 1])
        right = (t[k + 1 :] - z) / (t[k + 1 :] - t[1:-k])
        basis = left * basis[:, :, :-1] + right * basis[:, :, 1:]
    return torch.einsum("nig,oig->no", basis, C) + F.silu(x) @ W


# -- Cox's partial likelihood of survival times, of a network's scores (arXiv:1606.00931) ----------

COX = weights(RNG, W=(5, 6), w=(6,))


def cox(x: Node, time: Node, died: Node) -> Node:
    W, w = params(COX, x)
    order = gc.argsort(gc.stop_gradient(time), descending=True)
    risk = (gc.relu(x @ W) @ w)[order]
    return (risk - gc.log(gc.cumsum(gc.exp(risk)))) * gc.astype(died[order], x.dtype)


def cox_torch(x: Any, time: Any, died: Any, W: Any, w: Any) -> Any:
    order = torch.argsort(time, descending=True)
    risk = (torch.relu(x @ W) @ w)[order]
    return (risk - torch.logcumsumexp(risk, 0)) * died[order]


# -- capsules, three rounds of routing (arXiv:1710.09829) ------------------------------------------

CAPSULES = weights(RNG, W=(6, 3, 4, 5))


def capsules(u: Node) -> Node:
    (W,) = params(CAPSULES, u)
    votes = gc.einsum("nic,ijcd->nijd", u, W)
    b = gc.zeros((u.shape[0], 6, 3), u.dtype)
    for _ in range(3):
        s = gc.sum(gc.softmax(b, axis=2)[..., None] * votes, axis=1)
        squared = gc.sum(s**2, axis=-1, keepdims=True)
        v = squared / (1 + squared) * s / gc.sqrt(squared + 1e-9)
        b = b + gc.sum(votes * v[:, None], axis=-1)
    return gc.norm(v, axis=-1)


def capsules_torch(u: Any, W: Any) -> Any:
    votes = torch.einsum("nic,ijcd->nijd", u, W)
    b = torch.zeros(votes.shape[:3], dtype=u.dtype)
    for _ in range(3):
        s = (torch.softmax(b, 2)[..., None] * votes).sum(1)
        squared = (s**2).sum(-1, keepdim=True)
        v = squared / (1 + squared) * s / torch.sqrt(squared + 1e-9)
        b = b + (votes * v[:, None]).sum(-1)
    return torch.linalg.norm(v, dim=-1)


# -- a mixture of experts, of which one answers (arXiv:2101.03961) ---------------------------------

EXPERTS = weights(RNG, G=(4, 3), W=(3, 4, 6), b=(3, 6), V=(3, 6, 2))


def experts(x: Node) -> Node:
    G, W, b, V = params(EXPERTS, x)
    gate, rows = gc.softmax(x @ G), gc.arange(x.shape[0])
    hidden = gc.relu(gc.einsum("nd,edh->neh", x, W) + b)
    answers = gc.einsum("neh,eho->neo", hidden, V)
    best = gc.argmax(gate, axis=-1)
    balance = 3 * gc.mean(gc.one_hot(best, 3, x.dtype), axis=0) @ gc.mean(gate, axis=0)
    return gate[rows, best][:, None] * answers[rows, best] + 0.1 * balance


def experts_torch(x: Any, G: Any, W: Any, b: Any, V: Any) -> Any:
    gate, rows = torch.softmax(x @ G, -1), torch.arange(len(x))
    hidden = torch.relu(torch.einsum("nd,edh->neh", x, W) + b)
    answers = torch.einsum("neh,eho->neo", hidden, V)
    best = gate.argmax(-1)
    balance = 3 * F.one_hot(best, 3).to(x.dtype).mean(0) @ gate.mean(0)
    return gate[rows, best][:, None] * answers[rows, best] + 0.1 * balance


# -- a block of Llama: rotated, grouped queries, and a gated network (arXiv:2307.09288) ------------

STEPS, HEADS, GROUPS, SIZE = 5, 4, 2, 4
D = HEADS * SIZE
LLAMA = weights(
    RNG, Q=(D, D), K=(D, 8), V=(D, 8), M=(D, D), A=(D, 24), B=(D, 24), C=(24, D), g=(D,)
)
ANGLES = np.arange(STEPS)[:, None] / 10000 ** (np.arange(0, SIZE, 2) / SIZE)


def llama(x: Node) -> Node:
    Q, K, V, M, A, B, C, g = params(LLAMA, x)
    cos, sin = gc.constant(np.cos(ANGLES), x.dtype), gc.constant(np.sin(ANGLES), x.dtype)

    def normed(a: Node) -> Node:
        return g * a / gc.sqrt(gc.mean(a**2, axis=-1, keepdims=True) + 1e-6)

    def heads(a: Node, n: int) -> Node:
        return a.reshape(-1, STEPS, n, SIZE).transpose(0, 2, 1, 3)

    def rotated(a: Node) -> Node:
        even, odd = a[..., ::2], a[..., 1::2]
        return gc.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(*a.shape)

    h = normed(x)
    q, k, v = rotated(heads(h @ Q, HEADS)), rotated(heads(h @ K, GROUPS)), heads(h @ V, GROUPS)
    k, v = gc.repeat(k, HEADS // GROUPS, axis=1), gc.repeat(v, HEADS // GROUPS, axis=1)
    scores = q @ gc.swapaxes(k, -1, -2) / SIZE**0.5
    past = gc.arange(STEPS)[:, None] >= gc.arange(STEPS)
    a = gc.softmax(gc.where(past, scores, -np.inf)) @ v
    x = x + a.transpose(0, 2, 1, 3).reshape(-1, STEPS, D) @ M
    return x + (gc.silu(normed(x) @ A) * (normed(x) @ B)) @ C


def llama_torch(x: Any, g: Any, **given: Any) -> Any:
    Q, K, V, M, A, B, C = given.values()
    cos, sin = torch.tensor(np.cos(ANGLES)).to(x.dtype), torch.tensor(np.sin(ANGLES)).to(x.dtype)

    def heads(a: Any, n: int) -> Any:
        return a.reshape(-1, STEPS, n, SIZE).transpose(1, 2)

    def rotated(a: Any) -> Any:
        even, odd = a[..., ::2], a[..., 1::2]
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)

    h = F.rms_norm(x, (D,), g, 1e-6)
    q, k, v = rotated(heads(h @ Q, HEADS)), rotated(heads(h @ K, GROUPS)), heads(h @ V, GROUPS)
    a = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    x = x + a.transpose(1, 2).reshape(-1, STEPS, D) @ M
    h = F.rms_norm(x, (D,), g, 1e-6)
    return x + (F.silu(h @ A) * (h @ B)) @ C


# -- a radiance field: waves of a point, and what a ray sees of it (arXiv:2003.08934) --------------

FIELD = weights(RNG, W=(18, 12), V=(12, 4))
WAVES = math.pi * 2.0 ** np.arange(3)


def radiance(start: Node, ray: Node, depth: Node) -> Node:
    W, V = params(FIELD, ray)
    points = start[:, None] + depth[:, :, None] * ray[:, None]
    a = points[..., None] * gc.constant(WAVES, ray.dtype)
    waves = gc.concat([gc.sin(a), gc.cos(a)], axis=-1).reshape(-1, 6, 18)
    out = gc.relu(waves @ W) @ V
    steps = gc.concat([gc.diff(depth), gc.full_like(depth[:, :1], 1e10)], axis=1)
    alpha = 1 - gc.exp(-gc.relu(out[..., 3]) * steps)
    passed = gc.cumprod(gc.concat([gc.ones_like(alpha[:, :1]), 1 - alpha], axis=1), axis=1)
    return gc.sum((alpha * passed[:, :-1])[..., None] * gc.sigmoid(out[..., :3]), axis=1)


def radiance_torch(start: Any, ray: Any, depth: Any, W: Any, V: Any) -> Any:
    points = start[:, None] + depth[:, :, None] * ray[:, None]
    a = points[..., None] * torch.tensor(WAVES).to(ray.dtype)
    out = torch.relu(torch.cat([a.sin(), a.cos()], -1).flatten(-2) @ W) @ V
    steps = torch.cat([depth.diff(), torch.full_like(depth[:, :1], 1e10)], 1)
    alpha = 1 - torch.exp(-torch.relu(out[..., 3]) * steps)
    passed = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha], 1), 1)
    return ((alpha * passed[:, :-1])[..., None] * torch.sigmoid(out[..., :3])).sum(1)


MODELS: dict[str, Model] = {
    "kan": (kan, kan_torch, {"x": normal(RNG, 9, 4, scale=1.2)}, KAN),
    "cox": (
        cox,
        cox_torch,
        {"x": normal(RNG, 40, 5), "time": RNG.exponential(size=40), "died": RNG.random(40) < 0.6},
        COX,
    ),
    "capsules": (capsules, capsules_torch, {"u": normal(RNG, 4, 6, 4)}, CAPSULES),
    "experts": (experts, experts_torch, {"x": normal(RNG, 11, 4)}, EXPERTS),
    "llama": (llama, llama_torch, {"x": normal(RNG, 2, STEPS, D)}, LLAMA),
    "radiance": (
        radiance,
        radiance_torch,
        {
            "start": normal(RNG, 3, 3),
            "ray": normal(RNG, 3, 3),
            "depth": np.sort(RNG.uniform(0.5, 1.5, (3, 6)), axis=1),
        },
        FIELD,
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, dtype: str) -> None:
    ours, theirs, inputs, given = MODELS[name]
    assert_equal(ours, theirs, inputs, given, dtype)
