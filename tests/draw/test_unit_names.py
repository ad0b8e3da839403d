"""Every unit and every weight of a network has a name of its own."""

from __future__ import annotations

import re

import numpy as np
import pytest
from drawn_graphs import texts

import graphc as gc
from graphc.draw import Drawing
from graphc.draw.short_names import shorts, without_scopes


def two_dense(first: str = "first", second: str = "second") -> gc.Graph:
    x = gc.input("x", ("N", 2))
    h = gc.nn.dense(x, 3, name=first, activation=gc.tanh)
    return gc.graph({"y": gc.nn.dense(h, 2, name=second)})


def labels(picture: Drawing) -> list[str]:
    """Return the labels on edges, in the order of the source."""
    return re.findall(r"^  lw_.*?<FONT[^>]*>([^<]*)</FONT>", picture.source, re.MULTILINE)


def tips(picture: Drawing) -> list[str]:
    return re.findall(r'edgetooltip="([^"]*)"', picture.source)


def test_two_dense_layers_have_different_weights() -> None:
    picture = gc.draw.network(two_dense())
    expected = [f"W¹{a}{b}" for a in "₁₂" for b in "₁₂₃"] + [
        f"W²{a}{b}" for a in "₁₂₃" for b in "₁₂"
    ]
    assert sorted(labels(picture)) == sorted(expected)
    assert len(set(tips(picture))) == 12
    assert {"W¹₁₁ of first.W", "W²₃₂ of second.W"} <= set(tips(picture))


def test_their_tooltips_tell_the_value_and_the_array() -> None:
    graph = two_dense()
    state = graph.init(seed=0) | {"second.W": np.arange(6.0).reshape(3, 2)}
    assert "W²₃₁ = +4 of second.W" in tips(gc.draw.network(graph, state=state))


@pytest.mark.parametrize(("bias", "found"), [("badge", "+b²₁"), ("node", "b²₁")])
def test_their_biases_are_told_apart(bias: str, found: str) -> None:
    shown = texts(gc.draw.network(two_dense(), bias=bias))
    assert shown.count(found) == 1 and shown.count(found.replace("²", "¹")) == 1


def test_one_matrix_in_two_places_keeps_its_name() -> None:
    x, W = gc.input("x", ("N", 3)), gc.param("code.W", (3, 2))
    graph = gc.graph({"y": gc.tanh(x @ W) @ W.T})
    tooltips = tips(gc.draw.network(graph))
    assert sorted(set(tooltips)) == [f"W{a}{b}" for a in "₁₂₃" for b in "₁₂"]
    assert len(tooltips) == 12  # every weight stands on two edges, once in each direction


def test_units_of_inputs_that_begin_alike_are_told_apart() -> None:
    word, weather = gc.input("word", ("N", 2)), gc.input("weather", ("N", 2))
    hidden = gc.tanh(word @ gc.param("U", (2, 2)) + weather @ gc.param("V", (2, 2)))
    graph = gc.graph({"height": hidden.named("hidden") @ gc.param("W", (2, 1))})
    source = gc.draw.network(graph).source
    found = re.findall(r'^  u\d_\d .* tooltip="([^"]*)"', source, re.MULTILINE)
    assert found == ["wo₁", "wo₂", "we₁", "we₂", "hi₁", "hi₂", "he₁"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["word", "weather", "hidden2"], ["wo", "we", "h2"]),
        (["hidden", "h"], ["hi", "h"]),
        (["h", "h_new"], ["h", "h_n"]),
        (["hidden1", "hat1", "h1"], ["hi1", "hat1", "h1"]),
        (["encoder", "y_hat"], ["e", "y_hat"]),
        (["feature_left", "feature_right", "f1"], ["f2", "f3", "f1"]),
    ],
)
def test_short_names_are_as_short_as_they_may_be(names: list[str], expected: list[str]) -> None:
    assert shorts(names) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["first.W", "first.b", "second.W", "second.b"], ["W1", "b1", "W2", "b2"]),
        (["fc3.W", "fc2.W"], ["W3", "W2"]),
        (["one.W", "W1", "two.W"], ["W2", "W1", "W3"]),
        (["a.W1", "b.W1", "a.W2"], ["a.W1", "b.W1", "W2"]),
        (["U", "net.V"], ["U", "V"]),
        (["b", "b"], ["b1", "b2"]),
    ],
)
def test_arrays_of_the_same_letter_have_numbers(names: list[str], expected: list[str]) -> None:
    assert without_scopes(names) == expected


# -- layers --------------------------------------------------------------------------------------


def layer_names(graph: gc.Graph, **options: int) -> list[str]:
    """Return the names of layers as the description tells them, inputs first."""
    told = gc.draw.network(graph, **options).description
    return re.findall(r"(?:^|\. )(?:Input|Hidden|Output) (\S+):", told)


def residual(first: str, second: str, total: str = "") -> gc.Graph:
    x = gc.input("x", ("N", 2))
    one = gc.nn.dense(x, 2, activation=gc.relu, name="a").named(first)
    two = gc.nn.dense(one, 2, activation=gc.relu, name="b").named(second)
    layers = [(one + two).named(total) if total else one + two]
    return gc.graph({"y": gc.nn.dense(layers[0], 1, name="c")})


@pytest.mark.parametrize(
    ("graph", "names"),
    [
        (residual("h", "f", "g"), ["h", "g"]),  # all have names
        (residual("h", "f"), ["h1", "h2"]),  # the second has none, so both are numbered
        (residual("h", "h2"), ["h1", "h2"]),  # h2 is a step of the second
        (residual("h2", "f"), ["h2", "z2"]),  # h2 is the first, which no other may be called
        (residual("mu", "f"), ["mu", "h2"]),
        (residual("h1", "h1_inner"), ["h1", "h2"]),
    ],
)
def test_layers_without_names_are_called_by_their_place(graph: gc.Graph, names: list[str]) -> None:
    assert layer_names(graph) == ["x", *names, "y"]


def test_layers_without_names_are_numbered_by_their_place_in_the_whole_network() -> None:
    h = gc.input("x", ("N", 2))
    for i in range(9):
        h = gc.nn.dense(h, 2, activation=gc.relu, name=f"layer{i}")
    graph = gc.graph({"y": gc.nn.dense(h.named("h"), 1)})
    assert layer_names(graph, max_columns=5) == ["x", "h1", "h9", "y"]


def test_names_of_a_text_are_the_users_even_where_layers_are_called_so() -> None:
    graph = gc.parse(
        'x: input(f32, N, 2)\nh = dense(x, 2, activation=relu, name="encode")\n'
        'code = dense(h, 1, name="code")\ny = dense(code, 2, name="decode")\noutput(y)'
    )
    assert layer_names(graph) == ["x", "h", "code", "y"]


def test_a_layer_can_be_called_by_the_name_that_the_picture_does_not_show() -> None:
    graph = residual("h", "f")
    expected = gc.draw.network(graph, dropped={"h1": [0]}).source
    assert gc.draw.network(graph, dropped={"h": [0]}).source == expected
