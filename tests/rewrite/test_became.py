"""A pass says what became of each node that it does not leave in place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import graphc as gc
from graphc.compile import training_step
from graphc.ir.graph import Graph
from graphc.run.points import sample_point
from graphc.run.reference import bind, evaluate


def digits() -> Graph:
    x, y = gc.input("x", ("N", 5)), gc.input("y", ("N",), dtype="int64")
    z = gc.nn.dense(x, 3, name="out")
    p = gc.exp(z) / gc.exp(z).sum(axis=1, keepdims=True)
    loss = -gc.log(gc.take_along_axis(p, y[:, None], axis=1)).mean()
    return gc.graph({"loss": loss, "p": p}).gradient("loss")


def step() -> Graph:
    x = gc.input("x", ("N", 5))
    h = gc.nn.dense(gc.nn.dense(x, 4, activation=gc.tanh, name="a"), 2, name="b")
    return training_step(gc.graph({"loss": (h * h).mean()}), "loss", gc.optim.adam(0.1))


def loop() -> Graph:
    x = gc.input("x", (4, "N", 3))
    return gc.graph({"loss": gc.nn.lstm(x, 2)[0].sum()}).gradient("loss")


@pytest.mark.parametrize("build", [digits, step, loop])
def test_each_node_that_goes_says_where(build: Callable[[], Graph]) -> None:
    graph = build()
    fired = 0
    for record in gc.optimize(graph).history:
        before, after = set(record.before.nodes), set(record.graph.nodes)
        assert all(old is not new for old, new in record.became.items())
        outputs = zip(record.before.outputs.values(), record.graph.outputs.values(), strict=True)
        for old, new in outputs:
            assert record.became.get(old, old) is new
        kept = {record.became.get(node, node) for node in before} & after
        fired += len(record.firings)
        assert kept or not record.firings
    assert fired > 3


@pytest.mark.parametrize("build", [digits, step])
def test_what_a_node_became_has_its_value(build: Callable[[], Graph]) -> None:
    graph = build()
    point = sample_point(graph)
    state = {name: point[name] for name in graph.params}
    env, sizes = bind(graph, state, {name: point[name] for name in graph.inputs})
    compared = 0
    for record in gc.optimize(graph).history:
        old = evaluate(record.before.nodes, env, sizes=sizes)
        new = evaluate(record.graph.nodes, env, sizes=sizes)
        for node, following in record.became.items():
            if following in new:
                assert new[following] == pytest.approx(old[node], rel=1e-4, abs=1e-6)
                compared += 1
    assert compared > 10
