"""Networks that read several parts of one input: a unit is a row's, and rows have units each."""

from __future__ import annotations

import html
import itertools
import re

import pytest
from drawn_graphs import texts

import graphc as gc
from graphc.draw.networks.dense_layers import find_network

TWO_ROWS = """
x: input(f32, 2, 3)
W: param(f32, 3, 4)
h = tanh(x[0] @ W)
g = tanh(x[1] @ W + h)
output(g)
"""


def edges_between(graph: gc.Graph) -> list[tuple[str, str, bool]]:
    """Return tail, head, and whether weights are on the way; inputs go by their indices."""
    found = find_network(graph)
    names = [layer.indices or graph.labels[layer.node] for layer in found.layers]
    return sorted((names[x.tail], names[x.head], x.weight is not None) for x in found.links)


def circles(graph: gc.Graph) -> list[str]:
    """Return the names of all units, column by column."""
    found = re.findall(r'id="unit_.*tooltip="([^"]+)"', gc.draw.network(graph).source)
    return [html.unescape(name) for name in found]


def unrolled(picks: list[object]) -> gc.Graph:
    x = gc.input("x", (3, "B", 3))
    W, U = gc.param("W", (3, 4)), gc.param("U", (4, 4))
    h = gc.tanh(x[picks[0]] @ W).named("h1")
    for i, pick in enumerate(picks[1:], 2):
        h = gc.tanh(x[pick] @ W + h @ U).named(f"h{i}")
    return gc.graph({"h": h})


def test_two_rows_of_an_input_are_six_units() -> None:
    graph = gc.parse(TWO_ROWS)
    found = find_network(graph)
    assert [(x.size, x.indices, x.role) for x in found.layers if not x.level] == [
        (3, "[0]", "input"),
        (3, "[1]", "input"),
    ]
    assert edges_between(graph) == [("[0]", "h", True), ("[1]", "g", True), ("h", "g", False)]
    shown = texts(gc.draw.network(graph))
    assert circles(graph)[:6] == [f"x[{row}]{unit}" for row in (0, 1) for unit in "₁₂₃"]
    assert "3 + 3" in shown and "hidden · tanh" in shown and "output · tanh" in shown


def test_an_unrolled_network_reads_another_slice_at_each_step() -> None:
    weighed = [(tail, head) for tail, head, _ in edges_between(unrolled([0, 1, 2]))]
    assert weighed == [("[0]", "h1"), ("[1]", "h2"), ("[2]", "h3"), ("h1", "h2"), ("h2", "h3")]


def test_one_row_that_is_read_twice_is_drawn_once() -> None:
    found = find_network(unrolled([1, 1, 1]))
    assert [x.indices for x in found.layers if x.role == "input"] == ["[1]"]


@pytest.mark.parametrize(
    "rows", list(itertools.permutations(range(3))), ids=lambda rows: "".join(map(str, rows))
)
def test_rows_stand_in_their_order_whatever_is_computed_first(rows: tuple[int, ...]) -> None:
    found = find_network(unrolled(list(rows)))
    assert [x.indices for x in found.layers if x.role == "input"] == ["[0]", "[1]", "[2]"]


def test_the_whole_input_and_a_row_of_it_are_different_units() -> None:
    x = gc.input("x", (2, 3))
    outputs = {"y": x @ gc.param("W", (3, 4)), "z": x[0] @ gc.param("V", (3, 4))}
    assert edges_between(gc.graph(outputs)) == [("[0]", "z", True), ("x", "y", True)]


def test_indices_are_those_of_the_input_however_they_were_taken() -> None:
    x = gc.input("x", (4, 5, 3))
    W = gc.param("W", (3, 2))
    y = x[1:][0, 2] @ W + x[1][2] @ W + x.transpose((1, 0, 2))[2, 1] @ W + x[1:3, 4][-1] @ W
    found = find_network(gc.graph({"y": y}))
    assert [x.indices for x in found.layers if x.role == "input"] == ["[1,2]", "[2,4]"]


def test_the_last_of_any_number_of_steps_is_counted_from_the_end() -> None:
    x = gc.input("x", ("N", "T", 3))
    graph = gc.graph({"y": gc.nn.dense(x[:, 0], 2) + gc.nn.dense(x[:, -1], 2)})
    found = find_network(graph)
    assert [x.indices for x in found.layers if x.role == "input"] == ["[:,0]", "[:,-1]"]


def test_a_named_row_goes_by_its_name_and_functions_by_the_row() -> None:
    x, W = gc.input("x", (2, 3)), gc.param("W", (3, 4))
    first = x[0].named("first")
    graph = gc.graph({"y": first @ W + gc.square(x[1]) @ W}, name="rows")
    assert {"f₁", "x[1]₁"} <= set(circles(graph))


def test_some_units_of_a_row_are_edges_from_that_row() -> None:
    x = gc.input("x", (2, 4))
    W, V = gc.param("W", (2, 3)), gc.param("V", (2, 3))
    found = find_network(gc.graph({"y": x[0, :2] @ W + x[1, 2:] @ V}))
    parts = {found.layers[link.tail].indices: link.rows for link in found.links}
    assert parts == {"[0]": range(2), "[1]": range(2, 4)}


def test_ranges_of_rows_are_samples_of_the_same_units() -> None:
    x = gc.input("x", (4, 3))
    W = gc.param("W", (3, 4))
    found = find_network(gc.graph({"y": x[:2] @ W + x[2:] @ W}))
    assert [(x.size, x.indices) for x in found.layers if x.role == "input"] == [(3, "")]


def test_a_layer_that_is_computed_later_may_skip_into_one_computed_before() -> None:
    x = gc.input("x", (3,))
    z, h = x @ gc.param("A", (3, 4)), gc.tanh(x @ gc.param("B", (3, 4))).named("h")
    for total in (z + h, h + z):
        graph = gc.graph({"g": gc.relu(total)})
        assert edges_between(graph) == [("h", "g", False), ("x", "g", True), ("x", "h", True)]
        captions = {"hidden · tanh", "output · ReLU"}
        assert captions <= set(texts(gc.draw.network(graph)))


def test_a_row_may_skip_into_a_layer() -> None:
    x = gc.input("x", (2, 3))
    y = gc.tanh(x[0] @ gc.param("W", (3, 3)) + x[1])
    assert edges_between(gc.graph({"y": y})) == [("[0]", "y", True), ("[1]", "y", False)]
