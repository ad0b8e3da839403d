"""Models of the literature with loops equal PyTorch's autograd, which goes through every step.

They were chosen for what a step does: it writes into a memory, takes places that were predicted,
keeps a mask that grows, stands still where a sequence has ended, or runs backwards.
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


# -- a neural Turing machine: what it reads at each step (arXiv:1410.5401) -------------------------

PLACES, WIDTH = 7, 4
TURING = weights(
    RNG,
    M=(PLACES, WIDTH),
    Wk=(3, WIDTH),
    Wb=(3,),
    Wg=(3,),
    Ws=(3, 3),
    Wy=(3,),
    We=(3, WIDTH),
    Wa=(3, WIDTH),
)


def turing_machine(x: Node) -> Node:
    M, Wk, Wb, Wg, Ws, Wy, We, Wa = params(TURING, x)

    def step(memory: Node, w: Node, h: Node) -> tuple[Node, ...]:
        key, beta, gate = gc.tanh(h @ Wk), gc.softplus(h @ Wb), gc.sigmoid(h @ Wg)
        alike = memory @ key / (gc.norm(key) * gc.norm(memory, axis=1) + 1e-8)
        w = gate * gc.softmax(beta * alike) + (1 - gate) * w
        shift = gc.softmax(h @ Ws)
        w = shift[0] * gc.roll(w, 1) + shift[1] * w + shift[2] * gc.roll(w, -1)
        w = w ** (1 + gc.softplus(h @ Wy))
        w = w / gc.sum(w)
        erased = memory * (1 - gc.outer(w, gc.sigmoid(h @ We)))
        memory = erased + gc.outer(w, gc.tanh(h @ Wa))
        return memory, w, w @ memory

    start = gc.full((PLACES,), 1 / PLACES, x.dtype)
    return gc.scan(step, (M, start), x)[2]


def turing_machine_torch(x: Any, M: Any, **given: Any) -> Any:
    Wk, Wb, Wg, Ws, Wy, We, Wa = given.values()
    memory, w, read = M, torch.full((PLACES,), 1 / PLACES, dtype=x.dtype), []
    for h in x:
        key, beta, gate = torch.tanh(h @ Wk), F.softplus(h @ Wb), torch.sigmoid(h @ Wg)
        alike = memory @ key / (key.norm() * memory.norm(dim=1) + 1e-8)
        w = gate * torch.softmax(beta * alike, 0) + (1 - gate) * w
        shift = torch.softmax(h @ Ws, 0)
        w = shift[0] * torch.roll(w, 1) + shift[1] * w + shift[2] * torch.roll(w, -1)
        w = w ** (1 + F.softplus(h @ Wy))
        w = w / w.sum()
        erased = memory * (1 - torch.outer(w, torch.sigmoid(h @ We)))
        memory = erased + torch.outer(w, torch.tanh(h @ Wa))
        read.append(w @ memory)
    return torch.stack(read)


# -- a pointer network on its way through points, none of them twice (arXiv:1506.03134) ------------

CITIES = 6
POINTER = weights(RNG, E=(2, 5), U=(5, 5), A=(5, 5), B=(5, 5), v=(5,))


def pointer(x: Node, tour: Node) -> Node:
    E, U, A, B, v = params(POINTER, x)
    cities, rows = x @ E, gc.arange(x.shape[0])

    def step(h: Node, read: Node, seen: Node, at: Node) -> tuple[Node, ...]:
        h = gc.tanh(read + h @ U)
        scores = gc.tanh(cities @ A + (h @ B)[:, None]) @ v
        p = gc.softmax(gc.where(seen, -np.inf, scores))
        seen = seen | gc.one_hot(at, CITIES, dtype="bool")
        return h, cities[rows, at], seen, p[rows, at]

    n = x.shape[0]
    start = (gc.zeros((n, 5), x.dtype), gc.mean(cities, axis=1), gc.zeros((n, CITIES), "bool"))
    return -gc.log(gc.scan(step, start, tour.T)[3])


def pointer_torch(x: Any, tour: Any, E: Any, U: Any, A: Any, B: Any, v: Any) -> Any:
    cities, rows, losses = x @ E, torch.arange(len(x)), []
    h, read = torch.zeros(len(x), 5, dtype=x.dtype), cities.mean(1)
    seen = torch.zeros(len(x), CITIES, dtype=torch.bool)
    for at in tour.T:
        h = torch.tanh(read + h @ U)
        scores = torch.tanh(cities @ A + (h @ B)[:, None]) @ v
        losses.append(F.cross_entropy(scores.masked_fill(seen, -math.inf), at, reduction="none"))
        read, seen = cities[rows, at], seen | F.one_hot(at, CITIES).bool()
    return torch.stack(losses)


# -- a hidden Markov model: the forward algorithm on sequences of all lengths (Rabiner 1989) -------

MARKOV = weights(RNG, A=(4, 4), start=(4,), mean=(4,), scale=(4,))


def markov(x: Node, goes_on: Node) -> Node:
    A, start, mean, scale = params(MARKOV, x)
    P, pi = gc.softmax(A, axis=1), gc.softmax(start)
    seen = -0.5 * ((x[..., None] - mean) / gc.exp(scale)) ** 2 - scale

    def step(alpha: Node, e: Node, on: Node) -> Node:
        further = gc.log(gc.sum(gc.exp(alpha[:, :, None] + gc.log(P)), axis=1)) + e
        return gc.where(on[:, None], further, alpha)

    alpha = gc.log(pi) + seen[:, 0]
    (alpha,) = gc.scan(step, alpha, (gc.swapaxes(seen, 0, 1)[1:], goes_on.T[1:]))
    return -gc.log(gc.sum(gc.exp(alpha), axis=1))


def markov_torch(x: Any, goes_on: Any, A: Any, start: Any, mean: Any, scale: Any) -> Any:
    P, pi = torch.log_softmax(A, 1), torch.log_softmax(start, 0)
    seen = -0.5 * ((x[..., None] - mean) / torch.exp(scale)) ** 2 - scale
    alpha = pi + seen[:, 0]
    for t in range(1, x.shape[1]):
        further = torch.logsumexp(alpha[:, :, None] + P, 1) + seen[:, t]
        alpha = torch.where(goes_on[:, t, None], further, alpha)
    return -torch.logsumexp(alpha, 1)


# -- proximal policy optimization, its advantages by a loop backwards (arXiv:1707.06347) -----------

POLICY = weights(RNG, W=(3, 8), P=(8, 4), v=(8,))


def policy(s: Node, action: Node, old: Node, reward: Node, ends: Node) -> Node:
    W, P, v = params(POLICY, s)
    h = gc.tanh(s @ W)
    p, value = gc.softmax(h @ P), h @ v
    after = gc.concat([value[1:], value[-1:]])

    def back(later: Node, r: Node, now: Node, then: Node, end: Node) -> tuple[Node, Node]:
        goes_on = gc.where(end, 0.0, 1.0)
        advantage = r + 0.99 * goes_on * then - now + 0.99 * 0.95 * goes_on * later
        return advantage, advantage

    start = gc.zeros((), s.dtype)
    _, advantage = gc.scan(back, start, (reward, value, after, ends), reverse=True)
    fixed, target = gc.stop_gradient(advantage), gc.stop_gradient(advantage + value)
    a = (fixed - gc.mean(fixed)) / (gc.std(fixed) + 1e-8)
    ratio = gc.exp(gc.log(gc.take_along_axis(p, action[:, None], axis=1)[:, 0]) - old)
    clipped = gc.minimum(ratio * a, gc.clip(ratio, 0.8, 1.2) * a)
    return 0.5 * (value - target) ** 2 - clipped + 0.01 * gc.sum(p * gc.log(p), axis=1)


def policy_torch(
    s: Any, action: Any, old: Any, reward: Any, ends: Any, W: Any, P: Any, v: Any
) -> Any:
    h = torch.tanh(s @ W)
    log_p, value = torch.log_softmax(h @ P, 1), h @ v
    now, r = value.detach(), reward.detach()
    after, later, advantages = torch.cat([now[1:], now[-1:]]), torch.zeros((), dtype=s.dtype), []
    for t in reversed(range(len(s))):
        goes_on = 1.0 - ends[t].to(s.dtype)
        later = r[t] + 0.99 * goes_on * after[t] - now[t] + 0.99 * 0.95 * goes_on * later
        advantages.insert(0, later)
    fixed = torch.stack(advantages)
    a = (fixed - fixed.mean()) / (fixed.std(unbiased=False) + 1e-8)
    ratio = torch.exp(log_p.gather(1, action[:, None])[:, 0] - old)
    clipped = torch.minimum(ratio * a, torch.clamp(ratio, 0.8, 1.2) * a)
    return 0.5 * (value - (fixed + now)) ** 2 - clipped + 0.01 * (log_p.exp() * log_p).sum(1)


MODELS: dict[str, Model] = {
    "turing machine": (turing_machine, turing_machine_torch, {"x": normal(RNG, 6, 3)}, TURING),
    "pointer": (
        pointer,
        pointer_torch,
        {
            "x": normal(RNG, 3, CITIES, 2),
            "tour": np.stack([RNG.permutation(CITIES) for _ in range(3)]),
        },
        POINTER,
    ),
    "markov": (
        markov,
        markov_torch,
        {"x": normal(RNG, 5, 8), "goes_on": np.arange(8) < RNG.integers(1, 9, 5)[:, None]},
        MARKOV,
    ),
    "policy": (
        policy,
        policy_torch,
        {
            "s": normal(RNG, 12, 3),
            "action": RNG.integers(0, 4, 12),
            "old": normal(RNG, 12, scale=0.2) - 1.4,
            "reward": normal(RNG, 12),
            "ends": RNG.random(12) < 0.2,
        },
        POLICY,
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, dtype: str) -> None:
    ours, theirs, inputs, given = MODELS[name]
    assert_equal(ours, theirs, inputs, given, dtype)


def test_a_step_that_cannot_be_taken_has_probability_0() -> None:
    """Transitions so far apart that float32 holds one alone, and values that demand the others."""
    _, _, inputs, given = MODELS["markov"]
    apart = {**given, "A": 400 * given["A"], "mean": 40 * given["mean"]}
    assert_equal(markov, markov_torch, inputs, apart, "float32")
