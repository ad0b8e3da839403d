"""In loops, values are named after what they are outside, and in layers after their layer."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

nn = gc.nn


def attention() -> gc.Graph:
    """A decoder that looks at all states of an encoder, at each step."""
    x, y = gc.input("x", ("S", "N", 3)), gc.input("y", ("T", "N", 8))
    W = gc.param("W", (16, 8), init=gc.init.glorot_uniform())
    hs, h0 = nn.rnn(x, 8, name="encoder")

    def step(h: Node, y_t: Node) -> tuple[Node, ...]:
        a = gc.softmax(gc.sum(hs * h, axis=2), axis=0)
        context = gc.sum(a[:, :, None] * hs, axis=0)
        h = gc.tanh(gc.concat([y_t, context], axis=1) @ W)
        return h, h

    _, zs = gc.scan(step, h0, y)
    return gc.graph({"loss": gc.mean(zs**2)}, name="attention")


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("style", ["readable", "fast"])
def test_results_of_a_loop_keep_their_name_in_another(style: str, level: int) -> None:
    function = gc.compile(attention(), gradient_of="loss", style=style, optimize=level)
    function.module.check()
    assert not re.search("item(?!size)", function.source.partition("def check")[0])
    assert re.search(r"\bhs_(sum|multiply|product)", function.source)
    assert "d_hs" in function.source and "loss/dhs\n" in function.source


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_no_value_of_a_step_is_named_after_ops_alone(style: str) -> None:
    """Not `multiply_t_3_multiply`, `slice_t_2_add`, `concat_2_steps`."""
    source = gc.compile(attention(), gradient_of="loss", style=style).source
    assert not re.findall(r"\b(?:add|multiply|slice|reshape|subtract|concat)\w* = ", source)
    assert "a_steps" in source and "d_context" in source  # the user's own names


def test_what_two_loops_call_alike_is_not_mixed_up() -> None:
    """Each of them finds something `around` it, another one."""
    x, W = gc.input("x", ("T", 3)), gc.param("W", (3,), init=0.5)

    def sums(around: Node | None, scale: float) -> Node:
        def step(h: Node, x_t: Node) -> tuple[Node, ...]:
            if around is not None:
                x_t = x_t * gc.mean(gc.tanh(around + h), axis=0)
            h = h * W + scale * x_t
            return h, h

        return gc.scan(step, gc.zeros((3,)), x)[1]

    first, other = sums(None, 1.0), sums(None, 0.5)
    graph = gc.graph({"loss": gc.mean(sums(first, 0.25) + sums(other, 0.75))}, name="nested")
    for style, level in itertools.product(("readable", "fast"), (0, 2)):
        function = gc.compile(graph, gradient_of="loss", style=style, optimize=level)
        function.module.check()
        backward = function.source.partition("# backward")[2]
        assert "d_around" in backward  # which of both a derivative means is not known
        assert "d_first" not in backward and "d_other" not in backward


def two_carries() -> gc.Graph:
    """Both carries are slices of one array, as the cotangents of what was joined are."""
    x, W = gc.input("x", ("T", 4)), gc.param("W", (4, 4), init=gc.init.glorot_uniform())

    def step(u: Node, v: Node, x_t: Node) -> tuple[Node, ...]:
        both = gc.tanh(gc.concat([u, v], axis=0) @ W + x_t)
        return both[:2], both[2:]

    u, v = gc.scan(step, (gc.zeros((2,)), gc.zeros((2,))), x)
    return gc.graph({"loss": gc.mean(u * v)}, name="two_carries")


def swapped() -> gc.Graph:
    """Each carry takes the other one's value."""
    x, W = gc.input("x", ("T", 2)), gc.param("W", (2,), init=0.5)

    def step(u: Node, v: Node, x_t: Node) -> tuple[Node, ...]:
        return v, u * W + x_t

    u, v = gc.scan(step, (gc.zeros((2,)), gc.ones((2,))), x)
    return gc.graph({"loss": gc.mean(u * v)}, name="swapped")


def crossed() -> gc.Graph:
    """The next value of one carry reads the other one as it was."""
    x, W = gc.input("x", ("T", 4)), gc.param("W", (4, 4), init=gc.init.glorot_uniform())

    def step(u: Node, v: Node, x_t: Node) -> tuple[Node, ...]:
        both = (gc.concat([u, v], axis=0) + x_t) @ W
        return (both * 0.5)[:2], both[2:] * u

    u, v = gc.scan(step, (gc.ones((2,)), gc.ones((2,))), x)
    return gc.graph({"loss": gc.mean(u * v)}, name="crossed")


@pytest.mark.parametrize("graph", [two_carries(), swapped(), crossed()], ids=lambda g: g.name)
def test_next_values_of_carries_are_right(graph: gc.Graph) -> None:
    for level in (0, 1, 2, 3):
        step = gc.compile(graph, gradient_of="loss", style="readable", optimize=level)
        step.module.check()


def test_a_carry_that_is_read_no_more_is_bound_at_once() -> None:
    """Not `u_2 = both[:2]`, `u = u_2`."""
    source = gc.compile(two_carries(), style="readable").source
    assert re.search(r" u = \w+\[:2\]", source) and re.search(r" v = \w+\[2:\]", source)
    assert "u, v = " not in source.replace("u, v = np.", "")


def test_a_view_of_a_view_is_written_once() -> None:
    x, w = gc.input("x", ("T", "N")), gc.input("w", ("T", "N", "K"))

    def source(part: Node) -> str:
        graph = gc.graph({"loss": gc.sum(part * w[1:]) + gc.sum(part ** w[:-1])}, name="model")
        return gc.compile(graph, style="readable").source.partition("import numpy")[2]

    assert source(x[1:][:, :, None]).count("x[1:]") == 1


def test_values_between_layers_are_named_after_the_last_one() -> None:
    def gated(z: Node) -> Node:
        return gc.tanh(z[:, :4]) * gc.sigmoid(z[:, 4:])

    x = gc.input("x", ("N", 4, 8))
    out = nn.conv1d(gated(nn.conv1d(x, 8, 3, padding=1, name="dilated")), 2, 1, name="last")
    graph = gc.graph({"loss": gc.mean(out**2)}, name="gated")
    source = gc.compile(graph, gradient_of="loss", style="readable").source
    assert "dilated_tanh = np.tanh(dilated[" in source
    assert not re.search(r"\bx_\w+ =", source)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_columns_are_named_after_the_filters_they_are_for(style: str) -> None:
    x = gc.input("x", ("N", 2, 8, 8))
    h = nn.conv2d(x, 4, 3, padding=1, name="before", activation=gc.relu)
    z = nn.conv_transpose2d(h, 3, 2, stride=2, name="up")
    graph = gc.graph({"loss": gc.mean(z**2)}, name="model")
    source = gc.compile(graph, gradient_of="loss", style=style).source
    backward = source.partition("# backward")[2]
    line = next(line for line in backward.splitlines() if re.match(r" +d_up_W = ", line))
    assert "d_before" not in line


def test_what_no_step_changes_is_made_before_the_loop() -> None:
    """An identity matrix, and one table for both directions."""
    x, P0 = gc.input("x", ("T", 2)), gc.param("P0", (2, 2), init=1.0)
    turn = gc.constant(np.linspace(-0.123456789, 0.987654321, 4, dtype=np.float32).reshape(2, 2))

    def step(P: Node, x_t: Node) -> tuple[Node, ...]:
        P = gc.tanh(turn @ P @ turn) + gc.eye(2) @ P
        return P, gc.sum(P @ x_t)

    graph = gc.graph({"loss": gc.sum(gc.scan(step, P0, x)[1])}, name="filter")
    function = gc.compile(graph, gradient_of="loss", style="readable", optimize=1)
    assert function.source.count("= np.array([") == 1
    before, _, inside = function.source.partition("    for t in")
    assert "np.eye(2" in before and "np.eye(" not in inside.partition("# backward")[0]
    data = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    state = function.init(seed=0)
    expected = gc.interpret(function.graph, state, x=data)
    np.testing.assert_allclose(function(state, x=data)["loss"], expected["loss"], rtol=1e-5)


def test_a_carry_goes_on_with_the_variable_of_its_first_value() -> None:
    x, W = gc.input("x", ("N", 3)), gc.param("W", (3, 3), init=gc.init.normal())

    def step(z: Node) -> Node:
        return z + 0.1 * gc.tanh(z @ W)

    def loss(z: Node) -> gc.Graph:
        (z,) = gc.scan(step, z, length=4)
        return gc.graph({"loss": gc.mean(z**2), "again": z * 1}, name="ode")

    function = gc.compile(loss(x), gradient_of="loss", style="readable")
    assert "d_z_2" not in function.source and "d_z = d_z + " in function.source
    function.module.check()
    z = gc.tanh(x)
    (end,) = gc.scan(step, z, length=4)
    both = gc.graph({"y": gc.sum(end * z)}, name="both")  # z is read behind the loop
    function = gc.compile(both, style="readable")
    assert "z_2 = z\n" in function.source
    state, at = function.init(seed=0), {"x": np.ones((2, 3), "float32")}
    np.testing.assert_allclose(
        function(state, **at)["y"], gc.interpret(both, state, **at)["y"], rtol=1e-5
    )


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_what_arrives_at_a_step_is_called_after_the_carry(style: str) -> None:
    x = gc.input("x", ("T", "N", 3))
    hs, h = nn.lstm(x, 4, name="first")[:2]
    hs, _ = nn.lstm(hs, 4, name="second", initial=(h, h))[:2]
    graph = gc.graph({"loss": gc.mean(hs**2)}, name="model")
    source = gc.compile(graph, gradient_of="loss", style=style).source
    assert not re.search(r"\bd_(?:first|second)_add", source)
    assert "d_h_2" in source and "d_c_2" in source and "_2_2" not in source


def test_what_a_loop_shows_of_a_stack_is_not_shown_again() -> None:
    x = gc.input("x", ("T", "N", 3))
    graph = gc.graph({"loss": gc.mean(nn.lstm(x, 4, name="lstm")[0] ** 2)}, name="model")
    function = gc.compile(graph, gradient_of="loss", style="fast")
    views = re.findall(r"^ +\w+ = (\w+_steps\[:, \d\])", function.source, re.MULTILINE)
    assert views and len({*views}) == len(views)
    assert "    g_pre = z[:, " in function.source  # what g is a function of
    function.module.check()


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_the_adjoint_of_what_a_step_is_a_function_of(style: str) -> None:
    """The product of inputs and weights leaves the loop first; what it was in it has no name."""
    text = """
x: input(f32, T, N, 8)
W: param(f32, 8, 16)
U: param(f32, 16, 16)
def cell(h, x_t):
    h = tanh(x_t @ W + h @ U)
    return h
h, = scan(cell, init=zeros((N, 16)), xs=x)
loss = mean(h**2)
output(loss)
"""
    source = gc.compile(gc.parse(text), gradient_of="loss", style=style).source
    assert "d_h_pre" in source and "d_product" not in source


def test_a_users_name_counts_though_an_op_would_give_it() -> None:
    """`sum_t` is as good a name for a carry as `seen`: what arrives at it is called after it."""
    text = """
x: input(f64, T, 3)
w: param(f64, 3)
def cell(NAME, x_t):
    return tanh(NAME*w + x_t)
h, = scan(cell, init=zeros(3, dtype=f64), xs=x)
loss = sum(h)
output(loss)
"""
    plain, alike = (
        str(gc.parse(text.replace("NAME", name)).gradient("loss")) for name in ("seen", "sum_t")
    )
    assert "d_seen" in plain and alike == plain.replace("seen", "sum_t")
