"""What random models brought to light, each as small as it can be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

X = np.random.default_rng(0).normal(size=(2, 6))
WAYS = [(style, level) for style in ("readable", "fast") for level in (0, 1, 2, 3)]


def agrees(graph: gc.Graph, given: dict[str, np.ndarray], style: str, level: int) -> None:
    """Compare two calls of a graph with the reference."""
    f = gc.compile(graph, style=style, optimize=level)
    with np.errstate(all="ignore"):
        expected = gc.interpret(graph, **given)
        for _ in range(2):
            for name, value in f(**given).items():
                np.testing.assert_allclose(value, expected[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("style, level", WAYS)
def test_a_value_that_cannot_be_written_is_there_for_what_overwrites_it(
    style: str, level: int
) -> None:
    """`take_along_axis` makes an array; the blocks behind it write where the plan had it."""
    x, W = (gc.input(n, s, "float64") for n, s in (("x", ("N", 4, 4)), ("W", (4, 4))))
    i = gc.input("i", ("N", 4, 4), "int64")
    y = gc.gelu_tanh(gc.take_along_axis(x @ W @ W, i, axis=1)) @ W
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(3, 4, 4)), "W": rng.normal(size=(4, 4))}
    given["i"] = rng.integers(0, 4, (3, 4, 4))
    agrees(gc.graph({"y": y}), given, style, level)


@pytest.mark.parametrize("style, level", WAYS)
def test_a_uniform_cotangent_of_windows(style: str, level: int) -> None:
    x = gc.input("x", ("N", 5), "float64")
    graph = gc.graph({"y": gc.sum(0.3 * gc.nn.avg_pool1d(x, 2, 1))}).gradient("y", ["x"])
    agrees(graph, {"x": np.arange(10.0).reshape(2, 5)}, style, level)


@pytest.mark.parametrize("axes", [0, 1, 2, (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("style, level", WAYS)
def test_windows_that_are_alike(axes: int | tuple[int, ...], style: str, level: int) -> None:
    x = gc.input("x", (2, 6), "float64")
    total = gc.sum(gc.square(gc.sum(gc.windows(x, (3,)), axis=axes)))
    agrees(gc.graph({"y": total}).gradient("y", ["x"]), {"x": X}, style, level)


@pytest.mark.parametrize("style, level", WAYS)
def test_a_choice_of_one_of_two_matrices(style: str, level: int) -> None:
    a, b = (gc.input(name, (3, 100), "float64") for name in "ab")
    graph = gc.graph({"y": gc.where(gc.sum(a) > 0, a * 2, b * 2)})
    ones = np.ones((3, 100))
    for sign in (1, -1):
        agrees(graph, {"a": sign * ones, "b": 3 * ones}, style, level)


@pytest.mark.parametrize("style, level", WAYS)
def test_rows_of_a_named_length_that_are_read_three_times(style: str, level: int) -> None:
    x = gc.input("x", (100, "N"), "float64")
    part = x[:, 1:]
    graph = gc.graph({"y": gc.sin(part) * gc.cos(part) + gc.tanh(part)})
    agrees(graph, {"x": np.random.default_rng(0).normal(size=(100, 4))}, style, level)


@pytest.mark.parametrize("style, level", WAYS)
def test_steps_that_all_read_one_row(style: str, level: int) -> None:
    x = gc.input("x", (1, 6), "float64")
    rows = gc.broadcast_to(gc.exp(x), (5, 6))
    start = gc.zeros((6,), "float64")
    last, seen = gc.scan(lambda h, v: (gc.tanh(h + v), h * v), init=start, xs=rows)
    graph = gc.graph({"y": gc.sum(seen) + gc.sum(last)}).gradient("y", ["x"])
    agrees(graph, {"x": X[:1]}, style, level)


@pytest.mark.parametrize("part", [slice(None, None, -1), slice(3, 0, -1), slice(None, None, -2)])
@pytest.mark.parametrize("style, level", WAYS)
def test_a_scatter_read_backwards(part: slice, style: str, level: int) -> None:
    v = gc.input("v", (4,), "float64")
    y = gc.scatter_add(gc.zeros((5,), "float64"), v, gc.constant([4, 0, 2, 1]))[part]
    agrees(gc.graph({"y": y}), {"v": np.arange(1.0, 5.0)}, style, level)


@pytest.mark.parametrize("pool", [(2, 2), (2, 1), (2, 3)])
@pytest.mark.parametrize("style, level", WAYS)
def test_an_infinite_cotangent_goes_to_its_element_alone(
    pool: tuple[int, int], style: str, level: int
) -> None:
    x = gc.input("x", (1, 6), "float64")
    graph = gc.graph({"y": gc.sum(gc.sqrt(gc.nn.max_pool1d(x, *pool)))})
    given = {"x": np.array([[0.0, -1, 2, 4, 0, -3]])}
    agrees(graph.gradient("y", ["x"]), given, style, level)


def crop(x: Node) -> Node:
    return gc.nn.conv_transpose2d(x, 4, 3, name="c")[:, :, 1:-1, 1:-1]


@pytest.mark.parametrize("style, level", WAYS)
def test_what_columns_copy_is_right_and_foreseen(style: str, level: int) -> None:
    x = gc.input("x", ("N", 16, 12, 12), "float64")
    graph = gc.graph({"y": gc.sum(gc.square(crop(x)))}).astype("float64")
    state = graph.init(seed=0)
    given = {"x": np.random.default_rng(0).normal(size=(3, 16, 12, 12))}
    f = gc.compile(graph, gradient_of="y", style=style, optimize=level)
    got, expected = f(state, **given), gc.interpret(f.graph, state, **given)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("style, level", WAYS)
def test_a_triangle_without_columns(style: str, level: int) -> None:
    x = gc.input("x", ("N", 0), "float64")
    agrees(gc.graph({"y": gc.tril(x)}), {"x": np.ones((3, 0))}, style, level)


@pytest.mark.parametrize("spec", ["i,j,k->ijk", "ij,jk,ik->ijk"])
@pytest.mark.parametrize("style, level", WAYS)
def test_products_of_three_whose_pairs_are_larger_than_they(
    spec: str, style: str, level: int
) -> None:
    rng = np.random.default_rng(0)
    terms = spec.partition("->")[0].split(",")
    given = {
        f"x{n}": rng.normal(size=["ijklm".index(c) + 2 for c in t]) for n, t in enumerate(terms)
    }
    operands = [gc.input(name, x.shape, "float64") for name, x in given.items()]
    agrees(gc.graph({"y": gc.einsum(spec, *operands)}), given, style, level)


@pytest.mark.parametrize("style, level", WAYS)
def test_a_sequence_that_is_a_slice_of_one_column(style: str, level: int) -> None:
    x, h = gc.input("x", ("T", 2, 3), "float64"), gc.input("h", (2,), "float64")
    (last,) = gc.scan(lambda h, x_t: gc.tanh(x_t[:, 0] * h), init=h, xs=x[:, :, :1])
    given = {"x": np.random.default_rng(0).normal(size=(4, 2, 3)), "h": np.ones(2)}
    agrees(gc.graph({"last": last}), given, style, level)


@pytest.mark.parametrize("function", [gc.softmax, gc.log_softmax])
def test_shares_of_nothing_are_refused(function: Callable[[Node, int], Node]) -> None:
    with pytest.raises(gc.GraphError, match="softmax of no elements has no value"):
        function(gc.input("x", (3, 0)), 1)


@pytest.mark.parametrize("style, level", WAYS)
def test_a_number_of_each_step_that_becomes_a_row(style: str, level: int) -> None:
    x, h = gc.input("x", ("T",), "float64"), gc.input("h", (1,), "float64")
    (last,) = gc.scan(
        lambda h, x_t: gc.broadcast_to(gc.tanh(x_t), (1,)) * 0.9, init=h, xs=x, reverse=True
    )
    agrees(gc.graph({"last": last}), {"x": np.arange(1.0, 4.0), "h": np.ones(1)}, style, level)


@pytest.mark.parametrize("style, level", WAYS)
def test_what_a_recomputed_view_shows_is_not_overwritten_before_its_last_reader(
    style: str, level: int
) -> None:
    """The gradient of V reads a slice of x @ W, recomputed, after sin(x @ W @ V) is, too."""
    x, h = gc.input("x", ("T", 2), "float64"), gc.input("h", (3,), "float64")
    W, V = gc.input("W", (2, 3), "float64"), gc.input("V", (1, 3), "float64")
    with gc.checkpoint("block"):
        (last,) = gc.scan(lambda h, x_t: gc.sin(x_t[1:2] @ V), init=h, xs=x @ W)
    graph = gc.graph({"loss": gc.sum(gc.sin(last))}).gradient("loss", ["V", "W"])
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(3, 2)), "h": np.ones(3)}
    given |= {"W": rng.normal(size=(2, 3)), "V": rng.normal(size=(1, 3))}
    agrees(graph, given, style, level)


@pytest.mark.parametrize("style, level", WAYS)
def test_a_step_that_is_recomputed_reads_a_part_of_its_slice(style: str, level: int) -> None:
    x, h = gc.input("x", (2, 3), "float64"), gc.input("h", (3,), "float64")
    W, mask = gc.input("W", (3, 3), "float64"), gc.input("mask", (2,), "bool")

    def body(h: Node, x_t: Node, mask_t: Node) -> tuple[Node, Node]:
        h = gc.where(mask_t, gc.sin(gc.broadcast_to(gc.mean(x_t + W), (3,))), h)
        return h, h

    with gc.checkpoint("block"):
        _, hs = gc.scan(body, init=h, xs=(x, mask))
    graph = gc.graph({"loss": gc.mean(hs)}).gradient("loss", ["x", "W", "h"])
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(2, 3)), "h": np.ones(3), "W": rng.normal(size=(3, 3))}
    agrees(graph, given | {"mask": np.array([True, False])}, style, level)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("style, level", WAYS)
def test_one_number_is_added_to_rows_of_even_width(
    style: str, level: int, dtype: str, axis: int
) -> None:
    """Two numbers of a row add up as one complex number: also where a number is written once."""
    x = gc.input("x", (3, 3, 2), dtype)
    taken = gc.take(x, gc.constant([0, 2, 0]), axis=axis)
    graph = gc.graph({"loss": 0.25 * gc.sum(gc.sin(x)) + gc.sum(taken)}).gradient("loss", ["x"])
    given = {"x": np.random.default_rng(0).normal(size=(3, 3, 2)).astype(dtype)}
    f = gc.compile(graph, style=style, optimize=level)
    expected = gc.interpret(graph, **given)["d_loss_d_x"]
    np.testing.assert_allclose(f(**given)["d_loss_d_x"], expected, rtol=1e-6)


@pytest.mark.parametrize("part", [slice(3, 0, 3), slice(4, 0), slice(1, 3, -1)])
@pytest.mark.parametrize("style, level", WAYS)
def test_an_empty_part_of_what_was_padded(part: slice, style: str, level: int) -> None:
    x = gc.input("x", (3,), "float64")
    graph = gc.graph({"y": gc.pad(x, 1)[part], "x": x * 2})
    agrees(graph, {"x": np.ones(3)}, style, level)
