"""Style `fast`: a number is written where arithmetic alone reads it; arrays keep their names."""

from __future__ import annotations

import re

import numpy as np
import pytest

import graphc as gc

ALIAS = re.compile(r"^ +[a-zA-Z_]\w* = [a-zA-Z_]\w*$", re.M)


def body(function: gc.Compiled) -> str:
    return function.source.partition("# forward")[2] or function.source


def test_arithmetic_on_numbers_is_an_expression() -> None:
    x, y = gc.input("x", ("N",)), gc.input("y", ("N",))
    spread = gc.sum(x * x) - gc.sum(x) ** 2
    slope = (gc.sum(x * y) - gc.sum(x) * gc.sum(y)) / spread
    function = gc.compile(gc.graph({"slope": slope}), style="fast")
    lines = [line for line in body(function).splitlines() if " = " in line and "# []" in line]
    assert len(lines) == 5  # of eleven
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 7)).astype(np.float32)
    expected = (a @ b - a.sum() * b.sum()) / (a @ a - a.sum() ** 2)
    np.testing.assert_allclose(function(x=a, y=b)["slope"], expected, rtol=1e-5)


def test_a_number_is_computed_before_its_array_is_overwritten() -> None:
    """The total of a buffer that a later statement takes over."""
    x, W = gc.input("x", (4, 4)), gc.param("W", (4, 4), init=gc.init.normal(1.0))
    h = x @ W
    total = gc.sum(gc.exp(h))
    y = gc.tanh(gc.exp(h)) @ W
    z = gc.sin(y) @ x
    graph = gc.graph({"a": z * (1 / total) + gc.log(total), "b": gc.sum(z) / total})
    function = gc.compile(graph, style="fast")
    rng = np.random.default_rng(1)
    state = {"W": rng.normal(size=(4, 4)).astype(np.float32)}
    data = rng.normal(size=(4, 4)).astype(np.float32)
    expected = gc.interpret(graph, state, x=data)
    for name, value in function(state, x=data).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5)


def test_a_number_of_a_state_is_read_before_the_state_changes() -> None:
    count, x = gc.param("count"), gc.input("x", ())
    graph = gc.graph({"y": 2 * gc.exp(count * x)}, updates={"count": count + 1})
    function = gc.compile(graph, style="fast")
    state = {"count": np.array(0.5, np.float32)}
    y = function(state, x=np.float32(2))["y"]
    np.testing.assert_allclose([y, state["count"]], [2 * np.exp(1.0), 1.5], rtol=1e-6)


def test_single_elements_are_read_by_their_places() -> None:
    S = gc.input("S", (2, 2))
    K = gc.exp(S)
    det = K[0, 0] * K[1, 1] - K[0, 1] * K[1, 0]
    function = gc.compile(gc.graph({"det": det, "y": K / det}), style="fast")
    assert "det = K[0, 0] * K[1, 1] - K[0, 1] * K[1, 0]" in function.source
    given = np.array([[1, 0.5], [0.25, 2]], np.float32)
    np.testing.assert_allclose(
        function(S=given)["det"], np.linalg.det(np.exp(given.astype(float))), rtol=1e-5
    )


def test_an_element_is_called_by_its_places() -> None:
    S = gc.input("S", (2, 3))
    graph = gc.graph({"y": gc.exp(S[1, 2]) * S + gc.sin(S[1, 2]) / S[1, 2]})
    assert "S_1_2 = S[1, 2]" in gc.compile(graph, style="readable").source


@pytest.mark.parametrize("rows", [5, 3000])
def test_what_is_guarded_in_place_keeps_its_name(rows: int) -> None:
    """The norm of zeros divides by 1; no variable is bound to the same array again."""
    a, W = gc.input("a", ("N", 8)), gc.param("W", (8, 4), init=gc.init.normal(1.0))
    h = a @ W
    unit = h / gc.norm(h, axis=1, keepdims=True)
    graph = gc.graph({"loss": gc.mean(unit @ unit.T)})
    function = gc.compile(graph, gradient_of="loss", style="fast")
    assert not ALIAS.findall(body(function))
    rng = np.random.default_rng(0)
    state = {"W": rng.normal(size=(8, 4)).astype(np.float32)}
    data = rng.normal(size=(rows, 8)).astype(np.float32)
    data[1] = 0
    expected = gc.interpret(graph.gradient("loss"), state, a=data)
    for name, value in function(state, a=data).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-5)


def test_a_choice_among_rows_of_unknown_number_gives_back_what_it_wrote() -> None:
    done, q = gc.input("done", ("N",), dtype="bool"), gc.input("q", ("N", 2))
    r = gc.input("r", ("N",))
    target = r + 0.5 * gc.where(done, 0.0, gc.max(q, axis=1))
    function = gc.compile(gc.graph({"y": gc.sum(target**2)}), style="fast")
    computed = function.source.partition("def graph")[2]
    assert "_choose(" in computed and "np.where(" not in computed
    for n in (1, 2000):
        rng = np.random.default_rng(n)
        given = {"q": rng.normal(size=(n, 2)).astype("f4"), "r": rng.normal(size=n).astype("f4")}
        given["done"] = rng.random(n) < 0.5
        expected = given["r"] + 0.5 * np.where(given["done"], 0, given["q"].max(axis=1))
        np.testing.assert_allclose(function(**given)["y"], np.sum(expected**2), rtol=1e-5)


@pytest.mark.parametrize("rows", [3, 9000])
def test_a_block_of_an_array_has_one_variable(rows: int) -> None:
    """What ends in the memory that it began in is bound to its name when all blocks are done."""
    x, W = gc.input("x", ("N", 4)), gc.param("W", (4, 64), init=gc.init.normal(1.0))
    h = x @ W
    y = h
    for _ in range(4):
        y = gc.tanh(1 - gc.exp(-y * y) * 0.5)
    graph = gc.graph({"z": (h - y) @ gc.matrix_transpose(W)})
    function = gc.compile(graph, style="fast")
    computed = function.source.partition("def graph")[2]
    block, _, after = computed.partition("in_blocks(")
    slices = re.findall(r"= (\w+)\[rows\]", block)
    assert len(slices) == 1 and not ALIAS.findall(block)
    assert f"= {slices[0]}\n" in after
    state = function.init(seed=0)
    data = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    expected = gc.interpret(graph, state, x=data)["z"]
    np.testing.assert_allclose(function(state, x=data)["z"], expected, rtol=1e-4, atol=1e-5)


def test_a_number_of_dims_is_made_once_for_these_dims() -> None:
    """A mean's gradient divides by the number of rows, which no call has to compute anew."""
    x, y = gc.input("x", ("N", 8)), gc.input("y", ("N",), dtype="int64")
    z = x @ gc.param("W", (8, 4), init=gc.init.normal(1.0))
    loss = gc.mean(gc.nn.softmax_cross_entropy(z, y))
    graph = gc.graph({"loss": loss})
    function = gc.compile(graph, gradient_of="loss", style="fast")
    kept, _, computed = function.source.partition("def graph")
    assert "np.full((), 1 / np.float32(N), np.float32)" in kept
    assert "[index, y] -= number_1_over_N" in computed
    assert "np.float32(N)" not in computed
    rng, state = np.random.default_rng(0), function.init(seed=0)
    for rows in (5, 3, 5, 2):
        given = {"x": rng.normal(size=(rows, 8)).astype("f4"), "y": rng.integers(0, 4, rows)}
        expected = gc.interpret(graph.gradient("loss"), state, **given)
        for name, value in function(state, **given).items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-6)
