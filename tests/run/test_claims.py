"""What a slice claims of named dims is checked where they are known: at the call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import graphc as gc

T = gc.dim("T")


def of_rows(build: Callable[[gc.Node], gc.Node]) -> gc.Graph:
    return gc.graph({"y": build(gc.input("x", (T, 2)))})


def calls(graph: gc.Graph) -> list[Callable[..., dict]]:
    return [
        lambda **inputs: gc.interpret(graph, **inputs),
        gc.compile(graph, style="readable"),
        gc.compile(graph, style="fast"),
    ]


@pytest.mark.parametrize(
    ("build", "length", "got"),
    [
        pytest.param(lambda x: x[:5] * 2, 3, "5, for T = 3", id="a head"),
        pytest.param(lambda x: x[0] * 2, 0, "1, for T = 0", id="the first of none"),
        pytest.param(lambda x: x[-2] * 2, 1, "T - 2 = -1, for T = 1", id="from the end"),
        pytest.param(lambda x: x[4::-1] * 2, 3, "5, for T = 3", id="downwards"),
        pytest.param(lambda x: gc.sum(x[5:]), 3, "5, for T = 3", id="a tail"),
    ],
)
def test_a_slice_of_a_named_axis_must_fit(
    build: Callable[[gc.Node], gc.Node], length: int, got: str
) -> None:
    for call in calls(of_rows(build)):
        with pytest.raises(gc.GraphError, match="reaches outside of axis 0") as error:
            call(x=np.ones((length, 2), np.float32))
        assert got in str(error.value) and f"0 to T = {length}" in str(error.value)
        assert Path(__file__).name in str(error.value)


def test_what_a_step_leaves_out_need_not_be_there() -> None:
    for call in calls(of_rows(lambda x: x[:2:2] * 2 + x[1:5:9] * 3)):
        found = call(x=np.array([[1, 2], [3, 4]], np.float32))["y"]
        np.testing.assert_array_equal(found, [[11, 16]])
        with pytest.raises(gc.GraphError, match="reaches outside of axis 0"):
            call(x=np.ones((1, 2), np.float32))
    for call in calls(of_rows(lambda x: x[:2:2] * 2)):
        np.testing.assert_array_equal(call(x=np.ones((1, 2), np.float32))["y"], [[2, 2]])
    for call in calls(of_rows(lambda x: x[:3:2] * 2)):
        with pytest.raises(gc.GraphError, match=r"got +3, for T = 2"):
            call(x=np.ones((2, 2), np.float32))


def positions() -> gc.Graph:
    """Return the textbook's learned positions: a table of sixteen, as many rows as the sentence."""
    x, table = gc.input("x", (T, 2)), gc.param("P", (16, 2), init=gc.init.normal(1.0))
    outputs = {"y": x + table[:T], "rest": table[T:], "last": table[T - 1], "down": table[T:0:-1]}
    return gc.graph(outputs)


def test_a_dim_may_bound_an_axis_of_a_number() -> None:
    graph = positions()
    assert gc.parse(str(graph)) == graph
    state, x = graph.init(), np.ones((5, 2), np.float32)
    table = state["P"]
    for run in (gc.interpret, *(gc.compile(graph, style=s) for s in ("readable", "fast"))):
        found = run(graph, state, x=x) if run is gc.interpret else run(state, x=x)
        np.testing.assert_array_equal(found["y"], 1 + table[:5])
        np.testing.assert_array_equal(found["rest"], table[5:])
        np.testing.assert_array_equal(found["last"], table[4])
        np.testing.assert_array_equal(found["down"], table[5:0:-1])


def test_its_gradient_reaches_the_rows_that_were_read() -> None:
    x, table = gc.input("x", (T, 2)), gc.param("P", (16, 2), init=gc.init.normal(1.0))
    graph = gc.graph({"loss": gc.sum((x * table[:T]) ** 2)})
    assert gc.check_gradient(graph, of="loss", at={"x": np.ones((5, 2))})
    found = gc.compile(graph, gradient_of="loss")(graph.init(), x=np.ones((5, 2), np.float32))
    assert found["d_loss_d_P"][:5].all() and not found["d_loss_d_P"][5:].any()


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_a_longer_sentence_than_the_table_is_one_clear_error(style: str) -> None:
    graph = positions()
    function, state = gc.compile(graph, style=style), graph.init()
    function(state, x=np.ones((15, 2), np.float32))
    for _ in range(2):  # a shape that was refused is not remembered as one that fits
        with pytest.raises(gc.GraphError, match="T = 17\n  expected  0 to 16"):
            function(state, x=np.ones((17, 2), np.float32))


def test_a_slice_in_the_body_of_a_loop_is_checked_too() -> None:
    x, y = gc.input("x", (T, 2)), gc.input("y", ("S", 3))
    (h,) = gc.scan(lambda h, row: (h * gc.sum(x[:4]) + gc.sum(row),), init=1.0, xs=y)
    graph = gc.graph({"h": h})
    for call in calls(graph):
        with pytest.raises(gc.GraphError, match="reaches outside of axis 0"):
            call(x=np.ones((3, 2), np.float32), y=np.ones((2, 3), np.float32))


def test_a_bound_beyond_an_axis_of_a_number_is_told_where_a_dim_stands_beside_it() -> None:
    table = gc.param("P", (16, 2))
    graph = gc.graph({"y": gc.input("x", (T,)).sum() + gc.sum(table[20:T])})
    with pytest.raises(gc.GraphError, match=r"got       20\n  expected  0 to 16"):
        gc.interpret(graph, graph.init(), x=np.ones(22))


def test_half_of_an_odd_size_is_no_size() -> None:
    graph = of_rows(lambda x: gc.reshape(x, (T / 2, 4)) * 2)
    for call in calls(graph):
        assert call(x=np.zeros((6, 2), np.float32))["y"].shape == (3, 4)
        with pytest.raises(gc.GraphError, match=r"T/2 is no whole number(.|\n)*T = 5"):
            call(x=np.zeros((5, 2), np.float32))


@pytest.mark.parametrize("fewer", [3, 4])
def test_a_size_below_zero_is_told_before_anything_is_computed(fewer: int) -> None:
    graph = of_rows(lambda x: gc.sum(gc.ones((T - fewer,))) * x + gc.mean(x[1:]))
    for call in calls(graph):
        assert call(x=np.ones((6, 2), np.float32))["y"].shape == (6, 2)
        with pytest.raises(gc.GraphError, match=rf"T - {fewer} is below zero(.|\n)*T = 2"):
            call(x=np.ones((2, 2), np.float32))


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_half_of_a_size_bounds_a_slice(style: str) -> None:
    x = gc.input("x", (T, 2))
    ones = gc.ones((T / 2 + 1,)) * (T / 2)
    graph = gc.graph({"y": x[: T / 2], "z": x[T / 2 - 1 :], "ones": ones})
    at = np.arange(8.0, dtype=np.float32).reshape(4, 2)
    found = gc.compile(graph, style=style)(x=at)
    np.testing.assert_array_equal(found["y"], at[:2])
    np.testing.assert_array_equal(found["z"], at[1:])
    np.testing.assert_array_equal(found["ones"], [2, 2, 2])
    assert " // 2" in gc.emit(graph, style=style)
