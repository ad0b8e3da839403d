"""Updates of many calls are written once, in style `fast`: a loop, or pieces for all cores."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stepping import assert_steps_agree, compiled

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE, phase
from graphc.plan import shared_updates
from graphc.run.compiled import CompiledFunction

nn = gc.nn
Shape = tuple[int, ...]
PIECES = " = in_pieces("


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays of a few elements are large, and those of a few more are several pieces."""
    monkeypatch.setattr(shared_updates, "PIECE", 12)
    monkeypatch.setattr(shared_updates, "LARGE", 24)


def weighed(shapes: list[Shape], dtype: str = "float64") -> Graph:
    """A loss of parameters of these shapes, with gradients that depend on all of them."""
    start = gc.init.normal(1.0)
    params = [gc.param(f"p{i}", shape, dtype, init=start) for i, shape in enumerate(shapes)]
    loss = gc.input("x", (), dtype=dtype)
    for i, p in enumerate(params):
        loss = loss + gc.sum(gc.sin(p) * gc.input(f"c{i}", p.shape, dtype=dtype))
    return gc.graph({"loss": loss * loss / 100})


def given(graph: Graph, calls: int = 3) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    inputs = graph.inputs.items()
    return [
        {name: rng.normal(size=node.shape).astype(node.dtype) for name, node in inputs}
        for _ in range(calls)
    ]


def agrees(step: CompiledFunction) -> str:
    """Compare a step with the reference; return its text."""
    assert_steps_agree(step.graph, step.init(seed=1), given(step.graph), step)
    return step.source


OPTIMIZERS: dict[str, Any] = {
    "adam": gc.optim.adam(0.1),
    "adamw": gc.optim.adamw(0.1, weight_decay=0.1),
    "rmsprop": gc.optim.rmsprop(0.1),
    "centered": gc.optim.rmsprop(0.1, centered=True, momentum=0.5),
    "clipped": gc.optim.clip_by_norm(gc.optim.adam(0.1), 0.5),
    "by value": gc.optim.clip_by_value(gc.optim.adam(0.1), 0.2),
    "momentum": gc.optim.sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "scheduled": gc.optim.adam(gc.optim.cosine(0.1, 10)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_agrees_with_the_reference(name: str, small_pieces: None) -> None:
    shapes: list[Shape] = [(5, 4), (3,), (), (7, 3), (2, 2, 6), (13,), (3,), (1, 12), (2, 13)]
    step = gc.compile(weighed(shapes), minimize="loss", optimizer=OPTIMIZERS[name])
    source = agrees(step)
    assert source.count(PIECES) == 1
    assert source.count("for parameter, ") == 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_arrays_are_taken_in_pieces(dtype: str) -> None:
    shapes: list[Shape] = [(600, 400), (200_000,), (2, 120_000), (7, 200, 150), (40,), (9, 5)]
    step = gc.compile(weighed(shapes, dtype), minimize="loss", optimizer="adam(0.01)")
    whole = gc.compile(weighed(shapes, dtype), minimize="loss", optimizer="adam(0.01)", optimize=0)
    assert PIECES in step.source
    states = [f.init(seed=0) for f in (step, whole)]
    readable = gc.compile(
        weighed(shapes, dtype), minimize="loss", optimizer="adam(0.01)", style="readable"
    )
    states.append(readable.init(seed=0))
    for inputs in given(step.graph):
        for function, state in zip((step, whole, readable), states, strict=True):
            function(state, **inputs)
    rtol = 1e-4 if dtype == "float32" else 1e-10
    for name, value in states[0].items():
        np.testing.assert_array_equal(value, states[2][name])
        np.testing.assert_allclose(value, states[1][name], rtol=rtol, atol=rtol, err_msg=name)


def test_small_networks_have_no_threads() -> None:
    h = gc.input("x", ("N", 64))
    for width in (128, 64, 10):
        h = nn.dense(h, width)
    graph = gc.graph({"loss": gc.mean(gc.square(h))})
    source = gc.compile(graph, minimize="loss", optimizer="adam").source
    assert "for parameter, gradient, mean, mean_square, scratch in (" in source
    assert "in_blocks" not in source
    assert "import os" not in source
    step = source.partition("def step")[2].partition("def check")[0]
    assert step.count("np.sqrt(") == 2  # of one number, and of each array


@pytest.mark.parametrize(
    ("optimizer", "width", "is_in_pieces"),
    [
        ("sgd(0.1, momentum=0.9, nesterov=True)", 64, False),
        ("sgd(0.1, momentum=0.9, nesterov=True)", 600, True),
        ("sgd(0.1, momentum=0.9)", 600, False),
    ],
)
def test_few_calls_stay_where_they_are(optimizer: str, width: int, is_in_pieces: bool) -> None:
    h = gc.input("x", ("N", width))
    for _ in range(3):
        h = nn.dense(h, width)
    graph = gc.graph({"loss": gc.mean(gc.square(h))})
    source = gc.compile(graph, minimize="loss", optimizer=optimizer).source
    assert source.count("for parameter") == is_in_pieces
    assert (PIECES in source) == is_in_pieces


def test_length_does_not_grow_with_the_steps_of_parameters() -> None:
    def lines(depth: int) -> int:
        h = gc.input("x", ("N", 8))
        for i in range(depth):
            h = nn.dense(h, 8, name=f"l{i}", activation="tanh")
        graph = gc.graph({"loss": gc.mean(gc.square(h))})
        source = gc.compile(graph, minimize="loss", optimizer="adam").source
        return source.partition("# update")[2].partition("return {")[0].count("\n")

    assert lines(12) - lines(6) == 12  # a row for each W and b


# -- what a piece must not see ---------------------------------------------------------------------


def many_calls(parameter: Node, gradient: Node) -> Node:
    """A step of as many calls as Adam's, without its state."""
    with phase(UPDATE):
        step = gradient
        for k in range(5):
            step = gc.sin(step) * (1.1 + k)
        return parameter - 0.1 * step


def square(name: str, size: int = 6) -> Node:
    return gc.param(name, (size, size), "float64", init=gc.init.normal(1.0))


def updated(pairs: list[tuple[Node, Node]], **outputs: Node) -> CompiledFunction:
    updates = {str(parameter.name): value for parameter, value in pairs}
    x = gc.input("x", (), dtype="float64")
    return compiled(gc.graph({"y": x + 1, **outputs}, updates=updates), "fast")


def checked(step: CompiledFunction) -> str:
    rng = np.random.default_rng(0)
    state = {k: rng.normal(size=p.shape).astype(p.dtype) for k, p in step.graph.params.items()}
    assert_steps_agree(step.graph, state, given(step.graph), step)
    return step.source


def test_a_transposed_parameter_is_read_whole(small_pieces: None) -> None:
    """A piece would see rows in it that another one has overwritten."""
    a, b = square("a"), square("b")
    source = checked(updated([(a, many_calls(a, a.T)), (b, many_calls(b, b.T))]))
    assert PIECES not in source


def test_a_parameter_that_another_one_reads_is_read_before(small_pieces: None) -> None:
    a, b, c = square("a"), square("b"), square("c")
    pairs = [(a, many_calls(a, c)), (b, many_calls(b, a)), (c, c * 2)]
    checked(updated(pairs))
    checked(updated(pairs[::-1]))


def test_a_parameter_may_be_its_own_gradient(small_pieces: None) -> None:
    a, b = square("a"), square("b")
    source = checked(updated([(a, many_calls(a, a)), (b, many_calls(b, b))]))
    assert PIECES in source


def test_a_next_value_that_is_an_output_is_made_whole(small_pieces: None) -> None:
    a, b = square("a"), square("b")
    x = gc.input("g", (6, 6), dtype="float64")
    after = many_calls(a, x)
    checked(updated([(a, after), (b, many_calls(b, x))], after=after))


def test_steps_may_share_a_gradient(small_pieces: None) -> None:
    a, b = square("a"), square("b")
    x = gc.input("g", (6, 6), dtype="float64")
    assert PIECES in checked(updated([(a, many_calls(a, x)), (b, many_calls(b, x))]))


def test_numbers_of_each_parameter_keep_it_out_of_pieces(small_pieces: None) -> None:
    """Such as the length of its gradient, by which layer-wise rates are scaled."""
    pairs = []
    for name in "abc":
        p, g = square(name), gc.input(f"g_{name}", (6, 6), dtype="float64")
        with phase(UPDATE):
            pairs.append((p, many_calls(p, g / gc.norm(g))))
    source = checked(updated(pairs))
    assert PIECES not in source
    assert source.count("np.sin(") == 5


def test_empty_parameters_take_part(small_pieces: None) -> None:
    shapes: list[Shape] = [(0, 4), (3, 4), (0,), (6, 0), (1, 8), (5, 5)]
    pairs = []
    for i, shape in enumerate(shapes):
        p = gc.param(f"p{i}", shape, "float64")
        pairs.append((p, many_calls(p, gc.input(f"g{i}", shape, dtype="float64"))))
    assert "scratch_0_4" in checked(updated(pairs))


def test_arrays_of_any_layout_are_updated_in_place() -> None:
    """A state that was turned, cut out of another or read from a file in another order."""
    shapes: list[Shape] = [(400, 300), (600, 500)]
    step = gc.compile(weighed(shapes), minimize="loss", optimizer="adam(0.01)")
    assert PIECES in step.source
    plain = step.init(seed=0)
    turned = {name: np.array(value, order="F") for name, value in plain.items()}
    cut = {name: np.repeat(value, 2, axis=0)[::2] if value.ndim else value.copy()
           for name, value in plain.items()}  # fmt: skip
    before = [{**state} for state in (turned, cut)]
    for inputs in given(step.graph):
        for state in (plain, turned, cut):
            step(state, **inputs)
    for state, arrays in zip((turned, cut), before, strict=True):
        for name, value in plain.items():
            assert state[name] is arrays[name]
            np.testing.assert_array_equal(state[name], value)


def test_two_threads_may_take_steps_at_once() -> None:
    step = gc.compile(weighed([(300, 300)] * 4), minimize="loss", optimizer="adam(0.01)")
    calls = given(step.graph, 1)[0]
    states = [step.init(seed=0) for _ in range(3)]

    def steps(state: dict[str, np.ndarray]) -> None:
        for _ in range(20):
            step(state, **calls)

    threads = [threading.Thread(target=steps, args=(state,)) for state in states[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    steps(states[2])
    for state in states[:2]:
        for name, value in states[2].items():
            np.testing.assert_array_equal(state[name], value)


# -- random steps ----------------------------------------------------------------------------------

CALLS: list[Callable[[Node], Node]] = [gc.tanh, gc.sin, gc.square, gc.abs, lambda x: x * 0.9 + 0.1]


def random_step(seed: int) -> Graph:
    with phase(UPDATE):
        return _random_step(seed)


def _random_step(seed: int) -> Graph:
    """Steps of several parameters that are alike for the most part, with odd ones among them."""
    rng = random.Random(seed)
    shapes: list[Shape] = [(3,), (6, 4), (2, 13), (5, 5), (), (4, 3, 2)]
    rate = gc.input("rate", (), dtype="float64")
    common = gc.param("common", (5, 5), "float64")
    updates: dict[str, Node] = {}
    outputs = {"y": rate * 2}
    usual = rng.random()
    for i in range(rng.randint(1, 6)):
        shape = rng.choice(shapes)
        own = random.Random(usual if rng.random() < 0.8 else rng.random())
        p, m, v = (gc.param(f"p{i}{k}", shape, "float64") for k in ("", ".m", ".v"))
        g = gc.input(f"g{i}", shape, dtype="float64")
        if shape == (5, 5) and rng.random() < 0.4:
            g = rng.choice([common, common.T, p.T, p, gc.sum(g) * p])
        values = [p, m, v, g, rate]
        for _ in range(own.randint(4, 9)):
            a, b = own.choice(values), own.choice(values)
            values.append(own.choice([a + b, a * b, a - b, own.choice(CALLS)(a), a / (2 + b * b)]))
        made = [x for x in values[5:] if x.shape == shape] or [p + g]
        updates[f"p{i}"] = made[-1] + 0.1 * p
        updates[f"p{i}.m"] = own.choice([*made, 0.1 * g]) + m * 0.9
        if own.random() < 0.7:
            updates[f"p{i}.v"] = own.choice([*made, 0.1 * g * g]) + v * 0.9
        if rng.random() < 0.1:
            outputs[f"seen{i}"] = rng.choice(made)
    if rng.random() < 0.4:
        updates["common"] = gc.tanh(common) * rate
    return gc.graph(outputs, updates=updates)


#: In the last four, an array that is kept has the name of a value in a loop.
@pytest.mark.parametrize("seed", [*range(80), 460, 1233, 1485, 2046])
def test_random_steps_agree_with_the_reference(seed: int, small_pieces: None) -> None:
    graph = random_step(seed)
    rng = np.random.default_rng(seed)
    state = {k: rng.normal(size=p.shape) for k, p in graph.params.items()}
    assert_steps_agree(graph, state, given(graph), compiled(graph, "fast"))
    step = gc.optimize(graph)
    assert_steps_agree(step, state, given(graph), compiled(step, "fast"))
