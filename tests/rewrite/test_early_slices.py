"""Only what is sliced is computed: the class token of a vision transformer, the end of a chain."""

from __future__ import annotations

import numpy as np

import graphc as gc
from graphc.ir.graph import Graph
from graphc.run.reference import interpret


def block(x: gc.Node, width: int, name: str) -> gc.Node:
    """Return x after self-attention with one head and a network of two layers, both with skips."""
    h = gc.nn.layer_norm(x, name=f"{name}.norm1")
    q, k, v = (gc.nn.dense(h, width, name=f"{name}.{word}") for word in "qkv")
    weights = gc.softmax(q @ gc.swapaxes(k, 1, 2) / width**0.5, axis=-1)
    x = x + gc.nn.dense(weights @ v, width, name=f"{name}.out")
    h = gc.nn.layer_norm(x, name=f"{name}.norm2")
    h = gc.nn.dense(h, 4 * width, activation=gc.gelu, name=f"{name}.up")
    return x + gc.nn.dense(h, width, name=f"{name}.down")


def transformer() -> Graph:
    h = block(block(gc.input("x", ("N", 9, 6)), 6, "first"), 6, "last")
    z = gc.nn.dense(gc.nn.layer_norm(h, name="norm")[:, 0], 3, name="head")
    graph = gc.graph({"loss": gc.mean(gc.square(z))}, name="transformer")
    return graph.astype("float64")


def test_the_last_block_is_computed_for_the_class_token_alone() -> None:
    graph = transformer()
    state = graph.init(seed=0)
    given = {"x": np.random.default_rng(0).normal(size=(4, 9, 6))}
    wanted = interpret(graph.gradient("loss"), state, **given)
    for style in ("readable", "fast"):
        f = gc.compile(graph, gradient_of="loss", style=style)
        for name, value in f(state, **given).items():
            np.testing.assert_allclose(value, wanted[name], rtol=1e-9, atol=1e-12)
        shapes = {
            tuple(map(str, node.shape))
            for node in f.graph.nodes
            if any(x.op.name == "param" and x.attrs["name"] == "last.up.W" for x in node.inputs)
            and node.op.name == "einsum"
        }
        assert shapes and all("9" not in shape for shape in shapes), (style, shapes)


def test_a_product_that_others_read_stays_whole() -> None:
    x, W = gc.input("x", ("N", 5, 4)), gc.param("W", (4, 6))
    h = x @ W
    graph = gc.graph({"first": h[:, 0], "all": h})
    products = [node for node in gc.optimize(graph).nodes if node.op.name == "einsum"]
    assert len(products) == 1


def test_slices_of_normalized_axes_stay_behind() -> None:
    x = gc.input("x", ("N", 5), dtype="float64")
    graph = gc.graph({"y": gc.softmax(x, axis=1)[:, :2] + gc.softmax(x, axis=0)[:, 1:3]})
    given = {"x": np.random.default_rng(0).normal(size=(3, 5))}
    better = gc.optimize(graph)
    np.testing.assert_allclose(
        interpret(better, **given)["y"], interpret(graph, **given)["y"], rtol=1e-12
    )


def test_one_product_of_two_orders_is_computed_once() -> None:
    """S @ (x @ W) is (S @ x) @ W, whose factor the derivative by W reads, too."""
    S, x = gc.input("S", ("V", "V")), gc.input("x", ("V", 4))
    h = gc.relu(S @ (x @ gc.param("W", (4, 6))))
    f = gc.compile(gc.graph({"loss": gc.mean(h)}), gradient_of="loss", style="readable")
    assert f.source.count("S @ x") == 1
    assert "x.T @ S" not in f.source
