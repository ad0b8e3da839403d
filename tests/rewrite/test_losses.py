"""The standing test: losses typed as in the textbook come out stable, and so do their gradients.

Everything runs in float32 at logits up to ±10,000; the judge is the stable form in float64.
"""

from __future__ import annotations

import numpy as np
import pytest

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
    "bits": "-mean(log2(take_along_axis(p, y[:, None], axis=1)))*log(2.0)",
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
