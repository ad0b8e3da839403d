"""Can a derivative be computed? Does a value depend, does a derivative flow, what cuts it?"""

from __future__ import annotations

import pytest

import graphc as gc
from graphc.differentiate.dependence import dependence_of


def model() -> gc.Graph:
    return gc.parse(
        """
x: input(f32, N, 3)
u: input(f32)
i: input(i64, N)
guess = argmax(x, axis=1)
rounded = round(x)
stopped = sum(stop_gradient(x*u))
gated = sum(where(x > 0, x, 0*x))
halves = sum(floor(x) + x)
row = sum(gather(x, i))
y = sigmoid(x)
output(guess, rounded, stopped, gated, halves, row, y)
"""
    )


@pytest.mark.parametrize(
    ("of", "wrt", "depends", "flows", "reason"),
    [
        ("y", "x", True, True, ""),
        ("y", "u", False, False, ""),
        ("guess", "x", True, False, "guess = argmax(x, axis 1): its result is i64"),
        ("rounded", "x", True, False, "rounded = round(x): "),
        ("stopped", "u", True, False, "stop_gradient(…): its derivative counts as 0"),
        ("gated", "x", True, True, "x > …: its result is bool"),
        ("halves", "x", True, True, "floor(x)"),
        ("row", "i", True, False, "i: i64 has no derivative"),
        ("row", "x", True, True, ""),
    ],
)
def test_each_way_to_depend(of: str, wrt: str, depends: bool, flows: bool, reason: str) -> None:
    graph = model()
    found = dependence_of(graph.find(of), graph.find(wrt))
    assert (found.depends, found.flows) == (depends, flows)
    texts = [cut.text(graph) for cut in found.cuts]
    assert reason in texts[0] if reason else not texts


def test_passes_are_known_for_both_modes() -> None:
    graph = model()
    forward, reverse = dependence_of(graph.find("y"), graph.find("x")).passes
    assert (str(forward), str(reverse)) == ("diagonal: 1 forward pass", "diagonal: 1 reverse pass")
    assert dependence_of(graph.find("guess"), graph.find("x")).passes == ()


def test_a_cut_names_the_users_line() -> None:
    graph = gc.parse("x: input(f32, 3)\ny = argmax(x)\noutput(y)", "model.graph")
    (cut,) = dependence_of(graph.find("y"), graph.find("x")).cuts
    assert "model.graph:2" in cut.text(graph)
