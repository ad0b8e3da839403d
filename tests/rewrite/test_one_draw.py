"""A draw that a rewrite puts elsewhere stays one draw: a copy of it would be drawn again."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

STYLES = pytest.mark.parametrize("style", ["readable", "fast"])


def nameless(*shape: int) -> Node:
    return gc.random_normal(shape, dtype="float64")


def called(graph: gc.Graph, style: str, **options: object) -> dict[str, np.ndarray]:
    step = gc.compile(graph, style=style, **options)
    assert step.source.count("rng.standard_normal(") == 1
    return step(step.init(seed=0), rng=np.random.default_rng(0))


@STYLES
def test_a_loop_that_emits_its_slices_gives_back_the_draw(style: str) -> None:
    draws = [nameless(5, 3)]  # in a list, so that no variable gives it a name

    def step(c: Node, x_t: Node) -> tuple[Node, Node]:
        return c + x_t, x_t

    c, emitted = gc.scan(step, init=gc.zeros((3,), "float64"), xs=draws[0])
    found = called(gc.graph({"zero": emitted - draws[0], "c": c, "emitted": emitted}), style)
    assert not found["zero"].any()
    np.testing.assert_allclose(found["c"], found["emitted"].sum(axis=0))


@STYLES
def test_a_value_derived_by_that_becomes_a_draw_is_that_draw(style: str) -> None:
    draws = [nameless(3)]
    h = (draws[0] * 1.0).named("h")
    w = gc.param("w", (3,), "float64", init=gc.init.ones())
    graph = gc.graph({"y": gc.sum(h * w), "zero": h - draws[0]})
    found = called(graph, style, gradient_of="y", wrt=["h"])
    assert not found["zero"].any()
    np.testing.assert_allclose(found["d_y_d_h"], 1)
