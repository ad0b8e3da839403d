"""`x[…]` against NumPy: every kind of index, alone and mixed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from comparing import assert_same, leaf, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as gc
from graphc.build import functions as gf
from graphc.build.graphs import dim, input
from graphc.errors import GraphError

X = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
K, J = np.array([1, 0, -1]), np.array([[0, 2], [1, -1]])

INDICES: list[Any] = [
    0,
    -1,
    ...,
    None,
    (),
    slice(None),
    (slice(1, None), slice(None, None, -1), slice(3, 0, -2)),
    (0, 1, 2, 3),
    (..., 0),
    (0, ..., -1),
    (None, 0, None, ..., None),
    (slice(5, 2), slice(-10, 10)),
    np.int64(1),
    np.array(1),
    K % 2,
    (slice(None), K),
    (slice(None), slice(None), J),
    (K % 2, K),
    (K % 2, slice(None), K),
    (0, slice(None), K),
    (slice(None), K, 0),
    (slice(None), K, slice(None), 0),
    (slice(None), 0, K),
    (0, K),
    (K % 2, None, K),
    (None, K % 2, K),
    (..., K, 2),
    (slice(1), K[:1], J % 4),
    ([0, 1], [2, 0]),
    [],
    (slice(None), []),
    ([[0], [1]], slice(1, 3), [0, 1]),
    (slice(None, None, 2), slice(None), [0, 3], slice(1, 3)),
    (slice(None), 0, ..., 0, [0, 0]),
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_getitem_is_numpys(index: Any) -> None:
    x = leaf(X)
    wanted = np.asarray(X[index] if not (isinstance(index, list) and not index) else X[[]])
    assert_same(value_of(x[index], {x: X}), wanted)


@pytest.mark.parametrize("size", [0, 1, 2, 4])
def test_a_slice_of_any_bounds_is_numpys(size: int) -> None:
    values = np.arange(float(size), dtype=np.float32)
    x = leaf(values)
    bounds = [None, 0, 1, 3, 4, 9, -1, -2, -5]
    for part in itertools.product(bounds, bounds, [None, 2, -1, -3]):
        index = slice(*part)
        assert_same(value_of(gf.positive(x[index]), {x: values}), values[index])


# A slice past a named dim is the user's claim that it fits.
FITTING = [i for i in INDICES[:25] if repr(i) != repr((slice(5, 2), slice(-10, 10)))]


@pytest.mark.parametrize("index", FITTING, ids=repr)
def test_getitem_on_named_dims(index: Any) -> None:
    x = leaf(X, symbolic=True)
    assert_same(value_of(x[index], {x: X}), np.asarray(X[index]))


def _places(rank: int) -> st.SearchStrategy[Any]:
    position = st.integers(-2, 1)
    bound = st.none() | position
    step = st.sampled_from([None, 1, 2, -1, -2])
    array = st.lists(position, min_size=2, max_size=2).map(np.array)
    item = position | st.builds(slice, bound, bound, step) | array | st.just(None)
    return st.lists(item, max_size=rank).map(tuple)


@settings(max_examples=150)
@given(_places(4), st.booleans(), st.integers(0, 4))
def test_random_indices(index: tuple[Any, ...], dots: bool, at: int) -> None:
    if dots:
        index = (*index[:at], ..., *index[at:])
    x = leaf(X)
    assert_same(value_of(x[index], {x: X}), X[index])


def test_indices_that_are_nodes() -> None:
    x, i, k = leaf(X), input("i", ("M",), "int64"), input("k", (), "int32")
    env = {x: X, i: np.array([2, 0]), k: np.array(1, np.int32)}
    assert_same(value_of(x[:, i], env), X[:, [2, 0]])
    assert_same(value_of(x[:, i, k], env), X[:, [2, 0], 1])
    assert_same(value_of(x[k], env), X[1])
    assert_same(value_of(x[:, k, :, k], env), X[:, 1, :, 1])
    assert x[:, i].shape == (2, dim("M"), 4, 5)


def test_dims_index_as_numbers() -> None:
    n = dim("N")
    x = input("x", (n, 3))
    value = np.arange(12.0, dtype=np.float32).reshape(4, 3)
    for index, wanted in (
        (n - 1, value[-1]),
        (slice(n - 2, None), value[2:]),
        (slice(None, -1), value[:-1]),
        (slice(1, n - 1), value[1:-1]),
        (slice(None, None, 2), value[::2]),
        (slice(None, None, -1), value[::-1]),
    ):
        assert_same(value_of(x[index], {x: value}), wanted)
    assert x[1:].shape == (n - 1, 3)


@pytest.mark.parametrize("start, stop, step", [
    (None, -3, -1), (-1, -3, -1), (None, -2, -1), (-2, None, -1), (None, None, -2), (-2, -4, -1),
    (-3, None, -3), (-3, None, -1), (-5, -5, -1), (3, 1, 1),
])  # fmt: skip
@pytest.mark.parametrize("style", ["readable", "fast"])
def test_slices_that_go_down_and_may_end_before_the_first(
    start: int | None, stop: int | None, step: int, style: str
) -> None:
    """A place N - 3 of an axis of two is one before all, where -1 is the last one to Python."""
    x = input("x", ("N",), "float64")
    part = x[start:stop:step]
    graph = gc.graph({"part": part, "t": gc.sum(gc.square(part))})
    f = gc.compile(graph, gradient_of="t", wrt=["x"], style=style)
    for size in (3, 4, 7, *([2] if (start, stop) != (-2, -4) else [])):
        value = np.arange(1.0, size + 1)
        slope = np.zeros(size)
        slope[start:stop:step] = 2 * value[start:stop:step]
        for found in (f(x=value), gc.interpret(graph.gradient("t", ["x"]), x=value)):
            np.testing.assert_array_equal(found["part"], value[start:stop:step])
            np.testing.assert_array_equal(found["d_t_d_x"], slope)


MISTAKES: list[tuple[Any, str]] = [
    (2, "index 2 is out of bounds"),
    ((0, -4), "out of bounds"),
    ((0,) * 5, "too many indices"),
    ((..., ...), "one ellipsis"),
    (1.0, "must be an integer"),
    ("a", "must be an integer"),
    (True, "truth value"),
    (np.array([0.5]), "must hold integers"),
    (slice(0.5, None), "must be an integer"),
    (slice(None, None, 0), "step cannot be 0"),
]


@pytest.mark.parametrize("index, message", MISTAKES, ids=[row[1] for row in MISTAKES])
def test_mistakes_are_told(index: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        leaf(X)[index]


def test_masks_and_node_bounds_are_refused() -> None:
    x, k = leaf(X), input("k", (), "int64")
    with pytest.raises(GraphError, match=r"gc\.where"):
        x[x > 0]
    with pytest.raises(GraphError, match="known when the graph is built"):
        x[:k]


def test_gathering_functions() -> None:
    x = leaf(X)
    assert_same(value_of(gf.gather(x, K, axis=1), {x: X}), X[:, K])
    assert_same(value_of(gf.gather(x, K, K, axis=1), {x: X}), X[:, K, K])
    index = np.argsort(X, axis=2)[:, :, :2]
    assert_same(
        value_of(gf.take_along_axis(x, index, axis=2), {x: X}), np.take_along_axis(X, index, 2)
    )
    flat = np.array([3, 1])
    assert_same(value_of(gf.take_along_axis(x, flat, None), {x: X}), X.ravel()[flat])
    base, values = np.zeros((3, 2), np.float32), np.ones((4, 2), np.float32)
    b, v = leaf(base, "b"), leaf(values, "v")
    added = value_of(gf.scatter_add(b, v, [0, 2, 2, 0]), {b: base, v: values})
    np.testing.assert_array_equal(added, [[2, 2], [0, 0], [2, 2]])


def test_one_hot() -> None:
    i = input("i", ("N",), "int64")
    values = np.array([2, 0, 7])
    rows = value_of(gf.one_hot(i, 3), {i: values})
    np.testing.assert_array_equal(rows, [[0, 0, 1], [1, 0, 0], [0, 0, 0]])
    assert rows.dtype == np.float32
    columns = value_of(gf.one_hot(i, 3, axis=0), {i: values})
    np.testing.assert_array_equal(columns, rows.T)


@pytest.mark.parametrize(
    "index",
    [
        np.array([True, False, True]),
        [True, False, True],
        (slice(None), np.array([True, False, False, True])),
        (np.array([True, False, True]), 0),
        (..., np.array([False, True])),
        np.arange(12).reshape(3, 4) % 3 == 0,
        (np.arange(12).reshape(3, 4) % 3 == 0, 1),
        (slice(None), np.arange(8).reshape(4, 2) > 4),
        np.zeros(3, bool),
    ],
)
def test_a_mask_of_known_values_selects_its_places(index: Any) -> None:
    x = gc.input("x", (3, 4, 2), dtype="float64")
    at = np.random.default_rng(0).normal(size=(3, 4, 2))
    y = x[index]
    assert y.shape == at[index].shape
    graph = gc.graph({"y": y, "loss": gc.sum(y**2)})
    found = gc.compile(graph, gradient_of="loss", wrt=["x"])(x=at)
    np.testing.assert_array_equal(found["y"], at[index])
    slope = np.zeros_like(at)
    slope[index] = 2 * at[index]
    np.testing.assert_allclose(found["d_loss_d_x"], slope)


def test_masks_that_do_not_fit_or_are_not_known() -> None:
    x = gc.input("x", (3, 4))
    with pytest.raises(gc.GraphError, match=r"a mask has the sizes of its axes(.|\n)*\[4\]"):
        x[np.ones(4, bool)]
    with pytest.raises(gc.GraphError, match=r"use gc\.where"):
        x[x > 0]


def test_a_root_where_it_has_no_slope_is_not_read_through_a_mask() -> None:
    """The derivative of sqrt at 0 is infinite, but nothing of it is asked for."""
    d = gc.input("d", (3,), dtype="float64")
    graph = gc.graph({"y": gc.sum((d**0.5)[np.array([False, True, True])])})
    found = gc.compile(graph, gradient_of="y", wrt=["d"])(d=np.array([0.0, 1.0, 4.0]))
    np.testing.assert_allclose(found["d_y_d_d"], [0, 0.5, 0.25])
