"""Checkpoints: the same values and gradients from less memory and more arithmetic."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.barrier import recompute_from
from graphc.ops.registry import OPS

BLOCKS, LAYERS, WIDTH = 4, 3, 8


def block(name: str, is_checkpoint: bool) -> AbstractContextManager[None]:
    return gc.checkpoint(name) if is_checkpoint else gc.scope(name)


def deep(is_checkpoint: bool, dropout: bool = False, nested: bool = False) -> Graph:
    """Return blocks of dense layers, x [N, 8] -> loss []."""
    x = gc.input("x", ("N", WIDTH), "float64")
    h = x
    for b in range(BLOCKS):
        with block(f"block{b}", is_checkpoint):
            for k in range(LAYERS):
                W = gc.param(f"W{b}{k}", (WIDTH, WIDTH), "float64", init=gc.init.glorot_uniform())
                with block(f"inner{k}", is_checkpoint and nested):
                    h = gc.tanh(gc.tanh(h) @ W)
                    if dropout:
                        h = gc.nn.dropout(h, 0.5)
    return gc.graph({"loss": gc.mean(gc.square(h)), "h": h}, name="deep")


def point(model: Graph) -> tuple[dict[str, Any], np.ndarray]:
    return model.init(seed=1), np.random.default_rng(0).normal(size=(5, WIDTH))


def gradients(model: Graph, level: int, style: str) -> dict[str, np.ndarray]:
    state, x = point(model)
    f = gc.compile(model, gradient_of="loss", optimize=level, style=style)
    draws = {"rng": np.random.default_rng(7)} if any(n.op.is_random for n in model.nodes) else {}
    return f(state, x=x, **draws)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"dropout": True}, {"nested": True}], ids=str)
def test_values_and_gradients_are_unchanged(
    options: dict[str, bool], level: int, style: str
) -> None:
    kept = gradients(deep(False, **options), level, style)
    recomputed = gradients(deep(True, **options), level, style)
    assert kept.keys() == recomputed.keys()
    for name, value in kept.items():
        np.testing.assert_allclose(recomputed[name], value, rtol=1e-12, atol=1e-15, err_msg=name)


def test_peak_memory_falls_and_operations_rise() -> None:
    def cost(model: Graph) -> Any:
        return gc.compile(model, gradient_of="loss").graph.cost().at(N=1000)

    kept, recomputed = cost(deep(False)), cost(deep(True))
    forward = gc.compile(deep(False)).graph.cost().at(N=1000)
    assert kept.flops < recomputed.flops <= kept.flops + forward.flops
    assert recomputed.peak_bytes < 0.65 * kept.peak_bytes


def test_only_the_values_at_the_boundary_are_read_later() -> None:
    graph = deep(True).gradient("loss")
    forward = {node for node in graph.nodes if node.provenance.phase == "forward"}
    read = {
        x
        for node in graph.nodes
        if node not in forward
        for x in node.inputs
        if x in forward and x.op is OPS["tanh"]
    }
    inside = {node.provenance.checkpoints for node in read}
    assert inside == {("block0",), ("block1",), ("block2",), ("block3",)}
    assert len(read) == BLOCKS  # the end of each block, nothing else


def test_each_block_is_recomputed_when_its_cotangent_is_there() -> None:
    source = gc.compile(deep(True), gradient_of="loss", style="fast").source
    lines = source.partition("# backward")[2].splitlines()
    again = [i for i, line in enumerate(lines) if line.endswith("recomputed")]
    gradient = [i for i, line in enumerate(lines) if line.lstrip().startswith("d_W")]
    assert len(again) > BLOCKS
    # Recomputing goes on between the gradients, block by block.
    assert sum(gradient[0] < i for i in again) > len(again) / 2
    assert again[-1] > gradient[-LAYERS - 1]


def test_a_draw_inside_is_drawn_once() -> None:
    f = gc.compile(deep(True, dropout=True), gradient_of="loss", style="fast")
    assert f.source.count("rng.random(") == BLOCKS * LAYERS


def test_nested_checkpoints_hold_less_at_once() -> None:
    def peak(nested: bool) -> Any:
        x = gc.input("x", ("N", WIDTH), "float64")
        h = x
        with gc.checkpoint("outer"):
            for k in range(6):
                with block(f"inner{k}", nested):
                    for _ in range(6):
                        h = gc.tanh(gc.sin(h))
        graph = gc.graph({"loss": gc.sum(gc.square(h))}).gradient("loss", "x")
        return gc.optimize(graph).cost().at(N=1000)

    flat, nested = peak(False), peak(True)
    assert nested.peak_bytes < 0.7 * flat.peak_bytes
    assert nested.flops > flat.flops


def small(is_checkpoint: bool) -> Graph:
    x = gc.input("x", (3,), "float64")
    with block("a", is_checkpoint):
        h = gc.tanh(gc.sin(x) * x)
        y = gc.exp(h) * x
    with block("b", is_checkpoint):
        loss = gc.sum(gc.square(gc.tanh(y)) * y)
    return gc.graph({"loss": loss, "y": y}, name="small")


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_second_derivatives_are_unchanged(mode: str, level: int) -> None:
    at = np.array([0.3, -0.7, 1.1])
    kept, recomputed = (
        gc.compile(small(c).hessian("loss", "x", mode=mode), optimize=level)(x=at)
        for c in (False, True)
    )
    np.testing.assert_allclose(
        recomputed["d2_loss_d_x_d_x"], kept["d2_loss_d_x_d_x"], rtol=1e-11, atol=1e-13
    )


def test_third_derivative_and_products_are_unchanged() -> None:
    at = {"x": np.array([0.3, -0.7, 1.1]), "x_v": np.array([1.0, 2.0, -1.0])}
    found = []
    for is_checkpoint in (False, True):
        product = small(is_checkpoint).hvp("loss", "x")
        node = gc.sum(product.outputs["d2_loss_d_x_v"])
        third = gc.graph({"p": node}).gradient("p", "x")
        found.append(gc.compile(third)(**at)["d_p_d_x"])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10)


def test_jacobian_of_many_directions_recomputes_once_for_all() -> None:
    def outputs(is_checkpoint: bool) -> Graph:
        x = gc.input("x", (4,), "float64")
        W = gc.param("W", (4, 3), "float64", init=gc.init.glorot_uniform())
        with block("a", is_checkpoint):
            y = gc.tanh(gc.tanh(x) @ W)
        return gc.graph({"y": y})

    kept, recomputed = outputs(False), outputs(True)
    state, x = kept.init(seed=0), np.linspace(-1, 1, 4)
    for mode in ("forward", "reverse"):
        a, b = (gc.compile(g.jacobian("y", "x", mode=mode)) for g in (kept, recomputed))
        np.testing.assert_allclose(b(state, x=x)["d_y_d_x"], a(state, x=x)["d_y_d_x"], rtol=1e-12)
    again = [n for n in recomputed.jacobian("y", "x", mode="reverse").nodes if n.op is OPS["tanh"]]
    assert all(n.ndim == 1 for n in again)


def test_a_scope_that_is_left_and_entered_again() -> None:
    """Values may leave a checkpoint and come back: nothing waits for itself."""

    def twice(is_checkpoint: bool) -> Graph:
        x = gc.input("x", (3,), "float64")
        with block("a", is_checkpoint):
            first = gc.sin(gc.exp(x))
        with block("b", is_checkpoint):
            between = gc.tanh(gc.sin(first))
        with block("a", is_checkpoint):
            last = gc.sin(gc.tanh(between * first) * gc.cos(x))
        with block("b", is_checkpoint):
            loss = gc.sum(gc.sin(gc.sin(last * between)))
        return gc.graph({"loss": loss})

    at = np.array([0.2, -0.4, 0.9])
    kept, recomputed = (gc.compile(twice(c), gradient_of="loss", wrt=["x"]) for c in (False, True))
    np.testing.assert_allclose(recomputed(x=at)["d_loss_d_x"], kept(x=at)["d_loss_d_x"], rtol=1e-12)


def test_a_loop_inside_and_around() -> None:
    def recurrent(is_checkpoint: bool) -> Graph:
        xs = gc.input("xs", (5, 3), "float64")
        W = gc.param("W", (3, 3), "float64", init=gc.init.glorot_uniform())

        def cell(h: Node, x: Node) -> tuple[Node, Node]:
            with block("cell", is_checkpoint):
                new = gc.tanh(gc.sin(x + gc.tanh(h @ W)))
            return new, new

        with block("all", is_checkpoint):
            last, states = gc.scan(cell, init=gc.zeros((3,), "float64"), xs=gc.tanh(xs))
            loss = gc.sum(gc.sin(gc.tanh(states))) + gc.sum(last)
        return gc.graph({"loss": loss})

    kept, recomputed = recurrent(False), recurrent(True)
    state, xs = kept.init(seed=0), np.random.default_rng(0).normal(size=(5, 3))
    for style in ("readable", "fast"):
        a, b = (gc.compile(g, gradient_of="loss", style=style) for g in (kept, recomputed))
        np.testing.assert_allclose(
            b(state, xs=xs)["d_loss_d_W"], a(state, xs=xs)["d_loss_d_W"], rtol=1e-12
        )


TEXT = """x: input(f64, N, 3)

with checkpoint("block1"):
    h: f64[N, 3] = tanh(exp(x))
with checkpoint("block1"), scope("inner"):
    k: f64[N, 3] = sin(h)
with scope("encoder"), checkpoint("block2"):
    loss: f64 = sum(sin(cos(k)))
output(loss)
"""


def test_text_form_round_trip() -> None:
    graph = gc.parse(TEXT)
    assert str(graph) == TEXT
    assert graph.find("loss").provenance.checkpoints == ("encoder/block2",)
    step = graph.gradient("loss", "x")
    assert "recompute_from(" in str(step)
    assert gc.parse(str(step)) == step
    assert str(gc.parse(str(step))) == str(step)
    better = gc.optimize(step)
    assert gc.parse(str(better)) == better


def test_a_graph_without_checkpoints_has_no_barrier() -> None:
    assert all(node.op is not recompute_from for node in deep(False).gradient("loss").nodes)
