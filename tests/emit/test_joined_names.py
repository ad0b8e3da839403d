"""Values that nobody named are called after the two that make them, or the one they are for."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node


def code(graph: gc.Graph, style: str = "readable", of: str | None = "loss") -> str:
    source = gc.compile(graph, gradient_of=of, style=style).source
    return source.partition("def graph(")[2].partition("def check")[0]


def test_of_two_names_one_is_made() -> None:
    x, y, W, b = gc.input("x", ("N", 3)), gc.input("y", ("N", 4)), *parameters()
    h = gc.tanh(x @ W + b)
    shown = code(gc.graph({"loss": gc.mean((h - y) ** 2) + gc.sum(gc.sin(h * y) / (h * y))}))
    assert "h_minus_y = h - y" in shown and "h_times_y = h * y" in shown
    assert "    h = np.tanh(x @ W + b)" in shown


def test_a_bias_counts_for_nothing() -> None:
    x, (W, b) = gc.input("x", ("N", 3)), parameters()
    z = x @ W + b
    loss = gc.mean(gc.sin(z) * z)
    assert "    z = x @ W + b" in code(gc.graph({"loss": loss}))
    loss = gc.mean(gc.sin(x @ W + b) * (x @ W + b))
    assert "    x_W = x @ W + b" in code(gc.graph({"loss": loss}))


def parameters() -> tuple[Node, Node]:
    return gc.param("W", (3, 4), init=gc.init.glorot_uniform()), gc.param("b", (4,))


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_a_recurrent_step_reads_like_the_book(style: str) -> None:
    xs, U, (W, b) = gc.input("xs", ("T", "N", 3)), gc.param("U", (4, 4)), parameters()

    def step(h: Node, x: Node) -> Node:
        z = gc.sigmoid(x @ W + h @ U + b)
        return (1 - z) * gc.tanh(h @ U) + z * h

    (h,) = gc.scan(step, gc.zeros(("N", 4)), xs)
    graph = gc.graph({"loss": gc.sum(h)})
    shown = code(graph, style)
    assert "one_minus_z" in shown and "xs_W" in shown
    assert style == "readable" or "z_pre" in shown
    function = gc.compile(graph, gradient_of="loss", style=style)
    function.module.check()


def test_names_of_ones_own_come_first() -> None:
    x, y = gc.input("x", ("N",)), gc.input("y", ("N",))
    x_minus_y = gc.sin(x).named("x_minus_y")
    loss = gc.sum((x - y) ** 2 * gc.exp(x - y) + x_minus_y * gc.exp(x_minus_y))
    shown = code(gc.graph({"loss": loss}), of=None)
    assert "    x_minus_y = np.sin(x)" in shown and "x_subtract = x - y" in shown


def test_long_names_and_those_of_layers_are_not_joined() -> None:
    x, target = gc.input("measurements", ("N", 3)), gc.input("expectations", ("N", 4))
    h = gc.nn.dense(x, 4, name="hidden")
    loss = gc.mean((h - target) ** 2 * gc.exp(h - target))
    shown = code(gc.graph({"loss": loss}))
    assert "_minus_" not in shown and "_W = " not in shown.replace("d_hidden_W = ", "")


def test_a_choice_is_no_argument() -> None:
    x = gc.input("x", ("N",))
    mask = gc.where(x > 0, 1.0, 0.0)
    graph = gc.graph({"y": mask * x + gc.exp(mask)})
    assert "mask_pre" not in code(graph, "fast", None)
    got = gc.compile(graph)(x=np.array([-1.0, 2.0], np.float32))["y"]
    np.testing.assert_allclose(got, [1.0, 2.0 + np.e], rtol=1e-6)
