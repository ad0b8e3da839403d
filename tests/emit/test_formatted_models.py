"""Modules of whole models are formatted, in both styles and at all levels, and are still right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.emit.lines.wrapping import WIDTH
from graphc.ir.node import Node

nn = gc.nn
RUFF = [sys.executable, "-m", "ruff"]


def contrast() -> Node:
    """InfoNCE: each row of one view against all rows of the other one."""

    def encoded(name: str) -> Node:
        hidden = nn.dense(gc.input(name, ("N", 16)), 32, name=f"dense_{name}", activation=gc.relu)
        z = nn.dense(hidden, 8, name=f"dense_2_{name}")
        return z / gc.norm(z, axis=1, keepdims=True)

    scores = encoded("a") @ encoded("b").T / 0.1
    right = gc.arange(scores.shape[0])
    rows = gc.mean(nn.softmax_cross_entropy(scores, right))
    return rows + gc.mean(nn.softmax_cross_entropy(scores.T, right))


def kalman() -> Node:
    """The likelihood of a series of numbers: what a filter expects, against what comes."""
    A = gc.param("A", (4, 4), init=np.eye(4) * 0.9)
    C = gc.param("C", (1, 4), init=np.ones((1, 4)) * 0.3)
    log_q, log_r = gc.param("log_q", (4,)), gc.param("log_r", ())

    def step(m: Node, P: Node, y: Node) -> tuple[Node, ...]:
        m, P = A @ m, A @ P @ A.T + gc.exp(log_q) * gc.eye(4)
        S = (C @ P @ C.T)[0, 0] + gc.exp(log_r)
        K, v = P @ C[0] / S, y[0] - C[0] @ m
        return m + K * v, P - K[:, None] * (C @ P), gc.log(S) + v * v / S

    start = (gc.zeros((4,)), gc.eye(4))
    _, _, terms = gc.scan(step, start, gc.input("y", ("T", 1)))
    return gc.sum(terms) / 2


def kalman_of_pairs() -> Node:
    """The same for two numbers a step, whose covariance is inverted by hand."""
    A = gc.param("A", (3, 3), init=np.eye(3) * 0.9)
    C = gc.param("C", (2, 3), init=np.ones((2, 3)) * 0.3)
    Q = gc.exp(gc.param("log_q", (3,)))[:, None] * gc.eye(3)
    R = gc.exp(gc.param("log_r", (2,)))[:, None] * gc.eye(2)

    def step(m: Node, P: Node, loss: Node, y: Node) -> tuple[Node, ...]:
        m, P = A @ m, A @ P @ A.T + Q
        S = C @ P @ C.T + R
        (a, b), (c, d) = (S[0, 0], S[0, 1]), (S[1, 0], S[1, 1])
        det = a * d - b * c
        inverse = gc.stack([gc.stack([d, -b]), gc.stack([-c, a])]) / det
        K, v = P @ C.T @ inverse, y - C @ m
        loss = loss + gc.log(det) + v @ inverse @ v
        return m + K @ v, (gc.eye(3) - K @ C) @ P, loss

    start = (gc.zeros((3,)), gc.eye(3), gc.zeros(()))
    return gc.scan(step, start, gc.input("y", ("T", 2)))[2]


def triplets() -> Node:
    """An anchor should be nearer to its like than to another; images through one network."""
    x = gc.input("images", (3, "N", 3, 12, 12))
    h = nn.conv2d(x.reshape((3 * x.shape[1], 3, 12, 12)), 8, 3, name="conv_1", activation=gc.relu)
    h = nn.dense(nn.max_pool2d(h, 2).reshape((3 * x.shape[1], 8 * 25)), 8, name="embedding")
    h = (h / gc.norm(h, axis=1, keepdims=True)).reshape((3, x.shape[1], 8))
    near, far = (gc.sum((h[0] - h[i]) ** 2, axis=1) for i in (1, 2))
    return gc.mean(gc.maximum(near - far + 0.2, 0))


def unet() -> Node:
    x, t = gc.input("x", ("N", 1, 16, 16)), gc.input("t", ("N", 1, 16, 16))

    def conv(h: Node, size: int, name: str) -> Node:
        return nn.conv2d(h, size, 3, padding=1, name=name, activation=gc.relu)

    d1 = conv(x, 4, "d1")
    d2 = conv(nn.max_pool2d(d1, 2), 8, "d2")
    k = conv(nn.max_pool2d(d2, 2), 16, "k")
    e2 = conv(gc.concat([nn.conv_transpose2d(k, 8, 2, stride=2, name="u2"), d2], axis=1), 8, "e2")
    u1 = nn.conv_transpose2d(e2, 4, 3, stride=2, padding=1, output_padding=1, name="u1")
    p = gc.sigmoid(nn.conv2d(conv(gc.concat([u1, d1], axis=1), 4, "e1"), 1, 1, name="out"))
    return 1 - (2 * gc.sum(p * t) + 1) / (gc.sum(p) + gc.sum(t) + 1)


def hidden_states() -> Node:
    """The likelihood of what a hidden Markov model is seen to do."""
    y = gc.input("y", ("T", "N"), dtype="int64")
    shapes = {"transition_logits": (5, 5), "emission_logits": (5, 7)}
    z = [gc.param(name, shape, init=gc.init.glorot_uniform()) for name, shape in shapes.items()]
    moves, shows = (x - gc.logsumexp(x, axis=1, keepdims=True) for x in z)

    def step(alpha: Node, y_t: Node) -> Node:
        return gc.logsumexp(alpha[:, :, None] + moves[None], axis=1) + shows.T[y_t]

    (last,) = gc.scan(step, gc.zeros(("N", 5)), y)
    return -gc.mean(gc.logsumexp(last, axis=1))


def stacked() -> Node:
    states, *_ = nn.lstm(gc.input("x", ("T", "N", 3)), 8, name="encoder", layers=2)
    return gc.mean(states**2)


def encoder() -> Node:
    """A transformer's block: its functions of blocks follow a line of their own scope."""
    words = gc.input("words", ("N", "T"), dtype="int64")
    h = nn.embedding(words, 11, 8)
    h = nn.layer_norm(h + nn.multi_head_attention(h, 2))
    h = nn.layer_norm(h + nn.dense(nn.dense(h, 16, activation=gc.gelu), 8))
    return gc.mean(nn.softmax_cross_entropy(nn.dense(h, 11), words))


def signed_powers() -> Node:
    """Negated powers, alone, in products and between the terms of sums."""
    x, y = gc.input("x", ("N",)), gc.param("y", (), init=gc.init.ones())
    terms = [y - x**2 * y, -(x**3), -(gc.exp(x) ** 3), y + -(x**2), -(x**2) / 3 + y]
    return gc.mean(sum((gc.exp(term) for term in terms), -(y**2)))


MODELS: list[Callable[[], Node]] = [
    contrast,
    kalman,
    kalman_of_pairs,
    triplets,
    unet,
    hidden_states,
    stacked,
    encoder,
    signed_powers,
]
GRADIENT = {"gradient_of": "loss"}
STEP = {"minimize": "loss", "optimizer": "adam(0.01)"}
WAYS = [(level, GRADIENT) for level in (0, 1, 2, 3)] + [(1, STEP), (2, STEP)]


@pytest.mark.parametrize("model", MODELS)
def test_modules_of_models_are_formatted_and_right(
    model: Callable[[], Node], tmp_path: Path
) -> None:
    graph = gc.graph({"loss": model()}, name=model.__name__)
    for style in ("readable", "fast"):
        for level, how in WAYS:
            function = gc.compile(graph, style=style, optimize=level, **how)
            function.module.check()
            function.save(tmp_path / f"{model.__name__}_{style}_{level}_{len(how)}.py")
            bodies = function.source.partition("\ndef init(")[2]  # helpers stand before
            assert [line for line in bodies.splitlines() if len(line) > WIDTH] == []
    for width in ("88", "100"):
        for command in (["check"], ["format", "--diff"]):
            words = [*RUFF, *command, "--isolated", "--line-length", width, str(tmp_path)]
            done = subprocess.run(words, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr


def test_long_arrays_of_first_values_are_rows() -> None:
    values = np.random.default_rng(0).normal(size=(20, 9)).astype(np.float32)
    W, v = gc.param("rng", (20, 9), init=values), gc.param("v", (3,), init=[1.0, 2.0, 3.0])
    graph = gc.graph({"loss": gc.mean(W**2) + gc.mean(v)}, name="model")
    function = gc.compile(graph, gradient_of="loss")
    assert max(map(len, function.source.splitlines())) <= WIDTH
    assert function.source.count("\n") < 120
    np.testing.assert_array_equal(function.module.init()["rng"], values)
    assert '"v": np.array([1.0, 2.0, 3.0], np.float32),' in function.source


def test_small_gradients_of_large_losses_are_no_mistakes() -> None:
    """Differences of float32 values of 1000 know nothing of a slope of 0.003."""
    x, t = gc.input("x", ("N",)), gc.param("t", (), init=1.0)
    graph = gc.graph({"loss": gc.mean(x) * 1000 + t * 3e-3}, name="model")
    gc.compile(graph, gradient_of="loss").module.check()
