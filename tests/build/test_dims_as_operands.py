"""A dim is a number: it stands on either side of an operator, beside a node as beside an array."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc

#: All but `!=`, for which SymPy asks the truth value of `==`: there a dim stands on the right.
OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.lt, operator.le, operator.gt, operator.ge, operator.eq,
]  # fmt: skip

X = np.array([[1.0, 2.0, 4.0], [0.5, 3.0, -1.5]])


@pytest.mark.parametrize("apply", OPERATORS, ids=lambda apply: apply.__name__)
@pytest.mark.parametrize("factor", [1, 2], ids=["a name", "an expression"])
def test_dim_on_the_left_is_what_its_number_is(
    apply: Callable[[Any, Any], Any], factor: int
) -> None:
    N = gc.dim("N")
    x = gc.input("x", ("N", 3), "float64")
    graph = gc.graph({"left": apply(factor * N, x), "right": apply(x, factor * N)})
    got = gc.interpret(graph, x=X)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got["left"], apply(factor * 2, X))
        np.testing.assert_array_equal(got["right"], apply(X, factor * 2))


def test_derivative_through_a_dim_on_the_left() -> None:
    N = gc.dim("N")
    W = gc.param("W", (3,), "float64", init=[1.0, 2.0, 3.0])
    x = gc.input("x", ("N", 3), "float64")
    assert gc.check_gradient(gc.graph({"loss": gc.sum(N / (N * W + x))}), at={"x": X**2})


def test_functions_of_numbers_are_as_weak_as_numbers() -> None:
    """`sqrt(2)` leaves float32 what it is, as 2 does; float64 keeps all of its digits."""
    D = gc.dim("D")
    x = gc.input("x", ("N", D))
    given = {"x": np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)}
    for y in (
        x / gc.sqrt(2.0),
        x / gc.sqrt(D),
        gc.log(2 * gc.exp(1)) * x,
        x * gc.where(x > 0, 1.0, gc.sqrt(2.0)),
        gc.maximum(gc.sqrt(2.0) / 3 + 1, x),
    ):
        graph = gc.graph({"y": y})
        assert y.dtype == np.float32
        assert gc.compile(graph)(**given)["y"].dtype == np.float32
        assert gc.parse(graph.text()).outputs["y"].dtype == np.float32
    z = gc.input("z", (3,), dtype="float64")
    got = gc.compile(gc.graph({"y": z / gc.sqrt(2.0)}))(z=np.ones(3))["y"]
    np.testing.assert_array_equal(got, np.full(3, 1 / np.sqrt(2)))
    assert (x * gc.full((), 2.0, "float64")).dtype == np.float64
