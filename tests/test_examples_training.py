"""The classic networks reach the results that they are known for."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from example_figures import stated
from example_scripts import main_of, saved

import graphc as gc


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


# -- linear models -------------------------------------------------------------------------------


def test_the_perceptron_algorithm(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mistakes = main_of("perceptron_algorithm")(pictures)
    assert mistakes[-1] == 0 < mistakes[0]  # Novikoff: separable, so it stops
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:5]]
    # By hand: score 0 decides for +1, wrong; then right; then score -1, wrong; then right.
    decisions = [row[3] for row in rows]
    assert decisions == ["+1", "+1", "-1", "-1"]
    assert [row[-1] for row in rows] == ["-1.0", "-1.0", "+0.0", "+0.0"]
    assert saved(pictures, "perceptron_algorithm.png")


def test_linear_classifiers_equal_independent_solutions(pictures: Path) -> None:
    found = main_of("linear_classifiers")(pictures)
    assert found["linear"][0] < 1e-10
    assert found["logistic"][0] < 1e-4 and found["softmax"][0] < 1e-4
    assert [round(150 * right) for _, right in found.values()] == [142, 144, 144]
    assert saved(pictures, "linear_classifiers.png")


# -- multi-layer networks ------------------------------------------------------------------------


def test_xor_stalls_at_ln_2_and_is_solved_by_a_hidden_layer(pictures: Path) -> None:
    found = main_of("xor")(pictures)
    losses, right = found["one neuron"]
    assert losses == pytest.approx([math.log(2)] * 12, abs=1e-9)
    losses, right = found["two hidden units"]
    assert right == 4 and losses[0] < 0.01 < 0.3 < losses[-1]  # it took restarts
    losses, right = found["four hidden units"]
    assert right == 4 and sum(loss < 0.01 for loss in losses) >= 9
    assert saved(pictures, "xor_one_neuron.png", "xor_two_hidden_units.png")


def test_no_line_does_better_than_ln_2_on_xor() -> None:
    """The loss of one neuron is convex, and its gradient is zero at w = 0, b = 0."""
    graph = gc.load(Path(__file__).parent.parent / "examples" / "xor_neuron.graph")
    state = {"w": np.zeros(2), "b": np.zeros(())}
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    found = gc.compile(graph, gradient_of="loss")(state, x=x, y=y)
    assert float(found["loss"]) == pytest.approx(math.log(2), rel=1e-15)
    assert not found["d_loss_d_w"].any() and not found["d_loss_d_b"].any()


def test_playground_sets(pictures: Path) -> None:
    found = main_of("playground")(pictures)
    assert set(found) == {"circle", "xor", "gauss", "spiral"}
    assert min(found.values()) > 0.98
    assert saved(pictures, "playground.png")


def test_dag_network(pictures: Path) -> None:
    accuracy, error = main_of("dag_network")(pictures)
    assert accuracy > 0.97 and error < 1e-7
    assert saved(pictures, "dag_network.png")


def test_autoencoders_beat_pca(pictures: Path) -> None:
    errors = main_of("autoencoder")(pictures)
    pca_clean, pca_noisy = errors["PCA"]
    assert 0.99 * pca_clean < errors["linear"][0] < 1.05 * pca_clean  # no linear code beats PCA
    assert errors["autoencoder"][0] < 0.75 * pca_clean
    assert errors["denoising"][0] < 0.95 * pca_clean
    assert errors["denoising"][1] < 0.75 * pca_noisy
    assert saved(pictures, "autoencoder.png")


def test_pretraining_helps_momentum_and_not_adam(pictures: Path) -> None:
    found = main_of("pretraining")(pictures)
    gain = np.diff(found["momentum"], axis=1)[:, 0]
    assert gain.mean() > 0.05 and gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert abs(np.diff(found["adam"].mean(axis=0))[0]) < 0.03
    assert saved(pictures, "pretraining.png")


def test_time_delay_network_beats_linear_prediction(pictures: Path) -> None:
    errors = main_of("time_delay")(pictures)
    assert errors["time-delay network"] < 0.5 * errors["linear prediction"]
    assert errors["linear prediction"] < errors["no change"]
    assert saved(pictures, "time_delay.png")


def test_ngrams_are_counted(pictures: Path) -> None:
    counted, learned = main_of("ngram")(pictures)
    assert list(counted.items()) == [
        ("corn", Fraction(4, 11)),
        ("grass", Fraction(3, 11)),
        ("hay", Fraction(2, 11)),
        ("if", Fraction(1, 11)),
        ("which", Fraction(1, 11)),
    ]
    assert learned == pytest.approx({word: float(p) for word, p in counted.items()}, abs=1e-4)
    assert saved(pictures, "ngram.png")


# -- activations, losses, regularizers -----------------------------------------------------------


def test_activations(pictures: Path) -> None:
    found = main_of("activations")(pictures)
    digits = stated("activations")[0]
    assert digits <= 1e-13
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    s = 1 / (1 + np.exp(-x))
    expected = {
        "linear": (x, np.ones(5)),
        "threshold": (x >= 0, np.zeros(5)),
        "sign": (np.sign(x), np.zeros(5)),
        "sigmoid": (s, s * (1 - s)),
        "tanh": (np.tanh(x), 1 - np.tanh(x) ** 2),
        "relu": (np.maximum(x, 0), x > 0),
        "hardtanh": (np.clip(x, -1, 1), np.abs(x) < 1),
        "softplus": (np.log(1 + np.exp(x)), s),
    }
    for name, (values, slopes) in expected.items():
        np.testing.assert_allclose(found[name]["values"], values, rtol=1e-14, err_msg=name)
        np.testing.assert_allclose(found[name]["slopes"], slopes, rtol=digits, err_msg=name)
    p = found["softmax"]["values"]
    np.testing.assert_allclose(found["softmax"]["slopes"], np.diag(p) - np.outer(p, p), atol=1e-15)
    for name in ("threshold", "sign"):
        assert found[name]["moved"] == 0.0  # nothing below a threshold learns
    for name in ("sigmoid", "tanh", "relu", "hardtanh", "softplus"):
        assert found[name]["moved"] > 0.1
    curved = min(found[name]["accuracy"] for name in ("tanh", "relu", "hardtanh"))
    assert curved > found["linear"]["accuracy"] > 0.93
    assert saved(pictures, "activations.png")


def test_losses(pictures: Path) -> None:
    found = main_of("losses")(pictures)
    m = np.array([-2.0, -0.5, 0.5, 2.0])
    expected = {
        "squared error": ((m - 1) ** 2 / 2, m - 1),
        "zero-one": (m < 0, np.zeros(4)),
        "hinge": (np.maximum(0, 1 - m), np.where(m < 1, -1, 0)),
        "perceptron": (np.maximum(0, -m), np.where(m < 0, -1, 0)),
        "logistic": (np.log(1 + np.exp(-m)), -1 / (1 + np.exp(m))),
    }
    for name, (losses, slopes) in expected.items():
        np.testing.assert_allclose(found["margins"][name][0], losses, rtol=1e-14, err_msg=name)
        np.testing.assert_allclose(found["margins"][name][1], slopes, rtol=1e-13, err_msg=name)
    assert found["best"]["mean_squared_error"] == pytest.approx(21.2, abs=1e-6)
    assert found["best"]["absolute_error"] == pytest.approx(2.0, abs=1e-2)
    exact = np.array([1000.0, np.log1p(np.e), np.log(2), np.log1p(np.exp(-1.0)), 0.0])
    for name, values in found["entropies"].items():
        np.testing.assert_allclose(values, exact, rtol=1e-14, err_msg=name)
    assert saved(pictures, "losses.png")


def test_regularizers(pictures: Path) -> None:
    found = main_of("regularizers")(pictures)
    assert found["step"]["error"] < 1e-12
    plain = found["none"]
    assert found["L2"]["squared norm"] < 0.6 * plain["squared norm"]
    assert plain["near zero"] < 0.1 < 0.5 < found["L1"]["near zero"]
    assert found["max-norm"]["largest unit"] <= 0.8 + 1e-6 < plain["largest unit"]
    assert all(found[name]["repeats"] == 1.0 for name in ("none", "dropout"))
    assert min(found[name]["accuracy"] for name in found if name != "step") > 0.86
    assert saved(pictures, "regularizers.png")


# -- how to train --------------------------------------------------------------------------------


def test_optimizers_take_the_steps_that_theory_says(pictures: Path) -> None:
    found = main_of("optimizers")(pictures)
    steps, last = found["steps"], found["last"]
    start = 0.5 * (1 + 100)
    shrink = 99 / 101  # (κ - 1)/(κ + 1) a step for θ, its square for the loss
    assert steps["gradient descent"] == pytest.approx(
        math.log(1e-6 / start) / (2 * math.log(shrink)), abs=3
    )
    # (√κ - 1)/(√κ + 1) a step, times a factor that grows with the steps: twice the count at most.
    least = math.log(1e-6 / start) / (2 * math.log(9 / 11))
    assert least < steps["momentum"] < 2 * least < steps["gradient descent"] / 4
    assert max(steps.values()) < 1000
    assert last["constant 0.01"] == pytest.approx(last["theory"], rel=0.15)
    assert max(last[name] for name in ("step", "exponential", "cosine")) < last["theory"] / 10
    assert saved(pictures, "optimizers.png")


def test_initialization_keeps_or_loses_the_signal(pictures: Path) -> None:
    found = main_of("initialization")(pictures)
    width = 128
    assert found["tanh small random"]["forward"] == pytest.approx(0.01 * width**0.5, rel=0.05)
    assert found["relu small random"]["forward"] == pytest.approx(
        0.01 * (width / 2) ** 0.5, rel=0.05
    )
    assert found["relu Glorot"]["forward"] == pytest.approx(0.5**0.5, rel=0.05)
    assert found["relu He"]["forward"] == pytest.approx(1.0, rel=0.05)
    assert found["tanh Glorot"]["forward"] > 0.9
    for activation in ("tanh", "relu"):
        assert found[f"{activation} small random"]["accuracy"] < 0.2
        assert found[f"{activation} small random"]["gradient"] < 1e-10
        assert found[f"{activation} He"]["accuracy"] > 0.93
    assert found["relu He"]["accuracy"] > found["relu Glorot"]["accuracy"]
    assert saved(pictures, "initialization.png")


def test_gradient_clipping(pictures: Path) -> None:
    found = main_of("gradient_clipping")(pictures)
    w, message = found["not clipped"]
    # The first step is -η w⁴⁹·50·(w⁵⁰ - 1) from 1.2: out of the world, and then past all floats.
    assert w == pytest.approx(1.2 - 0.005 * 50 * 1.2**49 * (1.2**50 - 1), rel=1e-12)
    assert "epoch 2, step 1: the first infinity appears in" in message
    assert "gradient_clipping.py:" in message
    for name in ("clipped by norm", "clipped by value"):
        assert found[name][0] == pytest.approx(1.0, abs=0.01) and found[name][1] == ""
    assert saved(pictures, "gradient_clipping.png")


def test_fewer_examples_a_step_get_further_in_a_pass(pictures: Path) -> None:
    found = main_of("sgd")(pictures)
    assert found["bias"] < 1e-12
    assert found["one at a time"] < 0.3 < found["minibatches of 32"] < 1.5 < found["all at once"]
    assert found["all at once"] < math.log(10)
    assert saved(pictures, "sgd.png")


def test_input_scaling_widens_the_valley(pictures: Path) -> None:
    found = main_of("input_scaling")(pictures)
    kappa = {name: row["condition"] for name, row in found.items()}
    assert kappa["raw"] > 100 * kappa["mean subtracted"] > 1e4 * kappa["standardized"] > 1e5
    excess = [row["excess"] for row in found.values()]
    assert excess[0] > excess[1] > 1e-3 and excess[2] < 1e-8
    assert saved(pictures, "input_scaling.png")


def test_augmentation_teaches_what_does_not_matter(pictures: Path) -> None:
    found = main_of("augmentation")(pictures)
    assert found["none"]["as they are"] > 0.92
    assert found["crops"]["shifted"] > found["none"]["shifted"] + 0.3
    assert found["flips"]["mirrored"] > found["none"]["mirrored"] + 0.3
    assert found["crops"]["mirrored"] < 0.6 > found["flips"]["shifted"]  # each its own
    both = found["crops and flips"]
    assert min(both.values()) > 0.75
    assert saved(pictures, "augmentation.png")
