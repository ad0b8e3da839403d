"""The work of the compiler grows with the nodes, also where one of them has thousands of operands.

Work is counted in calls of functions, which no other load on the machine changes.
"""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable

import pytest

import graphc as gc


def stacked(n: int) -> gc.Graph:
    x = gc.input("x")
    return gc.graph({"y": gc.stack([x * float(k) for k in range(n)]).sum()})


def added_up(n: int) -> gc.Graph:
    x = gc.input("x", (n,))
    y = x[0]
    for k in range(1, n):
        y = y + x[k]
    return gc.graph({"y": y})


def fanned_out(n: int) -> gc.Graph:
    e = gc.exp(gc.input("x", ("N",)))
    return gc.graph({"y": sum(gc.sin(e * float(k)).sum() for k in range(n))})


def calls_of(build: Callable[[int], gc.Graph], n: int, style: str) -> int:
    graph = build(n)
    profile = cProfile.Profile()
    profile.enable()
    gc.compile(graph, gradient_of="y", wrt="x", style=style)
    profile.disable()
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined]  # set when it is made


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("build", [stacked, added_up, fanned_out])
def test_work_is_linear(build: Callable[[int], gc.Graph], style: str) -> None:
    calls_of(build, 10, style)  # what is imported and derived once
    few, more, most = (calls_of(build, n, style) for n in (100, 300, 500))
    assert most - more < 1.15 * (more - few)
