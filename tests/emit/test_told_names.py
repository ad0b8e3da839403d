"""Emitted names are the user's where a value is theirs, and say which of several it is."""

from __future__ import annotations

import re

import numpy as np
import pytest

import graphc as gc

N, T = gc.dim("N"), gc.dim("T")
STYLES = pytest.mark.parametrize("style", ["readable", "fast"])


def heads() -> gc.Graph:
    """Attention in two heads, written out."""
    x = gc.input("x", (N, 5, 8))
    Wq, Wk, Wv = (gc.param(f"W{n}", (8, 8), init=gc.init.glorot_uniform()) for n in "qkv")

    def split(a: gc.Node) -> gc.Node:
        return gc.transpose(gc.reshape(a, (N, 5, 2, 4)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    past = gc.tril(gc.ones((5, 5), dtype="bool"))
    weights = gc.softmax(gc.where(past, q @ gc.swapaxes(k, -1, -2), -1e9), axis=-1)
    return gc.graph({"loss": gc.square(weights @ v).mean()}, name="heads")


def slope_of_steps() -> gc.Graph:
    y0, W = gc.input("y0", (N, 2)), gc.param("W", (2, 2), init=gc.init.glorot_uniform())

    def step(y: gc.Node) -> tuple[gc.Node, ...]:
        y = y + 0.1 * gc.tanh(gc.tanh(y @ W) @ W)
        return y, y

    _, path = gc.scan(step, init=y0, length=4)
    return gc.graph({"loss": gc.square(path).mean()}, name="slope_of_steps")


@STYLES
def test_a_name_outlives_the_transpose_that_had_it(style: str) -> None:
    """Products read heads without a transpose; what they read is q, and its gradient d_q."""
    function = gc.compile(heads(), gradient_of="loss", style=style)
    function.module.check()
    for name in ("q", "k", "v", "d_q", "d_k", "d_v"):
        assert re.search(rf"^    {name} = |out={name}\b", function.source, re.M), name
    assert "past_where" not in function.source.partition("# backward")[2]


def test_stacks_are_made_and_numbered_as_the_values_that_go_there() -> None:
    source = gc.compile(slope_of_steps(), gradient_of="loss", style="readable").source
    forward = source.partition("# backward")[0]
    made = re.findall(r"^    (\w+) = np.empty", forward, re.M)
    assert made == re.findall(r"^        (\w+)\[t\] = ", forward, re.M)
    assert "y_tanh_steps[t] = y_tanh\n" in source
    assert "y_tanh_steps_2[t] = y_tanh_2\n" in source


@STYLES
def test_what_follows_a_loop_is_called_after_its_values(style: str) -> None:
    """1 − tanh² of all steps is about y, which steps compute, not about y0, which they start at."""
    source = gc.compile(slope_of_steps(), gradient_of="loss", style=style).source
    assert "y0_" not in source


def test_what_one_step_adds_to_a_gradient_says_so() -> None:
    x, R = gc.input("x", (T, 3)), gc.param("R", (3, 3), init=0.5)
    square = gc.square(R)

    def step(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, ...]:
        h = gc.solve(square + gc.eye(3), gc.tanh(h) + x_t)
        return h, h

    _, hs = gc.scan(step, init=gc.zeros((3,)), xs=x)
    graph = gc.graph({"loss": gc.mean(gc.square(hs))}, name="steps")
    source = gc.compile(graph, gradient_of="loss", style="readable").source
    claims = re.findall(r"^ +(\w+) [+-]?= .*\]  (.*dloss/dsquare)$", source, re.M)
    assert all(name == "d_square" or told.startswith("this step's") for name, told in claims)


def test_a_value_is_not_said_to_be_a_function_of_itself() -> None:
    z, G = gc.input("z", (N, 4)), gc.param("G", (4, 6), init=gc.init.glorot_uniform())
    D = gc.param("D", (6, 1), init=gc.init.glorot_uniform())
    fake = gc.tanh(z @ G)
    loss = gc.softplus(gc.stop_gradient(fake) @ D).mean() + gc.softplus(-fake @ D).mean()
    source = gc.compile(
        gc.graph({"loss": loss}, name="game"), gradient_of="loss", style="readable"
    ).source
    assert "fake = " in source and "stop_gradient(fake)" not in source.partition("import")[2]


def test_gates_are_stacked_once() -> None:
    """Both halves of a stack are views of it."""
    x = gc.input("x", (T, N, 3))
    hs, _ = gc.nn.gru(x, 4, name="gru")
    graph = gc.graph({"loss": gc.square(hs).mean()}, name="gru")
    function = gc.compile(graph, gradient_of="loss", style="readable")
    function.module.check()
    assert "z_steps = gates_steps[:, :, 4:]" in function.source
    assert "z_steps[t] = " not in function.source and "r_steps[t] = " not in function.source


def test_a_part_of_joined_arrays_is_that_part() -> None:
    x = gc.input("x", (N, 6))
    b = gc.exp(x[:, 3:])
    z = gc.concat([x[:, :3], b], axis=1)
    graph = gc.graph({"y": gc.tanh(z[:, 3:]) * z[:, :3], "z": z})
    source = gc.compile(graph, style="readable").source
    assert "[:]" not in source
    X = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    found = gc.compile(graph)(x=X)["y"]
    np.testing.assert_allclose(found, np.tanh(np.exp(X[:, 3:])) * X[:, :3], rtol=1e-6)


def test_two_products_with_what_only_one_derives_by_are_one() -> None:
    """A discriminator reads what was generated twice: once to learn itself, once to teach."""
    z, G = gc.input("z", (N, 4)), gc.param("G", (4, 6), init=gc.init.glorot_uniform())
    D = gc.param("D", (6, 5), init=gc.init.glorot_uniform())
    fake = gc.tanh(z @ G)
    learns, teaches = gc.tanh(gc.stop_gradient(fake) @ D), gc.tanh(fake @ D)
    graph = gc.graph({"loss": gc.mean(gc.exp(learns)) - gc.mean(gc.square(teaches))}, name="game")
    source = gc.compile(graph, gradient_of="loss", style="readable").source
    assert source.count("fake.T @") == 1


def test_a_gradient_has_its_name_in_its_own_order_of_axes() -> None:
    """Filters come out as rows of columns; the array of their shape is called `d_conv_W`."""
    x, y = gc.input("x", (N, 3, 8, 8)), gc.input("y", (N,), dtype="int64")
    h = gc.nn.batch_norm(gc.nn.conv2d(x, 4, 3, padding=1, name="conv"), name="bn")
    z = gc.nn.dense(gc.relu(h).mean(axis=(2, 3)), 3, name="out")
    graph = gc.graph({"loss": gc.mean(gc.nn.softmax_cross_entropy(z, y))}, name="model")
    function = gc.compile(graph, minimize="loss", optimizer="adam(0.001)")
    function.module.check()
    assert "d_conv_W_2" not in function.source
    told = set(re.findall(r"\]  dloss/d(\S+)$", function.source, re.M))
    assert told >= {"conv.W", "bn.W", "bn.b", "out.W", "out.b"}
