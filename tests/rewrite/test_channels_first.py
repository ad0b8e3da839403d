"""Channels first: chunks of columns, and arrays between convolutions in the order of their axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.rewrite.pipeline import optimize
from graphc.rewrite.speed.channels_first import Roles, channels_first

LAYERS = {
    "1d": (lambda x: gc.nn.conv1d(x, 5, 3, padding=1, name="c"), ("N", 3, 9)),
    "2d": (lambda x: gc.nn.conv2d(x, 5, 3, name="c"), ("N", 3, 7, 8)),
    "strided": (
        lambda x: gc.nn.conv2d(x, 5, (3, 2), stride=(2, 1), padding=1, dilation=(1, 2), name="c"),
        ("N", 3, 9, 8),
    ),
    "transposed": (lambda x: gc.nn.conv_transpose2d(x, 5, 3, stride=2, name="c"), ("N", 3, 4, 5)),
}


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("batch", [1, 4])
def test_a_layer_and_both_derivatives_go_by_chunks(layer: str, batch: int) -> None:
    make, shape = LAYERS[layer]
    x = gc.input("x", shape, dtype="float64")
    graph = gc.graph({"loss": gc.sum(gc.square(gc.tanh(make(x))))}).astype("float64")
    gradient = graph.gradient("loss", ["x", "c.W", "c.b"])
    ops = names(optimize(gradient, style="fast"))
    assert ops.count("convolve_filters") == 1
    assert ops.count("convolve_back") + ops.count("convolve_windows") == 2
    assert not {"windows", "windows_add"} & set(ops)
    rng = np.random.default_rng(0)
    state = {k: rng.standard_normal(v.shape) for k, v in graph.params.items()}
    data = {"x": rng.standard_normal((batch, *shape[1:]))}
    got = gc.compile(graph, gradient_of="loss", wrt=["x", "c.W", "c.b"])(state, **data)
    wanted = gc.interpret(gradient, state, **data)
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-10, atol=1e-12)


def test_what_stands_between_convolutions_is_turned_nowhere() -> None:
    """From the padded image to the flat features, only the image itself is laid out anew."""
    h = gc.input("x", ("N", 1, 12, 12))
    h = gc.nn.max_pool2d(gc.nn.conv2d(h, 4, 3, padding=1, activation=gc.relu, name="a"), 2)
    h = gc.nn.max_pool2d(gc.nn.conv2d(h, 6, 3, activation=gc.relu, name="b"), 2)
    h = gc.nn.dense(gc.reshape(h, ("N", 24)), 3, name="d")
    graph = gc.graph({"loss": gc.mean(gc.square(h))})
    found = optimize(graph.gradient("loss"), style="fast")
    assert "pack" not in names(found)
    turned = [x for x in found.nodes if x.op.name == "transpose" and x.ndim == 4]
    sources = {x.inputs[0].op.name for x in turned}
    assert sources <= {"input", "reshape"}, sources
    assert names(found).count("put_at_window_max") == 2


def batch_norm(x: Node, name: str) -> Node:
    return gc.nn.batch_norm(x, name=name)


BETWEEN = {
    "batch_norm": lambda x: batch_norm(x, "n"),
    "residual": lambda x: gc.relu(
        batch_norm(gc.nn.conv2d(gc.relu(batch_norm(x, "n")), 4, 3, padding=1, name="r"), "m") + x
    ),
    "group_norm": lambda x: gc.nn.group_norm(x, 2, name="n"),
    "instance_norm": lambda x: gc.nn.instance_norm(x, affine=True, name="n"),
    "layer_norm over channels": lambda x: gc.nn.layer_norm(x, 1, name="n"),
    "layer_norm over images": lambda x: gc.nn.layer_norm(x, (1, 2, 3), name="n"),
    "rms_norm": lambda x: gc.nn.rms_norm(x, 1, name="n"),
    "softmax": lambda x: gc.softmax(x, axis=1),
    "concat": lambda x: gc.concat(x, gc.tanh(x), axis=1),
    "average pooling": lambda x: gc.nn.avg_pool2d(x, 2),
    "average pooling of windows that overlap": lambda x: gc.nn.avg_pool2d(x, 3, 1, 1),
    "channels last": lambda x: gc.transpose(gc.tanh(gc.transpose(x, (0, 2, 3, 1))), (0, 3, 1, 2)),
}


@pytest.mark.parametrize("layer", BETWEEN)
def test_layers_between_convolutions_stay_in_order(layer: str) -> None:
    """Forward and backward: only the image and derivatives by filters are laid out anew."""
    x = gc.input("x", ("N", 3, 6, 6))
    h = gc.nn.conv2d(x, 4, 3, padding=1, name="a")
    h = gc.relu(gc.nn.conv2d(gc.relu(BETWEEN[layer](h)), 3, 3, padding=1, name="b"))
    z = gc.nn.dense(gc.mean(h, axis=(2, 3)), 2, name="out")
    graph = gc.graph({"loss": gc.mean(gc.square(z))}).astype("float64")
    gradient = graph.gradient("loss")
    found = optimize(gradient, style="fast")
    assert not [x for x in found.nodes if x.op.name == "pack" and "N" in str(x.type)]
    turned = [
        node.inputs[0]
        for node in found.nodes
        if node.op.name == "transpose" and node.ndim >= 4 and "N" in str(node.type)
    ]
    large = [source for source in turned if source.shape.count(1) < 2]
    assert {source.op.name for source in large} <= {"input"}
    rng = np.random.default_rng(2)
    state = {k: rng.uniform(0.5, 1.5, v.shape) for k, v in graph.params.items()}
    data = {"x": rng.standard_normal((5, 3, 6, 6))}
    wanted = gc.interpret(gradient, state, **data)
    moved = {k: v.copy() for k, v in state.items()}
    got = gc.compile(graph, gradient_of="loss")(moved, **data)
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-10)
    plain = {k: v.copy() for k, v in state.items()}
    gc.compile(graph, gradient_of="loss", optimize=0, style="readable")(plain, **data)
    for name, value in plain.items():
        np.testing.assert_allclose(moved[name], value, rtol=1e-12)


def test_statistics_of_a_channel_are_taken_once() -> None:
    """The batch's mean and variance serve the layer, its derivative and the running averages."""
    x = gc.nn.conv2d(gc.input("x", ("N", 3, 6, 6)), 4, 3, name="a")
    h = gc.nn.conv2d(gc.relu(batch_norm(x, "n")), 3, 3, name="b")
    graph = gc.graph({"loss": gc.mean(gc.square(h))})
    found = optimize(graph.gradient("loss"), style="fast")
    assert names(found).count("sqrt") == 1
    dots = [x for x in found.nodes if x.op.name == "einsum" and x.inputs[0] is x.inputs[1]]
    assert [str(x.type) for x in dots] == ["f32[4]", "f32[]"]  # the variance; the loss


def test_the_first_of_equals_stays_the_first_where_space_is_transposed() -> None:
    """A window's places are counted row by row, so rows may not become columns."""
    x = gc.input("x", ("N", 3, 7, 8))
    h = gc.transpose(gc.nn.conv2d(x, 4, 3, name="a"), (0, 1, 3, 2))
    graph = gc.graph({"loss": gc.mean(gc.square(gc.nn.max_pool2d(h, 2)))}).astype("float64")
    rng = np.random.default_rng(4)
    state = {k: np.round(2 * v) for k, v in graph.init(0).items()}
    data: dict[str, Any] = {"x": rng.integers(-1, 2, (5, 3, 7, 8)).astype(np.float64)}
    got = gc.compile(graph, gradient_of="loss")(state, **data)
    for name, value in gc.interpret(graph.gradient("loss"), state, **data).items():
        np.testing.assert_allclose(got[name], value, rtol=1e-12, atol=1e-15)


def test_filters_of_their_own_at_each_position_keep_their_way() -> None:
    y = gc.nn.locally_connected2d(gc.input("x", ("N", 4, 8, 8)), 6, 3)
    graph, firings = channels_first(gc.optimize(gc.graph({"y": y}), level=1), {})
    assert not firings
    assert "convolve_windows" not in names(graph)


@pytest.mark.parametrize("groups", [2, 4])
def test_groups_of_channels_have_filters_of_their_own(groups: int) -> None:
    x = gc.input("x", ("N", 4, 8, 9), dtype="float64")
    h = gc.nn.conv2d(x, 8, 3, groups=groups, stride=2, padding=1, name="a")
    h = gc.nn.conv2d(gc.relu(h), 8, 3, groups=groups, dilation=2, padding=2, name="b")
    graph = gc.graph({"loss": gc.mean(gc.square(h))}).astype("float64")
    wrt = ["x", *graph.params]
    found = optimize(graph.gradient("loss", wrt), style="fast")
    # The derivative by the image is a convolution by turned filters where the stride is 1.
    for name, count in {"convolve_windows": 3, "convolve_filters": 2, "convolve_back": 1}.items():
        nodes = [n for n in found.nodes if n.op.name == name]
        assert [n.attrs["groups"] for n in nodes] == [groups] * count
    rng = np.random.default_rng(6)
    state = {k: rng.standard_normal(v.shape) for k, v in graph.init(0).items()}
    data: dict[str, Any] = {"x": rng.standard_normal((3, 4, 8, 9))}
    f = gc.compile(graph, gradient_of="loss", wrt=wrt)
    got = f(state, **data)
    for name, value in gc.interpret(graph.gradient("loss", wrt), state, **data).items():
        np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-12)


def test_what_follows_a_transpose_stays_in_its_order() -> None:
    """From the squares to the logarithms nothing is turned, and nothing read across its rows."""
    x, b = gc.input("x", (50, "N", 32)), gc.param("b", (50,))
    score = b - 0.5 * gc.transpose(gc.sum(gc.square(x), axis=2))
    graph = gc.graph({"loss": gc.sum(gc.log(gc.sum(gc.exp(score), axis=1)))})
    found = optimize(graph.gradient("loss", ["x", "b"]), style="fast")
    assert "transpose" not in names(found)
    assert any(f.rule.name == "keep_axis_order" for r in found.history for f in r.firings)
    rng = np.random.default_rng(5)
    state = {"b": rng.standard_normal(50).astype(np.float32)}
    data = {"x": rng.standard_normal((50, 7, 32)).astype(np.float32)}
    got = gc.compile(graph, gradient_of="loss", wrt=["x", "b"])(state, **data)
    for name, value in gc.interpret(graph.gradient("loss", ["x", "b"]), state, **data).items():
        np.testing.assert_allclose(got[name], value, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    "rows",
    [
        lambda x, y: gc.softmax(x.T, axis=1) * 2 + y,  # y lies in the other order
        lambda x, y: gc.concat([x.T, 3 * x.T], axis=0).T + gc.sum(x.T),
        lambda x, y: gc.einsum("ab,bc->ac", gc.exp(x.T), y.T),
        lambda x, y: gc.max(gc.where(x.T > 0, x.T, 0.5), axis=0, keepdims=True) - y,
        lambda x, y: gc.exp(x.T).T * gc.exp(y),
    ],
)
@pytest.mark.parametrize("shape", [(3, 40), (40, 3), (20, 20)])
def test_orders_of_transposes_keep_values(rows: Any, shape: tuple[int, int]) -> None:
    x = gc.input("x", shape, dtype="float64")
    try:
        value = rows(x, gc.input("y", shape[::-1], dtype="float64"))
    except gc.GraphError:
        value = rows(x, gc.input("y", shape, dtype="float64"))
    graph = gc.graph({"loss": gc.sum(gc.square(value)), "value": value})
    rng = np.random.default_rng(6)
    data = {name: rng.standard_normal(graph.inputs[name].shape) for name in graph.inputs}
    got = gc.compile(graph, gradient_of="loss", wrt=["x", "y"][: len(graph.inputs)])(**data)
    for name, wanted in gc.interpret(graph.gradient("loss", list(graph.inputs)), **data).items():
        np.testing.assert_allclose(got[name], wanted, rtol=1e-10, atol=1e-12)


def test_a_loss_over_rows_and_columns_turns_nothing() -> None:
    """As contrastive losses have it: each sample is to be found among all others, both ways."""
    a, b, y = gc.input("a", ("N", 32)), gc.param("b", (32, 32)), gc.input("y", ("N",), "int64")
    s = (a @ b) @ gc.transpose(a)
    loss = gc.nn.softmax_cross_entropy(s, y) + gc.nn.softmax_cross_entropy(gc.transpose(s), y)
    graph = gc.graph({"loss": gc.mean(loss)}).astype("float64")
    f = gc.compile(graph, gradient_of="loss")
    step = f.source.partition("# backward")[2]
    assert ".T, out=" not in step.partition("def check")[0]
    assert "[y, index] -= 1" in step
    rng = np.random.default_rng(7)
    state, data = f.init(0), {"a": rng.standard_normal((6, 32)), "y": rng.integers(0, 6, 6)}
    for name, wanted in gc.interpret(graph.gradient("loss"), state, **data).items():
        np.testing.assert_allclose(f(state, **data)[name], wanted, rtol=1e-10, atol=1e-12)


def test_long_rows_are_not_given_up_for_short_ones() -> None:
    x = gc.input("x", (1000, 2))
    _, firings = channels_first(gc.graph({"y": gc.softmax(x.T, axis=1)}), {})
    assert not firings


def test_roles_are_found_by_where_labels_stand() -> None:
    roles = Roles.of("ncxyij", "noxy", "ocij", 2)
    assert roles is not None
    assert (roles.channels, roles.samples, roles.filters) == ("c", "n", "o")
    assert (roles.image, roles.response, roles.rows) == ("cxyn", "oxyn", "cij")
    grouped = Roles.of("ngcxyij", "ngoxy", "gocij", 2)
    assert grouped is not None
    assert (grouped.groups, grouped.image, grouped.response) == ("g", "gcxyn", "goxyn")
    assert Roles.of("gcxyij", "goxy", "gocij", 2) is None  # each sample has filters of its own
    alone = Roles.of("ncxyij", "ncxyo", "oij", 2)  # channels are samples: one filter for each
    assert alone is not None
    assert (alone.channels, alone.samples) == ("", "nc")
    assert Roles.of("ncxyij", "ocij", "noxy", 2) is None


@pytest.mark.parametrize("size", [1, 5, 40])
def test_chunks_cover_all_rows(size: int) -> None:
    """More than one chunk, the last of them shorter: 65536 elements are 2 to 45 rows here."""
    x = gc.input("x", (3, 2, 90, size), dtype="float64")
    y = gc.nn.conv2d(x, 2, (5, 1), name="c")
    graph = gc.graph({"loss": gc.sum(gc.square(y))}).astype("float64")
    rng = np.random.default_rng(1)
    state: dict[str, Any] = {k: rng.standard_normal(v.shape) for k, v in graph.params.items()}
    data = {"x": rng.standard_normal((3, 2, 90, size))}
    got = gc.compile(graph, gradient_of="loss", wrt=["x", "c.W"])(state, **data)
    wanted = gc.interpret(graph.gradient("loss", ["x", "c.W"]), state, **data)
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("groups", [2, "G"])
def test_groups_that_only_run_time_counts_stay_a_contraction(groups: int | str) -> None:
    x = gc.input("x", ("N", groups, 3, 8, 8), "float64")
    w = gc.input("w", (groups, 4, 3, 3, 3), "float64")
    y = gc.einsum("ngcxyij,gocij->ngoxy", gc.windows(x, (3, 3)), w)
    gradient = gc.graph({"loss": gc.sum(gc.square(y))}).gradient("loss", ["x", "w"])
    better = optimize(gradient, style="fast")
    assert ("convolve_windows" in names(better)) == (groups == 2)
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(2, 2, 3, 8, 8)), "w": rng.normal(size=(2, 4, 3, 3, 3))}
    expected = gc.interpret(gradient, **given)
    for name, value in gc.interpret(better, **given).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-9, atol=1e-9)
