"""Where a NaN begins in a loop: the node of its body and the step, whatever leaves the loop."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

ROWS = np.array([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]], np.float32)


def rooted(reverse: bool = False) -> gc.Graph:
    """Return a graph whose loop takes roots of its rows, and keeps the last one."""
    x = gc.input("x", ("T", 2))

    def cell(h: gc.Node, row: gc.Node) -> tuple[gc.Node, ...]:
        root = gc.sqrt(row).named("root")
        return h + root, root

    h, roots = gc.scan(cell, init=gc.zeros((2,)), xs=x, reverse=reverse)
    return gc.graph({"h": h, "roots": roots})


def message(graph: gc.Graph, **inputs: object) -> str:
    with pytest.raises(gc.GraphError) as error:
        gc.interpret(graph, check_finite=True, **inputs)
    return str(error.value)


def test_a_loop_of_finite_values_passes() -> None:
    h = gc.interpret(rooted(), x=abs(ROWS), check_finite=True)["h"]
    np.testing.assert_allclose(h, np.sqrt(abs(ROWS)).sum(0), rtol=1e-6)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_node_of_the_body_and_the_step_are_named(reverse: bool) -> None:
    text = message(rooted(reverse), x=ROWS)
    assert "the first NaN appears in root = √" in text
    assert "in step 1 of the loop 'cell'" in text
    assert "1 of 2 values, the first at [1]" in text and "-4" in text


def test_both_loops_are_named_where_one_stands_in_the_other() -> None:
    x = gc.input("x", ("S", "T", 2))

    def outer(total: gc.Node, rows: gc.Node) -> tuple[gc.Node, ...]:
        def inner(h: gc.Node, row: gc.Node) -> tuple[gc.Node, ...]:
            return (h + gc.sqrt(row),)

        return gc.scan(inner, init=total, xs=rows)

    (h,) = gc.scan(outer, init=gc.zeros((2,)), xs=x)
    text = message(gc.graph({"h": h}), x=np.stack([abs(ROWS), ROWS]))
    assert "in step 1 of the loop 'inner', in step 1 of the loop 'outer'" in text


def test_what_a_mask_brings_into_a_loop_is_no_fault() -> None:
    x = gc.input("x", ("T", 2))
    scores = gc.where(x > 0, x, -np.inf)
    h, seen = gc.scan(
        lambda h, row: (gc.maximum(h, row), row), init=gc.full((2,), -np.inf), xs=scores
    )
    graph = gc.graph({"h": h, "seen": seen})
    np.testing.assert_array_equal(gc.interpret(graph, x=ROWS, check_finite=True)["h"], [5, 6])


def test_a_compiled_function_finds_it_too() -> None:
    with pytest.raises(gc.GraphError, match="in step 1 of the loop 'cell'"):
        gc.compile(rooted(), optimize=0)(x=ROWS, check_finite=True)
