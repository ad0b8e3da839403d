"""What the text form may call: layers with their initializers, and every op as it is printed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from graphc.build.graphs import graph, input
from graphc.build.init import initial_state
from graphc.build.namespace import FUNCTIONS
from graphc.ir.op import Case
from graphc.ir.text.parser import parse
from graphc.ir.text.printer import graph_text
from graphc.ops import OPS
from graphc.run.reference import evaluate, interpret

CASES = [(name, i) for name, op in OPS.items() for i in range(len(op.cases))]


@pytest.mark.parametrize("name, number", CASES, ids=[f"{name}-{i}" for name, i in CASES])
def test_what_an_op_prints_builds_the_same_node(name: str, number: int) -> None:
    op = OPS[name]
    case: Case = op.cases[number]
    leaves = [input(f"x{i}", arg.shape, arg.dtype) for i, arg in enumerate(case.args)]
    g = graph({"y": op(*leaves, **case.kwargs)}, name="g")
    assert parse(graph_text(g), FUNCTIONS) == g


MODEL = '''"""A classifier as a person writes it."""
x: input(f32, N, 6)
y: input(i64, N)
W: param(f32, 6, 4, init=he_normal(gain=0.5))
b: param(f32, 4, init=constant(0.1))
c: param(f32, 2, init=constant([0.5, 0.25]))
s: param(f32, 4, init=ones(), trainable=False)
t: param(f32, 4, init=zeros())

h = relu(x @ W + b) * s + t
d = dropout(h, rate=0.5)
k = dense(d, 3, activation=tanh, name="hidden")
z = dense(k, 2, init=normal(0.1)) + c
loss = mean(softmax_cross_entropy(z, y)) + l2(W, 0.01)
output(loss, z)
'''


def test_layers_and_initializers_may_be_written() -> None:
    g = parse(MODEL, FUNCTIONS)
    state = initial_state(g)
    assert list(state) == ["W", "b", "c", "s", "t", "hidden.W", "hidden.b", "dense.W", "dense.b"]
    np.testing.assert_array_equal(state["b"], np.full(4, 0.1, np.float32))
    np.testing.assert_array_equal(state["c"], [0.5, 0.25])
    assert g.trainable == ("W", "b", "c", "t", "hidden.W", "hidden.b", "dense.W", "dense.b")
    data = {"x": np.ones((5, 6), np.float32), "y": np.array([0, 1, 0, 1, 1])}
    assert interpret(g, state, rng=np.random.default_rng(0), **data)["z"].shape == (5, 2)


def test_a_model_with_layers_survives_printing_and_parsing() -> None:
    g = parse(MODEL, FUNCTIONS)
    assert parse(MODEL, FUNCTIONS) == g
    assert parse(graph_text(g), FUNCTIONS) == g
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse(graph_text(g), FUNCTIONS)


def test_an_op_defined_later_may_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "swish9" not in FUNCTIONS
    monkeypatch.setitem(OPS, "swish9", OPS["silu"])
    assert FUNCTIONS["swish9"] is OPS["silu"]


def test_norm_has_no_derivative_at_zero_that_is_not_finite() -> None:
    x = input("x", (2, 3), "float64")
    t = input("t", (2, 3), "float64")
    y = OPS["norm"](x, 1)
    tangent = y.op.linearize(y, [t])
    assert tangent is not None
    values: Any = {x: np.array([[0.0, 0, 0], [3, 4, 0]]), t: np.array([[1.0, 1, 1], [1, 0, 0]])}
    np.testing.assert_allclose(evaluate([tangent], values)[tangent], [0, 0.6])
