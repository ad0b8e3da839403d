"""What a layer returns is called as the layer is, unless the user calls it otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

nn = gc.nn
LAYERS: dict[str, Callable[[Node, str], Node]] = {
    "dense": lambda x, name: nn.dense(x, 3, activation="tanh", name=name),
    "layer_norm": lambda x, name: nn.layer_norm(x, name=name),
    "conv1d": lambda x, name: nn.conv1d(x, 4, 3, padding=1, name=name),
    "max_pool1d": lambda x, name: nn.max_pool1d(x, 2, name=name),
    "avg_pool1d": lambda x, name: nn.avg_pool1d(x, 2, name=name),
    "conv_transpose1d": lambda x, name: nn.conv_transpose1d(x, 4, 2, name=name),
    "gru": lambda x, name: nn.gru(x, 3, name=name)[0],
}


def source_of(loss: Node, style: str = "readable") -> str:
    return gc.compile(
        gc.graph({"loss": loss}, name="model"), gradient_of="loss", style=style
    ).source


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("layer", LAYERS)
def test_what_a_layer_returns_is_called_like_it(layer: str, style: str) -> None:
    x = gc.input("x", ("N", 4, 8))
    made = LAYERS[layer](gc.param("p", (4,))[:, None] * x, "mine")
    assert (made.name, made.provenance.is_called_after_layer) == ("mine", True)
    source = source_of(gc.mean(LAYERS[layer](x * 2, "mine") ** 2), style).partition("def check")[0]
    assert re.search(r"\bmine\b(?!\.)", source.partition("    # forward")[2])


def test_a_step_reads_as_by_hand() -> None:
    x = gc.input("x", ("N", 8))
    h = nn.dense(nn.layer_norm(x, name="ln"), 4, activation="relu", name="up")
    graph = gc.graph({"loss": gc.mean(nn.dense(h, 8, name="down") ** 2)})
    source = gc.compile(graph, gradient_of="loss", style="readable").source
    for line in (
        "ln_mean = x.mean(axis=1, keepdims=True)  # [N, 1]",
        "ln_normal = ln_centred / ln_spread  # [N, 8]  standardize(x)",
        "ln = ln_normal * ln_W + ln_b  # [N, 8]",
        "h = np.maximum(ln @ up_W + up_b, 0)  # [N, 4]",
        "down = h @ down_W + down_b  # [N, 8]",
        "d_down = down / (4 * N)  # [N, 8]  dloss/ddown",
        "d_ln = d_h_pre @ up_W.T  # [N, 8]  dloss/dln",
    ):
        assert f"    {line}\n" in source


def test_a_name_of_the_users_comes_first() -> None:
    x = gc.input("x", ("N", 4))
    hidden = nn.dense(x, 4, name="layer")
    graph = gc.graph({"p": nn.dense(hidden, 4, name="scores")})
    assert {"hidden", "p"} <= {*graph.labels.values()}
    assert not {"layer", "scores"} & {*graph.labels.values()}


def test_a_layer_leaves_its_name_to_what_else_is_called_so() -> None:
    x = gc.input("x", ("N", 4))
    pi = gc.softmax(nn.dense(x, 4, name="pi"), axis=1)
    graph = gc.graph({"loss": gc.mean(gc.log(pi + x))})
    assert graph.labels[pi] == "pi" and "pi_2" not in graph.labels.values()
    source = gc.compile(graph, gradient_of="loss", style="readable").source
    assert "pi_add = x @ pi_W + pi_b" in source and "d_pi_2" not in source
    part = nn.dense(x, 4, name="a.b").named("a_b") + nn.dense(gc.tanh(x), 4, name="a_b")
    assert [*gc.graph({"y": part}).labels.values()].count("a_b") == 1


def test_one_layer_in_two_places_has_numbers() -> None:
    a, b, W = gc.input("a", ("N", 4)), gc.input("b", ("N", 4)), gc.param("W", (4, 3))
    left = [nn.dense(x, 3, weight=W, use_bias=False, name="code") for x in (a, b)]
    graph = gc.graph({"loss": gc.mean((left[0] - left[1]) ** 2)})
    assert [graph.labels[x] for x in left] == ["code", "code_2"]


def test_texts_keep_the_names_of_layers() -> None:
    x = gc.input("x", ("N", 4))
    graph = gc.graph({"y": gc.exp(nn.dense(nn.dense(x, 3, name="first"), 2, name="last"))})
    assert "    first: f32[N, 3] = x @ first_W + first_b\n" in str(graph)
    again = gc.parse(str(graph))
    assert again == graph and str(again) == str(graph)
    assert gc.compile(again, style="readable").source == gc.compile(graph, style="readable").source


def test_what_is_cut_out_of_a_layer_is_still_of_it() -> None:
    x = gc.input("x", ("N", 5, 4))
    h = nn.layer_norm(x * gc.param("scale", (4,), init=1.0), name="ln")
    source = source_of(gc.mean(nn.dense(h[:, 0], 1, name="out") ** 2))
    assert "ln_centred = " in source and "x_centred" not in source


def test_a_name_that_tells_needs_no_comment() -> None:
    x = gc.input("x", ("N", 4))
    h = gc.relu(nn.dense(x, 4, name="first"))
    source = source_of(gc.mean(nn.dense(h + gc.cos(h), 3, name="last") ** 2))
    assert "    first_relu = np.maximum(first, 0)  # [N, 4]\n" in source


def test_two_normalizations_are_told_apart() -> None:
    x = gc.input("x", ("N", 4))
    for i in range(2):
        x = nn.layer_norm(gc.tanh(x), name=f"ln{i}")
    source = source_of(gc.mean(x**3))
    assert "ln0_centred" in source and "ln1_centred" in source
    assert not re.search(r"\b(?:mean|centred|spread|variance)_\d", source)


def test_numbers_of_sizes_are_a_scale() -> None:
    x, W = gc.input("x", ("N", 4)), gc.param("W", (4, 2), init=gc.init.normal())
    z = x @ W
    source = source_of(gc.mean(gc.sum(gc.softmax(z, axis=1) * gc.log_softmax(z, axis=1), axis=1)))
    assert not re.search(r"^ +(?:divide|multiply)(?:_\d)? = ", source, re.MULTILINE)


def test_a_carry_begins_with_an_expression() -> None:
    x, W = gc.input("x", ("T", 4)), gc.param("W", (4,), init=1.0)

    def cell(h: Node, x_t: Node) -> tuple[Node, Node]:
        h = gc.tanh(h * W + x_t)
        return h, h

    _, hs = gc.scan(cell, (gc.param("start", (4,)) + x[0]) * 2, x)
    graph = gc.graph({"loss": gc.sum(hs)}, name="loop")
    step = gc.compile(graph, style="readable")
    assert "    h = (start + x[0]) * 2  # [4]\n" in step.source
    state, at = step.init(seed=0), np.ones((3, 4), "float32")
    found = step(state, x=at)["loss"]
    assert np.allclose(found, gc.interpret(graph, state, x=at)["loss"], rtol=1e-6)


def test_a_view_of_an_identity_stays_one() -> None:
    x = gc.input("x", ("T", 3, 3))
    _, all_of_them = gc.scan(lambda a, x_t: (a @ x_t, a), gc.eye(3), x)
    graph = gc.graph({"loss": gc.sum(all_of_them * gc.param("p", (3, 3), init=1.0))})
    assert "CONSTANT" not in gc.compile(graph, gradient_of="loss", style="readable").source


def test_a_layer_of_ones_own_gives_its_name_to_what_it_returns() -> None:
    x = gc.input("x", ("N", 4))

    def gated(x: Node, name: str) -> Node:
        with gc.scope(name):
            W = gc.param(f"{name}.W", (4, 4), init=gc.init.normal())
            return (gc.sigmoid(x @ W) * x).named(name)

    named = gated(gated(x, "first"), "second")
    graph = gc.graph({"loss": gc.mean(named**2)})
    assert "first" in graph.labels.values() and graph.labels[named] == "named"
