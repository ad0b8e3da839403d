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


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("gradient_of", [None, "loss"])
def test_a_carry_without_axes_may_live_in_memory_that_has_one(
    gradient_of: str | None, level: int
) -> None:
    """The variance of a sequence leaves an array [1], in which the carry's memory then lies."""
    x = gc.input("x", ("T",), "float64")
    a = gc.param("a", (), "float64", init=0.5)
    (last,) = gc.scan(lambda c, x_t: (gc.sin(c) * a + x_t,), init=gc.var(x), xs=x)
    graph = gc.graph({"loss": gc.exp(last)})
    function = gc.compile(graph, gradient_of=gradient_of, optimize=level)
    if gradient_of is None:
        assert ".reshape(())" in function.source
    values = function(function.init(), x=np.arange(3.0))
    carry = 2 / 3  # the variance of 0, 1, 2
    for number in range(3):
        carry = np.sin(carry) * 0.5 + number
    assert values["loss"] == pytest.approx(np.exp(carry), rel=1e-13)
