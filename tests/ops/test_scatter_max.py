"""The largest value that comes to each place, and which one receives the derivative."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

BASE = np.array([0.0, 3.0, 9.0, -np.inf])
VALUES = np.array([1.0, 3.0, 3.0, 2.0, 3.0, -1.0])
PLACES = np.array([0, 1, 0, 0, -4, 3])


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_base_wins_then_the_first_that_attains_it(level: int, style: str) -> None:
    base, values = gc.input("base", (4,), "float64"), gc.input("values", ("E",), "float64")
    places, weight = gc.input("places", ("E",), "int64"), np.array([1.0, 10.0, 100.0, 1000.0])
    y = gc.scatter_max(base, values, places)
    graph = gc.graph({"y": y, "loss": gc.sum(y * weight)})
    f = gc.compile(graph, gradient_of="loss", wrt=["base", "values"], optimize=level, style=style)
    before = BASE.copy()
    found = f(base=BASE, values=VALUES, places=PLACES)
    np.testing.assert_array_equal(BASE, before)
    np.testing.assert_array_equal(found["y"], [3, 3, 9, -1])
    np.testing.assert_array_equal(found["d_loss_d_base"], [0, 10, 100, 0])
    np.testing.assert_array_equal(found["d_loss_d_values"], [0, 0, 1, 0, 0, 1000])


def test_rows_of_whole_numbers_have_a_largest_too() -> None:
    table = gc.input("table", (3, 2), "int64")
    rows = gc.constant(np.array([[5, -5], [1, 1], [4, 7]]))
    f = gc.compile(gc.graph({"y": gc.scatter_max(table, rows, np.array([2, 0, 2]))}))
    np.testing.assert_array_equal(f(table=np.zeros((3, 2), int))["y"], [[1, 1], [0, 0], [5, 7]])


def test_an_index_out_of_range_is_an_error() -> None:
    x, i = gc.input("x", (3,)), gc.input("i", (1,), "int64")
    f = gc.compile(gc.graph({"y": gc.scatter_max(x, gc.ones((1,)), i)}))
    with pytest.raises((IndexError, gc.GraphError)):
        f(x=np.zeros(3, np.float32), i=np.array([3]))
