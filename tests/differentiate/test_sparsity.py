"""Patterns cover their Jacobian, along the axes and element by element; colors never clash."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphc as gc
from graphc.differentiate.matrices.coloring import color_columns
from graphc.differentiate.matrices.sparsity import pattern_of_spans, sparsity
from graphc.differentiate.matrices.structure import spans_of
from graphc.ir.access import Span
from graphc.ir.dims import as_dim
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.leaf import input_
from graphc.run.reference import evaluate

SIZE = 9
DIAGONAL = np.diag(np.arange(1.0, 10.0)) + np.diag(np.ones(8), 1)


def shifted(x: Node, step: int) -> Node:
    """Return x moved by one place, with a zero where nothing moves in."""
    zero = OPS["full"]((1,), 0.0, dtype="float64")
    return gc.concat(zero, x[:-1]) if step > 0 else gc.concat(x[1:], zero)


#: Function of a vector of 9, entries of the exact pattern.
MAPS: dict[str, tuple[Callable[[Node], Node], int]] = {
    "elementwise": (lambda x: gc.tanh(x) * 2, 9),
    "tridiagonal": (lambda x: shifted(x, 1) * x + gc.sin(shifted(x, -1)), 25),
    "periodic": (lambda x: gc.concat(x[-1:], x[:-1]) * x * gc.concat(x[1:], x[:1]), 27),
    "turned": (lambda x: gc.tanh(x.reshape(3, 3)).T, 9),
    "flattened": (lambda x: (x.reshape(3, 3) * 2).reshape(9), 9),
    "constant matrix": (lambda x: OPS["constant"](DIAGONAL) @ x, 17),
    "columns of a constant matrix": (
        lambda x: OPS["constant"](DIAGONAL[:3, :3]) @ x.reshape(3, 3),
        15,
    ),
    "gathered": (lambda x: x[OPS["constant"]([3, 1, 1, 0])] ** 2, 4),
    "every other": (lambda x: gc.sin(x[::2]), 5),
    "backwards": (lambda x: x[::-1] * 2, 9),
    "written": (lambda x: OPS["slice_add"](x, x[:2] ** 2, ((3, 5, 1),)), 11),
    "scattered": (lambda x: OPS["scatter_add"](x, x[:2] ** 2, OPS["constant"]([8, 8])), 11),
    "padded": (lambda x: gc.pad(x, 1), 9),
    "total": (lambda x: x.sum(keepdims=True), 9),
    "running": (lambda x: gc.cumsum(x), 81),
    "rows": (lambda x: gc.softmax(x.reshape(3, 3)), 27),
    "floor": (lambda x: gc.floor(x) + x, 9),
    "none": (lambda x: gc.floor(x), 0),
}


def exact(node: Node, x: Node) -> np.ndarray:
    """Return where a central difference is not zero."""
    values = np.random.default_rng(0).uniform(0.2, 0.8, SIZE)
    columns = []
    for place in range(SIZE):
        ends = [np.array(values), np.array(values)]
        ends[0][place] += 1e-4
        ends[1][place] -= 1e-4
        high, low = (evaluate([node], {x: end}, sizes={})[node].ravel() for end in ends)
        columns.append(np.abs(high - low) > 1e-12)
    return np.array(columns).T


@pytest.mark.parametrize("name", MAPS)
def test_patterns_cover_the_jacobian(name: str) -> None:
    function, entries = MAPS[name]
    x = input_("x", (SIZE,), "float64")
    node = function(x)
    true = exact(node, x)
    places = sparsity(node, x)
    assert places is not None
    elements = np.zeros(true.shape, bool)
    elements[places.rows, places.columns] = True
    assert not (true & ~elements).any()
    assert places.size == entries
    spans = spans_of(node, x)
    if spans is None:
        assert not true.any()
        return
    along = pattern_of_spans(spans, node.shape, x.shape)
    axes = np.zeros(true.shape, bool)
    axes[along.rows, along.columns] = True
    assert not (true & ~axes).any()


def test_spans_hold_for_named_dims() -> None:
    n = as_dim("N")
    x, w = input_("x", (n, 5), "float64"), input_("W", (5, 3), "float64")
    z = gc.tanh(x @ w)
    assert spans_of(z, x) == (Span(0, 0, ((0, 1),)), Span(0, 4))
    assert spans_of(z, w) == (Span(0, 4), Span(0, 0, ((1, 1),)))
    assert spans_of(z - z.mean(axis=0), x) == (Span(0, n - 1), Span(0, 4))
    moved = gc.pad(x, ((1, 1), (0, 0)))
    smooth = moved[2:] + moved[:-2] + x
    assert spans_of(smooth, x) == (Span(-1, 1, ((0, 1),)), Span(0, 0, ((1, 1),)))


def test_a_pattern_that_is_dense_is_given_up() -> None:
    x, w = input_("x", (2000,), "float64"), input_("W", (2000, 2000), "float64")
    assert sparsity(w @ x, x) is None
    named = input_("y", ("N",), "float64")
    assert sparsity(gc.sin(named), named) is None


def test_zeros_that_are_drawn_are_zeros_of_one_call() -> None:
    x = input_("x", (9,), "float64")
    places = sparsity(gc.random_bernoulli((9, 9), 0.5) @ x, x)
    assert places is None or places.size == 81


def test_the_pattern_of_a_loop_is_given_up() -> None:
    x = input_("x", (3, 4), "float64")
    last, _ = gc.scan(lambda h, v: (gc.tanh(h + v), h), init=gc.zeros((4,), "float64"), xs=x)
    assert sparsity(last[::-1], x) is None
    assert str(gc.graph({"y": gc.cumsum(last)}).jacobian_structure("y", "x"))


@given(st.sets(st.tuples(st.integers(0, 11), st.integers(0, 9)), max_size=40))
def test_no_row_meets_a_color_twice(entries: set[tuple[int, int]]) -> None:
    places = np.array(sorted(entries), int).reshape(-1, 2)
    colors = color_columns(places[:, 0], places[:, 1], 10)
    met = [(row, colors[column]) for row, column in places.tolist()]
    assert len(set(met)) == len(met)
    fullest = max((sum(row == r for row, _ in entries) for r in range(12)), default=0)
    assert colors.max() + 1 >= max(fullest, 1)


def test_a_band_takes_as_many_colors_as_it_is_wide() -> None:
    rows, columns = np.nonzero(np.abs(np.subtract.outer(np.arange(200), np.arange(200))) <= 3)
    assert color_columns(rows, columns, 200).max() + 1 == 7


def test_an_arrow_is_colored_in_the_better_order() -> None:
    matrix = np.eye(30, dtype=bool)
    matrix[:, 0] = True
    matrix[0, 0] = True
    rows, columns = np.nonzero(matrix)
    assert color_columns(rows, columns, 30).max() + 1 == 2
