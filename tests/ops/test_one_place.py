"""Adding at one place: indices that are numbers cannot meet the same place twice."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc


def picked() -> gc.Graph:
    A, r = gc.input("A", (4, 3)), gc.input("r", (3,))
    i, j = gc.input("i", (), "int64"), gc.input("j", (1,), "int64")
    row, column, number = A[i] * r, A[:, j], A[i, i]
    return gc.graph({"loss": gc.sum(row) + gc.sum(gc.square(column)) + number * r[i]})


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_the_derivative_is_added_without_a_loop_over_places(style: str) -> None:
    g = picked().astype("float64")
    f = gc.compile(g, gradient_of="loss", wrt=["A", "r"], style=style)
    assert "np.add.at" not in f.source and "add_rows" not in f.source
    rng = np.random.default_rng(0)
    at = {"A": rng.normal(size=(4, 3)), "r": rng.normal(size=3), "i": 2, "j": [-1]}
    expected = gc.interpret(g.gradient("loss", ["A", "r"]), **at)
    for name, value in f(**at).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-12)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_places_that_may_repeat_still_add_up(style: str) -> None:
    A, i = gc.input("A", (4, 3)), gc.input("i", ("K",), "int64")
    f = gc.compile(gc.graph({"y": A[i].sum()}), gradient_of="y", wrt=["A"], style=style)
    found = f(A=np.zeros((4, 3)), i=[1, 1, 2])["d_y_d_A"]
    np.testing.assert_array_equal(found[:, 0], [0, 2, 1, 0])
