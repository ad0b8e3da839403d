"""Networks that are a part of a graph: their captions say what stands before and behind them."""

from __future__ import annotations

import pytest
from drawn_graphs import texts

import graphc as gc


def convolutional() -> gc.Graph:
    maps = gc.relu(gc.nn.conv2d(gc.input("x", ("N", 1, 8, 8)), 2, 3, name="conv"))
    flat = gc.nn.max_pool2d(maps, 2).reshape((-1, 18)).named("f")
    return gc.graph({"y": gc.nn.dense(flat, 3, name="out")})


def generator() -> gc.Graph:
    code = gc.nn.dense(gc.input("z", ("N", 3)), 16, activation="relu", name="code")
    maps = code.reshape((-1, 1, 4, 4))
    return gc.graph({"image": gc.nn.conv2d(maps, 1, 3, padding=1, name="conv")})


def recurrent(also: bool = False) -> gc.Graph:
    read = gc.nn.dense(gc.input("x", ("T", "N", 3)), 4, activation="tanh", name="read")
    states, _ = gc.nn.rnn(read, 5, name="rnn")
    return gc.graph({"h": states} | ({"read": read} if also else {}))


def test_weights_that_a_layer_makes_are_no_output() -> None:
    """A hypernetwork: its last layer is the matrix that the input of another one meets."""
    x, context = gc.input("x", ("N", 3)), gc.input("c", ("N", 2))
    made = gc.nn.dense(gc.nn.dense(context, 5, name="a"), 12, name="b").reshape(-1, 3, 4)
    y = gc.tanh(gc.einsum("ni,nij->nj", x, made))
    shown = texts(gc.draw.network(gc.graph({"y": y})))
    assert "on to a product with other units" in shown and "output" not in shown


def test_flattened_feature_maps_are_no_input() -> None:
    shown = texts(gc.draw.network(convolutional()))
    assert "from feature maps" in shown and "output" in shown and "input" not in shown
    assert "From feature maps f: 18 units." in gc.draw.network(convolutional()).description


@pytest.mark.parametrize(
    ("graph", "words"), [(generator(), "on to feature maps"), (recurrent(), "on to a loop")]
)
def test_a_layer_that_others_read_is_no_output(graph: gc.Graph, words: str) -> None:
    shown = texts(gc.draw.network(graph))
    assert words in shown and not [text for text in shown if text.startswith("output")]
    assert any(text.startswith("hidden") for text in shown)


def test_an_output_that_a_loop_reads_is_one() -> None:
    assert "output · tanh" in texts(gc.draw.network(recurrent(also=True)))


def test_predictions_that_only_a_loss_reads_are_the_networks_output() -> None:
    x, y, W = gc.input("x", ("N", 3)), gc.input("y", ("N", 2)), gc.param("W", (3, 2))
    loss = gc.mean(gc.square(x @ W - y)) + 0.1 * gc.sum(W * W)
    shown = texts(gc.draw.network(gc.graph({"loss": loss})))
    assert "output" in shown and not [text for text in shown if text.startswith("on to")]
