"""The complex step through a loop: exact where the body continues, and it says where not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc

ROWS = np.linspace(0.2, 1.5, 12).reshape(4, 3)


def looped(step: Callable[[gc.Node, gc.Node], gc.Node]) -> gc.Graph:
    """Return a loop of `step(h, w * row)` that also carries a count and emits two stacks."""
    x = gc.input("x", ("T", 3), dtype="float64")
    w = gc.param("w", (3,), dtype="float64", init=gc.init.constant(0.3))

    def body(h: gc.Node, kept: gc.Node, count: gc.Node, row: gc.Node) -> tuple[gc.Node, ...]:
        return step(h, row * w), kept * 2.0, count + 1, row * row, h

    zeros, ones = gc.zeros((3,), "float64"), gc.ones((3,), "float64")
    h, kept, count, squares, hs = gc.scan(body, init=(zeros, ones, gc.zeros((), "int64")), xs=x)
    # The carry `kept` and the stack `squares` are real whatever w is, the others are not.
    terms = gc.sum(h * kept) + gc.sum(squares * hs) + gc.cast(count, "float64") * gc.sum(w)
    return gc.graph({"loss": terms})


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda h, z: gc.tanh(h + z), id="tanh"),
        pytest.param(lambda h, z: gc.log(gc.sum(gc.exp(h))) + z, id="log-sum-exp"),
        pytest.param(lambda h, z: h + z, id="sum"),
    ],
)
def test_the_complex_step_is_exact_through_a_loop(
    step: Callable[[gc.Node, gc.Node], gc.Node],
) -> None:
    found = gc.check_gradient(looped(step), at={"x": ROWS}, method="complex")
    assert found.method == "complex" and found.max_error < 1e-14


def test_it_gives_way_to_an_op_in_the_body_that_has_no_complex_form() -> None:
    found = gc.check_gradient(looped(lambda h, z: abs(h + z)), at={"x": ROWS}, method="complex")
    assert found and found.notes == ("abs has no complex form; central differences instead",)


def test_an_op_of_the_body_that_the_parameters_do_not_reach_is_no_obstacle() -> None:
    x = gc.input("x", ("T", 3), dtype="float64")
    w = gc.param("w", (3,), dtype="float64", init=gc.init.constant(0.3))
    sums = gc.scan(lambda row: gc.sum(abs(row)) * gc.sum(w), xs=x)
    found = gc.check_gradient(gc.graph({"loss": sums[0].sum()}), at={"x": -ROWS}, method="complex")
    assert found.method == "complex" and found.max_error < 1e-14
