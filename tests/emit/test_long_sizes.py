"""A number made of dims that a line has no room for stays a number: float32 stays float32."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc


def strided() -> gc.Graph:
    """A loss that is divided by the number of places of two layers, one of which skips some."""
    x = gc.input("x", ("N", 2, "H", "W"))
    h = gc.nn.max_pool2d(gc.nn.conv2d(x, 4, 3, padding=1, name="first"), 2)
    h = gc.nn.conv2d(h, 3, 3, stride=2, padding=1, name="second")
    return gc.graph({"loss": gc.mean(h * h)}, name="strided")


def spelt_out() -> gc.Graph:
    """Dims with long names."""
    x = gc.input("x", ("batch_of_examples", "sequence_length", "feature_channels"))
    h = gc.tanh(x[:, 1:, 2:] * gc.param("w", (), init=gc.init.ones()))
    return gc.graph({"loss": gc.mean(h * h), "means": h.mean(axis=(1, 2))}, name="spelt_out")


SHAPES = {strided: (3, 2, 7, 9), spelt_out: (3, 4, 5)}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("model", SHAPES)
def test_a_mean_over_many_dims_keeps_its_dtype(model: object, style: str) -> None:
    graph = model()  # type: ignore[operator]
    f = gc.compile(graph, gradient_of="loss", style=style)
    x = np.random.default_rng(0).normal(size=SHAPES[model]).astype("f4")  # type: ignore[index]
    state = f.init()
    expected = gc.interpret(graph.gradient("loss"), state, x=x)
    for name, value in f(state, x=x).items():
        assert value.dtype == np.float32, name
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_sizes_are_written_by_operators() -> None:
    source = gc.compile(strided()).source
    divided = next(line for line in source.splitlines() if line.startswith("    loss = "))
    assert divided.endswith(" / size")
    assert "    size = size + 3 * N\n" in source
