"""Random cells of slices, turned and reshaped values, and rows of a table agree everywhere.

What loops bind before they run (views, slices of all steps, gates that lie apart) has to show the
value of the step at which it is read: after it is written, before it is overwritten.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

N, H = 4, 4
UNARY = (gc.tanh, gc.sigmoid, gc.sin, lambda x: 1.0 - x, lambda x: 0.5 * x + 2.0)
BINARY = (gc.add, gc.multiply, gc.subtract)


def random_cell(seed: int) -> tuple[gc.Graph, dict[str, np.ndarray]]:
    """Return a loop over a cell with gates, views and rows of a table, and its arguments."""
    rng = np.random.default_rng(seed)
    steps: Any = [gc.dim("T"), 1, 4][rng.integers(3)]
    length = steps if isinstance(steps, int) else 3
    W, U = (gc.input(name, (H, 4 * H), dtype="float64") for name in ("W", "U"))
    table = gc.input("table", (5, H), dtype="float64")
    x = gc.input("x", (steps, N, H), dtype="float64")
    words = gc.input("words", (steps, N), dtype="int64")
    starts = [gc.input(f"s{i}", (N, H), dtype="float64") for i in range(2)]

    def view(a: Node) -> Node:
        kind = rng.integers(7)
        if kind == 0:
            return a[:, ::-1]
        if kind == 5:
            return a[gc.constant([[0, 1, 3, 2]] * N), gc.constant([[3, 0, 1, 1]] * N)]
        if kind == 6:
            return gc.cumsum(a, axis=1)
        if kind == 1:
            return gc.transpose(a)  # N = H
        if kind == 2:
            return gc.reshape(gc.reshape(a, (2, 2, H))[:, 0], (2, H))[0] + a
        if kind == 3:
            return gc.concat(a[:, 2:], a[:, :2], axis=1)
        return gc.reshape(gc.transpose(a), (N, H))

    def cell(*arguments: Node) -> tuple[Node, ...]:
        h, c, x_t, words_t = arguments
        z = x_t @ W + h @ U
        z = UNARY[rng.integers(len(UNARY))](z) if rng.integers(2) else z
        gates = [z[:, k * H : (k + 1) * H] for k in range(4)]
        gates = [gc.sigmoid(g) if rng.integers(3) else gc.tanh(g) for g in gates]
        pool = [*gates, h, c, x_t, gc.take(table, words_t, axis=0)]
        for _ in range(int(rng.integers(2, 7))):
            a, b = (pool[rng.integers(len(pool))] for _ in range(2))
            if rng.integers(3) == 0:
                pool.append(view(a))
            else:
                pool.append(BINARY[rng.integers(len(BINARY))](a, b))
        results = [gc.tanh(pool[rng.integers(len(pool))]), gc.sin(pool[-1])]
        if rng.integers(4) == 0:
            results[1] = h
        both = [*pool, *results, z, gc.sum(pool[-1]), gc.sum(z, axis=0)]
        results += [both[rng.integers(len(both))] for _ in range(int(rng.integers(0, 4)))]
        return tuple(results)

    reverse = bool(rng.integers(2))
    results = gc.scan(cell, tuple(starts), (x, words), reverse=reverse)
    loss = sum((gc.sum(gc.sin(r)) for r in results), gc.sum(U) * 0.1)
    loss = loss + 0.01 * sum(gc.sum(leaf) for leaf in (W, table, x, *starts))
    outputs = {f"r{i}": r for i, r in enumerate(results) if rng.integers(2)}
    graph = gc.graph({**outputs, "loss": loss, "n": gc.sum(words)}, name="cells")
    values = {
        name: rng.normal(size=[length if not isinstance(d, int) else d for d in node.shape])
        for name, node in graph.inputs.items()
    }
    values["words"] = rng.integers(0, 5, (length, N))
    return graph, values


@pytest.mark.parametrize("seed", range(40))
def test_random_cells_have_one_value(seed: int) -> None:
    graph, values = random_cell(seed)
    wrt = [name for name in values if name != "words"]
    expected = gc.interpret(graph.gradient("loss", wrt=wrt), **values)
    level = (2, 2, 3, 0, 1)[seed % 5]
    function = gc.compile(graph, gradient_of="loss", wrt=wrt, optimize=level, style="fast")
    for turned in (False, True, False):  # kept buffers, and arguments that lie otherwise
        given = {
            name: np.asfortranarray(value) if turned else value.copy()
            for name, value in values.items()
        }
        got = function(**given)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, 1e-9, 1e-9, err_msg=name)
