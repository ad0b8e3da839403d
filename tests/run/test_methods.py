"""Four ways to a derivative agree, take the passes that theory says, and show the swell."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.run.closed_form import closed_form, size_of

LN = "x1: input(f32)\nx2: input(f32)\ny = log(x1) + x1*x2 - sin(x2)\noutput(y)"


def test_the_worked_example() -> None:
    found = gc.compare_methods(gc.parse(LN), "y", {"x1": 2, "x2": 5})
    exact = {"x1": 5.5, "x2": 2 - np.cos(5)}
    passes = {"forward difference": "3", "central difference": "4", "symbolic": "-"}
    passes |= {"forward mode": "2", "reverse mode": "1"}
    assert {m.name: m.passes for m in found.methods} == passes
    for method in found.methods:
        tolerance = 1e-5 if "difference" in method.name else 1e-14
        for name, value in exact.items():
            np.testing.assert_allclose(method.values[name], value, rtol=tolerance)
    text = str(found)
    assert "dy/dx1 = x2 + 1/x1" in text
    assert "dy/dx2 = x1 - cos(x2)" in text


def test_errors_are_those_of_the_methods() -> None:
    found = gc.compare_methods(gc.parse(LN), "y", {"x1": 2, "x2": 5})
    assert 1e-8 < found["forward difference"].error < 1e-5
    assert 1e-12 < found["central difference"].error < 1e-8
    assert found["forward mode"].error < 1e-15 and found["reverse mode"].error < 1e-15
    with pytest.raises(GraphError, match="no method is called 'guess'"):
        found["guess"]


NETWORK = """
x: input(f64, N, 2)
t: input(f64, N)
W: param(f64, 2, 3)
b: param(f64, 3)
v: param(f64, 3)
p = sigmoid(tanh(x @ W + b) @ v)
loss = -mean(t*log(p) + (1 - t)*log(1 - p))
output(loss)
"""


def test_reverse_mode_takes_one_pass_and_the_fewest_operations() -> None:
    found = gc.compare_methods(gc.parse(NETWORK), at={"N": 2})
    assert found.variables == 12
    counts = {m.name: m.operations for m in found.methods}
    assert counts["reverse mode"] == min(counts.values())
    assert counts["reverse mode"] < 3 * found.operations
    assert counts["forward mode"] > 12 * found.operations
    assert max(m.error for m in found.methods[2:]) < 1e-12


def test_the_symbolic_form_swells() -> None:
    """x -> tanh(x)*sin(x), again and again: each step doubles the formula, not the graph."""
    growth = []
    for depth in (2, 4, 6):
        x = gc.input("x", (), "float64")
        y = x
        for _ in range(depth):
            y = gc.tanh(y) * gc.sin(y)
        found = gc.compare_methods(gc.graph({"y": y}), at={"x": 0.5})
        assert found.form is not None
        growth.append((found.form.operations, found["reverse mode"].operations))
    (a, graph_a), (b, _), (c, graph_c) = growth
    assert b > 3 * a and c > 3 * b
    assert graph_c < 4 * graph_a


def test_a_formula_too_large_to_build_is_only_counted() -> None:
    x = gc.input("x", (), "float64")
    y = x
    for _ in range(30):
        y = gc.tanh(y) * gc.sin(y)
    found = gc.compare_methods(gc.graph({"y": y}), at={"x": 0.5})
    assert found.form is not None and found.form.operations > 10**9
    assert "operations, too large to build" in str(found)
    assert "errors are distances to reverse mode" in str(found)


@pytest.mark.parametrize(
    "formula",
    [
        "sum(softmax(x)**2)",
        "logsumexp(x)",
        "sum(log_softmax(x)[1])",
        "norm(x)",
        "std(x)",
        "var(x*x)",
        "sum(standardize(x**2)**3)",
        "sum(where(x > 0.5, x**2, sin(x)))",
        "sum(relu(x - 0.5))",
        "prod(x)",
        "sum(cumsum(x) * x[::-1])",
        "sum(gather(x, constant([0, 0, 2], dtype=i64))**3)",
        "sum(gelu(x))",
    ],
)
def test_closed_forms_of_many_ops(formula: str) -> None:
    graph = gc.parse(f"x: input(f64, 3)\ny = {formula}\noutput(y)")
    at = {"x": [0.2, 0.7, 0.9]}
    found = gc.compare_methods(graph, at=at, wrt=["x"])
    assert found.form is not None, found.notes
    assert max(m.error for m in found.methods if "mode" in m.name) < 1e-13


def test_an_op_without_closed_form_says_so() -> None:
    graph = gc.parse("x: input(f64, 3)\ny = max(x) * 2\noutput(y)")
    found = gc.compare_methods(graph, at={"x": [1, 2, 3]})
    assert found.form is None
    assert "no symbolic form: max has no closed form" in str(found)
    assert found["forward mode"].error == 0


def test_random_draws_are_the_same_for_all_methods() -> None:
    graph = gc.parse("x: input(f64, 3)\ny = sum(x**2 * random_normal((3,)))\noutput(y)")
    found = gc.compare_methods(graph, at={"x": [1, 2, 3]})
    assert max(m.error for m in found.methods) < 1e-5


def test_sizes_count_what_is_written_out() -> None:
    x = gc.input("x", (), "float64")
    square = x * x
    graph = gc.graph({"y": gc.sin(square) + gc.cos(square)})
    form = closed_form(graph.outputs["y"], ["x"], {x: np.array(1.0)}, {})
    sine, cosine = gc.sin(x).op.flops(gc.sin(x)), gc.cos(x).op.flops(gc.cos(x))
    assert form.operations == sine + cosine + 2 + 1  # x² stands there twice
    assert size_of(form.expression).depth == 3


def test_mistakes_are_told() -> None:
    with pytest.raises(GraphError, match="too many derivatives"):
        gc.compare_methods(gc.parse("x: input(f32, 9000)\ny = sum(x)\noutput(y)"))
    with pytest.raises(GraphError, match="only a single number has a gradient"):
        gc.compare_methods(gc.parse("x: input(f32, 3)\ny = exp(x)\noutput(y)"), "y")


def test_a_difference_is_one_operation() -> None:
    text = "a: input(f64)\nb: input(f64)\ny = {}\noutput(y)"
    counts = []
    for formula in ("a*b + a", "a*b - a"):
        form = gc.compare_methods(gc.parse(text.format(formula)), at={"a": 1.0, "b": 2.0}).form
        counts.append(form.operations if form is not None else 0)
    assert counts == [2, 2]
