"""What stands where in a training step: blocks, numbers, sums that are collected, long updates."""

from __future__ import annotations

import re

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

STYLES = ["readable", "fast"]


def step_of(loss: Node, optimizer: gc.optim.Optimizer, style: str) -> str:
    """Return the code of a training step, without that of its check."""
    graph = gc.graph({"loss": loss})
    function = gc.compile(graph, minimize="loss", optimizer=optimizer, style=style)
    return function.source.partition("def check")[0].partition("def step")[2]


def penalized() -> Node:
    """Return a loss that a derivative in the model is part of."""
    x, W = gc.input("x", ("N",)), gc.param("W", (8,), init=gc.init.normal(1.0))
    u = gc.sum(gc.tanh(x[:, None] * W), axis=1)
    (slope,) = gc.grad(gc.sum(u), [x])
    return gc.mean((slope + u) ** 2)


@pytest.mark.parametrize("style", STYLES)
def test_a_derivative_in_the_model_belongs_to_the_forward_block(style: str) -> None:
    graph = gc.graph({"loss": penalized()})
    optimizer = gc.optim.sgd(1.0, momentum=0.5)
    step = gc.compile(graph, minimize="loss", optimizer=optimizer, style=style)
    forward, backward = step.source.partition("# backward")[::2]
    assert re.search(r"^    loss = ", forward, re.M)
    assert "dloss/dx" not in step.source and "dloss/dW" in backward
    data = {"x": np.linspace(-1, 1, 5, dtype=np.float32)}
    state = step.init(seed=0)
    expected = gc.interpret(graph.gradient("loss"), state, **data)
    np.testing.assert_allclose(step(state, **data)["loss"], expected["loss"], rtol=1e-5)
    velocity = state["W.velocity"]
    np.testing.assert_allclose(velocity, expected["d_loss_d_W"], rtol=1e-4, atol=1e-6)


def test_what_follows_a_gradient_that_is_an_output_stays_behind_it() -> None:
    x, W = gc.input("x", ("N", 3)), gc.param("W", (3,))
    loss = gc.mean((x @ W - 1) ** 2)
    (d_W,) = gc.grad(loss, [W])
    function = gc.compile(gc.graph({"loss": loss, "size": gc.norm(d_W)}), style="readable")
    source = function.source.partition("# forward")[2]
    assert source.index("loss = ") < source.index("# backward") < source.index("size = ")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("limit", [None, 1.0])
def test_numbers_that_all_updates_read_stand_before_them(style: str, limit: float | None) -> None:
    x, W, b = gc.input("x", ("N", 3)), gc.param("W", (3,)), gc.param("b")
    rate = gc.optim.exponential(0.1, 0.99)
    optimizer = gc.optim.adamw(rate)
    optimizer = optimizer if limit is None else gc.optim.clip_by_norm(optimizer, limit)
    update = step_of(gc.mean((x @ W + b - 1) ** 2), optimizer, style).partition("# update")[2]
    first = min(update.index(f"{name}_mean") for name in "Wb")
    for name in ("learning_rate", "correction", "step_size", "eps"):
        assert update.index(f"    {name} = ") < first
    assert ("gradient_scale = " in update[:first]) == (limit is not None)


def test_an_array_that_is_added_to_stands_above_the_addition() -> None:
    x = gc.input("x", ("N", 2, 12, 12))
    h = gc.nn.conv2d(x, 3, 3, padding=1, activation=gc.relu, name="h")
    y = gc.nn.conv2d(gc.nn.max_pool2d(h, 2), 4, 3, padding=1, name="y")
    lines = step_of(gc.mean(y**2), gc.optim.sgd(0.1), "readable").splitlines()
    added = [i for i, line in enumerate(lines) if line.lstrip().startswith("_add_")]
    assert len(added) == 2
    for at in added:
        (name,) = re.findall(r"_add_\w+\((\w+)?", lines[at])
        name = name or lines[at + 1].strip(" ,")
        assert lines[at - 1].startswith(f"    {name} = np.zeros(")


def test_a_long_update_is_written_in_two_steps() -> None:
    x = gc.input("x", ("N", 3))
    long = "output_layer_weights"
    W, b = gc.param(long, (3,), init=gc.init.normal(1.0)), gc.param("b")
    graph = gc.graph({"loss": gc.mean((x @ W + b - 1) ** 2)})
    optimizer = gc.optim.adam()
    step = gc.compile(graph, minimize="loss", optimizer=optimizer, style="readable")
    assert f"    {long}_mean_square *= 0.999\n    {long}_mean_square += 0.001 * " in step.source
    assert "    b_mean_square[...] = 0.999 * b_mean_square + 0.001 * " in step.source
    data = {"x": np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)}
    states = [step.init(seed=0) for _ in range(2)]
    fast = gc.compile(graph, minimize="loss", optimizer=optimizer, style="fast")
    for function, state in zip((step, fast), states, strict=True):
        function(state, **data)
        function(state, **data)
    for name, value in states[0].items():
        np.testing.assert_allclose(value, states[1][name], rtol=1e-5, atol=1e-7)


def test_an_update_that_reads_the_parameter_twice_is_one_statement() -> None:
    x, W = gc.input("x", (3,)), gc.param("weights_of_the_output_layer_of_the_model", (3,))
    following = 0.9 * W + 0.1 * gc.tanh(W * x)
    graph = gc.graph({"y": gc.sum(x)}, updates={W.attrs["name"]: following})
    function = gc.compile(graph, style="readable")
    value = np.array([1, 2, 3], np.float32)
    state = {W.attrs["name"]: value.copy()}
    function(state, x=value / 4)
    expected = 0.9 * value + 0.1 * np.tanh(value * value / 4)
    np.testing.assert_allclose(state[W.attrs["name"]], expected, rtol=1e-6)
