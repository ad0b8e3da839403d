"""The recurrent examples: each reaches the figure that it states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from example_figures import stated
from example_scripts import load, main_of, saved

import graphc as gc


def test_character_networks_go_below_the_counted_3_gram() -> None:
    found = main_of("character_rnn")()
    assert found["rnn"] < found["3-gram"]
    assert found["lstm"] < found["rnn"] < 6.4
    assert found["lstm"] < found["5-gram"]


def test_gradients_vanish_and_explode_as_the_spectral_radius_says(tmp_path: Path) -> None:
    after_200_steps = main_of("vanishing_gradients")(tmp_path)
    assert saved(tmp_path, "vanishing_gradients.png")
    assert after_200_steps["RNN, radius 0.5"] < 1e-50
    assert 1e-3 < after_200_steps["RNN, radius 1.0"] < 1e3
    assert after_200_steps["RNN, radius 1.5"] > 1e20
    assert 0.1 < after_200_steps["LSTM, forget bias 5"] < 10


def test_digit_strings_are_reversed() -> None:
    assert main_of("reverse_digits")() > 0.99


def test_captions_of_the_toy_set_are_said_without_a_fault() -> None:
    assert main_of("image_captioning")() == 1.0


def test_sequences_in_all_their_shapes() -> None:
    found = main_of("sequences")()
    assert found["adding"] < 0.01
    assert found["parity"] > 0.99
    assert found["wave"] < 0.02
    assert found["next bit, forward only"] < 0.6
    assert found["next bit, bidirectional"] > 0.99


def test_the_elman_network_is_its_formulas() -> None:
    read = gc.compile(load("elman"))
    state, rng = read.init(seed=0), np.random.default_rng(0)
    x, h = rng.normal(size=(6, 2, 3)).astype("f4"), np.zeros((2, 4), "f4")
    found = read(state, x=x, h0=h)
    (digits,) = stated("Elman network")
    for x_t, y in zip(x, found["y"], strict=True):
        h = np.tanh(x_t @ state["Wxh"] + h @ state["Whh"] + state["bh"])
        np.testing.assert_allclose(y, h @ state["Why"] + state["by"], digits, digits)
    np.testing.assert_allclose(found["h_T"], h, digits, digits)


def test_the_lstm_is_its_formulas() -> None:
    graph = load("lstm").astype("float64")
    state, rng = graph.init(seed=0), np.random.default_rng(0)
    x, labels = rng.normal(size=(6, 2, 3)), np.array([4, 1])
    h, c = np.zeros((2, 8)), np.zeros((2, 8))
    for x_t in x:
        gates = x_t @ state["lstm.W"] + h @ state["lstm.U"] + state["lstm.b"]
        i, f, g, o = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    p = np.exp(h @ state["classes.W"] + state["classes.b"])
    p /= p.sum(axis=1, keepdims=True)
    found = gc.compile(graph)(state, x=x, y=labels)
    (digits,) = stated("LSTM")
    np.testing.assert_allclose(found["p"], p, digits, digits)
    assert found["loss"] == pytest.approx(-np.log(p[[0, 1], labels]).mean(), rel=digits)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_lstm_of_the_examples_learns_and_is_drawn() -> None:
    graph = load("lstm")
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.02))
    state, rng = step.init(seed=0), np.random.default_rng(0)
    x, y = rng.normal(size=(7, 20, 3)).astype("f4"), rng.integers(0, 5, 20)
    losses = [float(step(state, x=x, y=y)["loss"]) for _ in range(150)]
    assert losses[-1] < 0.1 < 1 < losses[0]
    plain, lit = gc.draw.cell(graph).source, gc.draw.cell(graph, highlight="f").source
    assert plain != lit
    assert plain.count('label="σ"') == lit.count('label="σ"') == 3
