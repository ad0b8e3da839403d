"""Style `fast`: a new value grows in the parameter's own array, where nobody sees it half made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stepping import assert_steps_agree, compiled

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE, phase
from graphc.ops import OPS
from graphc.ops.leaf import input_, param

M, V = param("M", (3, 3), "float64"), param("V", (3, 3), "float64")
G = input_("g", (3, 3), "float64")
STATE = {"M": np.arange(9.0).reshape(3, 3), "V": np.arange(9.0).reshape(3, 3) + 20}
CALLS = [{"g": np.linspace(-1, k, 9).reshape(3, 3)} for k in (1, 2)]


def step(updates: Callable[[], dict[str, Node]], **outputs: Node) -> Graph:
    with phase(UPDATE):
        return Graph({"total": OPS["sum"](M + V + G), **outputs}, updates=updates())


def shared() -> dict[str, Node]:
    shrunk = 0.5 * M
    return {"M": shrunk + G, "V": V - shrunk}


def another_reads_the_old_value() -> dict[str, Node]:
    return {"M": 0.5 * M + G, "V": V * M}


def another_reads_the_new_value() -> dict[str, Node]:
    moved = 0.5 * M + G
    return {"M": moved, "V": 0.9 * V - moved / (1 + gc.sqrt(gc.abs(moved)))}


GRAPHS: dict[str, Callable[[], Graph]] = {
    "a running mean": lambda: step(lambda: {"M": 0.9 * M + 0.1 * G}),
    "the number behind": lambda: step(lambda: {"M": G + M * 0.9}),
    "divided, then subtracted from": lambda: step(lambda: {"M": G - M / 3}),
    "its own transpose": lambda: step(lambda: {"M": 0.5 * gc.transpose(M) + G}),
    "with its transpose": lambda: step(lambda: {"M": 0.5 * M + gc.transpose(M)}),
    "a root": lambda: step(lambda: {"M": gc.sqrt(M) + G}),
    "shared with another": lambda: step(shared),
    "the old value of another": lambda: step(another_reads_the_old_value),
    "the new value of another": lambda: step(another_reads_the_new_value),
    "both": lambda: step(lambda: {"M": 0.9 * M + 0.1 * V, "V": 0.9 * V + 0.1 * M}),
    "the old value shown": lambda: step(lambda: {"M": 0.9 * M + G}, old=gc.transpose(M)),
    "a part of it": lambda: step(lambda: {"M": gc.broadcast_to(2 * M[:1], (3, 3)) + G}),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_next_values_are_those_of_the_reference(name: str) -> None:
    assert_steps_agree(GRAPHS[name](), STATE, CALLS)


def test_a_half_made_value_is_not_what_an_output_holds() -> None:
    with phase(UPDATE):
        half = 0.5 * M
        graph = Graph({"half": half}, updates={"M": half + G})
    assert_steps_agree(graph, STATE, CALLS)


def test_moments_grow_in_place() -> None:
    """No array of a parameter's size is filled beside the gradient and one for its share."""
    W = gc.param("W", (64, 128), init=gc.init.ones())
    graph = gc.graph({"loss": gc.mean(gc.square(gc.input("x", ("N", 64)) @ W))})
    for text, wanted in (
        ("sgd(0.1, momentum=0.9)", ["W_velocity *= 0.9", "W_velocity += d_W"]),
        ("rmsprop()", ["W_mean_square *= 0.99"]),
        ("adam()", ["W_mean *= 0.9", "W_mean_square *= 0.999"]),
        ("adamw()", ["W *= 0.99999", "W_mean *= 0.9"]),
    ):
        source = gc.compile(graph, minimize="loss", optimizer=text).source
        lines = [line.strip() for line in source.splitlines()]
        assert [line for line in wanted if line not in lines] == [], source
        assert source.count("np.empty((64, 128)") <= 2, source


def test_readable_states_the_formula() -> None:
    source = compiled(GRAPHS["a running mean"](), "readable").source
    assert "M[...] = 0.9 * M + 0.1 * g" in source
