"""Numbers made from dims: what Python built of `x/N**0.5` is what its text builds again."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import graphc as gc

N, M, s = map(gc.dim, ("N", "M", "s"))
X = np.array([[1.0, 2.0, 4.0], [0.5, 3.0, -1.5]])

#: A number made from dims -> how the text writes it.
NUMBERS = [
    (N**0.5, "N**0.5"),
    (2.0 * N, "2.0*N"),
    (1.5 * N, "1.5*N"),
    (N / 2, "N/2"),
    (-N / 2, "-N/2"),
    (1 / N**0.5, "N**(-0.5)"),
    (1 / N, "1/N"),
    (2 / (3 * N), "2/N/3"),
    ((N + 1) / 2, "(N + 1)/2"),
    ((N + 1) / 2 * M, "M*((N + 1)/2)"),
    (3 * (N + 1) / 2 - M, "(-2*M + 3*N + 3)/2"),
    (N * (M + 1), "N*(M + 1)"),
    ((N + 1) * (M + 1) * 2, "(M + 1)*(N + 1)*2"),
    (-(N - 1) / (M + 1), "(-N + 1)/(M + 1)"),
    (M - (N + 1) / (M + 1), "M - (N + 1)/(M + 1)"),
    (N % 2, "N % 2"),
    (2 * (N % 2), "2*(N % 2)"),
    (0.5 * N // 1, "(0.5*N)//1"),
    ((N - M) // s, "(-M + N)//s"),
    (gc.windows(gc.input("w", ("N",)), M, stride=s).shape[0], "(-M/s + N/s)//1 + 1"),
    (0.1 * N + 0.2, "0.1*N + 0.2"),
    (0.1 * N + (M + 1) / 3 - M / 3, "0.1*N + N/(3*N)"),
    (1e-05 * N, "1e-05*N"),
    (N ** (1 / 3), "N**0.3333333333333333"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "text"), NUMBERS, ids=[text for _, text in NUMBERS])
def test_the_text_of_a_number_is_read_back(number: Any, text: str) -> None:
    x = gc.input("x", ("N", 3), "float64")
    sizes = gc.input("sizes", ("M", "s"))
    z = gc.full((2,), number, "float32") + sizes[0, 0]
    graph = gc.graph({"y": x * number, "z": z})
    assert f"x * ({text})\n" in str(graph)
    assert gc.parse(str(graph)) == graph
    given = {"x": X, "sizes": np.zeros((4, 3), np.float32)}
    value = eval(text, {"N": 2, "M": 4, "s": 3})
    np.testing.assert_allclose(gc.compile(graph)(**given)["y"], X * value, rtol=1e-15)
    np.testing.assert_allclose(gc.interpret(graph, **given)["y"], X * value, rtol=1e-15)


def test_the_quotients_that_newcomers_write() -> None:
    x = gc.input("x", ("N", 3))
    for y in (x / N**0.5, x.sum() / (2.0 * N), x.sum() + 1.5 * N, x * (0.5 * N), x.sum() + N / 2):
        graph = gc.graph({"y": y}, name="g")
        assert gc.parse(str(graph)) == graph


def test_a_comparison_of_dims_is_a_truth_value() -> None:
    x = gc.input("x", ("N", 3), "float64")
    outputs = {"p": gc.where(N > 1, x, 0), "q": x * (N + 1 <= 2), "r": gc.where(N > 2, 1, N * x)}
    graph = gc.graph(outputs)
    assert "where(N > 1, x, 0)" in str(graph) and "x * (N + 1 <= 2)" in str(graph)
    assert gc.parse(str(graph)) == graph
    for found in (gc.compile(graph)(x=X), gc.interpret(graph, x=X)):
        np.testing.assert_array_equal(found["p"], X)
        np.testing.assert_array_equal(found["q"], 0 * X)
        np.testing.assert_array_equal(found["r"], 2 * X)
    assert gc.graph({"y": x * (N > 0)}) == gc.graph({"y": x * True})  # of every size


def test_a_fraction_is_no_integer() -> None:
    assert gc.full((2,), N / 2).dtype == gc.full((2,), N**0.5).dtype == np.float32
    assert gc.full((2,), N).dtype == gc.full((2,), N // 2).dtype == np.int64


def test_a_number_of_no_dim_is_pythons() -> None:
    x = gc.input("x", (3,))
    for number, text in ((N / N, "x * 1"), (N * 0.0, "x * 0"), (float("inf") * N, "x * inf")):
        graph = gc.graph({"y": x * number})
        assert text in str(graph)
        assert gc.parse(str(graph)) == graph


@pytest.mark.parametrize(
    ("number", "what"),
    [
        ((-N) ** 0.5, "not a real number"),
        (abs(N - 3), "more than Python's operators"),
        (1 / (N - N), "not a real number"),
    ],
)  # fmt: skip
def test_numbers_that_nobody_can_write_are_refused(number: Any, what: str) -> None:
    x = gc.input("x", ("N",))
    for build in (lambda: x * number, lambda: gc.full((3,), number), lambda: gc.clip(x, number, 1)):
        with pytest.raises(gc.GraphError, match=what):
            build()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("N / 0", "cannot be divided by zero"),
        ("N % 0", "cannot be divided by zero"),
        ("(-N)**0.5", "not a real number"),
        ("N & 2", "dims and numbers combine by"),
        ("(N > 2) + 1", "an operator needs nodes or numbers"),
        ("-(N > 2)", "an operator needs a node or a number"),
        ("(N > 2) < 1", "a comparison needs a node"),
    ],
)
def test_numbers_that_a_text_may_not_make(text: str, what: str) -> None:
    with pytest.raises(gc.GraphError, match=what):
        gc.parse(f"x: input(f32, N)\ny = x * ({text})\noutput(y)\n")


#: What the leaves of a random number are, and what joins them.
LEAVES = st.sampled_from([N, M, s, 1, 2, 3, -1, 0.5, 0.1, 2.5, -3, 1e-6, 1 / 3])
OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow,
]  # fmt: skip
NUMBER = st.recursive(
    LEAVES, lambda inner: st.tuples(st.sampled_from(OPERATORS), inner, inner), max_leaves=7
)


def value_of(tree: Any) -> Any:
    """Return what Python makes of a random tree of operators; no power is huge."""
    if not isinstance(tree, tuple):
        return tree
    apply, left, right = tree[0], value_of(tree[1]), value_of(tree[2])
    if apply is operator.pow:
        assume(hasattr(right, "free_symbols") or abs(right) <= 3)
    return apply(left, right)


@settings(max_examples=150, deadline=None)
@given(NUMBER)
def test_random_numbers_of_dims_are_read_back(tree: Any) -> None:
    x = gc.input("x", ("N", "M", "s"))
    try:
        y = x * value_of(tree)
    except (ArithmeticError, TypeError, gc.GraphError):
        assume(False)  # no number: divided by zero, complex, or Python has no such operator
    graph = gc.graph({"y": y})
    assert gc.parse(str(graph)) == graph
