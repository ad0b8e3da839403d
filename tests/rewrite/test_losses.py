"""The standing test: losses typed as in the textbook come out stable, and so do their gradients.

Everything runs in float32 at logits up to ±10,000; the judge is the stable form in float64.
"""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.build.namespace import FUNCTIONS
from graphc.differentiate.gradient import gradient
from graphc.ir.graph import Graph
from graphc.ir.text.parser import parse
from graphc.rewrite.pipeline import optimize, stabilize_forward
from graphc.run.reference import interpret

LOGITS = np.array([-1e4, -100.0, -20.0, -1.0, 0.0, 1.0, 20.0, 100.0, 1e4], np.float32)
CLASSES = np.array(
    [[1e4, -1e4, 0], [-1e4, 1e4, 3], [0, 0, 0], [100, 50, -1e4], [-1e4, -1e4, -1e4], [2, -3, 20]],
    np.float32,
)
LABELS = np.array([1, 0, 2, 1, 2, 0])

SIGMOIDS = {
    "textbook": "1/(1 + exp(-z))",
    "positive": "exp(z)/(1 + exp(z))",
    "swapped": "1/(exp(-z) + 1.0)",
    "power": "(1 + exp(-z))**(-1)",
    "function": "sigmoid(z)",
    "from the other class": "1 - 1/(1 + exp(z))",
}
CROSS_ENTROPIES = {
    "mean": "-mean(y*log(p) + (1 - y)*log(1 - p))",
    "signs inside": "mean(-y*log(p) - (1 - y)*log(1 - p))",
    "two means": "-mean(y*log(p)) - mean((1 - y)*log(1 - p))",
    "swapped": "-mean((1 - y)*log(1 - p) + log(p)*y)",
    "choice": "mean(where(y > 0.5, -log(p), -log(1 - p)))",
    "likelihood": "-mean(log(p**y*(1 - p)**(1 - y)))",
    "log1p": "-mean(y*log(p) + (1 - y)*log1p(-p))",
}
SOFTMAXES = {
    "textbook": "exp(z)/sum(exp(z), axis=1, keepdims=True)",
    "new axis": "exp(z)/sum(exp(z), axis=1)[:, None]",
    "shifted": "exp(z - max(z, axis=1, keepdims=True))"
    "/sum(exp(z - max(z, axis=1, keepdims=True)), axis=1, keepdims=True)",
    "function": "softmax(z, axis=1)",
    "reciprocal": "exp(z)*(1/sum(exp(z), axis=1, keepdims=True))",
    "from logarithm": "exp(z - logsumexp(z, axis=1, keepdims=True))",
}
CLASS_LOSSES = {
    "take": "-mean(log(take_along_axis(p, y[:, None], axis=1)))",
    "log first": "-mean(take_along_axis(log(p), y[:, None], axis=1))",
    "gather": "-mean(log(p[arange(6), y]))",
    "one-hot": "-mean(sum(one_hot(y, 3, dtype=f32)*log(p), axis=1))",
    "one-hot inside": "-mean(log(sum(one_hot(y, 3, dtype=f32)*p, axis=1)))",
    "bits": "-mean(log2(take_along_axis(p, y[:, None], axis=1)))*0.6931471805599453",
}


def stable_step(text: str) -> tuple[Graph, Graph]:
    """Return the optimized forward graph and the optimized graph with its gradient."""
    stable = stabilize_forward(parse(text, FUNCTIONS))
    return optimize(stable), optimize(gradient(stable, "loss", ["z"]))


def softplus(z: np.ndarray) -> np.ndarray:
    return np.logaddexp(z, 0)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -z))


def check(text: str, loss: float, d_z: np.ndarray, **inputs: np.ndarray) -> None:
    forward, both = stable_step(text)
    got = interpret(forward, **inputs)["loss"]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, loss, rtol=2e-6)
    outputs = interpret(both, **inputs)
    np.testing.assert_allclose(outputs["d_loss_d_z"], d_z, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("shift", [-1e4, -300.0, 0.0, 1e4])
@pytest.mark.parametrize("loss", CLASS_LOSSES.values(), ids=CLASS_LOSSES)
def test_large_logits_do_not_cost_digits_of_a_small_loss(loss: str, shift: float) -> None:
    text = f"z: input(f32, 6, 3)\ny: input(i64, 6)\np = {SOFTMAXES['textbook']}\nloss = {loss}"
    forward, _ = stable_step(f"{text}\noutput(loss)")
    z = np.float32(shift) + np.array([[0, 1, 0], [0, 0, 0]] * 3, np.float32)
    logs = z - shift - np.logaddexp.reduce(z - shift, axis=1, keepdims=True)
    expected = -logs[np.arange(6), LABELS].astype(np.float64).mean()
    np.testing.assert_allclose(interpret(forward, z=z, y=LABELS)["loss"], expected, rtol=1e-6)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("loss", CROSS_ENTROPIES.values(), ids=CROSS_ENTROPIES)
def test_a_confident_right_answer_keeps_the_digits_of_its_loss(loss: str, style: str) -> None:
    """softplus(z) - y*z is the difference of two large numbers there, and was 0 at z = 16."""
    text = f"z: input(f32, 1)\ny: input(f32, 1)\np = {SIGMOIDS['textbook']}\nloss = {loss}"
    f = gc.compile(parse(f"{text}\noutput(loss)", FUNCTIONS), style=style)
    for z, y in ((9, 1), (12, 1), (16, 1), (-9, 0), (-16, 0), (80, 1)):
        given = {"z": np.array([z], np.float32), "y": np.array([y], np.float32)}
        np.testing.assert_allclose(f(**given)["loss"], np.log1p(np.exp(-abs(float(z)))), rtol=3e-7)


@pytest.mark.parametrize("loss", CROSS_ENTROPIES.values(), ids=CROSS_ENTROPIES)
@pytest.mark.parametrize("p", SIGMOIDS.values(), ids=SIGMOIDS)
def test_binary_cross_entropy(p: str, loss: str) -> None:
    text = f"z: input(f32, 9)\ny: input(f32, 9)\np = {p}\nloss = {loss}\noutput(loss)"
    z = LOGITS.astype(np.float64)
    for labels in (np.zeros(9), np.ones(9), np.arange(9) % 2):
        expected = np.mean(softplus(z) - labels * z)
        slope = (sigmoid(z) - labels) / 9
        check(text, expected, slope, z=LOGITS, y=labels.astype(np.float32))


@pytest.mark.parametrize(
    "loss",
    [
        "mean(log(1 + exp(-t*z)))",
        "-mean(log(sigmoid(t*z)))",
        "-mean(log(1/(1 + exp(-t*z))))",
        "mean(log1p(exp(-(z*t))))",
        "mean(softplus(-t*z))",
        "mean(log(exp(-t*z) + 1.0))",
    ],
)
def test_logistic_loss(loss: str) -> None:
    text = f"z: input(f32, 9)\nt: input(f32, 9)\nloss = {loss}\noutput(loss)"
    z, t = LOGITS.astype(np.float64), np.where(np.arange(9) % 2, 1.0, -1.0)
    slope = -t * sigmoid(-t * z) / 9
    check(text, np.mean(softplus(-t * z)), slope, z=LOGITS, t=t.astype(np.float32))


@pytest.mark.parametrize("loss", CLASS_LOSSES.values(), ids=CLASS_LOSSES)
@pytest.mark.parametrize("p", SOFTMAXES.values(), ids=SOFTMAXES)
def test_softmax_cross_entropy(p: str, loss: str) -> None:
    text = f"z: input(f32, 6, 3)\ny: input(i64, 6)\np = {p}\nloss = {loss}\noutput(loss)"
    z = CLASSES.astype(np.float64)
    logs = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    expected = -logs[np.arange(6), LABELS].mean()
    slope = (np.exp(logs) - np.eye(3)[LABELS]) / 6
    check(text, expected, slope, z=CLASSES, y=LABELS)


@pytest.mark.parametrize("p", SOFTMAXES.values(), ids=SOFTMAXES)
def test_each_row_is_of_its_own_class(p: str) -> None:
    """The contrastive loss: pairs belong together, so the labels are the rows' numbers."""
    text = f"z: input(f32, 3, 3)\np = {p}\nloss = -mean(log(diagonal(p)))\noutput(loss)"
    z = CLASSES[:3].astype(np.float64)
    logs = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    slope = (np.exp(logs) - np.eye(3)) / 3
    check(text, -np.diagonal(logs).mean(), slope, z=CLASSES[:3])


# -- other losses: (text over z and other inputs, the same in stable float64) ------------------


def lse(z: np.ndarray) -> np.ndarray:
    return np.logaddexp.reduce(z, axis=1, keepdims=True)


def log_softmax(z: np.ndarray) -> np.ndarray:
    return z - lse(z)


MASK = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 1], [1, 1, 0]], bool)
WEIGHTS = np.array([[1, 0, 0], [0, 2, 1], [1, 0, 1], [3, 0, 1], [1, 0.5, 1], [1, 1, 0]], np.float32)
OTHER = np.array(
    [[1, 2, 3], [0, 0, 0], [9e3, -9e3, 1], [-50, 20, 1], [5, 4, 4], [1, 0, 0]], np.float32
)
TARGET = np.linspace(-3, 3, 18).reshape(6, 3).astype(np.float32)


def masked(z: np.ndarray, m: np.ndarray) -> float:
    return float(np.mean(lse(z) - lse(np.where(m, z, -np.inf))))


def mixture(z: np.ndarray, t: np.ndarray) -> float:
    density = -0.5 * ((t[:, :1] - t) / 1.5) ** 2 - np.log(1.5 * np.sqrt(2 * np.pi))
    return float(-np.mean(lse(log_softmax(z) + density)))


LOSSES = {
    "masked by a choice": (
        "-mean(log(sum(where(m, exp(z), 0.0), axis=1)/sum(exp(z), axis=1)))",
        lambda z, m: masked(z, m),
    ),
    "masked by a product": (
        "-mean(log(sum(cast(m, 'float32')*exp(z), axis=1)/sum(exp(z), axis=1)))",
        lambda z, m: masked(z, m),
    ),
    "masked after softmax": (
        "-mean(log(sum(softmax(z, axis=1)*cast(m, 'float32'), axis=1)))",
        lambda z, m: masked(z, m),
    ),
    "weighted classes": (
        "-mean(log(sum(w*exp(z), axis=1)/sum(exp(z), axis=1)))",
        lambda z, w: float(np.mean(lse(z) - lse(z + np.log(w)))),
    ),
    "weighted terms": (
        "-mean(sum(w*log(exp(z)/sum(exp(z), axis=1, keepdims=True)), axis=1))",
        lambda z, w: float(-np.mean(np.sum(w * log_softmax(z), axis=1))),
    ),
    "smoothed labels": (
        "-mean(sum((0.9*w + 0.1/3)*log(softmax(z, axis=1)), axis=1))",
        lambda z, w: float(-np.mean(np.sum((0.9 * w + 0.1 / 3) * log_softmax(z), axis=1))),
    ),
    "temperature": (
        "-mean(log(exp(z/4)/sum(exp(z/4), axis=1, keepdims=True)))",
        lambda z: float(-np.mean(log_softmax(z / 4))),
    ),
    "relative entropy": (
        "mean(sum(softmax(v, axis=1)*log(softmax(v, axis=1)/softmax(z, axis=1)), axis=1))",
        lambda z, v: float(
            np.mean(np.sum(np.exp(log_softmax(v)) * (log_softmax(v) - log_softmax(z)), axis=1))
        ),
    ),
    "entropy": (
        "-mean(sum(softmax(z, axis=1)*log(softmax(z, axis=1)), axis=1))",
        lambda z: float(-np.mean(np.sum(np.exp(log_softmax(z)) * log_softmax(z), axis=1))),
    ),
    "log of a mean": (
        "mean(log(mean(exp(z), axis=1)))",
        lambda z: float(np.mean(lse(z) - np.log(3))),
    ),
    "two classes": (
        "-mean(log(exp(z)/(exp(z) + exp(v))))",
        lambda z, v: float(np.mean(softplus(v - z))),
    ),
    "negative sampling": (
        "-mean(log(sigmoid(sum(z*v, axis=1))) + sum(log(sigmoid(-(z*w))), axis=1))",
        lambda z, v, w: float(
            np.mean(softplus(-np.sum(z * v, axis=1)) + np.sum(softplus(z * w), axis=1))
        ),
    ),
    "normal likelihood": (
        "-mean(log(exp(-(t - z)**2/(2*1.5**2))/(1.5*sqrt(2*3.141592653589793))))",
        lambda z, t: float(np.mean((t - z) ** 2 / 4.5 + np.log(1.5 * np.sqrt(2 * np.pi)))),
    ),
    "product of likelihoods": (
        "-mean(log(prod(exp(-(t - z)**2/2)/2.5066282746310002, axis=1)))",
        lambda z, t: float(np.mean(np.sum((t - z) ** 2 / 2 + np.log(2.5066282746310002), axis=1))),
    ),
    "mixture of normals": (
        "-mean(log(sum(softmax(z, axis=1)*exp(-0.5*((t[:, 0:1] - t)/1.5)**2)"
        "/(1.5*sqrt(2*3.141592653589793)), axis=1)))",
        mixture,
    ),
    "focal": (
        "-mean((1 - sigmoid(z))**2*log(sigmoid(z)))",
        lambda z: float(np.mean(np.exp(-2 * softplus(z)) * softplus(-z))),
    ),
    "softplus": ("mean(log(1 + exp(z)))", lambda z: float(np.mean(softplus(z)))),
    "log cosh": (
        "mean(log((exp(z) + exp(-z))/2))",
        lambda z: float(np.mean(np.logaddexp(z, -z) - np.log(2))),
    ),
    "tanh": (
        "mean(((exp(z) - exp(-z))/(exp(z) + exp(-z)) - t)**2)",
        lambda z, t: float(np.mean((np.tanh(z) - t) ** 2)),
    ),
    "average weighted by exponentials": (
        "mean(sum(exp(z)/sum(exp(z), axis=1, keepdims=True)*t, axis=1)**2)",
        lambda z, t: float(np.mean(np.sum(np.exp(log_softmax(z)) * t, axis=1) ** 2)),
    ),
    "picked before dividing": (
        "-mean(log(exp(z[:, 0])/sum(exp(z), axis=1)))",
        lambda z: float(-np.mean(log_softmax(z)[:, 0])),
    ),
    "down a column": (
        "-mean(log(exp(z)/sum(exp(z), axis=0)))",
        lambda z: float(-np.mean(log_softmax(z.T))),
    ),
}
INPUTS = {"m": MASK, "w": WEIGHTS, "v": OTHER, "t": TARGET}


def numeric_slope(loss, z: np.ndarray, *others: np.ndarray) -> np.ndarray:
    slope = np.zeros_like(z)
    for place in np.ndindex(z.shape):
        nudge = np.zeros_like(z)
        nudge[place] = 1e-4
        slope[place] = (loss(z + nudge, *others) - loss(z - nudge, *others)) / 2e-4
    return slope


@pytest.mark.parametrize("name", LOSSES)
def test_textbook_losses(name: str) -> None:
    formula, meaning = LOSSES[name]
    others = {
        k: a
        for k, a in INPUTS.items()
        if k in meaning.__code__.co_varnames or (meaning is mixture and k == "t")
    }
    order = [k for k in meaning.__code__.co_varnames if k in others]
    kinds = {"m": "bool"}
    lines = ["z: input(f32, 6, 3)"]
    lines += [f"{k}: input({kinds.get(k, 'f32')}, 6, 3)" for k in others]
    text = "\n".join([*lines, f"loss = {formula}", "output(loss)"])
    forward, both = stable_step(text)
    inputs = {"z": CLASSES, **others}
    wide = [others[k].astype(np.float64) if k != "m" else others[k] for k in order]
    with np.errstate(all="ignore"):
        expected = meaning(CLASSES.astype(np.float64), *wide)
        slope = numeric_slope(meaning, CLASSES.astype(np.float64), *wide)
    np.testing.assert_allclose(interpret(forward, **inputs)["loss"], expected, rtol=3e-6)
    got = interpret(both, **inputs)["d_loss_d_z"]
    np.testing.assert_allclose(got, slope, rtol=1e-3, atol=1e-5 * max(1, np.abs(slope).max()))
