"""Convolutions of one place are products of matrices, and nothing is laid out for them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.rewrite.pipeline import optimize

LAYERS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "1d": (lambda x: gc.nn.conv1d(x, 5, 1, name="c"), ("N", 3, 7)),
    "2d": (lambda x: gc.nn.conv2d(x, 5, 1, name="c"), ("N", 3, 4, 6)),
    "3d": (lambda x: gc.nn.conv3d(x, 2, 1, name="c"), ("N", 3, 2, 4, 3)),
    "named sizes": (lambda x: gc.nn.conv2d(x, 5, 1, name="c"), ("N", 3, "H", "W")),
    "one sample": (lambda x: gc.nn.conv2d(x, 5, 1, name="c"), (3, 4, 6)),
    # For these a product for each sample would have more elements than what is multiplied.
    "many filters": (lambda x: gc.nn.conv2d(x, 24, 1, name="c"), ("N", 20, 1, 3)),
    "strided": (lambda x: gc.nn.conv2d(x, 5, 1, stride=(2, 3), name="c"), ("N", 3, 5, 7)),
    "padded": (lambda x: gc.nn.conv2d(x, 5, 1, padding=1, name="c"), ("N", 3, 4, 6)),
    "groups": (lambda x: gc.nn.conv2d(x, 4, 1, groups=2, name="c"), ("N", 2, 4, 6)),
    "transposed": (lambda x: gc.nn.conv_transpose2d(x, 5, 1, name="c"), ("N", 3, 4, 6)),
    "local": (lambda x: gc.nn.locally_connected2d(x, 2, 1, name="c"), ("N", 3, 2, 4)),
    "twice": (
        lambda x: gc.tanh(gc.nn.conv2d(x, 5, 1, name="c")) * gc.nn.conv2d(x, 5, 1, name="d"),
        ("N", 3, 4, 6),
    ),
    "between": (
        lambda x: gc.nn.conv2d(
            gc.relu(gc.nn.conv2d(gc.nn.conv2d(x, 4, 3, name="a"), 5, 1, name="c")), 2, 2, name="b"
        ),
        ("N", 3, 5, 6),
    ),
}
PLAIN = ["1d", "2d", "3d", "named sizes", "one sample", "many filters", "strided", "padded"]


def network(layer: str) -> Graph:
    make, shape = LAYERS[layer]
    x = gc.input("x", shape)
    return gc.graph({"loss": gc.mean(gc.square(gc.tanh(make(gc.sin(x)))))}).astype("float64")


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_value_and_gradients_are_kept(layer: str, style: str, level: int) -> None:
    graph = network(layer)
    rng = np.random.default_rng(8)
    state = {key: rng.standard_normal(p.shape) for key, p in graph.params.items()}
    wrt = ["x", *graph.params]
    f = gc.compile(graph, gradient_of="loss", wrt=wrt, style=style, optimize=level)
    for samples in (1, 4):
        known = {"N": samples, "H": 5, "W": 2}
        x = rng.standard_normal([known.get(str(d), d) for d in LAYERS[layer][1]])
        expected = gc.interpret(graph.gradient("loss", wrt), state, x=x)
        got = f(state, x=x)
        for key, value in expected.items():
            np.testing.assert_allclose(got[key], value, rtol=1e-9, atol=1e-13, err_msg=key)


@pytest.mark.parametrize("layer", [*PLAIN, "twice"])
@pytest.mark.parametrize("style", ["readable", "fast"])
def test_no_windows_are_left(layer: str, style: str) -> None:
    f = gc.compile(network(layer), gradient_of="loss", wrt=["x", "c.W"], style=style)
    # To lay out every other element is what the chunks of columns do.
    assert ("def _convolve" in f.source) == (layer == "strided" and style == "fast")
    for word in ("sliding_window_view", "_add_windows", "np.einsum"):
        assert word not in f.source
    assert ("np.tensordot" in f.source) == (layer == "many filters" and style == "readable")


def test_readable_code_lays_out_nothing() -> None:
    f = gc.compile(network("2d"), gradient_of="loss", style="readable")
    assert "c_W.reshape(5, 3) @ " in f.source
    assert "transpose" not in f.source


def test_fast_code_multiplies_into_the_array_that_the_bias_is_added_to() -> None:
    f = gc.compile(network("2d"), gradient_of="loss", style="fast")
    lines = [line.strip() for line in f.source.splitlines()]
    (product,) = [k for k, line in enumerate(lines) if line.startswith("np.matmul(c_W")]
    (written,) = re.findall(r"out=(\w+)\.reshape\(5, -1\)\)", lines[product])
    assert lines[product + 1].startswith(f"{written} += c_b[")


@pytest.mark.parametrize("spec", ["ncxyij,ocij->xyno", "ncxyij,ocij->nxoy", "ncxxij,ocij->nox"])
def test_products_of_other_layouts_keep_their_value(spec: str) -> None:
    x, W = gc.input("x", (2, 3, 4, 4), "float64"), gc.input("W", (5, 3, 1, 1), "float64")
    graph = gc.graph({"y": gc.einsum(spec, gc.windows(x, (1, 1)), W)})
    rng = np.random.default_rng(9)
    data = {name: rng.standard_normal(node.shape) for name, node in graph.inputs.items()}
    for style in ("readable", "fast"):
        got = gc.compile(graph, style=style)(**data)["y"]
        np.testing.assert_allclose(got, gc.interpret(graph, **data)["y"], atol=1e-12)


def test_between_convolutions_nothing_is_turned() -> None:
    found = optimize(network("between").gradient("loss"), style="fast")
    packed = [node.inputs[0].op.name for node in found.nodes if node.op.name == "pack"]
    assert packed == ["sin"]
