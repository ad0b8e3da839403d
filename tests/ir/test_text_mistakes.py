"""What people type from habit, of Python and of other tools, is refused with what to write here."""

from __future__ import annotations

import pytest

import graphc as gc

HEAD = "x: input(f32, N, 4)\ny: input(f32, N)\nm: input(bool, N)\n"


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ("z = x^2", "^ works on truth values", "a power is x**2"),
        ("z = y & m", "& works on truth values", "compare first: (x > 0) & (y > 0)"),
        ("z = m | 3", "| works on truth values", "compare first: (x > 0) | (y > 0)"),
        ("z = ~x", "~ works on truth values", "compare first: ~(x > 0)"),
        ("z = relu + x", "not something a graph can compute with", "call it: relu(x)"),
        ("z = softmax_cross_entropy(x, y)", "class indices are integers", "target as int64"),
        ("for i in range(3):", "`for` is no part of the text form", "scan(cell, init=h0, xs=x)"),
        ("if N > 2:", "`if` is no part of the text form", "where(condition, a, b)"),
    ],
)
def test_habits_are_told_what_to_write(line: str, what: str, fix: str) -> None:
    with pytest.raises(gc.GraphError) as caught:
        gc.parse(f"{HEAD}{line}\noutput(z)\n", "m.graph")
    message = str(caught.value)
    assert message.startswith("m.graph:4:") and what in message.splitlines()[0]
    assert fix in message.partition("  fix ")[2]


def test_operators_of_truth_values_stay() -> None:
    graph = gc.parse(f"{HEAD}z = (y > 0) & ~m | m ^ True\noutput(z, x)\n")
    assert gc.parse(str(graph)) == graph
    assert str(graph.find("z").type) == "bool[N]"


@pytest.mark.parametrize(
    "line",
    [
        "z = x * (False * N)",
        "z = node(softmax, x)",
        "z = node(softmax, x, axis=0)",
        "z = node(var, x, axis=(0,), keepdims=True)",
        "z = node(slice, y, bounds=((0, 2, 1), (0, 4, 1)))",
    ],
)
def test_attributes_and_numbers_of_another_kind_are_refused_at_their_place(line: str) -> None:
    with pytest.raises(gc.GraphError, match=r"^m\.graph:4:"):
        gc.parse(f"{HEAD}{line}\noutput(z)\n", "m.graph")
