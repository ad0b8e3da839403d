"""Numbers that a step takes out of what it has just written: they are read when they are there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc


def smooth_minimum(h: gc.Node, x: gc.Node) -> tuple[gc.Node, gc.Node]:
    both = gc.stack([-h / 0.3, -x / 0.3])
    after = x - 0.3 * gc.logsumexp(both)
    return after, after


def two_numbers(a: gc.Node, b: gc.Node, x: gc.Node) -> tuple[gc.Node, ...]:
    pair = gc.tanh(gc.stack([a * b, a - x]))
    return pair[0], pair[1], pair


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize(("body", "carries"), [(smooth_minimum, 1), (two_numbers, 2)])
def test_a_gradient_that_is_taken_apart_number_by_number(
    body: Callable[..., tuple[gc.Node, ...]], carries: int, style: str
) -> None:
    x, w = gc.input("x", (5,)), gc.param("w", (), init=1.0)
    init = tuple(gc.full((), 0.5 + i) * w for i in range(carries))
    *_, emitted = gc.scan(body, init=init, xs=x * w)
    g = gc.graph({"loss": gc.sum(gc.square(emitted))}).astype("float64")
    at, state = {"x": np.random.default_rng(0).normal(size=5)}, {"w": np.array(0.7)}
    found = gc.compile(g, gradient_of="loss", style=style)(state, **at)
    expected = gc.interpret(g.gradient("loss"), state, **at)
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-12)
