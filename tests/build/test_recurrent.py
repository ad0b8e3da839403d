"""Recurrent layers: gradients against differences over their settings, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("rnn", {}),
    ("rnn", {"activation": gc.sigmoid, "reverse": True}),
    ("rnn", {"pre_activation": True}),
    ("lstm", {}),
    ("lstm", {"peepholes": True}),
    ("lstm", {"coupled": True}),
    ("lstm", {"peepholes": True, "coupled": True, "layers": 2}),
    ("gru", {}),
    ("gru", {"form": "textbook"}),
    ("gru", {"layers": 2, "batch_first": True}),
]


def model(kind: str, words: dict[str, Any], masked: bool) -> gc.Graph:
    batch_first = words.get("batch_first", False)
    x = gc.input("x", ("N", "T", 2) if batch_first else ("T", "N", 2), dtype="float64")
    more = {"lengths": gc.input("lengths", ("N",), dtype="int64")} if masked else {}
    outputs, *last = getattr(gc.nn, kind)(x, 3, name="r", **words, **more)
    total = gc.sum(gc.sin(outputs)) + sum(gc.sum(gc.square(h)) for h in last)
    return gc.graph({"loss": total}, name="layer")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("steps", "count"), [(1, 1), (4, 2)])
@pytest.mark.parametrize(("kind", "words"), SETTINGS)
def test_gradients_are_differences(
    kind: str, words: dict[str, Any], steps: int, count: int, masked: bool
) -> None:
    graph = model(kind, words, masked)
    rng = np.random.default_rng(0)
    shape = (count, steps, 2) if words.get("batch_first") else (steps, count, 2)
    at: dict[str, Any] = {"x": rng.normal(size=shape)}
    at |= {name: 0.5 * rng.normal(size=p.shape) for name, p in graph.params.items()}
    if masked:
        at["lengths"] = rng.integers(0, steps + 1, count)
    assert gc.check_gradient(graph, of="loss", at=at).max_error < 1e-6


def test_what_stands_behind_the_end_of_a_sequence_does_not_matter() -> None:
    graph = model("lstm", {}, masked=True)
    f = gc.compile(graph, gradient_of="loss", wrt=["x"])
    state, X = f.init(seed=1), np.random.default_rng(0).normal(size=(5, 2, 2))
    lengths = np.array([3, 5])
    found = f(state, x=X, lengths=lengths)
    assert not found["d_loss_d_x"][3:, 0].any()
    X[3:, 0] = 1e6
    assert f(state, x=X, lengths=lengths)["loss"] == found["loss"]


def test_an_lstm_is_the_textbooks_formulas() -> None:
    x = gc.input("x", ("T", "N", 2), dtype="float64")
    outputs, h, c = gc.nn.lstm(x, 3, name="r", peepholes=True)
    f = gc.compile(gc.graph({"outputs": outputs, "h": h, "c": c}))
    rng = np.random.default_rng(0)
    state = {name: rng.normal(size=p.shape) for name, p in f.graph.params.items()}
    X = rng.normal(size=(4, 2, 2))
    W, U, b, p = (state[f"r.{name}"] for name in "WUbp")
    hidden, cell = np.zeros((2, 3)), np.zeros((2, 3))

    def sigma(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-z))

    for x_t in X:
        z_i, z_f, z_g, z_o = np.split(x_t @ W + hidden @ U + b, 4, axis=1)
        i, forget = sigma(z_i + p[0] * cell), sigma(z_f + p[1] * cell)
        o = sigma(z_o + p[2] * cell)
        cell = forget * cell + i * np.tanh(z_g)
        hidden = o * np.tanh(cell)
    found = f(state, x=X)
    np.testing.assert_allclose(found["h"], hidden, 1e-12)
    np.testing.assert_allclose(found["c"], cell, 1e-12)
    np.testing.assert_allclose(found["outputs"][-1], hidden, 1e-12)


def test_truncated_the_state_goes_on_from_call_to_call() -> None:
    x = gc.input("x", ("T", 2, 3), dtype="float64")
    before = gc.param("h", (2, 4), dtype="float64", trainable=False)
    outputs, last = gc.nn.rnn(x, 4, name="r", initial=before)
    graph = gc.graph({"outputs": outputs}, updates={"h": last}, name="reader")
    read = gc.compile(graph)
    state, X = read.init(seed=0), np.random.default_rng(0).normal(size=(6, 2, 3))
    whole = read(dict(state, h=np.zeros((2, 4))), x=X)["outputs"]
    parts = [read(state, x=X[:2])["outputs"], read(state, x=X[2:])["outputs"]]
    np.testing.assert_allclose(np.concatenate(parts), whole, 1e-12)
    np.testing.assert_allclose(state["h"], whole[-1], 1e-12)


@pytest.mark.parametrize("before", [False, True])
def test_an_activation_may_be_given_by_its_name(before: bool) -> None:
    x = gc.input("x", ("T", "N", 3))
    named, given = (
        gc.graph(list(gc.nn.rnn(x, 4, name="r", activation=phi, pre_activation=before)))
        for phi in ("relu", gc.relu)
    )
    assert named == given


def error_of(kind: str, *args: object, **words: object) -> str:
    with pytest.raises(gc.GraphError) as caught:
        getattr(gc.nn, kind)(*args, **words)
    return str(caught.value)


def test_bad_input_is_one_clear_error() -> None:
    x = gc.input("x", ("T", "N", 2))
    assert "[T, N, features]" in error_of("lstm", gc.input("flat", ("N", 2)), 3)
    assert "'textbook'" in error_of("gru", x, 3, form="torch")
    assert "initial=(h, c)" in error_of("lstm", x, 3, initial=gc.zeros(("N", 3)))
    assert "no activation is called 'tahn'" in error_of("rnn", x, 3, activation="tahn")
    assert "f32[N, 4]" in error_of("rnn", x, 3, initial=gc.zeros((gc.dim("N"), 4)))
    assert "lengths" in error_of("rnn", x, 3, lengths=gc.input("lengths", ("N",)))


def test_a_bidirectional_stack_takes_one_initial_state_for_each_layer() -> None:
    x = gc.input("x", ("T", "N", 2))
    first = gc.input("first", (3, "N", 4))
    with pytest.raises(gc.GraphError, match=r"first axis(.|\n)*\[3, N, 4\](.|\n)*\[2, N, units\]"):
        gc.nn.bidirectional(gc.nn.gru, x, 4, layers=2, initial=first)


@pytest.mark.parametrize("length", [-1, 4])
def test_a_length_that_no_sequence_has_is_out_of_range(length: int) -> None:
    s, lengths = gc.input("s", ("T", "N", 2)), gc.input("lengths", ("N",), dtype="int64")
    hs, _ = gc.nn.rnn(s, 1, name="r", lengths=lengths)
    f = gc.compile(gc.graph({"hs": hs}))
    given = {"s": np.ones((3, 2, 2)), "lengths": np.array([length, 2])}
    with pytest.raises(gc.GraphError, match=r"out of range(.|\n)*\[0\](.|\n)*0 to 3"):
        f(f.init(), **given)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_layer_with_given_weights_reads_two_sequences_as_one_layer_does(kind: str) -> None:
    layer = getattr(gc.nn, kind)
    both = gc.input("both", (5, 6, 3), "float64")
    outputs, *_ = layer(both, 4, name="one")
    whole = gc.graph({"loss": gc.mean(gc.square(outputs))})
    names = {"W": "weight", "U": "recurrent_weight", "b": "bias", "c": "recurrent_bias"}
    given = {
        names[name.removeprefix("one.")]: gc.param(name, p.shape, "float64", init=p.attrs["init"])
        for name, p in whole.params.items()
    }
    halves = [layer(both[:, part], 4, **given)[0] for part in (slice(2), slice(2, None))]
    twice = gc.graph({"loss": gc.mean(gc.square(gc.concat(*halves, axis=1)))})
    assert [*twice.params] == [*whole.params]
    at = {"both": np.random.default_rng(0).normal(size=(5, 6, 3))}
    state = {
        name: np.random.default_rng(1).normal(size=p.shape) for name, p in whole.params.items()
    }
    expected = gc.compile(whole, gradient_of="loss")(state, **at)
    for name, value in gc.compile(twice, gradient_of="loss")(state, **at).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-9, atol=1e-14)


def test_given_weights_fit_their_layer_and_one_layer_alone() -> None:
    x = gc.input("x", (5, 6, 3))
    with pytest.raises(gc.GraphError, match=r"recurrent_weight(.|\n)*\[4, 16\]"):
        gc.nn.lstm(x, 4, recurrent_weight=gc.param("U", (4, 4)))
    with pytest.raises(gc.GraphError, match=r"recurrent_bias(.|\n)*\[4\]"):
        gc.nn.gru(x, 4, recurrent_bias=gc.param("c", (3,)))
    with pytest.raises(gc.GraphError, match=r"one rnn layer(.|\n)*layers=2"):
        gc.nn.rnn(x, 4, layers=2, bias=gc.param("b", (4,)))


def test_a_given_bias_of_the_state_is_one_layers_and_of_one_form() -> None:
    x, c = gc.input("x", (5, 2, 4)), gc.param("c", (3,))
    with pytest.raises(gc.GraphError, match=r"to one gru layer[\s\S]*layers=2"):
        gc.nn.gru(x, 3, layers=2, recurrent_bias=c)
    with pytest.raises(gc.GraphError, match=r"textbook[\s\S]*no recurrent bias[\s\S]*pytorch"):
        gc.nn.gru(x, 3, form="textbook", recurrent_bias=c)
    outputs, _ = gc.nn.gru(x, 3, recurrent_bias=c)
    assert c in gc.graph({"y": outputs}).params.values()


@pytest.mark.parametrize("word", ["recurrent_weight", "bias", "recurrent_bias"])
def test_a_bidirectional_stack_shares_no_weights(word: str) -> None:
    x = gc.input("x", (5, 2, 6))
    shapes = {"recurrent_weight": (3, 9), "bias": (9,), "recurrent_bias": (3,)}
    node = gc.param("shared", shapes[word])
    with pytest.raises(gc.GraphError, match=r"to one bidirectional layer[\s\S]*layers=2"):
        gc.nn.bidirectional(gc.nn.gru, x, 3, layers=2, **{word: node})
