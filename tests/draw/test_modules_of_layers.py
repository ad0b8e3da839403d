"""Each layer is a module of the Forward | Backward table, whatever stands between two."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from module_sums import check_sums

import graphc as gc

C, H, U, Z = "Convolution", "Relu", "Transposed convolution", "Linear"


def conv(x: gc.Node, size: int, name: str, **options: int) -> gc.Node:
    return gc.nn.conv2d(x, size, 3, padding=1, name=name, **options)


def image() -> gc.Node:
    return gc.input("x", (2, 4, 6, 6), "float64")


def grouped() -> gc.Node:
    """Convolutions in groups, normalized and pooled, as AlexNet has them."""
    h = gc.relu(conv(image(), 4, "c1"))
    h = gc.nn.max_pool2d(gc.nn.local_response_norm(h, 3), 2)
    h = gc.relu(conv(h, 4, "c2", groups=2))
    return gc.nn.dense(gc.reshape(h, (2, 36)), 3, name="d")


def linear() -> gc.Node:
    """Layers that follow one another without an activation, as in DenseNet and Inception."""
    first = conv(gc.nn.max_pool2d(image(), 3, 1, padding=1), 2, "c1")
    second = conv(first, 2, "c2")
    return conv(gc.concat([first, second], axis=1), 1, "c3")


def spreading() -> gc.Node:
    h = gc.relu(gc.nn.conv_transpose2d(image(), 2, 2, stride=2, name="t1"))
    return gc.sigmoid(gc.nn.conv_transpose2d(h, 1, 3, padding=1, name="t2"))


def attending() -> gc.Node:
    """Causal attention: the mask sends nothing back to the places that it compares."""
    x = gc.input("x", (2, 3, 4), "float64")
    q, k, v = (gc.nn.dense(x, 4, name=name) for name in "qkv")
    return gc.softmax(gc.nn.dense(gc.nn.attention(q, k, v, causal=True), 3, name="o"), axis=2)


NETWORKS: dict[Callable[[], gc.Node], list[str]] = {
    grouped: [Z, H, C, "Max pool", "Response normalize", H, C],
    linear: [C, C, C, "Max pool"],
    spreading: ["Sigmoid", U, H, U],
    attending: [Z, Z, "Softmax", "Formula", Z, Z, Z, "Greater equal"],
}


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_each_layer_is_a_module(build: Callable[[], gc.Node]) -> None:
    graph = gc.graph({"loss": (build() ** 2).mean()}).astype("float64")
    table = gc.forward_backward_table(graph)
    assert [row.module for row in table.rows] == ["Loss", *NETWORKS[build]]
    assert max(row.forward.count("W") for row in table.rows) == 1
    assert max(len(line) for row in table.rows for line in row.backward) < 1000
    gc.draw.unit_chain(graph).svg()
    check_sums(graph, "loss")
