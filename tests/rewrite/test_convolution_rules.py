"""Convolutions become products of matrices, and all their products share the columns."""

from __future__ import annotations

from typing import Any

import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ops.matrix_product import matmul_form


def there_and_back(y: Any, wrt: list[str]) -> Graph:
    """Return the optimized graph of a value's sum of squares, with gradients."""
    graph = gc.graph({"loss": gc.sum(gc.square(y))})
    return gc.optimize(graph.gradient("loss", wrt))


def ops(graph: Graph, name: str) -> list[Any]:
    return [node for node in graph.nodes if node.op.name == name]


LAYERS = {
    "conv2d": lambda x: gc.nn.conv2d(x, 6, 3, name="c"),
    "strided": lambda x: gc.nn.conv2d(x, 6, 3, stride=2, padding=1, dilation=2, name="c"),
    "groups": lambda x: gc.nn.conv2d(x, 6, 3, groups=2, name="c"),
    "depthwise": lambda x: gc.nn.conv2d(x, 4, 3, groups=4, name="c"),
    "1x1": lambda x: gc.nn.conv2d(x, 6, 1, name="c"),
    "locally_connected": lambda x: gc.nn.locally_connected2d(x, 6, 3, name="c"),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_value_and_gradients_are_three_products_that_share_the_columns(layer: Any) -> None:
    graph = there_and_back(layer(gc.input("x", ("N", 4, 8, 8))), ["x", "c.W"])
    products = ops(graph, "einsum")
    assert len(products) == 3
    assert all(matmul_form(node) is not None for node in products)
    columns = [node for node in ops(graph, "pack") if node.inputs[0].op.name == "windows"]
    assert len(columns) == 1
    assert sum(any(x is columns[0] for x in node.inputs) for node in products) == 2
    assert len(ops(graph, "windows_add")) == 1


def test_a_transposed_convolution_is_products_of_matrices_too() -> None:
    x = gc.input("x", ("N", 4, 5, 5))
    y = gc.nn.conv_transpose2d(x, 6, 3, stride=2, name="c")
    graph = there_and_back(y, ["x", "c.W"])
    assert len(ops(graph, "einsum")) == 3
    assert all(matmul_form(node) is not None for node in ops(graph, "einsum"))
    assert len(ops(graph, "windows_add")) == 1


def test_one_sample_is_not_moved_for_nothing() -> None:
    """With one sample the channels stand in front already: only the windows are laid out."""
    graph = there_and_back(gc.nn.conv2d(gc.input("x", (1, 4, 8, 8)), 6, 3, name="c"), ["x", "c.W"])
    assert [node.inputs[0].op.name for node in ops(graph, "pack")] == ["windows"]


def test_other_contractions_of_windows_stay_as_they_are() -> None:
    x = gc.input("x", ("N", 4, 8, 8))
    shown = gc.windows(x, (3, 3))
    energy = gc.einsum("ncxyij,ncxyij->ncxy", shown, shown)
    graph = gc.optimize(gc.graph({"y": energy}))
    assert not ops(graph, "pack")


def test_a_convolution_without_gradients_of_the_image_has_no_code_for_them() -> None:
    graph = there_and_back(gc.nn.conv2d(gc.input("x", ("N", 4, 8, 8)), 6, 3, name="c"), ["c.W"])
    assert len(ops(graph, "einsum")) == 2
    assert not ops(graph, "windows_add")


def test_windows_reduced_over_some_axes_only_stay_windows() -> None:
    x = gc.input("x", ("N", 8, 8))
    rows = gc.max(gc.windows(x, (2, 2)), axis=-1)
    kept = gc.max(gc.windows(x, (2, 2)), axis=(-2, -1), keepdims=True)
    assert len(ops(gc.optimize(gc.graph({"y": rows})), "windows")) == 1
    pooled = gc.optimize(gc.graph({"y": kept}))
    assert len(ops(pooled, "window_max")) == 1
    assert pooled.find("y").shape[1:] == (7, 7, 1, 1)
