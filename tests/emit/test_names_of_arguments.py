"""What is the adjoint called of `x @ W + b`, which nobody named, under `h = relu(x @ W + b)`?"""

from __future__ import annotations

import re

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

nn = gc.nn
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "elu")


def source_of(loss: Node, style: str = "readable") -> str:
    graph = gc.graph({"loss": loss}, name="model")
    return gc.compile(graph, gradient_of="loss", style=style).source.partition("def check")[0]


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_called_after_what_the_activation_returns(activation: str, style: str) -> None:
    x = gc.input("x", ("N", 8))
    h = nn.dense(x, 4, activation=activation, name="up")
    source = source_of(gc.mean((h @ gc.param("V", (4, 2))) ** 2), style)
    assert re.search(r"x\.T @ d_up_pre\b|np\.matmul\(x\.T, d_up_pre\b", source)


def test_the_gates_of_a_cell_have_slopes_and_adjoints() -> None:
    x = gc.input("x", ("T", "N", 3))
    hs, *_ = nn.lstm(x, 2, name="lstm")
    source = source_of(gc.mean(hs**2))
    for gate in "ifg":
        assert f"{gate}_slope = " in source and f"d_{gate}_pre = {gate}_slope[t] * " in source
    assert not re.search(r"d_lstm_multiply_\d", source)


def test_it_is_what_it_is_called() -> None:
    """The opposite of an adjoint, where a sum has taken its sign away, is not called so."""
    n = gc.dim("N")
    a, b = gc.input("a", (n, 3), dtype="float64"), gc.input("b", (n, 3), dtype="float64")
    W, c = gc.param("W", (3, 2), "float64"), gc.param("c", (2,), "float64")
    h, k = gc.tanh(a @ W + c).named("h"), gc.tanh(b @ W + c).named("k")
    loss = gc.mean((h - k) ** 2)
    source = source_of(loss)
    assert "d_h_pre = " in source and "d_k_pre" not in source
    graph = gc.graph({"loss": loss})
    at = {name: np.random.default_rng(0).normal(size=(4, 3)) for name in "ab"}
    assert gc.check_gradient(graph, of="loss", at=at).passed
