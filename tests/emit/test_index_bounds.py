"""A module's own check draws integers that index inside of all axes, whatever is made of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import graphc as gc
from graphc.emit.check.index_bounds import index_bounds
from graphc.ir.node import Node


def shifted_right(y: Node) -> Node:
    """A start symbol in front."""
    return gc.concat([gc.zeros((y.shape[0], 1), dtype="int64"), y], axis=1)


#: What is made of y, which indexes 5 rows -> the bound of y.
INDICES: dict[str, tuple[Callable[[Node], Node], int]] = {
    "as it is": (lambda y: y, 5),
    "turned": (lambda y: y.T[1:], 5),
    "start symbol": (shifted_right, 5),
    "next one": (lambda y: y + 1, 4),
    "previous one": (lambda y: y - 1, 6),
    "pairs": (lambda y: 2 * y, 3),
    "ignored": (lambda y: gc.where(y > 2, 0, y), 5),
    "padded": (lambda y: gc.pad(y, ((0, 0), (1, 0))), 5),
    "positions": (lambda y: gc.minimum(y, 4), 6),
    "with a place": (lambda y: y + gc.arange(3) - 1, 4),
}


@pytest.mark.parametrize("form", INDICES)
def test_the_bound_follows_from_what_indexes(form: str) -> None:
    index, bound = INDICES[form]
    y, E = gc.input("y", ("N", 3), dtype="int64"), gc.param("E", (5, 2), init=1.0)
    graph = gc.graph({"loss": gc.mean(E[index(y)] ** 2)}, name="e")
    assert index_bounds(graph, 6) == {"y": bound}
    for style in ("readable", "fast"):
        gc.compile(graph, gradient_of="loss", style=style).module.check()


def test_inputs_are_bounded_together_and_apart() -> None:
    a, b = (gc.input(name, ("N",), dtype="int64") for name in "ab")
    E, F = gc.param("E", (5, 2), init=1.0), gc.param("F", (3, 2), init=1.0)
    apart = gc.graph({"loss": gc.mean(E[a] * F[b])}, name="e")
    assert index_bounds(apart, 6) == {"a": 5, "b": 3}
    together = gc.graph({"loss": gc.mean(E[a + b] ** 2) + gc.mean(F[b])}, name="e")
    assert index_bounds(together, 6) == {"a": 3, "b": 3}


def test_a_named_axis_has_the_size_of_the_check() -> None:
    x, y = gc.input("x", ("N", "K")), gc.input("y", ("N",), dtype="int64")
    before = gc.take_along_axis(x[:, 1:], y[:, None], axis=1)
    assert index_bounds(gc.graph({"loss": gc.mean(before)}, name="e"), 6) == {"y": 5}


def test_what_loops_index_counts_too() -> None:
    y, E = gc.input("y", ("T", "N"), dtype="int64"), gc.param("E", (4, 2), init=1.0)

    def step(h: Node, y_t: Node) -> Node:
        return gc.tanh(h + E[y_t])

    (last,) = gc.scan(step, gc.zeros(("N", 2)), y)
    graph = gc.graph({"loss": gc.mean(last)}, name="e")
    assert index_bounds(graph, 6) == {"y": 4}
    gc.compile(graph, gradient_of="loss").module.check()


def test_what_is_outside_of_its_axis_anyway_bounds_nothing() -> None:
    y, k = (gc.input(name, ("N",), dtype="int64") for name in "yk")
    E = gc.param("E", (5, 2), init=1.0)
    far = gc.graph({"loss": gc.mean(E[y + 9]) + gc.mean(k * 1.0)}, name="e")
    assert index_bounds(far, 6) == {"y": 6, "k": 6}
