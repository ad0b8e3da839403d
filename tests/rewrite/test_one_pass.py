"""What by hand takes one pass over an array takes one: shares, small factors, choices, sums."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc

N = gc.dim("N")


def given() -> tuple[gc.Node, gc.Node, gc.Node, gc.Node]:
    """Return x [N, 5], y [N], w [5] and b []."""
    x, y = gc.input("x", (N, 5), "float64"), gc.input("y", (N,), "float64")
    return x, y, gc.param("w", (5,), "float64"), gc.param("b", (), "float64")


def squares() -> gc.Graph:
    x, y, w, b = given()
    return gc.graph({"loss": gc.mean(gc.square(y - (x @ w + b)))})


def logistic() -> gc.Graph:
    x, y, w, b = given()
    p = gc.sigmoid(x @ w + b)
    return gc.graph({"loss": -gc.mean(y * gc.log(p) + (1 - y) * gc.log(1 - p))})


def huber() -> gc.Graph:
    x, y, w, b = given()
    r = y - (x @ w + b)
    return gc.graph({"loss": gc.mean(gc.where(gc.abs(r) <= 1, 0.5 * r**2, gc.abs(r) - 0.5))})


def leaky() -> gc.Graph:
    x, _, w, b = given()
    z = x @ w + b
    return gc.graph({"loss": gc.mean(gc.where(z > 0, z, 0.01 * z))})


def classes() -> gc.Graph:
    x, y = gc.input("x", (N, 5), "float64"), gc.input("y", (N,), "int64")
    z = x @ gc.param("w", (5, 3), "float64")
    return gc.graph({"loss": gc.mean(gc.nn.softmax_cross_entropy(z, y))})


def clusters() -> gc.Graph:
    x, centers = gc.input("x", (N, 2), "float64"), gc.param("w", (4, 2), "float64")
    d = gc.sum(gc.square(x[:, None] - centers), axis=2)
    return gc.graph({"loss": gc.mean(gc.min(d, axis=1)), "assignment": gc.argmin(d, axis=1)})


def normalized() -> gc.Graph:
    x = gc.input("x", (N, 5), "float64")
    z = x @ gc.param("U", (5, 5), "float64")
    return gc.graph({"loss": gc.sum(gc.tanh(gc.nn.batch_norm(z, name="bn")))})


def standardized() -> gc.Graph:
    """Return the same with the formulas written out."""
    x, w, b = (gc.input("x", (N, 5), "float64"), *(gc.param(n, (5,), "float64") for n in "wb"))
    z = x @ gc.param("U", (5, 5), "float64")
    centred = z - gc.mean(z, axis=0)
    normal = centred / gc.sqrt(gc.mean(gc.square(centred), axis=0) + 1e-5)
    return gc.graph({"loss": gc.sum(gc.tanh(normal * w + b))})


MODELS: list[Callable[[], gc.Graph]] = [
    squares, logistic, huber, leaky, classes, clusters, normalized, standardized,
]  # fmt: skip


def backward(model: gc.Graph, style: str) -> str:
    source = gc.compile(model, gradient_of="loss", style=style).source
    return source.partition("# backward")[2].partition("return")[0]


def arguments(graph: gc.Graph) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    found: dict[str, Any] = {}
    for name, node in graph.inputs.items():
        shape = [7 if dim is N else dim for dim in node.shape]
        is_index = node.dtype.kind == "i"
        found[name] = rng.integers(0, 3, shape) if is_index else rng.normal(size=shape)
    return found


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_gradients_stay(model: Callable[[], gc.Graph], style: str) -> None:
    graph, rng = model(), np.random.default_rng(4)
    state = {name: rng.normal(size=node.shape) for name, node in graph.params.items()}
    plain = gc.compile(graph, gradient_of="loss", optimize=0)
    better = gc.compile(graph, gradient_of="loss", style=style)
    inputs = arguments(graph)
    expected, got = plain(state, **inputs), better(state, **inputs)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_number_sign_and_size_are_one_factor() -> None:
    first = next(line for line in backward(squares(), "readable").splitlines() if line.strip())
    assert first.partition("=")[2].partition("#")[0].strip() in (
        "y_subtract * (-2 / np.float64(N))",
        "y_subtract * (-2 / N)",
    )
    fast = backward(squares(), "fast")
    assert fast.count("np.multiply(") == 1
    assert "np.negative(" not in fast


def test_a_sign_vanishes_in_a_difference() -> None:
    assert " - y) / N" in backward(logistic(), "readable")


def test_a_choice_is_made_once() -> None:
    assert backward(leaky(), "readable").count("np.where(") == 1
    text = backward(huber(), "readable")
    assert text.count("np.clip(") == 1 and "np.where(" not in text


def test_the_gradient_of_softmax_reads_as_it_is_written() -> None:
    text = backward(classes(), "readable")
    assert "-= 1\n" in text
    assert "/= N" in text


def test_the_gradient_of_softmax_is_divided_once_where_speed_counts() -> None:
    text = backward(classes(), "fast")
    assert text.count("np.divide(") == 1
    assert "-= number_1_over_N" in text


def test_places_are_found_once() -> None:
    for style in ("readable", "fast"):
        source = gc.compile(clusters(), gradient_of="loss", style=style).source
        assert source.count(".argmin(") == 1


def test_a_sign_vanishes_in_front_of_a_term() -> None:
    assert "/ -N" not in backward(standardized(), "readable")


def test_sums_of_a_normalization_are_added_up_once() -> None:
    """The gradients of gain and shift are the sums that the gradient of its input needs."""
    text = backward(normalized(), "readable")
    assert text.count(".sum(axis=0)") == 2
    assert ".mean(" not in text


def test_a_sum_is_not_computed_from_one_with_more_factors() -> None:
    x, c = gc.input("x", (N, 5), "float64"), gc.input("c", (5,), "float64")
    h = gc.tanh(x)
    scaled = gc.sum(h * c, axis=0)
    graph = gc.graph({"scaled": scaled, "plain": gc.sum(h, axis=0), "product": h * c})
    f = gc.compile(graph, style="readable")
    assert f.source.count(".sum(axis=0)") == 1
    got = f(x=np.full((7, 5), 0.5), c=np.zeros(5))  # no division by c
    np.testing.assert_allclose(got["plain"], 7 * np.tanh(0.5))
    np.testing.assert_array_equal(got["scaled"], 0)


def test_small_factors_meet_before_the_large_array() -> None:
    x, a, b = (gc.input(n, s, "float64") for n, s in (("x", (N, 5)), ("a", (N, 1)), ("b", (5,))))
    columns = gc.graph({"y": gc.tanh(x) * a / (2 + gc.square(a))})
    history = gc.compile(columns, style="fast").graph.history
    fired = {firing.rule.name for record in history for firing in record.firings}
    assert "small_factors_first" in fired
    # A row and a column make a product as large as the array: nothing is won.
    mixed = gc.graph({"y": gc.tanh(x) * a / (2 + gc.square(b))})
    history = gc.compile(mixed, style="fast").graph.history
    fired = {firing.rule.name for record in history for firing in record.firings}
    assert "small_factors_first" not in fired


def test_what_is_read_elsewhere_is_not_taken_apart() -> None:
    x, a = gc.input("x", (N, 5), "float64"), gc.input("a", (N, 1), "float64")
    y = gc.tanh(x) * a
    history = gc.compile(gc.graph({"y": y, "z": y / (1 + gc.square(a))}), style="fast").graph
    fired = {f.rule.name for record in history.history for f in record.firings}
    assert "small_factors_first" not in fired


def test_an_empty_batch_has_no_gradient() -> None:
    f = gc.compile(squares(), gradient_of="loss", style="readable")
    with np.errstate(all="ignore"):
        got = f({"w": np.ones(5), "b": np.array(0.0)}, x=np.zeros((0, 5)), y=np.zeros(0))
    np.testing.assert_array_equal(got["d_loss_d_w"], 0)


def in_use(*, loss: bool = False) -> gc.Graph:
    """Return an image's way through layers whose statistics stand, of all kinds of channels."""
    h = gc.input("x", (N, 4, 8, 8), "float64")
    h = gc.tanh(gc.nn.batch_norm(gc.nn.conv2d(h, 6, 3, name="full"), name="a"))
    h = gc.tanh(gc.nn.batch_norm(gc.nn.conv2d(h, 6, 3, groups=6, name="deep"), name="b"))
    h = gc.tanh(gc.nn.batch_norm(gc.nn.conv2d(h, 5, 1, use_bias=False, name="point"), name="c"))
    h = gc.nn.batch_norm(gc.nn.dense(h.mean(axis=(2, 3)), 7, name="dense"), name="d")
    graph = gc.graph({"y": gc.mean(h) if loss else h})
    return graph if loss else graph.for_inference()


def test_standing_statistics_enter_the_weights() -> None:
    """A layer in use is its product, one shift and one nonlinearity; small batches scale it."""
    function = gc.compile(in_use(), style="fast")
    calls = [line for line in function.source.splitlines() if "N]" in line or "[N, 7]" in line]
    large = [x for x in calls if re.match(r"\s*(np\.(add|subtract|multiply)\(|\w+ [-+*]= )", x)]
    assert len(large) == 3 + 1, large  # the last shift makes the output
    rng = np.random.default_rng(0)
    state = {k: rng.uniform(0.5, 2, v.shape) for k, v in function.init(0).items()}
    x = rng.normal(size=(5, 4, 8, 8))
    wanted = gc.compile(in_use(), style="readable", optimize=0)(state, x=x)["y"]
    np.testing.assert_allclose(function(state, x=x)["y"], wanted, rtol=1e-9)


def test_statistics_of_the_batch_stay_where_they_are() -> None:
    history = gc.compile(in_use(loss=True), gradient_of="y", style="fast").graph.history
    fired = {name for record in history for name in record.counts()}
    assert "sum_by_product" in fired
    assert not {"factor_into_weights", "shift_behind_factor"} & fired
