"""Updates that are alike share one loop over the parameters, in style `readable`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stepping import assert_steps_agree, compiled

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE, phase


def network(depth: int) -> Graph:
    h = gc.input("x", ("N", 5), dtype="float64")
    for i in range(depth):
        h = gc.nn.dense(h, 4, name=f"layer{i}", activation="tanh")
    scale = gc.param("scale", (), "float64", init=gc.init.constant(2.0))
    return gc.graph({"loss": gc.mean(gc.square(scale * h))}, name="network")


def agrees(step: Any, shapes: dict[str, tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    calls = [{name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(3)]
    state = step.init(seed=0) if hasattr(step, "init") else {}
    assert_steps_agree(step.graph, state, calls, step)


@pytest.mark.parametrize(
    ("optimizer", "lines"),
    [
        (gc.optim.sgd(0.1), 2),
        (gc.optim.adam(), 5),
        (gc.optim.adamw(1e-2, weight_decay=0.1), 6),
        (gc.optim.clip_by_norm(gc.optim.adam(), 1.0), 6),
        (gc.optim.sgd(0.1, momentum=0.9, nesterov=True), 3),
        (gc.optim.rmsprop(1e-2), 3),
    ],
)
def test_parameters_share_a_loop(optimizer: Any, lines: int) -> None:
    step = gc.compile(network(6), minimize="loss", optimizer=optimizer, style="readable")
    update = step.source.partition("# update")[2].partition("    return {")[0]
    _, body = update.split("    for name, gradient in derivatives.items():\n")
    assert len([line for line in body.splitlines() if line.startswith("        ")]) == lines
    listing = step.source.partition("    derivatives = {")[2].partition("    }")[0]
    assert listing.count('"layer') == 12
    agrees(step, {"x": (3, 5)})


def test_the_norm_of_all_gradients_is_a_sum_over_their_listing() -> None:
    h = gc.input("x", ("N", 5), dtype="float64")
    for i in range(6):
        h = gc.nn.dense(h, 4 + i, name=f"layer{i}", activation="tanh")
    graph = gc.graph({"loss": gc.mean(gc.square(h))}, name="network")
    optimizer = gc.optim.clip_by_norm(gc.optim.adam(), 1e-2)
    step = gc.compile(graph, minimize="loss", optimizer=optimizer, style="readable")
    total = "squares = sum(np.square(gradient).sum() for gradient in derivatives.values())"
    assert total in step.source
    assert step.source.count("derivatives = {") == 1
    agrees(step, {"x": (3, 5)})


def test_the_norm_of_gradients_that_show_one_array_is_right() -> None:
    """What shares memory is not listed as it is, for a caller might write to it."""
    h = gc.input("x", ("N", 4), dtype="float64")
    for i in range(6):
        names = (f"layer{i}.{name}" for name in ("W", "U"))
        W, U = (gc.param(name, (4, 4), "float64", init=gc.init.normal(0.3)) for name in names)
        h = gc.tanh(h @ (W + U.T))
    graph = gc.graph({"loss": gc.mean(gc.square(h))}, name="network")
    optimizer = gc.optim.clip_by_norm(gc.optim.adam(), 1e-2)
    step = gc.compile(graph, minimize="loss", optimizer=optimizer, style="readable")
    agrees(step, {"x": (3, 4)})


def test_gradients_are_listed_once_for_the_loop_and_the_caller() -> None:
    step = gc.compile(network(6), minimize="loss", optimizer=gc.optim.sgd(0.1), style="readable")
    x = np.random.default_rng(0).normal(size=(3, 5))
    names = [name for name in step.graph.params if step.graph.params[name].attrs["trainable"]]
    assert 'gradients.update({"scale": d_scale, **derivatives})' in step.source
    assert step.source.count("d_layer0_W,") == 1
    found: dict[str, Any] = {}
    scope: dict[str, Any] = {"__name__": "emitted"}
    exec(step.source, scope)
    scope["step"](scope["init"](), x, gradients=found)
    assert {*found} == {*names}


def test_moments_have_no_variables_outside_of_the_loop() -> None:
    step = gc.compile(network(6), minimize="loss", optimizer=gc.optim.adam(), style="readable")
    before = step.source.partition("def step")[2].partition("# forward")[0]
    assert "layer5_W" in before and "layer5_W_mean" not in before


@pytest.mark.parametrize("optimizer", [gc.optim.sgd(0.1), gc.optim.sgd(0.1, momentum=0.9)])
def test_a_short_update_stays_as_it_is(optimizer: Any) -> None:
    step = gc.compile(network(2), minimize="loss", optimizer=optimizer, style="readable")
    assert "    for name, gradient" not in step.source


def updated(change: Callable[[Node, Node, int], Node], shown: str = "") -> Graph:
    """Return a graph with ten parameters and moments; a change reads a parameter and the next."""
    params = [gc.param(f"p{i}", (3,), "float64", init=gc.init.constant(i + 1)) for i in range(10)]
    moments = [gc.param(f"p{i}.m", (3,), "float64", trainable=False) for i in range(10)]
    updates: dict[str, Node] = {}
    with phase(UPDATE):
        for i, (p, m) in enumerate(zip(params, moments, strict=True)):
            following = updates[f"p{i}.m"] = 0.5 * m + p
            updates[f"p{i}"] = p - 0.1 * change(p, params[(i + 1) % 10], i) / (1 + following)
    outputs = {"y": gc.sum(params[0]), **({shown: updates[shown]} if shown else {})}
    return gc.graph(outputs, updates=updates)


def test_who_writes_another_of_its_parameters_is_not_alike() -> None:
    """The last of ten takes the step of the others, and writes what they only read."""
    names = [[f"p{i}{kind}" for kind in ("", ".m", ".n")] for i in range(10)]
    rows = [[gc.param(name, (3,), "float64") for name in row] for row in names]
    updates: dict[str, Node] = {}
    with phase(UPDATE):
        for (p, m, n), row in zip(rows, names, strict=True):
            updates[row[1 if p is rows[-1][0] else 0]] = gc.sin(p) * m
            updates[row[2]] = 0.5 * n
    graph = gc.graph({"y": gc.sum(rows[0][0])}, updates=updates)
    step = compiled(graph, "readable")
    assert "        (p8, p8_m, p8_n),\n    ):" in step.source
    rng = np.random.default_rng(0)
    state = {name: rng.normal(size=p.shape) for name, p in graph.params.items()}
    assert_steps_agree(graph, state, [{}, {}], step)


@pytest.mark.parametrize(
    ("graph", "has_loop"),
    [
        (updated(lambda p, other, i: gc.sin(p)), True),
        (updated(lambda p, other, i: gc.sin(other)), False),  # what another one is then
        (updated(lambda p, other, i: gc.sin(p) * (i + 1)), False),  # another number each time
        (updated(lambda p, other, i: gc.sum(p) * p), False),  # not the same in any shape
        (updated(lambda p, other, i: gc.sin(p), shown="p9.m"), True),  # nine of ten
    ],
)
def test_only_what_depends_on_one_parameter_is_alike(graph: Graph, has_loop: bool) -> None:
    step = compiled(graph, "readable")
    assert ("\n    for name in (" in step.source) == has_loop
    rng = np.random.default_rng(0)
    state = {name: rng.normal(size=p.shape) for name, p in graph.params.items()}
    assert_steps_agree(graph, state, [{}, {}, {}], step)
