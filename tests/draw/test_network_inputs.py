"""What a network reads that is no plain input: flattened images, embeddings, products of inputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from drawn_graphs import edges, texts

import graphc as gc
from graphc.draw.networks.dense_layers import find_network


def flattened() -> gc.Node:
    return gc.input("image", ("N", 4, 4)).reshape((-1, 16))


def features_of_a_number() -> gc.Node:
    t = gc.input("t", ("N",))
    return gc.stack([gc.sin(t), gc.cos(t)], axis=1)


def embedding() -> gc.Node:
    return gc.nn.embedding(gc.input("word", ("N",), "int64"), 10, 4)


def bag_of_words() -> gc.Node:
    return gc.nn.embedding(gc.input("words", ("N", 3), "int64"), 10, 4).mean(axis=1)


def one_hot() -> gc.Node:
    return gc.one_hot(gc.input("label", ("N",), "int64"), 4)


def neighbours() -> gc.Node:
    return gc.input("adjacency", ("N", "N")) @ gc.input("x", ("N", 3))


def convolved() -> gc.Node:
    """Return as many channels as the image is wide."""
    image = gc.input("x", ("N", 3, 4, 4))
    return gc.nn.conv2d(image, 4, 3, padding=1).mean(axis=(2, 3))


SOURCES = [
    flattened,
    convolved,
    features_of_a_number,
    embedding,
    bag_of_words,
    one_hot,
    neighbours,
]


@pytest.mark.parametrize("source", SOURCES)
def test_a_layer_reads_whatever_is_computed_from_inputs_alone(
    source: Callable[[], gc.Node],
) -> None:
    x = source()
    graph = gc.graph({"y": gc.nn.dense(gc.nn.dense(x, 5, activation="tanh"), 2)})
    found = find_network(graph)
    assert [layer.size for layer in found.layers] == [x.shape[-1], 5, 2]
    shown = texts(gc.draw.network(graph))
    captions = {
        convolved: "from feature maps",
        embedding: "row of a table",
        bag_of_words: "mean of rows",
    }
    assert (
        captions.get(source, "input") in shown
        and "hidden · tanh" in shown
        and "from other layers" not in shown
    )


def test_a_product_that_is_written_twice_is_one_layer() -> None:
    """As a textbook writes the softmax, over and under the line."""
    x, table = gc.input("x", ("N", 3)), gc.param("table", (5, 3))
    p = gc.exp(x @ table.T) / gc.exp(x @ table.T).sum(axis=1, keepdims=True)
    picture = gc.draw.network(gc.graph({"p": p.named("p")}))
    shown = texts(picture)
    assert [text for text in shown if text.startswith(("input", "output"))] == [
        "input",
        "output · softmax",
    ]
    assert len({head for _, head in edges(picture)}) == 5


def test_features_of_an_image_do_not_go_by_its_name() -> None:
    graph = gc.graph({"y": gc.nn.dense(convolved(), 2, name="out")})
    assert not {"x₁", "x₂"} & set(texts(gc.draw.network(graph)))


def test_a_number_for_each_sample_is_one_input_with_its_own_name() -> None:
    t = gc.input("t", ("N",))
    graph = gc.graph({"u": gc.nn.dense(t[:, None], 3)})
    assert find_network(graph).layers[0].node is t
    assert {"t", "input"} <= set(texts(gc.draw.network(graph)))


@pytest.mark.parametrize("shape", [(3,), ("N", 3)])
def test_a_neuron_may_be_written_as_a_weighted_sum(shape: tuple[gc.Dim | str | int, ...]) -> None:
    x, w, b = gc.input("x", shape), gc.param("w", (3,)), gc.param("b", ())
    by_sum = gc.graph({"y": gc.sigmoid(gc.sum(w * x, axis=-1) + b)})
    by_product = gc.graph({"y": gc.sigmoid(x @ w + b)})
    assert gc.draw.network(by_sum).source == gc.draw.network(by_product).source
