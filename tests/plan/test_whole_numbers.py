"""Numbers that are kept as arrays of their own: where, and that values stay what they are."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

N = gc.dim("N")


def _compiled(y: Node, *, style: str = "fast") -> gc.Compiled:
    return gc.compile(gc.graph({"y": y}), style=style)


def test_values_of_one_shape_are_limited_by_one_array() -> None:
    x, w = gc.input("x", (N, 8)), gc.input("w", (8, 8))
    source = _compiled(gc.relu(gc.relu(x @ w) @ w)).source
    assert source.count(", zeros") == 3  # in two calls, and where it is taken from the workspace
    assert source.count("np.zeros(") == 1
    readable = _compiled(gc.relu(x @ w), style="readable").source
    assert "np.maximum(x @ w, 0)" in readable


def test_extreme_values_are_limited_as_by_a_number() -> None:
    f = _compiled(gc.relu(gc.input("x", (7,))))
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, -1.0], np.float32)
    assert "zeros" in f.source
    np.testing.assert_array_equal(f(x=x)["y"], np.maximum(x, 0))


@pytest.mark.parametrize(
    ("shape", "number", "kept"),
    [
        ((64, 64), 6.0, "np.full((64, 64), 6, np.float32)"),
        ((N, 64), 0.0, "np.zeros((N, 64), np.float32)"),
        # An array of sixes takes memory, however large N turns out to be.
        ((N, 64), 6.0, "np.full((), 6, np.float32)"),
    ],
)
def test_arrays_of_numbers_take_little_memory(
    shape: tuple[int, ...], number: float, kept: str
) -> None:
    x = gc.input("x", shape)
    f = _compiled(gc.sqrt(gc.maximum(gc.exp(x), number)))
    allocator = f.source.split("def allocate")[1].split("def ")[0]
    assert kept in allocator


def test_many_elements_are_limited_by_a_number() -> None:
    f = _compiled(gc.relu(gc.exp(gc.input("x", (512, 512))) - 2))
    assert "clip(y_pre, 0, np.inf" in f.source
    assert "zeros" not in f.source


def test_part_of_an_array_is_limited_by_a_number() -> None:
    f = _compiled(gc.relu(gc.exp(gc.input("x", (N, 8)))[:, 2:5]))
    assert "np.zeros" not in f.source


def test_steps_of_a_loop_share_an_array() -> None:
    x, u = gc.input("x", (20, N, 8)), gc.input("u", (8, 8))
    h, _ = gc.scan(lambda h, x_t: (gc.relu(x_t + h @ u),) * 2, gc.zeros((N, 8)), x)
    graph = gc.graph({"h": h})
    f = gc.compile(graph)
    assert "np.zeros((N, 8), np.float32),  # zeros" in f.source
    rng = np.random.default_rng(0)
    values = {"x": rng.normal(size=(20, 3, 8)), "u": 0.3 * rng.normal(size=(8, 8))}
    given = {name: value.astype(np.float32) for name, value in values.items()}
    np.testing.assert_allclose(f(**given)["h"], gc.interpret(graph, **given)["h"], rtol=1e-5)
