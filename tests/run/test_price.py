"""When is a derivative cheap? Costs as expressions of the dims, beside those of the value."""

from __future__ import annotations

import pytest

import graphc as gc
from graphc.errors import GraphError

DEEP = """
x: input(f32, N, 64)
y: input(i64, N)
W1: param(f32, 64, 128)
W2: param(f32, 128, 128)
W3: param(f32, 128, 10)
h1 = relu(x @ W1)
h2 = relu(h1 @ W2)
z = h2 @ W3
loss = -mean(take_along_axis(log_softmax(z), y[:, None], axis=1))
output(loss, z)
"""


def test_backpropagation_costs_about_twice_the_forward_pass() -> None:
    answer = gc.dependence(gc.parse(DEEP), "loss", ["x", "W1", "W2", "W3"])
    assert answer.together is not None
    assert 1.9 < answer.together.limit < 2.05
    assert {s.name for s in answer.forward.free_symbols} == {"N"}
    assert f"{answer.together} times those of the value" in str(answer)


def test_the_first_layer_needs_no_cotangent_of_the_input() -> None:
    both = gc.dependence(gc.parse(DEEP), "loss", ["x", "W1", "W2", "W3"]).together
    params = gc.dependence(gc.parse(DEEP), "loss").together
    assert both is not None and params is not None
    assert params.limit < both.limit - 0.2


def test_passes_and_costs_stand_in_one_table() -> None:
    text = str(gc.dependence(gc.parse(DEEP), "loss"))
    assert "W1   gradient    8192 passes   1 pass" in text
    assert "all together: 87573*N FLOPs, 1.68 times those of the value" in text


def test_sizes_may_be_given() -> None:
    answer = gc.dependence(gc.parse(DEEP), "z", ["x"], N=32)
    assert answer.forward.is_Integer
    assert "block diagonal  64 passes   10 passes" in str(answer)
    assert "64*N" not in str(gc.dependence(gc.parse(DEEP), "loss", ["x"], N=32))


def test_what_cannot_be_derived_says_where_it_is_cut() -> None:
    graph = gc.parse("x: input(f32, N, 3)\ny = argmax(x, axis=1)\noutput(y)")
    text = str(gc.dependence(graph, "y", ["x"]))
    assert "none: it is cut" in text
    assert "the derivative by x is cut by\n  y = argmax(x, axis 1): its result is i64" in text


def test_a_value_on_the_way_is_priced_in_the_stable_form_as_compiled() -> None:
    graph = gc.parse("x: input(f32, N, 30)\na = x * x\ns = log(sum(exp(a)))\noutput(s)")
    answer = gc.dependence(graph, "s", ["a"])
    compiled = gc.optimize(graph.gradient("s", ["a"])).cost().flops
    assert answer.forward + answer.prices["a"].flops == compiled


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(GraphError, match="no node is called 'W4'"):
        gc.dependence(gc.parse(DEEP), "loss", ["W4"])
