"""Pooling before relu and bias: the same values and gradients from a quarter of the elements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node
from graphc.rewrite.pipeline import optimize


def pooled(h: Node, size: int = 2) -> Node:
    return gc.nn.max_pool2d(h, size)


def shapes(graph: gc.Graph, op: str) -> list[tuple[int, ...]]:
    return [tuple(map(int, node.shape)) for node in graph.nodes if node.op.name == op]


def largest(h: Node) -> Node:
    return gc.max(h, axis=(2, 3), keepdims=True)


@pytest.mark.parametrize("reduced", [pooled, largest])
@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_ties_and_kinks_keep_their_gradients(
    style: str, level: int, reduced: Callable[[Node], Node]
) -> None:
    """Whole numbers around 0 tie in most windows; 5 columns leave one that no window sees."""
    x, b = gc.input("x", (2, 3, 4, 5), dtype="float64"), gc.input("b", (3, 1, 1), dtype="float64")
    y = reduced(gc.relu(x + b))
    weights = gc.constant(np.arange(12.0).reshape(1, 3, 2, 2) + 1)[:, :, : y.shape[2], : y.shape[3]]
    graph = gc.graph({"loss": gc.sum(y * weights)})
    f = gc.compile(graph, gradient_of="loss", wrt=["x", "b"], style=style, optimize=level)
    reference = graph.gradient("loss", ["x", "b"], stabilize=False)
    rng = np.random.default_rng(0)
    for _ in range(3):
        given = {
            "x": rng.integers(-2, 3, (2, 3, 4, 5)).astype(float),
            "b": rng.integers(-1, 2, (3, 1, 1)).astype(float),
        }
        got, expected = f(**given), gc.interpret(reference, **given)
        for name, value in expected.items():
            np.testing.assert_array_equal(got[name], value)


def test_relu_and_bias_go_behind_the_pooling() -> None:
    x, b = gc.input("x", (2, 3, 4, 4)), gc.input("b", (3, 1, 1))
    found = optimize(gc.graph({"y": pooled(gc.relu(b + x))}))
    assert shapes(found, "window_max") == [(2, 3, 2, 2)]
    assert shapes(found, "maximum") == shapes(found, "add") == [(2, 3, 2, 2)]


@pytest.mark.parametrize("axis", [(2, 3), 0, None])
@pytest.mark.parametrize("reduce", [gc.max, gc.min, gc.logsumexp])
def test_what_all_have_in_common_leaves_an_extreme(
    reduce: Callable[..., Node], axis: tuple[int, ...] | int | None
) -> None:
    """A bias of each channel, but not where channels are compared with each other."""
    x, b = gc.input("x", (2, 3, 4, 4), "float64"), gc.input("b", (3, 1, 1), "float64")
    graph = gc.graph({"y": reduce(x - b, axis)})
    found = optimize(graph)
    (taken,) = shapes(found, "subtract")[:1] if reduce is not gc.logsumexp else [()]
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(2, 3, 4, 4)), "b": rng.normal(size=(3, 1, 1))}
    value = gc.interpret(graph, **given)["y"]
    np.testing.assert_allclose(gc.compile(graph)(**given)["y"], value, rtol=1e-14)
    if reduce is not gc.logsumexp:
        assert taken == {(2, 3): (2, 3), 0: (3, 4, 4), None: (2, 3, 4, 4)}[axis]


def test_what_others_read_or_windows_see_changing_stays() -> None:
    x, b = gc.input("x", (2, 3, 4, 4)), gc.input("b", (3, 1, 4))
    h = gc.relu(x)
    for graph, op in (
        (gc.graph({"y": pooled(h), "h": h}), "maximum"),
        (gc.graph({"y": pooled(x + b)}), "add"),
        (gc.graph({"y": pooled(gc.pad(gc.relu(x), ((0, 0), (0, 0), (1, 1), (1, 1))))}), "maximum"),
    ):
        assert shapes(optimize(graph), op) == [(2, 3, 4, 4)]


def test_elements_in_no_window_are_zero_in_kept_memory() -> None:
    x = gc.input("x", ("N", 1, 5, 7), dtype="float64")
    graph = gc.graph({"loss": gc.sum(gc.square(gc.sum(gc.exp(pooled(gc.cumsum(x, axis=3))))))})
    f = gc.compile(graph, gradient_of="loss", wrt=["x"])
    assert "_put_at_extreme" in f.source
    rng = np.random.default_rng(0)
    for n in (3, 3, 1, 0):
        given = {"x": rng.normal(size=(n, 1, 5, 7))}
        expected = gc.interpret(f.graph, **given)
        np.testing.assert_allclose(f(**given)["d_loss_d_x"], expected["d_loss_d_x"], rtol=1e-12)


def test_the_callers_settings_are_kept() -> None:
    x = gc.input("x", ("N", 2, 6, 6))
    y = gc.nn.conv2d(gc.tanh(x), 3, 3, padding=1, name="c")
    f = gc.compile(gc.graph({"loss": gc.mean(gc.square(y))}), gradient_of="loss", wrt=["x"])
    assert "setbufsize" in f.source
    with np.errstate(over="raise"):
        np.setbufsize(4096)
        f(f.init(seed=0), x=np.ones((2, 2, 6, 6), np.float32))
        assert np.getbufsize() == 4096
        assert np.geterr()["over"] == "raise"


def test_windows_in_common_cannot_be_put() -> None:
    with pytest.raises(gc.GraphError, match="windows have elements in common"):
        gc.parse(
            "x: input(f32, 4, 4)\nv: input(f32, 3, 3)\n"
            "y = put_at_window_max(v, x, size=(2, 2), stride=(1, 1))\noutput(y)"
        )
