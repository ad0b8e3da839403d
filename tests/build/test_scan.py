"""`gc.scan`: what it takes, what it builds, what it refuses."""

from __future__ import annotations

import sys
from types import FrameType

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

T, N = gc.dim("T"), gc.dim("N")


def running_sum(total: Node, x_t: Node) -> tuple[Node, Node]:
    total = total + x_t
    return total, total


def test_a_loop_carries_and_stacks() -> None:
    x = gc.input("x", (T, 2), dtype="float64")
    last, sums = gc.scan(running_sum, init=gc.zeros((2,), dtype="float64"), xs=x)
    graph = gc.graph({"last": last, "sums": sums})
    X = np.arange(6.0).reshape(3, 2)
    for found in (gc.interpret(graph, x=X), gc.compile(graph)(x=X)):
        np.testing.assert_array_equal(found["sums"], X.cumsum(axis=0))
        np.testing.assert_array_equal(found["last"], X.sum(axis=0))


def test_reverse_starts_at_the_end_and_keeps_places() -> None:
    x = gc.input("x", (4,), dtype="float64")
    last, sums = gc.scan(running_sum, init=gc.zeros((), dtype="float64"), xs=x, reverse=True)
    found = gc.compile(gc.graph({"last": last, "sums": sums}))(x=np.arange(4.0))
    np.testing.assert_array_equal(found["sums"], [6, 6, 5, 3])
    assert found["last"] == 6


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_any_number_of_steps(steps: int, style: str) -> None:
    x = gc.input("x", (T, 2), dtype="float64")
    start = gc.input("start", (2,), dtype="float64")
    last, sums = gc.scan(running_sum, init=start, xs=x)
    f = gc.compile(gc.graph({"last": last, "sums": sums}), style=style)
    X, s = np.ones((steps, 2)), np.array([3.0, 4.0])
    found = f(x=X, start=s)
    np.testing.assert_array_equal(found["last"], s + steps)
    assert found["sums"].shape == (steps, 2)
    found["last"] += 1  # the result is the caller's own
    np.testing.assert_array_equal(s, [3.0, 4.0])


def test_without_sequences_a_length_is_given() -> None:
    def halved(x: Node) -> tuple[Node, Node]:
        return 0.5 * x, x

    _, powers = gc.scan(halved, init=1.0, length=5)
    assert powers.dtype.name == "float32"
    np.testing.assert_array_equal(gc.compile(gc.graph({"y": powers}))()["y"], 0.5 ** np.arange(5))


def test_without_carries_a_loop_maps() -> None:
    x = gc.input("x", (T, 3), dtype="float64")
    (norms,) = gc.scan(lambda row: gc.sum(row * row), xs=x)
    graph = gc.graph({"norms": norms})
    assert gc.parse(str(graph)) == graph
    X = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(gc.compile(graph)(x=X)["norms"], (X * X).sum(axis=1))


def test_several_carries_take_each_others_place() -> None:
    def fibonacci(a: Node, b: Node) -> tuple[Node, Node, Node]:
        return b, a + b, a

    *_, numbers = gc.scan(
        fibonacci, init=(gc.full((), 0, "int64"), gc.full((), 1, "int64")), length=10
    )
    for style in ("readable", "fast"):
        for level in (0, 2):
            f = gc.compile(gc.graph({"y": numbers}), style=style, optimize=level)
            assert f()["y"].tolist() == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]


def test_constants_may_be_arguments_or_names_from_outside() -> None:
    x, w = gc.input("x", (T, 2)), gc.input("w", (2,))

    def closed(total: Node, x_t: Node) -> Node:
        return total + x_t * w

    def given(total: Node, x_t: Node, w: Node) -> Node:
        return total + x_t * w

    zeros = gc.zeros((2,))
    (a,) = gc.scan(closed, init=zeros, xs=x)
    (b,) = gc.scan(given, init=zeros, xs=x, constants=w)
    assert gc.graph({"y": a}) == gc.graph({"y": b})


def test_loops_nest() -> None:
    x = gc.input("x", (T, N), dtype="float64")
    w = gc.input("w", (), dtype="float64")

    def row(total: Node, x_t: Node) -> tuple[Node, Node]:
        inner, _ = gc.scan(lambda s, v: (gc.tanh(w * s + v), s), init=total, xs=x_t)
        return inner, inner * total

    last, products = gc.scan(row, init=gc.full((), 0.5, "float64"), xs=x)
    graph = gc.graph({"y": last + gc.sum(products)})
    assert gc.parse(str(graph)) == graph
    X = np.random.default_rng(0).normal(size=(3, 4))
    total, expected = 0.5, 0.0
    for r in X:
        before = total
        for v in r:
            total = np.tanh(0.7 * total + v)
        expected += total * before
    for style in ("readable", "fast"):
        f = gc.compile(graph, gradient_of="y", wrt=["w", "x"], style=style)
        np.testing.assert_allclose(f(x=X, w=0.7)["y"], expected + total)
    assert gc.check_gradient(graph, of="y", at={"x": X, "w": 0.7}).max_error < 1e-6


@pytest.mark.parametrize("reverse", [False, True])
def test_unrolled_gives_the_same_numbers(reverse: bool) -> None:
    x = gc.input("x", (4, 3), dtype="float64")
    W = gc.input("W", (3, 3), dtype="float64")

    def cell(h: Node, x_t: Node) -> tuple[Node, Node]:
        h = gc.tanh(x_t + h @ W)
        return h, h * 2

    def graph(unroll: bool) -> gc.Graph:
        start = gc.zeros((3,), dtype="float64")
        last, hs = gc.scan(cell, init=start, xs=x, reverse=reverse, unroll=unroll)
        return gc.graph({"loss": gc.sum(last * last) + gc.mean(hs)})

    rng = np.random.default_rng(0)
    at = {"x": rng.normal(size=(4, 3)), "W": rng.normal(size=(3, 3))}
    rolled, unrolled = (gc.compile(graph(u), gradient_of="loss")(**at) for u in (False, True))
    for name, value in rolled.items():
        np.testing.assert_allclose(unrolled[name], value, 1e-12)


def test_a_gradient_in_a_step_goes_no_further_back_than_the_step() -> None:
    """The leapfrog steps of a pendulum's energy: to each, q and p are two numbers."""

    def energy(q: Node, p: Node) -> Node:
        return gc.cos(q * p) + q * p**2

    def leap(q: Node, p: Node) -> tuple[Node, Node, Node]:
        p = p - 0.1 * gc.grad(energy(q, p), [q])[0]
        q = q + 0.1 * gc.grad(energy(q, p), [p])[0]
        return q, p, gc.stop_gradient(q) * p

    start = gc.input("q", (), "float64"), gc.input("p", (), "float64")
    rolled, written = (
        gc.graph(dict(zip("qpe", gc.scan(leap, init=start, length=3, unroll=unroll), strict=True)))
        for unroll in (False, True)
    )
    expected = gc.interpret(rolled, q=1.0, p=0.5)
    for name, value in gc.interpret(written, q=1.0, p=0.5).items():
        np.testing.assert_allclose(value, expected[name], 1e-12)


def test_a_step_that_is_written_out_may_draw_numbers_of_its_own() -> None:
    def walk(h: Node) -> tuple[Node, Node]:
        h = h + gc.random_normal((2,))
        return h, h

    _, path = gc.scan(walk, init=gc.zeros((2,)), length=4, unroll=True)
    steps = np.diff(
        gc.interpret(gc.graph({"path": path}), rng=np.random.default_rng(0))["path"], axis=0
    )
    assert len(np.unique(steps)) == 6


def test_the_size_of_the_code_does_not_grow_with_the_length() -> None:
    def lines(steps: int) -> int:
        x = gc.input("x", (steps, 2, 3))
        hs, *_ = gc.nn.lstm(x, 4)
        graph = gc.graph({"loss": gc.mean(hs * hs)})
        return gc.compile(graph, gradient_of="loss").source.count("\n")

    assert lines(100) == lines(300)


def test_train_and_test_mode_and_other_floats_reach_into_the_body() -> None:
    x = gc.input("x", (T, N, 3))
    hs, _ = gc.nn.gru(x, 4, name="gru")
    graph = gc.graph({"y": gc.sum(hs)})
    double = graph.astype("float64")
    assert double.outputs["y"].dtype.name == "float64"
    assert gc.parse(str(double)) == double
    assert graph.for_inference() == graph


def test_a_loop_has_a_cost_for_each_step() -> None:
    x = gc.input("x", (T, N, 3))
    hs, _ = gc.nn.rnn(x, 4, name="rnn")
    cost = gc.graph({"y": hs}).cost()
    per_step = cost.at(T=1, N=1).flops
    assert cost.at(T=7, N=1).flops == 7 * per_step
    assert per_step >= 2 * 3 * 4 + 2 * 4 * 4


# -- bad input -------------------------------------------------------------------------------------


def error_of(*args: object, **words: object) -> str:
    with pytest.raises(gc.GraphError) as caught:
        gc.scan(*args, **words)
    return str(caught.value)


def test_a_carry_keeps_its_shape() -> None:
    x = gc.input("x", (T, 2, 3))
    text = error_of(lambda h, x_t: (x_t, x_t), init=gc.zeros((2, 4)), xs=x)
    assert "carry 'h'" in text
    assert "f32[2, 3]" in text
    assert "f32[2, 4]" in text


def test_a_carry_keeps_its_dtype() -> None:
    x = gc.input("x", (T, 2))
    text = error_of(lambda h, x_t: gc.cast(h, "float64") + 1.0, init=gc.zeros((2,)), xs=x)
    assert "f64[2]" in text
    assert "gc.cast(x, 'float32')" in text
    assert "gc.cast(init, 'float64')" in text  # zeros are float32 unless they are told otherwise


def test_sequences_have_one_length() -> None:
    a, b = gc.input("a", (4, 2)), gc.input("b", (5, 2))
    assert "different lengths" in error_of(lambda x, y: x + y, xs=(a, b))


def test_a_length_is_needed() -> None:
    assert "number of steps" in error_of(lambda h: h, init=gc.zeros((2,)))


def test_a_body_takes_what_it_is_given() -> None:
    x = gc.input("x", (T, 2))
    assert "takes other arguments" in error_of(lambda h: h, init=gc.zeros((2,)), xs=x)


def test_a_body_returns_its_carries() -> None:
    x = gc.input("x", (T, 2))
    text = error_of(lambda a, b, x_t: x_t, init=(gc.zeros((2,)), gc.zeros((2,))), xs=x)
    assert "2 carries" in text


def test_a_body_draws_no_random_numbers() -> None:
    x = gc.input("x", (T, 2))
    text = error_of(lambda h, x_t: h + gc.random_normal((2,)), init=gc.zeros((2,)), xs=x)
    assert "before the scan" in text


def test_a_length_beyond_the_array_is_refused_at_the_call() -> None:
    x, lengths = gc.input("x", (T, N, 3)), gc.input("lengths", (N,), dtype="int64")
    hs, _ = gc.nn.rnn(x, 4, name="rnn", lengths=lengths)
    f = gc.compile(gc.graph({"y": hs}))
    X = np.zeros((5, 2, 3), np.float32)
    assert f(f.init(), x=X, lengths=np.array([5, 1]))["y"].shape == (5, 2, 4)
    with pytest.raises(gc.GraphError, match="lengths"):
        f(f.init(), x=X, lengths=np.array([6, 1]))


def test_a_draw_made_before_the_loop_is_the_same_in_every_step() -> None:
    noise = gc.random_normal((3,))
    start, xs = gc.input("start", (3,)), gc.input("xs", ("T", 3))
    (last,) = gc.scan(lambda h, x_t: h + x_t + noise, init=start, xs=xs)
    f = gc.compile(gc.graph({"last": last, "noise": noise}))
    got = f(start=np.zeros(3), xs=np.zeros((4, 3)), rng=np.random.default_rng(0))
    np.testing.assert_allclose(got["last"], 4 * got["noise"], rtol=1e-6)


def test_the_variables_of_a_body_name_what_they_hold() -> None:
    x, W, V = gc.input("x", ("T", 3)), gc.param("W", (3, 3)), gc.param("V", (3, 2))
    U = gc.param("U", (3, 3))

    def gated(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        def fresh(h: gc.Node) -> gc.Node:
            inside = h @ W  # a function within a function keeps its variables
            return gc.tanh(x_t + inside)

        z = gc.sigmoid(h @ U)
        candidate = fresh(h)
        h = (1 - z) * h + z * candidate
        y = h @ V
        return h, y

    text = str(gc.graph({"y": gc.scan(gated, init=gc.zeros((3,)), xs=x)[1]}))
    assert "z: f32[3] = sigmoid(h @ U)" in text
    assert "candidate: f32[3] = tanh(x_t + h @ W)" in text
    assert "h_next: f32[3] = (1 - z) * h + z * candidate" in text
    assert "return h_next, y" in text and "inside" not in text
    assert gc.parse(text) == gc.graph({"y": gc.scan(gated, init=gc.zeros((3,)), xs=x)[1]})


def test_a_body_in_a_body_keeps_both_their_variables() -> None:
    x = gc.input("x", ("T", "S", 3))

    def outer(total: gc.Node, rows: gc.Node) -> tuple[gc.Node, gc.Node]:
        def inner(h: gc.Node, row: gc.Node) -> tuple[gc.Node, gc.Node]:
            bent = gc.tanh(row)
            return h + bent, bent

        last, _ = gc.scan(inner, init=gc.zeros((3,)), xs=rows)
        scaled = 2 * last
        return total + scaled, scaled

    text = str(gc.graph({"y": gc.scan(outer, init=gc.zeros((3,)), xs=x)[0]}))
    assert "bent: f32[3] = tanh(row)" in text
    assert "scaled: f32[3] = 2 *" in text


def test_a_profiler_goes_on_while_a_body_is_built() -> None:
    x = gc.input("x", ("T", 3))
    seen = []

    def body(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node]:
        step = gc.tanh(x_t)
        return (h + step,)

    def profiler(frame: FrameType, event: str, _: object) -> None:
        seen.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        profiled = gc.scan(body, init=gc.zeros((3,)), xs=x)
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(before)
    assert "body" in seen
    assert gc.graph({"h": profiled[0]}) == gc.graph(
        {"h": gc.scan(body, init=gc.zeros((3,)), xs=x)[0]}
    )
    with pytest.raises(ZeroDivisionError):
        gc.scan(lambda h, x_t: 1 / 0, init=gc.zeros((3,)), xs=x)
    assert sys.getprofile() is before
