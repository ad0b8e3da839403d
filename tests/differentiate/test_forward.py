"""Forward mode: what it adds to a graph, that it agrees with reverse mode, and at every kink."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.leaf import input_
from graphc.run.opcheck import Direction
from graphc.run.reference import evaluate


def model() -> gc.Graph:
    return gc.parse(
        """
x: input(f64, N, 3)
y: input(i64, N)
W: param(f64, 3, 4)
b: param(f64, 4)

z1 = x @ W + b
p = softmax(z1)
loss = -mean(log(take_along_axis(p, y[:, None], axis=1)))
guess = argmax(p, axis=1)
size = sum(b**2)
output(loss, guess, size)
"""
    )


def point(seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    state = {"W": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    return state, {"x": rng.normal(size=(5, 3)), "y": rng.integers(0, 4, 5)}


# -- the graph -----------------------------------------------------------------------------------


def test_a_tangent_graph_takes_motions_and_gives_those_of_its_float_outputs() -> None:
    graph = model().tangent(wrt=["W"])
    assert list(graph.inputs) == ["x", "y", "W_dot"]
    assert graph.inputs["W_dot"].type == graph.params["W"].type
    assert list(graph.outputs) == ["loss", "guess", "size", "loss_dot", "size_dot"]
    state, data = point()
    motion = np.random.default_rng(1).normal(size=(3, 4))
    found = gc.compile(graph)(state, **data, W_dot=motion)
    assert found["size_dot"] == 0.0  # it does not depend on W
    gradient = gc.compile(model(), gradient_of="loss", wrt=["W"])(state, **data)
    expected = (gradient["d_loss_d_W"] * motion).sum()
    np.testing.assert_allclose(found["loss_dot"], expected, rtol=1e-12)


def test_several_names_move_together() -> None:
    state, data = point()
    graph = model().tangent(wrt=["W", "x", "b"])
    rng = np.random.default_rng(1)
    motion = {name: rng.normal(size=np.shape(v)) for name, v in {**state, **data}.items()}
    dots = {f"{name}_dot": motion[name] for name in ("W", "x", "b")}
    found = gc.interpret(graph, state, **data, **dots)["loss_dot"]
    gradients = gc.interpret(model().gradient("loss", ["W", "x", "b"]), state, **data)
    expected = sum((gradients[f"d_loss_d_{n}"] * motion[n]).sum() for n in ("W", "x", "b"))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_tangents_are_nodes_with_names_in_the_text() -> None:
    text = str(model().tangent(wrt="W"))
    assert "z1_dot: f64[N, 4] = x @ W_dot" in text
    assert "output(loss, guess, size, loss_dot" in text
    assert gc.parse(text) == model().tangent(wrt="W")


def test_several_directions_at_once_share_the_partial_derivatives() -> None:
    graph = model()
    single, several = graph.tangent(wrt=["W"]), graph.tangent(wrt=["W"], directions=7)
    assert several.inputs["W_dot"].shape == (7, 3, 4)
    assert several.outputs["loss_dot"].shape == (7,)
    assert len(several.nodes) <= len(single.nodes) + 12  # and not seven times as many
    state, data = point()
    dots = np.random.default_rng(2).normal(size=(7, 3, 4))
    found = gc.compile(several)(state, **data, W_dot=dots)["loss_dot"]
    expected = [gc.interpret(single, state, **data, W_dot=dot)["loss_dot"] for dot in dots]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_number_of_directions_may_have_a_name() -> None:
    graph = model().tangent(wrt=["b"], directions="K")
    state, data = point()
    f = gc.compile(graph)
    for count in (1, 4):
        assert f(state, **data, b_dot=np.ones((count, 4)))["loss_dot"].shape == (count,)


def test_names_that_are_taken_get_numbers() -> None:
    x = gc.input("x", (2,), "float64")
    graph = gc.graph({"y": (x**3).sum()}).tangent(["x"]).tangent(["x"])
    assert list(graph.inputs) == ["x", "x_dot", "x_dot2"]
    assert list(graph.outputs) == ["y", "y_dot", "y_dot2", "y_dot_dot"]
    u, v = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    found = gc.interpret(graph, x=np.array([2.0, 5.0]), x_dot=u, x_dot2=v)
    assert found["y_dot_dot"] == (6 * np.array([2.0, 5.0]) * u * v).sum()


def test_a_value_between_can_move() -> None:
    state, data = point()
    graph = model().tangent(wrt="z1")
    shape = (5, 4)
    found = gc.interpret(graph, state, **data, z1_dot=np.ones(shape))
    np.testing.assert_allclose(found["loss_dot"], 0, atol=1e-15)  # softmax ignores a common shift


def test_mistakes_are_told() -> None:
    with pytest.raises(GraphError, match="no derivative by an integer"):
        model().tangent(wrt=["y"])
    with pytest.raises(GraphError, match="did you mean 'z1'"):
        model().tangent(wrt=["z"])


def test_float32_stays_float32() -> None:
    graph = model().astype("float32").tangent(wrt=["W"])
    assert {graph.outputs[n].dtype.name for n in ("loss", "loss_dot", "size_dot")} == {"float32"}


# -- agreement at kinks --------------------------------------------------------------------------


def at(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def taken(*truths: bool) -> Node:
    return OPS["constant"](np.array(truths))


#: What the conventions at kinks and the errors of other tools are about: function, point.
EDGES: dict[str, tuple[Callable[[Node], Node], np.ndarray]] = {
    "where over a root": (lambda x: gc.where(x > 0, gc.sqrt(x), x).sum(), at(-1, 0, 4)),
    "where over a log": (lambda x: gc.where(x > 0, gc.log(x), 0.0).sum(), at(0, 2)),
    "where in where": (
        lambda x: gc.where(x > 0, gc.where(x > 1, gc.sqrt(x - 1), x**2), gc.exp(x)).sum(),
        at(-1, 0.5, 3),
    ),
    "x log x": (lambda x: gc.where(x > 0, x * gc.log(x), 0.0).sum(), at(0, 2)),
    "masked root": (lambda x: (gc.sqrt(x) * OPS["constant"](at(0, 1))).sum(), at(0, 4)),
    "element of a root": (lambda x: gc.sqrt(x)[1], at(0, 4)),
    "root of an element": (lambda x: gc.sqrt(x[1]), at(0, 4)),
    "norm at zero": (gc.norm, at(0, 0)),
    "norm": (gc.norm, at(3, 4)),
    "unit vector": (lambda x: (x / gc.norm(x)).sum(), at(3, 4)),
    "square": (lambda x: (x**2).sum(), at(0, 2)),
    "cube": (lambda x: (x**3).sum(), at(0, 2)),
    "first power": (lambda x: (x**1).sum(), at(0, 2)),
    "product with itself": (lambda x: (x * x).sum(), at(0, 2)),
    "product with a zero": (gc.prod, at(0, 2, 3)),
    "product with two zeros": (gc.prod, at(0, 0, 3)),
    "running product": (lambda x: gc.cumprod(x).sum(), at(0, 2, 0)),
    "variance of a constant": (gc.var, at(2, 2, 2)),
    "normalized constant": (
        lambda x: ((x - x.mean()) / gc.sqrt(gc.var(x) + 1e-5)).prod(),
        at(2, 2, 2),
    ),
    "max with ties": (lambda x: gc.max(x**2), at(2, -2, 1)),
    "relu": (lambda x: (gc.relu(x) ** 2).sum(), at(-1, 0, 2)),
    "maximum": (lambda x: (gc.maximum(x, 0.0) * x).sum(), at(-1, 0, 2)),
    "clip": (lambda x: (gc.clip(x, -1.0, 1.0) ** 2).sum(), at(-1, 0, 1, 2)),
    "abs": (lambda x: (gc.abs(x) * x).sum(), at(-1, 0, 2)),
    "softplus far out": (lambda x: gc.softplus(x).sum(), at(-50, -20, 0, 20, 50)),
    "log sigmoid far out": (lambda x: gc.log_sigmoid(x).sum(), at(-50, -20, 0, 20, 50)),
    "tanh far out": (lambda x: gc.tanh(x).sum(), at(-50, -20, 0, 20, 50)),
    "logsumexp far out": (gc.logsumexp, at(1000, 0, -1000)),
    "logsumexp, masked": (
        lambda x: gc.logsumexp(gc.where(taken(True, False, True), x, -np.inf)),
        at(1, 2, 3),
    ),
    "logsumexp of nothing": (
        lambda x: gc.logsumexp(gc.where(taken(False, False), x, -np.inf)),
        at(1, 2),
    ),
    "repeated places": (lambda x: (x[OPS["constant"]([0, 0, 1])] ** 3).sum(), at(2, 3)),
    "fan-out": (lambda x: sum((x * float(i) for i in range(20)), x).prod(), at(0.1, 0.2)),
    "broadcasts": (lambda x: (x[:, None] * x[None, :] ** 2).sum(), at(1, 2)),
    "stopped": (lambda x: (gc.stop_gradient(x) * x).sum(), at(3, 4)),
}


@pytest.mark.parametrize("name", EDGES)
def test_both_modes_agree_at_kinks_at_first_and_second_order(name: str) -> None:
    function, values = EDGES[name]
    x = input_("x", values.shape, "float64")
    y = function(x)
    motions = [np.ones(values.shape), np.random.default_rng(0).normal(size=values.shape)]
    for motion in [*motions, *np.eye(values.size)]:
        along = Direction([x], [OPS["constant"](motion)])
        first = [along.tangent(y), along.by_reverse(y)]
        second = [derive(slope) for slope in first for derive in along.both]
        known = evaluate([*first, *second], {x: values}, sizes={})
        slopes = [float(known[node]) for node in first]
        curvatures = [float(known[node]) for node in second]
        assert np.isfinite([*slopes, *curvatures]).all()
        np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(curvatures, curvatures[0], rtol=1e-10, atol=1e-15)


def test_a_zero_motion_never_becomes_nan() -> None:
    x, y = input_("x", (), "float64"), input_("y", (), "float64")
    for steep in (gc.log(x), gc.sqrt(x), 1 / x, gc.log(gc.sqrt(x)), gc.sqrt(x) ** 2):
        along = Direction([x, y], [OPS["constant"](0.0), OPS["constant"](1.0)])
        tangent = along.tangent(steep + y)
        found = evaluate([tangent], {x: np.array(0.0), y: np.array(1.0)}, sizes={})
        assert found[tangent] == 1.0


def test_second_derivatives_keep_their_digits_far_out() -> None:
    x = input_("x", (), "float64")
    one = OPS["constant"](1.0)
    along = Direction([x], [one])
    curvature = along.tangent(along.tangent(gc.softplus(x)))
    for value in (-50.0, -20.0, 20.0, 50.0):
        found = evaluate([curvature], {x: np.array(value)}, sizes={})[curvature]
        exact = np.exp(-abs(value)) / (1 + np.exp(-abs(value))) ** 2
        np.testing.assert_allclose(found, exact, rtol=1e-12)


# -- size ----------------------------------------------------------------------------------------


def test_a_chain_of_20_000_nodes() -> None:
    x = gc.input("x", (), "float64")
    y = x
    for i in range(20_000):
        y = gc.sin(y) if i % 2 else y * 1.0001
    graph = gc.graph({"y": y}).tangent(["x"])
    assert len(graph.nodes) < 80_000


def test_a_sum_with_fan_out_10_000() -> None:
    x = gc.input("x", (), "float64")
    total = x
    for i in range(1, 10_000):
        total = total + x * float(i)
    graph = gc.graph({"y": total}).tangent(["x"])
    assert len(graph.nodes) < 60_000
    found = gc.interpret(graph, x=np.array(2.0), x_dot=np.array(1.0))
    assert found["y_dot"] == 1 + sum(range(10_000))


@pytest.mark.parametrize("stabilize", [True, False])
def test_a_loop_of_which_no_result_moves(stabilize: bool) -> None:
    x = gc.input("x", (3,), "float64")
    _, ys = gc.scan(lambda c, t: (c + 1.0, gc.relu(t)), init=gc.constant(0.0, "float64"), xs=x)
    graph = gc.graph({"y": gc.sum(ys)})  # the slopes of relu are no longer moved by anything
    second = gc.compile(graph.hvp("y", wrt="x", stabilize=stabilize))
    got = second(x=np.array([-1.0, 0.0, 2.0]), x_v=np.ones(3))
    assert np.array_equal(got["d2_y_d_x_v"], [0, 0, 0])
