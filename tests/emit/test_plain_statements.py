"""Statements as a person writes them: signs between terms, sums without detours, plain sizes."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

STYLES = ["readable", "fast"]


def step_of(loss: Node, style: str = "readable") -> gc.Compiled:
    graph = gc.graph({"loss": loss})
    return gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1), style=style)


def check_step(step: gc.Compiled, loss: Node, **data: np.ndarray) -> None:
    """Check one step against a step by the definitions of the ops."""
    state = step.init(seed=0)
    given = {name: value.copy() for name, value in state.items()}
    step(state, **data)
    graph = gc.graph({"loss": loss})
    graph = graph.gradient("loss", list(graph.params), stabilize=False)
    expected = gc.interpret(graph, given, **data)
    for name, before in given.items():
        gradient = expected[f"d_loss_d_{name}"]
        np.testing.assert_allclose(state[name], before - 0.1 * gradient, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("style", STYLES)
def test_what_is_subtracted_is_no_negative_multiple(style: str) -> None:
    """The gradient of a center is a negated sum: the update adds."""
    x, c = gc.input("x", ("N", 2)), gc.param("c", (5, 2), init=gc.init.normal(1.0))
    loss = gc.mean(gc.exp(-gc.sum((x[:, None] - c) ** 2, axis=2)))
    step = step_of(loss, style)
    check_step(step, loss, x=np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32))
    assert "-0.1" not in step.source


@pytest.mark.parametrize(
    ("scale", "shown"),
    [(-0.25, "y = x - 0.25 * np.exp(x)"), (1 / -3.0, "y = x - 0.33333334 * np.exp(x)")],
)
def test_a_negative_coefficient_is_a_sign_between_terms(scale: float, shown: str) -> None:
    x = gc.input("x", ("N",))
    for y in (x + scale * gc.exp(x), gc.exp(x) * scale + x):
        assert shown in gc.compile(gc.graph({"y": y}), style="readable").source
    y = x - gc.exp(x) * scale
    assert shown.replace(" - ", " + ") in gc.compile(gc.graph({"y": y}), style="readable").source


@pytest.mark.parametrize("style", STYLES)
def test_the_bias_of_one_unit_gets_a_plain_sum(style: str) -> None:
    x, y = gc.input("x", ("N", 3)), gc.input("y", ("N",))
    z = gc.nn.dense(x, 1, name="out")[:, 0]
    loss = gc.mean((z - y) ** 2)
    step = step_of(loss, style)
    rng = np.random.default_rng(1)
    check_step(step, loss, x=rng.random((4, 3), np.float32), y=rng.random(4, np.float32))
    assert ".sum(keepdims=True" in step.source
    assert "[:, None].sum(" not in step.source


def test_sums_and_maxima_pass_axes_of_size_one() -> None:
    x = gc.input("x", ("N", 3))
    column, wide = x[:, :, None], gc.reshape(x, ("N", 1, 3))
    graph = gc.graph(
        {
            "a": gc.sum(column, axis=1),
            "b": gc.min(wide, axis=(1, 2)),
            "c": gc.max(wide, axis=2),
            "d": gc.mean(column, axis=(0, 2), keepdims=True),
        }
    )
    function = gc.compile(graph, style="readable")
    data = np.random.default_rng(2).random((4, 3), np.float32)
    expected = gc.interpret(graph, x=data)
    for name, value in function(x=data).items():
        assert value.shape == expected[name].shape
        np.testing.assert_allclose(value, expected[name], rtol=1e-6)
    body = function.source.partition('"""Return the outputs')[2]
    for call in ("x.sum(axis=1, keepdims=True)", "x.min(axis=1)", "x.max(axis=1, keepdims=True)"):
        assert call in body
    assert "x[:, :, None]." not in body and "x.reshape" not in body


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("reverse", [False, True])
def test_states_before_each_step_are_put_together_where_they_are_read(
    style: str, reverse: bool
) -> None:
    """Only the backward pass needs them, and no derivative's name is theirs."""
    x, U = gc.input("x", (5, "N", 3)), gc.param("U", (3, 3), init=gc.init.normal(0.5))

    def step(h: Node, x: Node) -> Node:
        return gc.tanh(x @ U) * h + gc.sin(x)

    (last,) = gc.scan(step, gc.zeros((x.shape[1], 3)), x, reverse=reverse)
    loss = gc.mean(last**2)
    function = step_of(loss, style)
    data = np.random.default_rng(3).normal(size=(5, 4, 3)).astype(np.float32)
    check_step(function, loss, x=data)
    forward, _, backward = function.source.partition("# backward")
    forward = forward.partition("# forward")[2]
    assert "h_before" not in forward and "concatenate" not in forward
    assert "h_before = " in backward and "d_h_before" not in backward
    assert "zeros = np.zeros((1, N, 3)" not in backward or "d_zeros" not in backward


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_first_state_of_zeros_adds_nothing_to_the_gradient_of_a_weight(
    style: str, reverse: bool
) -> None:
    """The states before each step are the stack that the loop made, but for its last row."""
    x, U = gc.input("x", (5, "N", 3)), gc.param("U", (3, 3), init=gc.init.normal(0.5))
    (last,) = gc.scan(
        lambda h, x: gc.tanh(x + h @ U), gc.zeros((x.shape[1], 3)), x, reverse=reverse
    )
    loss = gc.mean(last**2)
    function = step_of(loss, style)
    data = np.random.default_rng(3).normal(size=(5, 4, 3)).astype(np.float32)
    check_step(function, loss, x=data)
    assert "h_before" not in function.source
    assert ("[1:]" if reverse else "[:4]") in function.source


@pytest.mark.parametrize("style", STYLES)
def test_a_joined_state_and_input_are_multiplied_apart(style: str) -> None:
    """What of the input no state enters is multiplied for all steps before the loop."""
    x = gc.input("x", (5, "N", 3))
    W = gc.param("W", (7, 4), init=gc.init.normal(0.5))
    (last,) = gc.scan(
        lambda h, x: gc.tanh(gc.concat([h, x], axis=1) @ W), gc.zeros((x.shape[1], 4)), x
    )
    loss = gc.mean(last**2)
    function = step_of(loss, style)
    data = np.random.default_rng(3).normal(size=(5, 4, 3)).astype(np.float32)
    check_step(function, loss, x=data)
    forward = function.source.partition("# forward")[2].partition("# backward")[0]
    before, _, loop = forward.partition("    for ")
    assert "W[4:]" in before
    assert not any("concat" in x for x in loop.splitlines() if x.startswith(" " * 8))


def test_zeros_that_a_derivative_begins_with_are_called_zeros() -> None:
    x = gc.input("x", (5, "N", 3))
    hs, _ = gc.nn.bidirectional(gc.nn.gru, x, 4, name="bi")
    source = step_of(gc.mean(hs**2)).source
    assert "bi_forward_zeros = np.zeros((1, N, 4), np.float32)" in source
    assert "d_bi_forward_zeros" not in source


def test_vectors_of_parameters_begin_as_arrays_of_a_length() -> None:
    scale = gc.param("scale", (8,), init=gc.init.ones())
    shift = gc.param("shift", (8,), init=gc.init.uniform())
    step = step_of(gc.sum(gc.sin(scale) * shift))
    assert '"scale": np.ones(8, np.float32)' in step.source
    assert "rng.uniform(-0.05, 0.05, 8)" in step.source
    assert [step.init()[name].shape for name in ("scale", "shift")] == [(8,), (8,)]


@pytest.mark.parametrize("style", STYLES)
def test_a_product_of_places_inserts_no_axes_in_front(style: str) -> None:
    d, v = gc.input("d", ("N", 4)), gc.input("v", (4, 3))
    row = gc.input("row", (3,))
    graph = gc.graph({"h": gc.einsum("nk,kh->nkh", d, v), "o": gc.einsum("nk,h->nkh", d, row)})
    function = gc.compile(graph, style=style)
    rng = np.random.default_rng(4)
    data = {name: rng.random(shape) for name, shape in (("d", (5, 4)), ("v", (4, 3)))}
    data = {name: value.astype(np.float32) for name, value in data.items()}
    data["row"] = rng.random(3, np.float32)
    expected = gc.interpret(graph, **data)
    for name, value in function(**data).items():
        np.testing.assert_array_equal(value, expected[name])
    assert "[None" not in function.source
    assert "d[:, :, None]" in function.source


def test_a_step_of_adam_is_three_lines_for_all_parameters() -> None:
    x, y = gc.input("x", ("N", 30)), gc.input("y", ("N", 4))
    z = gc.nn.dense(gc.nn.dense(x, 40, name="l1", activation=gc.tanh), 4, name="l2")
    graph = gc.graph({"loss": gc.mean((z - y) ** 2)})
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(), style="readable")
    update = step.source.partition("# update\n")[2].partition("    return")[0].splitlines()
    shown = ["l1_W_step +=", "steps =", "correction =", "step_size =", "eps ="]
    assert [sum(line.strip().startswith(word) for line in update) for word in shown] == [1] * 5
    assert update[5:8] == [
        "    for name, gradient in derivatives.items():",
        "        parameter = state[name]",
        '        mean, mean_square = state[f"{name}.mean"], state[f"{name}.mean_square"]',
    ]
    assert len(update) == 8 + 3
    assert update[-1] == "        parameter -= step_size * (mean / (np.sqrt(mean_square) + eps))"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-1e9, "-1e9"), (1e-8, "1e-8"), (2e6, "2e6"), (1.5e7, "15000000.0"), (1e38, "1e38")],
)
@pytest.mark.parametrize("style", STYLES)
def test_round_numbers_are_written_short(style: str, value: float, shown: str) -> None:
    x = gc.input("x", ("N",), dtype="float64")
    function = gc.compile(gc.graph({"y": gc.where(x > 0, x, value)}), style=style)
    assert shown in function.source.partition("import numpy")[2]
    np.testing.assert_array_equal(function(x=np.array([2.0, -1.0]))["y"], [2, value])


@pytest.mark.parametrize("words", [{"count_include_pad": False}, {"ceil_mode": True}])
def test_the_count_of_a_window_is_no_divisor_to_guard(words: dict[str, bool]) -> None:
    x = gc.input("x", ("N", 3, 8, 8))
    pooled = gc.nn.avg_pool2d(x, 3, 2, padding=1, **words)
    graph = gc.graph({"loss": gc.mean(pooled**2)})
    found = gc.compile(graph, gradient_of="loss", wrt=["x"], style="readable")
    assert "== 0" not in found.source


def test_a_range_in_another_shape_is_no_table_of_numbers() -> None:
    x = gc.input("x", ("N", 32, 32))
    past = gc.arange(32)[:, None] >= gc.arange(32)
    source = gc.compile(gc.graph({"y": gc.where(past, x, -1e9)}), style="readable").source
    assert "    index = np.arange(32)  # [32]\n    past = index[:, None] >= index" in source
    assert "np.array(" not in source
