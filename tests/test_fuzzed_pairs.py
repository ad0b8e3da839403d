"""Pairs of ops that a rule took for what they are not: each graph keeps its reference's values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node
from graphc.ops import OPS

RNG = np.random.default_rng(0)


def leaf(name: str, shape: tuple, dtype: str = "float64") -> Node:
    return gc.input(name, shape, dtype=dtype)


def rounded(function: Callable[[Node], Node], scale: float, dtype: str) -> Node:
    return gc.log(gc.cast(gc.cast(function(leaf("x", (3,))) * scale, dtype), "float64"))


def heavisides() -> Node:
    x, y = leaf("x", (2,)), leaf("y", (2,))
    return gc.heaviside(x, y) - gc.heaviside(y, x)


def guarded_products() -> Node:
    x, y = leaf("x", (2,)), leaf("y", (2,))
    a, b = gc.multiply_no_nan(x, y), gc.multiply_no_nan(y, x)
    return gc.stack([a, b])


def shifts_of_other_axes(again: Callable[[Node], Node]) -> Node:
    z, r = leaf("z", (2, 2, 4)), leaf("r", (2, 5))
    lse, m = gc.logsumexp(z, axis=2), gc.max(r, axis=1)
    return (lse - m[:, None]) + again(m) - 0 * lse


def shift_of_other_lines(mirrored: bool) -> Node:
    q = leaf("q", (3, 3))
    m, lse = gc.max(q, axis=1), gc.logsumexp(q, axis=1)
    return (q - m) - (lse - m)[:, None] if mirrored else (q - m[:, None]) - (lse - m)


def written(op: str, dtype: str, scale: float) -> Node:
    places = gc.constant([0, 1])
    number = gc.full((2, 4), scale, dtype=dtype)
    return OPS[op](leaf("w", (3, 4), dtype) / scale, number, places)


def truncated() -> Node:
    whole = gc.cast(gc.cast(gc.clip(leaf("u", (3,)), 0.2, 0.8), "int64"), "float64")
    return whole / whole


def masked_product() -> Node:
    z, w, m = leaf("z", (2,)), leaf("w", (2,)), leaf("m", (2,), "bool")
    return gc.log(gc.where(m, gc.exp(z), 0.0) * w)


PAIRS: dict[str, tuple[Callable[[], Node], dict[str, object]]] = {
    "log of a rounded sigmoid": (lambda: rounded(gc.sigmoid, 255, "int32"), {"x": np.ones(3)}),
    "log of a rounded exp": (lambda: rounded(gc.exp, 1, "int64"), {"x": np.arange(3.0)}),
    "log of a truth": (lambda: rounded(gc.exp, 1, "bool"), {"x": np.arange(3.0)}),
    "heaviside both ways": (heavisides, {"x": np.array([1.0, -1]), "y": np.array([-1.0, 2])}),
    "guarded products both ways": (
        guarded_products,
        {"x": np.array([0.0, np.nan]), "y": np.array([np.inf, 0])},
    ),
    "a shift along another axis": (
        lambda: shifts_of_other_axes(lambda m: m[None, :]),
        {"z": RNG.normal(size=(2, 2, 4)), "r": RNG.normal(size=(2, 5))},
    ),
    "a shift less something": (
        lambda: shifts_of_other_axes(lambda m: m[None, :] - 3 * leaf("t", (2, 2))),
        {"z": RNG.normal(size=(2, 2, 4)), "r": RNG.normal(size=(2, 5)), "t": np.ones((2, 2))},
    ),
    "shifts of columns": (lambda: shift_of_other_lines(False), {"q": RNG.normal(size=(3, 3))}),
    "shifts of rows": (lambda: shift_of_other_lines(True), {"q": RNG.normal(size=(3, 3))}),
    "a write beyond floats": (
        lambda: written("scatter_add", "float64", 1e200),
        {"w": np.ones((3, 4))},
    ),
    "a write beyond float32": (
        lambda: written("scatter_add", "float32", 1e20),
        {"w": np.ones((3, 4), np.float32)},
    ),
    "truncated to 0": (truncated, {"u": np.array([0.3, 0.5, 0.7])}),
    "a mask and a sign": (
        masked_product,
        {"z": np.zeros(2), "w": np.array([-1.0, 2]), "m": np.array([False, True])},
    ),
    "1/sqrt(-0)": (lambda: leaf("x", (2,)) ** -0.5, {"x": np.array([-0.0, 4])}),
    "2**53 + 1": (
        lambda: gc.cast(gc.cast(leaf("k", (1,), "int64"), "float64"), "int64"),
        {"k": np.array([2**53 + 1])},
    ),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("name", PAIRS)
def test_values_are_those_of_the_reference(name: str, level: int, style: str) -> None:
    build, at = PAIRS[name]
    graph = gc.graph({"y": build()})
    expected = gc.interpret(graph, **at)["y"]
    found = gc.compile(graph, optimize=level, style=style)(**at)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [0, 2])
def test_float32_stays_float32(level: int, style: str) -> None:
    x, i = leaf("x", (3,), "float32"), leaf("i", (), "int64")
    five, one = (gc.full((3,), value, dtype="float32") for value in (5.0, 1.0))
    graph = gc.graph(
        {
            "clip": gc.clip(five, x, one),
            "guarded": gc.divide_no_nan(x, gc.cast(i > 1, "float32")),
        }
    )
    for name, value in gc.compile(graph, optimize=level, style=style)(
        x=np.ones(3, np.float32), i=0
    ).items():
        assert value.dtype == np.float32, name
