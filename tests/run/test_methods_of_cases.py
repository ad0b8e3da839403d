"""The methods side by side where the symbolic one meets cases that turn, and loops."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

LINEAR = "x: input(f32, N, 4)\ny: input(f32, N)\nw: param(f32, 4)\nr = y - x @ w\n"


@pytest.mark.parametrize("examples", [1, 3])
@pytest.mark.parametrize(
    "loss", ["maximum(0.7*r, -0.3*r)", "minimum(0.7*r, -0.3*r)", "where(0.5*r <= -0.1*r, r, 2*r)"]
)
def test_a_comparison_that_sympy_turns_round_has_a_symbolic_derivative(
    loss: str, examples: int
) -> None:
    graph = gc.parse(f"{LINEAR}loss = mean({loss})\noutput(loss)")
    point = {"x": np.arange(4.0 * examples).reshape(examples, 4) - 5, "y": np.ones(examples)}
    found = gc.compare_methods(graph, at={**point, "w": [0.3, -0.2, 0.5, 0.1]})
    assert np.any(found["symbolic"].values["w"])
    assert found["reverse mode"].error < 1e-14 and found["forward mode"].error < 1e-14


@pytest.mark.parametrize(
    "formula", ["m * x", "sin(m + x)", "sum(m) * x", "maximum(x, m - 1)", "where(m < 0.5, x, x*x)"]
)
def test_a_condition_cast_to_a_number_is_a_number_of_the_formula(formula: str) -> None:
    text = f"x: input(f64, 2)\nm = cast(x > 0, f64)\nloss = sum({formula})\noutput(loss)"
    found = gc.compare_methods(gc.parse(text), at={"x": [0.3, -0.4]})
    assert np.any(found["symbolic"].values["x"])
    assert found["reverse mode"].error < 1e-14 and found["central difference"].error < 1e-8


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "step", ["tanh(w*v + h)", "maximum(h, v*w) + 0.1*h", "where(k > 1, h, v*w)"]
)
def test_a_loop_is_written_out_step_by_step(step: str, reverse: bool) -> None:
    graph = gc.parse(
        "x: input(f64, T, 2)\n"
        "w: param(f64, 2)\n"
        "def cell(h, k, v):\n"
        f"    n = {step}\n"
        "    return n, k + 1, n*2\n"
        f"h, k, hs = scan(cell, init=(zeros((2,), f64), zeros((), i64)), xs=x, reverse={reverse})\n"
        "loss = sum(hs) + sum(h**2) * k\n"
        "output(loss)\n"
    )
    found = gc.compare_methods(graph, at={"x": np.arange(6.0).reshape(3, 2), "w": [0.3, -0.4]})
    assert np.any(found["symbolic"].values["w"])
    assert all(found[name].error < 1e-14 for name in ("symbolic", "forward mode", "reverse mode"))
    assert found["central difference"].error < 1e-8


def test_a_loop_may_emit_a_number_each_step() -> None:
    x, h = gc.input("x", ("T", 2), "float64"), gc.input("h", (2,), "float64")
    _, means = gc.scan(lambda h, v: (gc.tanh(h + v), gc.mean(h * v)), init=h, xs=x)
    graph = gc.graph({"loss": gc.sum(gc.sin(means))})
    found = gc.compare_methods(graph, at={"x": [[0.1, 0.2], [0.3, -0.4]], "h": [0.5, 0.6]})
    assert found["symbolic"].error < 1e-14 and found["reverse mode"].error < 1e-14


def test_a_loop_too_long_for_one_formula_is_said_to_be() -> None:
    x, w = gc.input("x", ("T", 2)), gc.param("w", (2,), init=0.1)
    (h,) = gc.scan(lambda h, v: (gc.tanh(h * w + v),), init=gc.zeros((2,)), xs=x)
    found = gc.compare_methods(gc.graph({"loss": gc.sum(h)}), at={"x": np.ones((40, 2))})
    assert "too large to build" in str(found)
    assert found["forward mode"].error < 1e-14


def test_nested_loops_are_derived_in_seconds() -> None:
    """SymPy asked for minutes whether what stands in each tanh is real."""
    x, w = gc.input("x", ("T", 3)), gc.param("w", (3,), init=gc.init.normal(0.5))

    def step(total: gc.Node, row: gc.Node) -> tuple[gc.Node, gc.Node]:
        (last,) = gc.scan(lambda h, v: (gc.tanh(h * w + v * row),), init=total, xs=x)
        return last, last

    h, hs = gc.scan(step, init=gc.zeros((3,)), xs=x)
    graph = gc.graph({"loss": gc.sum(h) + gc.sum(hs**2)})
    found = gc.compare_methods(graph, at={"x": np.linspace(-1, 1, 9).reshape(3, 3)})
    assert found["symbolic"].error == 0 and found["reverse mode"].error < 1e-14
    assert found["symbolic"].operations > 5000


@pytest.mark.parametrize("layers, is_built", [(1, True), (2, True), (4, False)])
def test_choices_that_decide_on_choices_are_counted(layers: int, is_built: bool) -> None:
    h = gc.input("x", (2,))
    for number in range(layers):
        h = gc.relu(h @ gc.param(f"W{number}", (2, 2), init=gc.init.normal(0.5)))
    found = gc.compare_methods(gc.graph({"loss": gc.sum(h)}), wrt="W0")
    assert ("in more cases than can be built" in str(found)) != is_built
    assert any(method.name == "symbolic" for method in found.methods) == is_built


def test_numbers_put_around_an_array_are_numbers_of_its_formula() -> None:
    graph = gc.parse("x: input(f64, 2)\nloss = sum(sin(pad(x, 1)))\noutput(loss)")
    found = gc.compare_methods(graph, at={"x": [0.3, -0.4]})
    np.testing.assert_allclose(found["symbolic"].values["x"], np.cos([0.3, -0.4]))


def test_places_that_depend_on_values_have_no_formula() -> None:
    graph = gc.parse(
        "x: input(f64, 3, 2)\nz: input(f64, 3, 2)\n"
        "loss = sum(take_along_axis(z, argmax(x*z, axis=0, keepdims=True), axis=0))\noutput(loss)"
    )
    at = {"x": np.arange(6.0).reshape(3, 2), "z": np.ones((3, 2))}
    found = gc.compare_methods(graph, at=at, wrt=["z"])
    assert "argmax has no closed form" in str(found)
    np.testing.assert_array_equal(found["reverse mode"].values["z"], [[0, 0], [0, 0], [1, 1]])
