"""The recurrent examples: each reaches the figure that it states."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from example_scripts import EXAMPLES, load, main_of

import graphc as gc


@pytest.fixture(autouse=True)
def examples_import_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])


def test_character_networks_go_below_the_counted_3_gram() -> None:
    found = main_of("character_rnn")(epochs=10)  # 25 epochs reach 5.3 and 4.5
    assert found["rnn"] < found["3-gram"]
    assert found["lstm"] < found["rnn"] < 6.4


def test_gradients_vanish_and_explode_as_the_spectral_radius_says() -> None:
    after_200_steps = main_of("vanishing_gradients")()
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
    for x_t, y in zip(x, found["y"], strict=True):
        h = np.tanh(x_t @ state["Wxh"] + h @ state["Whh"] + state["bh"])
        np.testing.assert_allclose(y, h @ state["Why"] + state["by"], 1e-5, 1e-6)
    np.testing.assert_allclose(found["h_T"], h, 1e-5, 1e-6)


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
