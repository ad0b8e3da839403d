"""Which point is a picture with values drawn at? Every number that was given is told, if few."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from drawn_graphs import texts

import graphc as gc
from graphc.draw import Drawing

NEURON = """
x1: input(f64)
x2: input(f64)
w: param(f64)
y = sigmoid(w * x1 + x2)
output(y)
"""
AT = {"x1": 2.0, "x2": -1.0, "w": 0.5}


PICTURES: dict[str, Callable[[gc.Graph], Drawing]] = {
    "computation": lambda graph: gc.draw.computation_graph(graph, values=AT),
    "backprop": lambda graph: gc.draw.backprop(graph, of="y", at=AT),
    "chain": lambda graph: gc.draw.unit_chain(graph, of="y", at=AT),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_parameters_belong_to_the_point(kind: str) -> None:
    words = " ".join(texts(PICTURES[kind](gc.parse(NEURON))))
    assert "at x₁ = 2, x₂ = −1, w = 0.5" in words


def shown(**arrays: object) -> str:
    """Return the caption of a graph that adds up the elements of its parameters."""
    leaves = {name: gc.param(name, gc.constant(value).shape) for name, value in arrays.items()}
    total = sum((gc.sum(leaf) for leaf in leaves.values()), gc.constant(0.0))
    graph = gc.graph({"y": total})
    return " ".join(texts(gc.draw.computation_graph(graph, values=arrays)))


def test_small_arrays_are_told_and_larger_ones_are_not() -> None:
    words = shown(b=[1.0, -2.0, 0.25, 4.0], W=[[1.0, 2.0], [3.0, 4.0]], big=[0.0] * 5)
    assert "at b = [1, −2, 0.25, 4], W = [[1, 2], [3, 4]]" in words
    assert "big =" not in words


def test_initial_parameters_are_called_so() -> None:
    graph = gc.parse(NEURON)
    words = " ".join(texts(gc.draw.computation_graph(graph, values={"x1": 2.0, "x2": -1.0})))
    assert "at x₁ = 2, x₂ = −1, initial parameters" in words
