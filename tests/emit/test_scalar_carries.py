"""A carry without axes starts from a number: it is one of NumPy's, which a step may give axes."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", range(4))
def test_the_gradient_of_a_log_likelihood_runs_at_every_level(level: int, style: str) -> None:
    y = gc.input("y", ("T", 2))
    a = gc.param("A", (2,), init=1.0)

    def step(ll: gc.Node, row: gc.Node) -> tuple[gc.Node, ...]:
        return (ll - 0.5 * ((row * a) @ (row * a)),)

    (ll,) = gc.scan(step, init=gc.zeros(()), xs=y)
    # The seed of the backward loop is -1: arithmetic on a constant, which is written as a number.
    graph = gc.graph({"loss": -ll})
    function = gc.compile(graph, gradient_of="loss", optimize=level, style=style)
    values = function(function.init(), y=np.ones((3, 2), np.float32))
    assert values["loss"] == 3
    np.testing.assert_array_equal(values["d_loss_d_A"], [3, 3])
    assert values["d_loss_d_A"].dtype == np.float32
