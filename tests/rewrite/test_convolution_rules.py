"""Convolutions become products of matrices, and all their products share the columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ops.contraction.matrix_product import matmul_form
from graphc.rewrite.pipeline import optimize, stabilize_forward


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
    "1x1 in groups": lambda x: gc.nn.conv2d(x, 6, 1, groups=2, name="c"),
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


BRANCHES = {
    "two": lambda h: gc.tanh(conv(h, "a")) + conv(h, "b"),
    "three": lambda h: gc.tanh(conv(h, "a")) * conv(h, "b") + gc.sigmoid(conv(h, "c")),
    "strided and dilated": lambda h: (
        gc.tanh(conv(h, "a", stride=2, padding=2, dilation=2))
        * conv(h, "b", stride=2, padding=2, dilation=2)
    ),
    "groups": lambda h: gc.tanh(conv(h, "a", groups=2)) * conv(h, "b", groups=2),
    "groups and none": lambda h: gc.tanh(conv(h, "a", groups=4)) * conv(h, "b"),
    "elements": lambda h: gc.tanh(conv(h, "a", 1)) * conv(h, "b", 1),
    "other sizes": lambda h: gc.tanh(conv(h, "a", 5)) * conv(h, "b", 3)[:, :, 1:-1, 1:-1],
    "pooled": lambda h: gc.tanh(conv(h, "a", 2, stride=2)) + gc.nn.max_pool2d(h, 2),
    "averaged": lambda h: gc.tanh(conv(h, "a", 2, stride=2)) + gc.nn.avg_pool2d(h, 2),
    "skipped": lambda h: gc.tanh(conv(h, "a", padding=1)) * conv(h, "b", padding=1) + h,
    "weighed windows": lambda h: (
        gc.tanh(conv(h, "a")) * conv(h, "b") * gc.mean(gc.square(gc.windows(h, (3, 3))), (4, 5))
    ),
}
FREE_OF_GROUPS = [name for name in BRANCHES if "groups" not in name]


def conv(h: Any, name: str, size: int = 3, **words: Any) -> Any:
    return gc.nn.conv2d(h, 4, size, name=name, **words)


def branched(name: str) -> Graph:
    """Return a network whose convolutions read one hidden image."""
    h = gc.nn.conv2d(gc.input("x", ("N", 3, 8, 8)), 4, 3, padding=1, name="s", activation=gc.relu)
    return gc.graph({"loss": gc.mean(gc.square(BRANCHES[name](h)))}).astype("float64")


def gradient_of(graph: Graph) -> Graph:
    """Return what `compile` optimizes: equal windows are one before they are differentiated."""
    return stabilize_forward(graph).gradient("loss")


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_convolutions_of_one_image_keep_value_and_gradients(
    name: str, style: str, level: int
) -> None:
    graph = branched(name)
    rng = np.random.default_rng(5)
    state = {key: rng.standard_normal(p.shape) for key, p in graph.params.items()}
    wrt = ["x", *graph.params]
    for samples in (1, 3):
        x = rng.standard_normal((samples, 3, 8, 8))
        expected = gc.interpret(graph.gradient("loss", wrt), state, x=x)
        f = gc.compile(graph, gradient_of="loss", wrt=wrt, style=style, optimize=level)
        got = f(state, x=x)
        for key, value in expected.items():
            np.testing.assert_allclose(got[key], value, rtol=1e-9, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("name", FREE_OF_GROUPS)
def test_convolutions_of_one_image_have_one_derivative_by_it(name: str) -> None:
    """In style fast: that of a convolution by the filters of all. Other sizes have their own."""
    found = optimize(gradient_of(branched(name)), style="fast")
    assert all(matmul_form(node) is not None for node in ops(found, "einsum"))
    backs = ops(found, "convolve_back")
    assert len(backs) == (2 if name == "other sizes" else 1)
    filters = {"two": 8, "three": 12, "strided and dilated": 8, "elements": 8}.get(name)
    assert filters in (None, backs[0].inputs[0].shape[0])
    if name not in ("averaged", "weighed windows"):
        assert not ops(found, "windows_add")


@pytest.mark.parametrize("name", ["two", "three", "strided and dilated", "groups"])
def test_derivatives_by_one_image_are_added_up_as_matrices(name: str) -> None:
    graph = gc.optimize(gradient_of(branched(name)))
    assert all(matmul_form(node) is not None for node in ops(graph, "einsum"))
    (added,) = ops(graph, "windows_add")
    total = added.inputs[1]
    while total.op.name in ("reshape", "transpose"):
        total = total.inputs[0]
    assert total.op.name == "add"
    assert total.shape[-2] == (18 if name == "groups" else 36)


def test_a_dilated_causal_block_multiplies_matrices_only() -> None:
    """WaveNet's filter and gate read one padded sequence; what skips and stays read one product."""
    h = gc.nn.conv1d(gc.input("x", ("N", 3, 20)), 4, 1, name="in")
    skipped = []
    for i in range(3):
        f, g = (
            gc.nn.conv1d(h, 4, 2, dilation=2**i, padding=((2**i, 0),), name=f"{gate}{i}")
            for gate in "fg"
        )
        z = gc.tanh(f) * gc.sigmoid(g)
        skipped.append(gc.nn.conv1d(z, 5, 1, name=f"skip{i}"))
        h = h + gc.nn.conv1d(z, 4, 1, name=f"stay{i}")
    logits = gc.nn.conv1d(gc.relu(skipped[0] + skipped[1] + skipped[2]), 6, 1, name="out")
    y = gc.input("y", ("N", 20), "int64")
    loss = gc.mean(gc.nn.softmax_cross_entropy(logits, y, axis=1))
    graph = gc.graph({"loss": loss}).astype("float64")
    rng = np.random.default_rng(6)
    state = graph.init(0)
    data = {"x": rng.standard_normal((2, 3, 20)), "y": rng.integers(0, 6, (2, 20))}
    wanted = gc.interpret(graph.gradient("loss"), state, **data)
    for style in ("fast", "readable"):
        f = gc.compile(graph, gradient_of="loss", style=style)
        assert "np.einsum(" not in f.source
        # A convolution makes no masks.
        assert "isfinite" not in f.source.partition("def check")[0]
        for key, value in f(state, **data).items():
            np.testing.assert_allclose(value, wanted[key], rtol=1e-9, atol=1e-12, err_msg=key)
