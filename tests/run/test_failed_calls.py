"""A call that fails changes nothing, says why, and the next one is right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError

STYLES = ("readable", "fast")


def table() -> gc.Graph:
    """A classifier of pairs, all of whose parameters are updated by moments."""
    x, y = gc.input("x", ("N", 2), dtype="int64"), gc.input("y", ("N",), dtype="int64")
    rows = gc.nn.embedding(x, 9, 4, name="rows")
    h = gc.nn.batch_norm(gc.reshape(rows, (-1, 8)), name="norm")
    z = gc.nn.dense(gc.nn.dropout(h, 0.2), 3, name="z")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean(), "z": z}, name="table")


GOOD = {"x": np.array([[0, 8], [3, 3], [5, 1]]), "y": np.array([0, 2, 1])}


def spoilt() -> Iterator[dict[str, np.ndarray]]:
    for name in GOOD:
        for index in (9, -10, 2**40):
            array = GOOD[name].copy()
            array.flat[-1] = index
            yield {**GOOD, name: array}
        yield {**GOOD, name: GOOD[name] + 0.5}
        yield {**GOOD, name: GOOD[name][:2]}


@pytest.mark.parametrize("style", STYLES)
def test_a_failed_step_leaves_state_and_workspace_as_they_were(style: str) -> None:
    step = gc.compile(table(), minimize="loss", optimizer="adam(0.1)", style=style)
    state, other = step.init(), step.init()
    for state_ in (state, other):
        step(state_, rng=np.random.default_rng(0), **GOOD)
    for bad in spoilt():
        with pytest.raises(GraphError, match="input"):
            step(state, rng=np.random.default_rng(1), **bad)
        assert all(np.array_equal(state[name], other[name]) for name in state)
    results = [step(each, rng=np.random.default_rng(1), **GOOD) for each in (state, other)]
    assert all(np.array_equal(state[name], other[name]) for name in state)
    assert np.array_equal(results[0]["z"], results[1]["z"])


def test_where_memory_is_short_the_workspace_stays_what_it_was() -> None:
    x, w = gc.input("x", ("N", 3)), gc.param("w", (3,), init=gc.init.ones())
    f = gc.compile(gc.graph({"y": gc.tanh(gc.exp(x) @ w)}))
    state, rows = f.init(), np.arange(12, dtype="f4").reshape(4, 3) / 12
    expected = f(state, x=rows)["y"]
    allocate = f.module.allocate

    def fail(size: int) -> None:
        raise MemoryError

    f.module.allocate = fail
    with pytest.raises(MemoryError):
        f(state, x=rows[:1])
    np.testing.assert_array_equal(f(state, x=rows)["y"], expected)
    f.module.allocate = allocate
    np.testing.assert_allclose(f(state, x=rows[:1])["y"], expected[:1], rtol=1e-6)


@pytest.mark.parametrize("style", STYLES)
def test_a_size_that_is_divided_by_may_be_0(style: str) -> None:
    x = gc.input("x", ("N", 3))
    graph = gc.graph({"y": x.sum() * (1 / x.shape[0])})
    f, empty = gc.compile(graph, style=style), np.zeros((0, 3), "f4")
    for call in (f, lambda **inputs: gc.interpret(graph, **inputs)):
        with pytest.raises(GraphError, match=r"1/N divides by zero[\s\S]*got       N = 0"):
            call(x=empty)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", [0, 2])
def test_an_empty_batch_is_normalized_as_by_the_reference(style: str, level: int) -> None:
    x = gc.input("x", ("N", 3), dtype="float64")
    graph = gc.graph({"h": gc.nn.batch_norm(x, name="norm")})
    f = gc.compile(graph, style=style, optimize=level)
    state, judge = f.init(), f.init()
    for rows in (4, 1, 2, 0):
        batch = np.arange(3.0 * rows).reshape(rows, 3) ** 2
        got, expected = f(state, x=batch), gc.interpret(graph, judge, x=batch)
        np.testing.assert_allclose(got["h"], expected["h"], rtol=1e-9)
        for name in state:
            np.testing.assert_allclose(state[name], judge[name], rtol=1e-9, err_msg=name)


def test_an_array_that_became_read_only_is_told() -> None:
    step = gc.compile(table(), minimize="loss", optimizer="sgd(0.1)")
    state = step.init()
    for _ in range(3):  # by now the state is known
        step(state, rng=np.random.default_rng(0), **GOOD)
    state["z.b"].flags.writeable = False
    with pytest.raises(GraphError, match=r"parameter 'z.b' is updated .* read-only"):
        step(state, rng=np.random.default_rng(0), **GOOD)
