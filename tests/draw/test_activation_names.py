"""What a layer does to its sum is told by its values, or step by step."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import graphc as gc
from graphc.draw.networks.activations import name_of_activation

GAIN = gc.param("gain", (3,))


def by_hand(h: gc.Node) -> gc.Node:
    centered = h - gc.mean(h, axis=1, keepdims=True)
    return centered / gc.sqrt(gc.var(h, axis=1, keepdims=True) + 1e-5) * GAIN


STEPS: list[tuple[str, Callable[[gc.Node], gc.Node]]] = [
    ("tanh, dropout", lambda h: gc.nn.dropout(gc.tanh(h), 0.5)),
    ("dropout", lambda h: gc.nn.dropout(h, 0.5)),
    ("dropout", lambda h: h * gc.where(gc.random_uniform(("N", 3)) < 0.5, 0.0, 2.0)),
    ("exp, noise", lambda h: gc.exp(h) * gc.random_normal(("N", 3))),
    ("noise", lambda h: h + gc.random_normal(("N", 3))),
    ("layer norm", lambda h: gc.nn.layer_norm(h, name="l")),
    ("layer norm, ReLU", lambda h: gc.relu(gc.nn.layer_norm(h, name="l"))),
    ("layer norm", by_hand),
    ("batch norm, ReLU", lambda h: gc.relu(gc.nn.batch_norm(h, name="l"))),
    ("rms norm", lambda h: gc.nn.rms_norm(h, name="l")),
    ("normalize", lambda h: gc.normalize(h, axis=1)),
    ("normalize", lambda h: h / gc.sqrt(gc.sum(h * h, axis=1, keepdims=True))),
    ("tanh, mean", lambda h: gc.mean(gc.tanh(h), axis=0)),
    ("tanh, scale", lambda h: GAIN * gc.tanh(h)),
    ("tanh, shift", lambda h: gc.tanh(h) - GAIN),
    ("sigmoid, shift, ReLU", lambda h: gc.relu(1 / (1 + gc.exp(-h)) - 0.5)),
    ("silu", lambda h: h * gc.sigmoid(h)),
    ("", lambda h: h * 1.0),
    ("f", lambda h: (h - gc.mean(h, axis=0)) / gc.std(h, axis=0)),
    ("f", lambda h: gc.sin(gc.exp(gc.tanh(GAIN * gc.sin(h) + GAIN)))),
]


@pytest.mark.parametrize(
    ("name", "activation"), STEPS, ids=[f"{i} {s[0]}" for i, s in enumerate(STEPS)]
)
def test_an_activation_is_told_by_its_steps(
    name: str, activation: Callable[[gc.Node], gc.Node]
) -> None:
    h = gc.input("h", ("N", 3))
    assert name_of_activation(h, activation(h)) == name


def test_the_caption_of_a_layer_tells_its_steps() -> None:
    x = gc.input("x", ("N", 4))
    h = gc.nn.dropout(gc.nn.dense(x, 3, name="a", activation=gc.tanh), 0.5)
    picture = gc.draw.network(gc.graph({"y": gc.nn.dense(h, 2, name="b")}))
    assert "hidden · tanh, dropout" in picture.svg()
