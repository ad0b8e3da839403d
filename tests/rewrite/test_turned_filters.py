"""A convolution's derivative by its image goes by turned filters where those are few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.rewrite.pipeline import optimize
from graphc.rewrite.speed.turned_filters import TURNED_FILTERS

FEW: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "1d": (lambda x: gc.nn.conv1d(x, 2, 3, padding=1, name="c"), ("N", 4, 9)),
    "2d": (lambda x: gc.nn.conv2d(x, 2, (2, 3), name="c"), ("N", 5, 12, 14)),
    "3d": (lambda x: gc.nn.conv3d(x, 1, 2, name="c"), ("N", 2, 8, 9, 8)),
    "dilated": (
        lambda x: gc.nn.conv2d(x, 1, (2, 3), padding=1, dilation=(2, 1), name="c"),
        ("N", 3, 14, 13),
    ),
    "groups": (lambda x: gc.nn.conv2d(x, 4, 3, groups=2, name="c"), ("N", 6, 12, 13)),
    "depthwise": (lambda x: gc.nn.conv2d(x, 3, 3, padding=1, groups=3, name="c"), ("N", 3, 8, 9)),
    "mostly padding, which is cut off": (
        lambda x: gc.nn.conv2d(x, 1, (5, 3), padding=(2, 1), name="c"),
        ("N", 3, 6, 5),
    ),
    "transposed": (lambda x: gc.nn.conv_transpose2d(x, 6, 3, name="c"), ("N", 3, 14, 13)),
}
OTHERS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "many filters": (lambda x: gc.nn.conv2d(x, 3, 3, padding=1, name="c"), ("N", 5, 12, 14)),
    "strided": (lambda x: gc.nn.conv2d(x, 1, 3, stride=2, name="c"), ("N", 4, 9, 9)),
    "many filters in groups": (
        lambda x: gc.nn.conv2d(x, 8, 3, groups=4, name="c"),
        ("N", 4, 12, 12),
    ),
    "one place": (lambda x: gc.nn.conv2d(x, 1, 1, name="c"), ("N", 4, 9, 9)),
    "mostly padding": (lambda x: gc.nn.conv2d(x, 1, 5, name="c"), ("N", 4, 8, 8)),
    "few positions": (lambda x: gc.nn.conv2d(x, 8, 3, padding=1, name="c"), (1, 64, 4, 4)),
}


def gradient_of(layer: tuple[Any, tuple[Any, ...]]) -> tuple[Graph, Graph]:
    make, shape = layer
    graph = gc.graph({"loss": gc.mean(gc.square(gc.tanh(make(gc.input("x", shape)))))})
    graph = graph.astype("float64")
    return graph, graph.gradient("loss", ["x", "c.W"])


def fired(gradient: Graph) -> set[str]:
    found = optimize(gradient, style="fast")
    names = {rule.name for rule in TURNED_FILTERS}
    return {f.rule.name for r in found.history for f in r.firings if f.rule.name in names}


@pytest.mark.parametrize("layer", FEW)
@pytest.mark.parametrize("samples", [1, 3])
def test_few_filters_are_turned_and_values_kept(layer: str, samples: int) -> None:
    graph, gradient = gradient_of(FEW[layer])
    assert fired(gradient)
    source = gc.compile(graph, gradient_of="loss", wrt=["x", "c.W"]).source
    assert "_convolve_back" not in source
    rng = np.random.default_rng(3)
    state = {name: rng.standard_normal(p.shape) for name, p in graph.params.items()}
    x = rng.standard_normal((samples, *FEW[layer][1][1:]))
    got = gc.compile(graph, gradient_of="loss", wrt=["x", "c.W"])(state, x=x)
    for name, wanted in gc.interpret(gradient, state, x=x).items():
        np.testing.assert_allclose(got[name], wanted, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("layer", OTHERS)
def test_other_derivatives_add_columns(layer: str) -> None:
    assert not fired(gradient_of(OTHERS[layer])[1])


def convolutions(graph: Graph) -> list[str]:
    found = optimize(graph, style="fast")
    return [str(x.type) for x in found.nodes if x.op.name == "convolve_windows"]


def test_what_padding_adds_is_not_computed() -> None:
    """Of a layer that keeps the size, the derivative is as large as the image, forth and back."""
    gradient = gradient_of(FEW["depthwise"])[1]
    assert convolutions(gradient) == ["f64[3, 8, 9, N]"] * 2


def test_edges_that_a_model_cuts_off_are_not_computed() -> None:
    """A causal convolution, stated as one with padding on both sides, less its end."""
    y = gc.nn.conv1d(gc.input("x", ("N", 2, 20)), 3, 3, padding=2, name="c")[:, :, :20]
    graph = gc.graph({"y": y}).astype("float64")
    assert convolutions(graph) == ["f64[3, 20, N]"]
    rng = np.random.default_rng(5)
    state, x = graph.init(0), rng.standard_normal((3, 2, 20))
    got = gc.compile(graph)(state, x=x)["y"]
    np.testing.assert_allclose(got, gc.interpret(graph, state, x=x)["y"], rtol=1e-12, atol=1e-13)
