"""erf and erfc go through large arrays in parts, of any shape and order, also in place."""

from __future__ import annotations

import math

import numpy as np
import pytest

import graphc as gc
from graphc.ops.elementwise.special import PART


@pytest.mark.parametrize("name", ["erf", "erfc"])
@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 5])
def test_parts_make_up_the_whole(name: str, size: int) -> None:
    op = getattr(gc, name)
    x = gc.input("x", ("N",), dtype="float64")
    y = op(x * 1.5)  # in the memory of what it is computed from
    turned = gc.input("turned", ("N", 3), dtype="float64")
    graph = gc.graph({"y": y, "total": gc.sum(y * y), "other": op(turned.T) + 1, "one": op(y[:1])})
    given = {"x": np.linspace(-3, 3, size), "turned": np.linspace(-2, 2, 3 * size).reshape(size, 3)}
    if size == 0:
        graph = gc.graph({"y": y, "other": op(turned.T) + 1})
    f = gc.compile(graph)
    for _ in range(2):
        got = f(**given)
        for key, wanted in gc.interpret(graph, **given).items():
            np.testing.assert_allclose(got[key], wanted, rtol=1e-14, atol=1e-15)


def test_a_number_stays_a_number() -> None:
    x = gc.input("x", (), dtype="float64")
    f = gc.compile(gc.graph({"y": gc.erf(x), "z": gc.erfc(x) * 2}))
    got = f(x=0.5)
    assert got["y"].shape == got["z"].shape == ()
    assert math.isclose(got["y"], math.erf(0.5), rel_tol=1e-15)
