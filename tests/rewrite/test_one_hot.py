"""Products with one-hot rows take rows and add to rows; an index without a class gives zeros."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

CLASSES = 1200
INDICES = np.array([[3, CLASSES - 1, -1], [CLASSES, 3, 0]])
PRODUCTS: dict[str, Callable[[Node, Node], Node]] = {
    "rows": lambda hot, w: hot @ w,
    "rows of two axes": lambda hot, w: gc.einsum("nmk,kd->nmd", hot, w),
    "columns": lambda hot, w: gc.einsum("nmk,kd->dnm", hot, w),
    "turned": lambda hot, w: w.T @ gc.reshape(hot, (6, CLASSES)).T,
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("name", PRODUCTS)
def test_values_and_gradients_are_those_of_the_product(name: str, style: str) -> None:
    i, w = gc.input("i", (2, 3), dtype="int64"), gc.param("w", (CLASSES, 4), "float64")
    y = PRODUCTS[name](gc.one_hot(i, CLASSES, "float64"), w)
    graph = gc.graph({"y": y, "loss": gc.sum(gc.sin(y))})
    state = {"w": np.random.default_rng(0).normal(size=(CLASSES, 4))}
    found = gc.compile(graph, gradient_of="loss", style=style)(state, i=INDICES)
    expected = gc.interpret(graph.gradient("loss", stabilize=False), state, i=INDICES)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-12, atol=1e-15)


def test_no_array_of_all_classes_is_made_of_the_indices() -> None:
    i, w = gc.input("i", ("N",), dtype="int64"), gc.param("w", (CLASSES, 4))
    graph = gc.graph({"loss": gc.mean((gc.one_hot(i, CLASSES) @ w) ** 2)})
    for style in ("readable", "fast"):
        source = gc.compile(graph, gradient_of="loss", style=style).source
        assert f"[N, {CLASSES}]" not in source


def test_few_classes_are_multiplied() -> None:
    i, w = gc.input("i", ("N",), dtype="int64"), gc.param("w", (10, 4))
    source = gc.emit(gc.optimize(gc.graph({"y": gc.one_hot(i, 10) @ w})))
    assert "@ w" in source
