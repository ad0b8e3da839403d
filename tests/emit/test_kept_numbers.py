"""Numbers that are kept as arrays: where a call costs more than the elements it computes."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node


def halved(x: Node) -> Node:
    return gc.maximum(x, -1) * 0.5 + 0.3 * gc.exp(x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_short_values_take_numbers_that_are_kept(dtype: str) -> None:
    x = gc.input("x", (gc.dim("N"), 8), dtype=dtype)
    f = gc.compile(gc.graph({"y": gc.sum(halved(x), axis=0)}, name="short"))
    assert "np.maximum(x, number_minus_1, out=" in f.source
    assert f"np.full((), 0.3, np.{dtype}),  # number_0_3" in f.source
    at = np.linspace(-1, 1, 24, dtype=dtype).reshape(3, 8)
    result = f(x=at)["y"]
    assert result.dtype == dtype
    expected = np.sum(np.maximum(at, -1) / 2 + 0.3 * np.exp(at), axis=0)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize(("rows", "is_kept"), [(32, True), (512, False)])
def test_how_many_are_few_where_that_is_known(rows: int, is_kept: bool) -> None:
    x = gc.input("x", (rows, 32))
    source = gc.compile(gc.graph({"y": gc.sum(halved(x), axis=0)}, name="known")).source
    assert ("*= half" in source) is is_kept
    assert ("*= 0.5" in source) is not is_kept


def test_long_values_take_numbers_as_they_are_read() -> None:
    x = gc.input("x", (gc.dim("N"), 512))
    source = gc.compile(gc.graph({"y": gc.sum(halved(x), axis=0)}, name="long")).source
    assert " *= 0.3  # [N, 512]" in source
    assert "np.full" not in source


def test_numbers_have_names_of_their_own() -> None:
    zero, one = gc.input("zero", (gc.dim("N"),)), gc.input("one", (gc.dim("N"),))
    graph = gc.graph({"y": gc.sum(gc.maximum(zero, 0) + gc.minimum(one, gc.exp(zero) + 1))})
    f = gc.compile(graph)
    result = f(zero=np.float32([1, -1]), one=np.float32([0.5, 3]))["y"]
    assert float(result) == pytest.approx(1 + 0.5 + np.exp(-1) + 1)


def test_infinity_is_a_number_too() -> None:
    x = gc.input("x", (gc.dim("N"),))
    graph = gc.graph({"y": gc.sum(gc.exp(-gc.minimum(x, np.inf)) + gc.exp(gc.maximum(x, -np.inf)))})
    f = gc.compile(graph, optimize=0)
    assert float(f(x=np.zeros(2, np.float32))["y"]) == 4
