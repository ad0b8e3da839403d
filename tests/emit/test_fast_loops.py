"""What stands in a loop of style `fast`, and what before and behind it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.run.compiled import CompiledFunction


def loops_of(source: str) -> list[list[str]]:
    """Return the lines inside of each loop of a module's function."""
    lines, found = source.partition("\ndef check(")[0].splitlines(), []
    for at, line in enumerate(lines):
        if re.match(r"    for .*(:|\()$", line):
            head = next(k for k in range(at, len(lines)) if lines[k].endswith(":"))
            end = next(k for k in range(head + 1, len(lines)) if not lines[k].startswith(" " * 8))
            found.append([x.strip() for x in lines[head + 1 : end]])
    return found


def fast_gradient(graph: gc.Graph, wrt: list[str] | None = None) -> CompiledFunction:
    return gc.compile(graph, gradient_of="loss", wrt=wrt, style="fast")


def assert_is_interpreted(function: CompiledFunction, graph: gc.Graph, **values: Any) -> None:
    got = function(**values)
    for name, value in gc.interpret(graph, **values).items():
        np.testing.assert_allclose(got[name], value, 1e-4, 1e-5, err_msg=name)


@pytest.fixture
def rows() -> gc.Graph:
    """Return a recurrent net that reads rows of a table."""
    words = gc.input("words", (6, "N"), dtype="int64")
    table, U = gc.input("table", (5, 4)), gc.input("U", (4, 4))

    def cell(h: gc.Node, words_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        h = gc.tanh(gc.take(table, words_t, axis=0) + h @ U)
        return h, h

    _, hs = gc.scan(cell, init=gc.zeros((words.shape[1], 4)), xs=words)
    return gc.graph({"loss": gc.mean(gc.square(hs))}, name="rows")


def test_rows_are_taken_before_the_loop_and_added_behind_it(rows: gc.Graph) -> None:
    function = fast_gradient(rows, wrt=["table", "U"])
    source = function.source[function.source.index("def rows(") :]
    assert source.count("take_rows(table, words,") == source.count("add_rows(") == 1
    for lines in loops_of(source):
        assert not any("take_rows" in line or "add_rows" in line for line in lines)
    rng = np.random.default_rng(0)
    values = {
        "words": rng.integers(0, 5, (6, 3)),
        "table": rng.normal(size=(5, 4)).astype(np.float32),
        "U": rng.normal(size=(4, 4)).astype(np.float32),
    }
    assert_is_interpreted(function, rows.gradient("loss", wrt=["table", "U"]), **values)


def test_writes_in_a_row_are_added_behind_the_loop_too() -> None:
    words = gc.input("words", (2, 6, 3), dtype="int64")
    values, total = gc.input("values", (6, 3, 4)), gc.input("total", (5, 4))

    def cell(s: gc.Node, a: gc.Node, b: gc.Node, v: gc.Node) -> gc.Node:
        s = gc.scatter_add(s, v, a)
        return gc.scatter_add(s, 2 * v, b)

    found = gc.scan(cell, init=total, xs=(words[0], words[1], values))
    (s,) = found if isinstance(found, tuple) else (found,)
    graph = gc.graph({"s": s}, name="sums")
    rng = np.random.default_rng(0)
    given = {
        "words": rng.integers(0, 5, (2, 6, 3)),
        "values": rng.normal(size=(6, 3, 4)).astype(np.float32),
        "total": rng.normal(size=(5, 4)).astype(np.float32),
    }
    for style in ("readable", "fast"):
        function = gc.compile(graph, style=style)
        assert "for " not in function.source[function.source.index("def sums(") :]
        assert_is_interpreted(function, graph, **given)


def lstm(steps: int = 5) -> gc.Graph:
    x = gc.input("x", (steps, "N", 3))
    _, h, _ = gc.nn.lstm(x, 4, name="lstm")
    return gc.graph({"loss": gc.mean(gc.square(h))}, name="net")


def test_a_step_indexes_nothing() -> None:
    forward, backward = loops_of(fast_gradient(lstm()).source)
    for lines in (forward, backward):
        assert len(lines) > 5
        assert not [line for line in lines if re.search(r"\w\[", line.split("#")[0])]


def test_gates_are_written_one_behind_the_other() -> None:
    source = fast_gradient(lstm()).source
    assert "np.empty((5, 4, N, 4), np.float32),  # i_f_o_steps" in source
    assert "i_steps = i_f_o_steps[:, 0]" in source and "o_steps = i_f_o_steps[:, 3]" in source
    assert "i_f_o_steps[:, :, " not in source


def test_stacks_that_leave_keep_their_layout() -> None:
    x, s = gc.input("x", (3, 2, 8), dtype="float64"), gc.input("s", (2, 4), dtype="float64")

    def cell(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        gates = gc.sigmoid(x_t + gc.concat(h, h, axis=1))
        return gates[:, :4] * h + gates[:, 4:], gates

    h, gates = gc.scan(cell, init=s, xs=x)
    graph = gc.graph({"h": h, "gates": gates})
    function = gc.compile(graph, style="fast")
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(3, 2, 8)), "s": rng.normal(size=(2, 4))}
    assert function(**given)["gates"].shape == (3, 2, 8)
    assert_is_interpreted(function, graph, **given)


def test_numbers_in_loops_are_arrays_that_are_kept() -> None:
    source = fast_gradient(lstm()).source
    assert "np.full((), 1, np.float32),  # one" in source
    (forward, _) = loops_of(source)
    assert any("np.divide(one, " in line for line in forward)


def test_scalars_of_a_step_are_stored_by_its_number() -> None:
    x, s = gc.input("x", (4,), dtype="float64"), gc.input("s", (), dtype="float64")
    h, hs = gc.scan(lambda h, x_t: (gc.sin(h + x_t), h * x_t), init=s, xs=x, reverse=True)
    graph = gc.graph({"h": h, "hs": hs})
    function = gc.compile(graph, style="fast")
    assert "in zip(reversed(range(4)), x[::-1]):" in function.source
    assert_is_interpreted(function, graph, x=np.arange(4.0), s=np.float64(0.3))


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_carry_may_begin_in_any_layout(steps: int) -> None:
    x, W = gc.input("x", ("T", 3, 3), dtype="float64"), gc.input("W", (3, 3), dtype="float64")
    s = gc.input("s", (3, 3), dtype="float64")
    h = gc.scan(lambda h, x_t: (h + x_t) @ W, init=s, xs=x)
    h = h[0] if isinstance(h, tuple) else h
    graph = gc.graph({"h": h})
    function = gc.compile(graph, style="fast")
    rng = np.random.default_rng(0)
    given = {name: rng.normal(size=(3, 3)) for name in ("W", "s")}
    given = {name: np.asfortranarray(value) for name, value in given.items()}
    assert_is_interpreted(function, graph, x=rng.normal(size=(steps, 3, 3)), **given)


def test_one_place_along_an_axis_is_an_index() -> None:
    x = gc.input("x", (5, "N", 4))
    graph = gc.graph({"y": gc.exp(x[2]) * x[-1]})
    source = gc.compile(graph, style="fast").source
    assert "np.exp(x[2], out=x_exp)" in source and "x_exp * x[4]" in source


def test_a_view_of_a_value_that_is_made_afresh_shows_that_value() -> None:
    x, s = gc.input("x", (4, 3), dtype="float64"), gc.input("s", (3,), dtype="float64")
    i, j = gc.constant([0, 1, 2]), gc.constant([2, 0, 0])

    def cell(h: gc.Node, x_t: gc.Node) -> gc.Node:
        first = gc.sin(gc.tanh(h + x_t) * h)
        table = gc.tanh(first[:, None] * x_t[None, :])
        second = gc.cos(gc.sum(table, axis=0))
        picked = table[i, j]  # two index arrays: no call writes that into an array
        return gc.tanh(picked[::-1] + second * picked[::-1])

    found = gc.scan(cell, init=s, xs=x)
    graph = gc.graph({"h": found[0] if isinstance(found, tuple) else found})
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(4, 3)), "s": rng.normal(size=3)}
    assert_is_interpreted(gc.compile(graph, style="fast"), graph, **given)
