"""Which lines compute which nodes: every node has a line, every assignment a node."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import graphc as gc
from graphc.emit import traced_function
from graphc.plan import plan
from graphc.rewrite.lower import lower


def softmax() -> gc.Graph:
    x, y = gc.input("x", ("N", 4)), gc.input("y", ("N",), dtype="int64")
    z = gc.nn.dense(x, 3, activation=gc.relu, name="hidden")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()}).gradient("loss")


def loop() -> gc.Graph:
    x = gc.input("x", ("T", "N", 3))
    return gc.graph({"loss": gc.nn.gru(x, 4)[0].sum()}).gradient("loss")


def nested_constants() -> gc.Graph:
    x = gc.input("x", (3,))
    return gc.graph({"y": x * 2 + 1, "same": x, "three": gc.full((3,), 3.0)})


@pytest.mark.parametrize("build", [softmax, loop, nested_constants])
@pytest.mark.parametrize("level", [0, 2])
def test_every_node_and_every_assignment(build: Callable[[], gc.Graph], level: int) -> None:
    program = plan(lower(gc.optimize(build(), level=level)))
    lines, places = traced_function(program)
    assert set(places) == set(program.graph.nodes)
    assert all(places.values())
    computed = {place for found in places.values() for place in found}
    assigned = {i for i, line in enumerate(lines) if re.match(r"\s*[\w\[\], ]+ [-+*/]?= ", line)}
    assert assigned <= computed


def test_a_value_written_where_it_is_read_has_the_line_of_its_reader() -> None:
    x = gc.input("x", (3,))
    graph = gc.graph({"y": gc.exp(gc.sin(x)) + 1})
    lines, places = traced_function(plan(graph))
    (sine,) = [node for node in graph.nodes if node.op.name == "sin"]
    (place,) = places[sine]
    assert "np.exp(np.sin(x))" in lines[place]
    assert places[graph.outputs["y"]] == [place]
    assert {lines[i].strip() for i in places[x]} >= {"def graph(x):", lines[place].strip()}


def test_the_lines_are_those_of_the_module() -> None:
    program = plan(lower(gc.optimize(softmax())))
    lines, _ = traced_function(program, gradient_of="loss")
    assert "\n".join(lines) in gc.emit(program.graph)
