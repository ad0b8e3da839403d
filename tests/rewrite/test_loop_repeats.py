"""What a step only repeats is neither stacked by a loop nor taken from a stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.loop import Parts, Scan
from graphc.rewrite.pipeline import optimize

T, N, H = 5, 3, 4
RNG = np.random.default_rng(0)
DATA: dict[str, Any] = {
    "x": RNG.standard_normal((T, N, H)),
    "m": (RNG.random((T, N)) > 0.3).astype(np.float64),
    "row": RNG.standard_normal((T, H)),
    "c": RNG.standard_normal((N, 1)),
}


def masked(h: Node, x: Node, m: Node, row: Node, c: Node) -> tuple[Node, Node]:
    keep = gc.expand_dims(m, -1)
    h = keep * gc.tanh(x + h) + (1 - keep) * h
    return h, h


def scaled_by_rows(h: Node, x: Node, m: Node, row: Node, c: Node) -> tuple[Node, Node]:
    h = gc.tanh(gc.exp(row) * h + x)
    return h, h


def scaled_by_a_constant(h: Node, x: Node, m: Node, row: Node, c: Node) -> tuple[Node, Node]:
    h = gc.sin(h * c) + x
    return h, h


def scaled_by_its_own_mean(h: Node, x: Node, m: Node, row: Node, c: Node) -> tuple[Node, Node]:
    h = gc.tanh(x + h) * gc.sigmoid(gc.mean(h, axis=1, keepdims=True))
    return h, h


def emitting_repeats(h: Node, x: Node, m: Node, row: Node, c: Node) -> tuple[Node, Node]:
    shown = gc.broadcast_to(gc.mean(h, axis=1, keepdims=True), (N, H))
    return gc.tanh(x + h), shown


CELLS: list[Callable[..., tuple[Node, Node]]] = [
    masked,
    scaled_by_rows,
    scaled_by_a_constant,
    scaled_by_its_own_mean,
    emitting_repeats,
]


def model(cell: Callable[..., tuple[Node, Node]]) -> Graph:
    leaves = {name: gc.input(name, value.shape, "float64") for name, value in DATA.items()}
    W = gc.param("W", (H, H), "float64", init=gc.init.orthogonal())
    sequences = leaves["x"] @ W, leaves["m"], leaves["row"]

    def step(h: Node, x: Node, m: Node, row: Node) -> tuple[Node, Node]:
        return cell(h, x, m, row, leaves["c"])

    h, hs = gc.scan(step, init=gc.zeros((N, H), "float64"), xs=sequences)
    return gc.graph({"loss": gc.mean(gc.square(h)) + gc.mean(gc.square(hs)), "hs": hs})


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("cell", CELLS)
def test_values_and_gradients_stay(cell: Callable[..., tuple[Node, Node]], style: str) -> None:
    graph = model(cell)
    wrt, data = ["W", *graph.inputs], {name: DATA[name] for name in graph.inputs}
    state = graph.init(0)
    wanted = gc.interpret(graph.gradient("loss", wrt), state, **data)
    got = gc.compile(graph, gradient_of="loss", wrt=wrt, style=style)(state, **data)
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("cell", CELLS)
def test_no_loop_stacks_or_takes_copies(cell: Callable[..., tuple[Node, Node]], style: str) -> None:
    found = optimize(model(cell).gradient("loss"), style=style)
    loops = [Parts(node) for node in found.nodes if isinstance(node.op, Scan)]
    assert len(loops) == 2
    for loop in loops:
        seen = [*loop.emitted, *loop.operands.sequences]
        assert not [node for node in seen if node.op.name == "broadcast_to"]


def test_lengths_are_kept_as_a_small_mask() -> None:
    x = gc.input("x", ("T", "N", 8))
    lengths = gc.input("lengths", ("N",), dtype="int64")
    _, h = gc.nn.gru(x, 8, name="r", lengths=lengths)[:2]
    graph = gc.graph({"loss": gc.mean(gc.square(h))})
    source = gc.compile(graph, gradient_of="loss").source
    assert "np.empty((T, N, 8), bool)" not in source
    assert "broadcast_to" not in source
