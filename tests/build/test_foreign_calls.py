"""Calls as other libraries have them: what is no argument here says what stands for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc

X = gc.input("x", ("N", 4))
M = gc.input("m", ("N", 4), "bool")


@pytest.mark.parametrize(
    ("call", "what", "fix"),
    [
        (lambda: gc.sum(X, dim=0), "sum has no argument 'dim'", "axis= for dim="),
        (lambda: X.sum(dim=1), "sum has no argument 'dim'", "axis= for dim="),
        (lambda: gc.log_softmax(X, dim=0), "no argument 'dim'", "axis= for dim="),
        (lambda: gc.softmax(X, dim=-1), "no argument 'dim'", "axis= for dim="),
        (lambda: gc.concat([X, X], dim=1), "no argument 'dim'", "axis= for dim="),
        (lambda: gc.max(X, keepdim=True), "no argument 'keepdim'", "keepdims= for keepdim="),
        (lambda: gc.mean(X, where=M), "no argument 'where'", "(m * x).sum() / m.sum()"),
        (lambda: gc.logsumexp(X, b=X), "no argument 'b'", "gc.logsumexp(x + gc.log(b))"),
        (lambda: gc.cumsum(X, reverse=True), "no argument 'reverse'", "gc.flip"),
        (lambda: gc.std(X, unbiased=True), "no argument 'unbiased'", "ddof=1"),
        (lambda: gc.sum(X, axs=0), "no argument 'axs'", "did you mean 'axis'?"),
        (lambda: np.mean(X, where=M), "where= has no meaning", "(m * x).sum() / m.sum()"),
        (lambda: np.where(X > 0), "where misses its arguments 'x' and 'y'", None),
        (lambda: gc.exp(x=X), "exp takes 'x' by its place, not by its name", "write exp(x)"),
        (lambda: gc.relu(X, inplace=True), "relu has no argument 'inplace'", "never changes"),
        (lambda: gc.nn.dense(X), "dense misses its argument 'size'", None),
        (lambda: gc.nn.dense(X, out_features=3), "no argument 'out_features'", "size= for out_"),
        (lambda: gc.nn.dropout(X, p=0.5), "no argument 'p'", "rate= for p="),
        (lambda: gc.nn.lstm(X, hidden_size=3), "no argument 'hidden_size'", "units= for hidden"),
        (lambda: X.reshape(shape=(4, -1)), "reshape takes 'shape' by its place", None),
    ],
)
def test_a_foreign_argument_says_what_stands_for_it(
    call: Callable[[], object], what: str, fix: str | None
) -> None:
    with pytest.raises(gc.GraphError) as told:
        call()
    assert what in told.value.what
    assert (fix or "") in (told.value.fix or "")
    assert told.value.where is not None and "test_foreign_calls.py" in told.value.where


def test_it_is_a_type_error_too() -> None:
    with pytest.raises(TypeError):
        gc.sum(X, dim=0)


def test_what_goes_wrong_within_a_function_is_told_as_it_is() -> None:
    with pytest.raises(TypeError) as told:
        gc.scan(lambda c, x: (c + len(3), c), init=1.0, xs=X)  # type: ignore[arg-type]
    assert not isinstance(told.value, gc.GraphError) and "has no len()" in str(told.value)


def test_signatures_and_help_are_the_functions_own() -> None:
    assert list(inspect.signature(gc.sum).parameters) == ["x", "axis", "dtype", "keepdims"]
    assert (gc.sum.__doc__ or "").startswith("Add up") and gc.sum.__name__ == "sum"


@pytest.mark.parametrize(
    ("call", "fix"),
    [
        (lambda: np.kron(X, X), "gc.reshape(a[:, None, :, None]"),
        (lambda: np.cross(X, X), "gc.roll"),
        (lambda: np.cov(X), "d.T @ d / (n - 1)"),
        (lambda: np.interp(X, X, X), "gc.searchsorted"),
        (lambda: np.sinc(X), "gc.sin(z) / z"),
        (lambda: np.trapezoid(X), "(y[1:] + y[:-1])"),
        (lambda: np.vander(X, 3), "x[:, None] **"),
        (lambda: np.percentile(X, 3), "gc.sort(x)"),
        (lambda: np.cbrt(X), "** (1 / 3)"),
        (lambda: np.nanmean(X), "gc.isnan"),
        (lambda: np.histogram(X), "write it with the functions of graphc"),
    ],
)
def test_a_function_of_numpy_gets_a_recipe_and_no_spelling(
    call: Callable[[], object], fix: str
) -> None:
    with pytest.raises(gc.GraphError, match="is not available for nodes") as told:
        call()
    assert fix in str(told.value.fix) and "did you mean" not in str(told.value)


def _value(y: gc.Node, **given: np.ndarray) -> np.ndarray:
    value: np.ndarray = gc.interpret(gc.graph({"y": y}), **given)["y"]
    return value


def test_the_longer_recipes_are_right() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 5, 3))
    a, b = gc.input("a", (5, 3), "float64"), gc.input("b", (5, 3), "float64")
    both = {"a": left, "b": right}
    cross = gc.roll(a, -1, -1) * gc.roll(b, 1, -1) - gc.roll(a, 1, -1) * gc.roll(b, -1, -1)
    np.testing.assert_allclose(_value(cross, **both), np.cross(left, right))
    kron = gc.reshape(a[:, None, :, None] * b[None, :, None, :], (25, 9))
    np.testing.assert_allclose(_value(kron, **both), np.kron(left, right))
    d = a - a.mean(axis=0)
    np.testing.assert_allclose(_value(d.T @ d / 4, a=left), np.cov(left.T))
    n, places, heights = 6, np.sort(rng.normal(size=6)), rng.normal(size=6)
    x, t, y = gc.input("x", (9,), "float64"), gc.constant(places), gc.constant(heights)
    i = gc.clip(gc.searchsorted(t, x), 1, n - 1)
    at = rng.uniform(places[0], places[-1], 9)
    line = y[i - 1] + (x - t[i - 1]) * (y[i] - y[i - 1]) / (t[i] - t[i - 1])
    np.testing.assert_allclose(_value(line, x=at), np.interp(at, places, heights))
    z = gc.where(x == 0, 1, np.pi * x)
    at[0] = 0
    np.testing.assert_allclose(_value(gc.where(x == 0, 1, gc.sin(z) / z), x=at), np.sinc(at))


@pytest.mark.parametrize(
    ("call", "fix"),
    [
        (lambda mu: gc.random_normal((3, 2), mean=mu), "mean + scale * gc.random_normal(shape)"),
        (lambda mu: gc.random_uniform((3, 2), high=mu), "(high - low) * gc.random_uniform(shape)"),
        (lambda mu: gc.random_bernoulli((3, 2), p=mu), "gc.random_uniform(shape) < p"),
    ],
)
def test_a_distribution_of_a_node_is_made_of_numbers(
    call: Callable[[gc.Node], object], fix: str
) -> None:
    with pytest.raises(gc.GraphError, match="must be a number") as told:
        call(gc.input("mu", (3, 2)))
    assert fix in str(told.value.fix)


def test_a_loop_body_that_takes_its_carries_in_one_is_shown_how_it_goes() -> None:
    with pytest.raises(gc.GraphError, match="takes other arguments") as told:
        gc.scan(lambda c, x: ((c[0] + x, c[1]), c[0]), init=(X[0], X[0]), xs=X)
    assert told.value.fix == "def body(state1, state2, x_t): ... return state1, state2, emitted"


@pytest.mark.parametrize("name", ["betainc", "bessel", "ndtri"])
def test_what_there_is_no_form_of_is_not_called_misspelt(name: str) -> None:
    with pytest.raises(AttributeError, match="no such function"):
        getattr(gc, name)
