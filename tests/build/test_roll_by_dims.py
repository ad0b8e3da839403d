"""Rolling by a number of rows that is made from named dims."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.dims import evaluate

N = gc.dim("N")


@pytest.mark.parametrize("shift", [N // 2, N + 3, -(2 * N), N - 1])
def test_rows_leave_at_one_end_and_enter_at_the_other(shift: Any) -> None:
    rolled = gc.compile(gc.graph({"y": gc.roll(gc.input("x", (N, 2)), shift, axis=0)}))
    for size in (1, 4, 5):
        x = np.arange(2.0 * size, dtype=np.float32).reshape(size, 2)
        wanted = np.roll(x, evaluate(shift, {"N": size}), axis=0)
        np.testing.assert_array_equal(rolled(x=x)["y"], wanted)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("shift", [1, -1, 2, -2, 3, -3, 10])
def test_a_shift_may_be_longer_than_the_axis(shift: int, style: str) -> None:
    x = gc.input("x", (N, 2))
    graph = gc.graph({"y": gc.roll(x, shift, axis=0), "flat": gc.roll(x, shift)})
    assert gc.parse(str(graph)) == graph
    rolled = gc.compile(graph, style=style)
    for size in (1, 2, 3, 4, 7):
        at = np.arange(2.0 * size, dtype=np.float32).reshape(size, 2)
        for found in (rolled(x=at), gc.interpret(graph, x=at)):
            np.testing.assert_array_equal(found["y"], np.roll(at, shift, axis=0))
            np.testing.assert_array_equal(found["flat"], np.roll(at, shift))


def test_its_gradient_rolls_back() -> None:
    x, w = gc.input("x", (N, 2)), gc.param("w", (N, 2), init=gc.init.normal(1.0))
    graph = gc.graph({"loss": gc.sum(gc.roll(w, 3, axis=0) * x)})
    step = gc.compile(graph, gradient_of="loss")
    for size in (1, 2, 5):
        at = np.arange(2.0 * size, dtype=np.float32).reshape(size, 2)
        found = step(step.init(N=size), x=at)["d_loss_d_w"]
        np.testing.assert_array_equal(found, np.roll(at, -3, axis=0))


def test_no_rows_have_no_remainder() -> None:
    graph = gc.graph({"y": gc.roll(gc.input("x", (N, 2)), 3, axis=0)})
    for call in (gc.compile(graph), lambda x: gc.interpret(graph, x=x)):
        with pytest.raises(gc.GraphError, match=r"divides by zero(.|\n)*N = 0"):
            call(x=np.ones((0, 2), np.float32))
