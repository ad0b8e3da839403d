"""A chain of steps in one memory is written in time that grows with its length alone."""

from __future__ import annotations

import time

import graphc as gc


def seconds(length: int) -> float:
    """Return the CPU time of writing a chain in which each value overwrites the one before."""
    h = gc.input("x", (8,))
    for _ in range(length):
        h = gc.tanh(h)
    graph = gc.graph({"y": h})
    start = time.process_time()
    gc.emit(graph, style="fast")
    return time.process_time() - start


def test_eight_thousand_steps_take_linear_time() -> None:
    seconds(100)
    assert seconds(8000) < 20 * seconds(1000) + 1  # 8 where linear, 64 where quadratic
