"""What a slice cuts off has a slope of 0, though an exponential overflowed on the way there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

#: Between the exponential and the slice: views, sums, products, copies.
WAYS: dict[str, Callable[[Node], Node]] = {
    "nothing": lambda y: y[1],
    "reshape": lambda y: gc.reshape(y, (4,))[2:],
    "transpose": lambda y: gc.transpose(y)[:, 1],
    "sum": lambda y: gc.sum(y, axis=1)[1:],
    "broadcast_to": lambda y: gc.broadcast_to(y, (3, 2, 2))[:, 1],
    "matmul": lambda y: (y @ np.ones((2, 3)))[1:],
    "cumsum": lambda y: gc.cumsum(gc.reshape(y[::-1], (4,)))[:2],
    "tile": lambda y: gc.tile(y, (2, 1))[1],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("optimize", [0, 2])
def test_an_overflow_that_is_cut_off_has_no_slope(way: str, optimize: int) -> None:
    x = gc.input("x", (2, 2), dtype="float64")
    graph = gc.graph({"y": gc.sum(WAYS[way](gc.exp(x)))})
    f = gc.compile(graph, gradient_of="y", wrt="x", optimize=optimize)
    with np.errstate(over="ignore"):
        slope = f(x=np.array([[800.0, 900.0], [1.0, 2.0]]))["d_y_d_x"]
    np.testing.assert_array_equal(slope[0], 0.0)
    assert (slope[1] > 0).all()
