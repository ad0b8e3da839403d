"""What a body computes, it computes once, and nobody behind the loop computes it again."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import graphc as gc
from graphc.ops.loop import Scan
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.loops.read_from_steps import read_from_steps
from graphc.rewrite.pipeline import optimize

T, N, D = 6, 3, 4

RUNGE_KUTTA = """
def cell(h, x_t):
    k = tanh((h + x_t) @ W.T) @ V.T
    m = tanh((h + 0.5*k) @ W.T) @ V.T
    h = h + 0.5*(k + m)
    return h, k
x: input(f64, 6, 3, 4)
W: input(f64, 5, 4)
V: input(f64, 4, 5)
h, k = scan(cell, init=zeros((3, 4), dtype=f64), xs=x)
output(h, k)
"""
TWO_LAYERS = """
def cell(h, x_t):
    a = tanh(h @ U + x_t)
    b = sin(a[:, :2]*a[:, 2:] @ U)
    h = b[:, :2]*b[:, 2:] + a[:, :2]
    return h, h
x: input(f64, 6, 3, 4)
U: input(f64, 2, 4)
h, hs = scan(cell, init=zeros((3, 2), dtype=f64), xs=x)
output(h, hs)
"""
SUMS_IN_SUMS = """
def cell(h, x_t):
    a = (x_t*k + h) + k
    b = (x_t*(a*x_t))*k
    h = tanh((x_t + b) + k)*a
    return h, b
x: input(f64, 6, 3)
k: input(f64, 3)
h, b = scan(cell, init=zeros((3,), dtype=f64), xs=x)
output(h, b)
"""
BODIES = {"turn_weights": RUNGE_KUTTA, "lay_apart": TWO_LAYERS, "gather_steady_terms": SUMS_IN_SUMS}
#: The op that would be doubled, and how often each step has it.
EXPECTED = {
    "turn_weights": {"tanh": 2, "einsum": 4},
    "lay_apart": {"tanh": 1, "sin": 1},
    "gather_steady_terms": {"tanh": 1},
}


def bodies(graph: gc.Graph) -> list[Counter[str]]:
    """Return how often each op stands in the body of each loop."""
    loops = [node for node in graph.nodes if isinstance(node.op, Scan)]
    return [Counter(x.op.name for x in loop.attrs["body"].graph.nodes) for loop in loops]


def given(graph: gc.Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {name: rng.normal(size=node.shape) for name, node in graph.inputs.items()}


@pytest.mark.parametrize("rule", BODIES)
def test_a_step_computes_nothing_twice(rule: str) -> None:
    graph = gc.parse(BODIES[rule])
    better = optimize(graph, 2, "fast")
    assert rule in {f.rule.name for record in better.history for f in record.firings}
    (body,) = bodies(better)
    assert {op: body[op] for op in EXPECTED[rule]} == EXPECTED[rule]
    values, expected = given(graph), gc.interpret(graph, **given(graph))
    got = gc.compile(graph)(**values)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-12)


def chain(mask: bool = False) -> gc.Graph:
    """Return the negative log-likelihood of a chain of hidden states (forward algorithm)."""
    e = gc.input("e", (T, N, D), dtype="float64")
    A = gc.param("A", (D, D), dtype="float64", init=gc.init.normal())
    moves = gc.where(gc.arange(D)[:, None] > gc.arange(D)[None], -np.inf, A) if mask else A
    (a,) = gc.scan(
        lambda a, e_t: gc.logsumexp(a[:, :, None] + moves[None], axis=1) + e_t, init=e[0], xs=e[1:]
    )
    return gc.graph({"loss": gc.logsumexp(a, axis=1).mean()}, name="chain")


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_exponentials_of_a_forward_loop_are_not_taken_again(style: str) -> None:
    graph = chain()
    code = gc.compile(graph, gradient_of="loss", style=style).source
    forward, _, backward = code.partition("def check")[0].partition("# backward")
    assert forward.count("np.exp(") == 2  # one in the loop, one behind it
    assert "np.exp(" not in backward and ".max(" not in backward and "np.isfinite" not in backward


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_the_gradient_of_a_chain_is_that_of_the_reference(mask: bool, scale: float) -> None:
    graph = chain(mask)
    state = {"A": scale * np.random.default_rng(0).normal(size=(D, D))}
    e = scale * np.random.default_rng(1).normal(size=(T, N, D))
    expected = gc.interpret(graph.gradient("loss", wrt=["A", "e"]), state, e=e)
    got = gc.compile(graph, gradient_of="loss", wrt=["A", "e"])(state, e=e)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-10, atol=1e-13)


def test_what_a_loop_reads_cannot_come_from_its_steps() -> None:
    graph = gc.parse(
        "def cell(h, x_t, e_t):\n    h = tanh(h*e_t + exp(x_t))\n    return h, exp(x_t)\n"
        "x: input(f64, 6, 3)\n"
        "h, e = scan(cell, init=ones((3,), dtype=f64), xs=(x, exp(x)))\noutput(h, e)"
    )
    new, firings = read_from_steps(graph, {}, ValueNumbers())
    assert new is graph and not firings


def test_what_costs_little_is_computed_again_rather_than_stacked() -> None:
    graph = gc.parse(
        "def cell(h, x_t):\n    h = tanh(h*x_t)\n    return h*(1 - h), h\n"
        "x: input(f64, 6, 3)\n"
        "h, hs = scan(cell, init=ones((3,), dtype=f64), xs=x)\ny = 1 - hs\noutput(h, y)"
    )
    fired = {f.rule.name for r in optimize(graph, 2, "fast").history for f in r.firings}
    assert "read_from_steps" not in fired


def test_a_sum_that_a_loop_emits_at_each_step_stays_in_it() -> None:
    graph = gc.parse(
        "def cell(h, total, x_t):\n    h = tanh(h + x_t)\n    total = total + sum(h*x_t)\n"
        "    return h, total, total\n"
        "x: input(f64, 6, 3)\n"
        "h, y, ys = scan(cell, init=(ones((3,), dtype=f64), zeros((), dtype=f64)), xs=x)\n"
        "output(h, y, ys)"
    )
    expected, got = (gc.interpret(g, **given(graph)) for g in (graph, optimize(graph)))
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-12)


def test_a_loop_emits_an_array_in_its_own_shape() -> None:
    graph = gc.parse(
        "def cell(h, x_t):\n    h = tanh(h*x_t)\n    return h, (h, reshape(h, (3, 1)))\n"
        "x: input(f64, 6, 3)\n"
        "h, a, b = scan(cell, init=ones((3,), dtype=f64), xs=x)\noutput(h, a, b)"
    )
    better = optimize(graph)
    (loop,) = [node for node in better.nodes if isinstance(node.op, Scan)]
    assert len(loop.type.items) == 2
    x = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_array_equal(gc.compile(graph)(x=x)["b"], gc.interpret(graph, x=x)["b"])


def test_both_contributions_of_a_weight_read_twice_are_added_up_behind_the_loop() -> None:
    graph = gc.parse(
        "def cell(h, x_t):\n    h = tanh(tanh(h @ W + x_t) @ W)\n    return h, h\n"
        "x: input(f64, 6, 3, 4)\nW: param(f64, 4, 4, init=normal())\n"
        "h, hs = scan(cell, init=zeros((3, 4), dtype=f64), xs=x)\nloss = sum(h)\noutput(loss)"
    )
    better = optimize(graph.gradient("loss", wrt=["W"]), 2, "fast")
    backward = max(bodies(better), key=lambda body: body["einsum"])
    assert backward["einsum"] == 2  # the two that hand the cotangent on
    x, state = given(graph)["x"], graph.init(seed=1)
    expected = gc.interpret(graph.gradient("loss", wrt=["W"]), state, x=x)["d_loss_d_W"]
    got = gc.compile(graph, gradient_of="loss")(state, x=x)["d_loss_d_W"]
    np.testing.assert_allclose(got, expected, rtol=1e-10)


@pytest.mark.parametrize("states, stacked", [(40, 1600), (4, 16)])
def test_what_is_far_smaller_than_its_operands_is_computed_at_each_step(
    states: int, stacked: int
) -> None:
    e = gc.input("e", (T, N, states))
    A = gc.input("A", (states, states))

    def cell(a: gc.Node, e_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        scores = a[:, :, None] + A[None]
        return gc.max(scores, axis=1) + e_t, gc.argmax(scores, axis=1)

    _, best = gc.scan(cell, init=e[0], xs=e[1:])
    better = optimize(gc.graph({"best": best}))
    (loop,) = [node for node in better.nodes if isinstance(node.op, Scan)]
    (emitted,) = loop.attrs["body"].results[1:]
    is_stacked = emitted.size == N * stacked
    assert is_stacked == (states == 4)
    assert ("argmax" in {x.op.name for x in better.nodes}) == is_stacked
