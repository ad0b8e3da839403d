"""Ten models as a newcomer types them, in Python and as text: one value everywhere, and it learns.

None of them was written with graphc in mind: normalization, losses, masks and penalties stand there
as raw formulas, the way a textbook states them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc

N = 6
Data = dict[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """A model in both forms, data that fit it, and the optimizer it is trained with."""

    build: Callable[[], gc.Graph]
    text: str
    data: Callable[[np.random.Generator], Data]
    optimizer: str
    #: Largest part of the first loss that is left after 60 steps.
    left: float


def skip_regression() -> gc.Graph:
    x = gc.input("x", ("N", 4))
    y = gc.input("y", ("N",))
    W1 = gc.param("W1", (4, 6), init=gc.init.glorot_uniform())
    b1 = gc.param("b1", (6,))
    W2 = gc.param("W2", (6, 6), init=gc.init.glorot_uniform())
    V = gc.param("V", (4, 6), init=gc.init.glorot_uniform())
    gain = gc.param("gain", (6,), init=1.0)
    shift = gc.param("shift", (6,))
    w = gc.param("w", (6,), init=gc.init.normal(0.5))
    left = gc.tanh(x @ W1 + b1) @ W2
    right = gc.relu(x @ V)
    h = left + right + x @ V
    mu = gc.mean(h, axis=-1, keepdims=True)
    variance = gc.mean((h - mu) ** 2, axis=-1, keepdims=True)
    normed = gain * (h - mu) / gc.sqrt(variance + 1e-5) + shift
    pred = normed @ w
    r = pred - y
    delta = 1.0
    huber = gc.where(gc.abs(r) <= delta, 0.5 * r**2, delta * (gc.abs(r) - 0.5 * delta))
    loss = gc.mean(huber)
    return gc.graph({"loss": loss, "pred": pred}, name="skip_regression")


SKIP_REGRESSION = '''
"""skip_regression: two branches, a skip connection, normalization, Huber's loss."""
x: input(f32, N, 4)
y: input(f32, N)
W1: param(f32, 4, 6, init=glorot_uniform())
b1: param(f32, 6)
W2: param(f32, 6, 6, init=glorot_uniform())
V: param(f32, 4, 6, init=glorot_uniform())
gain: param(f32, 6, init=1.0)
shift: param(f32, 6)
w: param(f32, 6, init=normal(0.5))

left = tanh(x @ W1 + b1) @ W2
right = relu(x @ V)
h = left + right + x @ V
mu = mean(h, axis=-1, keepdims=True)
variance = mean((h - mu) ** 2, axis=-1, keepdims=True)
normed = gain * (h - mu) / sqrt(variance + 1e-5) + shift
pred = normed @ w
r = pred - y
delta = 1.0
huber = where(abs(r) <= delta, 0.5 * r**2, delta * (abs(r) - 0.5 * delta))
loss = mean(huber)
output(loss, pred)
'''


def multilabel() -> gc.Graph:
    x = gc.input("x", ("N", 5))
    y = gc.input("y", ("N", 3))
    mask = gc.input("mask", ("N", 3), "bool")
    W = gc.param("W", (5, 3), init=gc.init.glorot_uniform())
    b = gc.param("b", (3,))
    p = gc.sigmoid(x @ W + b)
    bce = -(y * gc.log(p) + (1 - y) * gc.log(1 - p))
    m = gc.cast(mask, "float32")
    loss = gc.sum(m * bce) / gc.maximum(gc.sum(m), 1)
    return gc.graph({"loss": loss, "p": p}, name="multilabel")


MULTILABEL = '''
"""multilabel: binary cross-entropy of the labels that are known."""
x: input(f32, N, 5)
y: input(f32, N, 3)
mask: input(bool, N, 3)
W: param(f32, 5, 3, init=glorot_uniform())
b: param(f32, 3)

p = sigmoid(x @ W + b)
bce = -(y * log(p) + (1 - y) * log(1 - p))
m = cast(mask, f32)
loss = sum(m * bce) / maximum(sum(m), 1)
output(loss, p)
'''


def mixture() -> gc.Graph:
    x = gc.input("x", ("N", 2))
    logits = gc.param("logits", (3,))
    mu = gc.param("mu", (3, 2), init=gc.init.normal(1.0))
    log_sigma = gc.param("log_sigma", (3,))
    weights = gc.softmax(logits)
    sigma = gc.exp(log_sigma)
    distance = gc.sum((x[:, None, :] - mu) ** 2, axis=2)
    density = gc.exp(-distance / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    loss = -gc.mean(gc.log(gc.sum(weights * density, axis=1)))
    return gc.graph({"loss": loss}, name="mixture")


MIXTURE = '''
"""mixture: negative log-likelihood of three round Gaussians."""
x: input(f32, N, 2)
logits: param(f32, 3)
mu: param(f32, 3, 2, init=normal(1.0))
log_sigma: param(f32, 3)

weights = softmax(logits)
sigma = exp(log_sigma)
distance = sum((x[:, None, :] - mu) ** 2, axis=2)
density = exp(-distance / (2 * sigma**2)) / (2 * pi * sigma**2)
loss = -mean(log(sum(weights * density, axis=1)))
output(loss)
'''


def attention() -> gc.Graph:
    T, D = 5, 4
    x = gc.input("x", (T, D))
    target = gc.input("target", (T, D))
    Q, K, V = (gc.param(name, (D, D), init=gc.init.glorot_uniform()) for name in "QKV")
    q, k, v = x @ Q, x @ K, x @ V
    scores = q @ k.T / D**0.5
    mask = gc.arange(T)[:, None] >= gc.arange(T)[None, :]
    masked = gc.where(mask, scores, -np.inf)
    e = gc.exp(masked - gc.max(masked, axis=-1, keepdims=True))
    a = e / gc.sum(e, axis=-1, keepdims=True)
    out = a @ v
    loss = gc.mean((out - target) ** 2)
    return gc.graph({"loss": loss, "a": a}, name="attention")


ATTENTION = '''
"""attention: one causal head."""
x: input(f32, 5, 4)
target: input(f32, 5, 4)
Q: param(f32, 4, 4, init=glorot_uniform())
K: param(f32, 4, 4, init=glorot_uniform())
V: param(f32, 4, 4, init=glorot_uniform())

q = x @ Q
k = x @ K
v = x @ V
scores = q @ k.T / 4**0.5
mask = arange(5)[:, None] >= arange(5)[None, :]
masked = where(mask, scores, -inf)
e = exp(masked - max(masked, axis=-1, keepdims=True))
a = e / sum(e, axis=-1, keepdims=True)
out = a @ v
loss = mean((out - target) ** 2)
output(loss, a)
'''


def factorization() -> gc.Graph:
    user = gc.input("user", ("N",), "int64")
    item = gc.input("item", ("N",), "int64")
    rating = gc.input("rating", ("N",))
    U = gc.param("U", (6, 3), init=gc.init.normal(0.3))
    M = gc.param("M", (7, 3), init=gc.init.normal(0.3))
    bu, bi, mu = gc.param("bu", (6,)), gc.param("bi", (7,)), gc.param("mu")
    pred = gc.sum(U[user] * M[item], axis=1) + bu[user] + bi[item] + mu
    penalty = 0.01 * (gc.sum(U**2) + gc.sum(M**2))
    loss = gc.mean((pred - rating) ** 2) + penalty
    return gc.graph({"loss": loss, "pred": pred}, name="factorization")


FACTORIZATION = '''
"""factorization: ratings from factors of users and items."""
user: input(i64, N)
item: input(i64, N)
rating: input(f32, N)
U: param(f32, 6, 3, init=normal(0.3))
M: param(f32, 7, 3, init=normal(0.3))
bu: param(f32, 6)
bi: param(f32, 7)
mu: param(f32)

pred = sum(U[user] * M[item], axis=1) + bu[user] + bi[item] + mu
penalty = 0.01 * (sum(U**2) + sum(M**2))
loss = mean((pred - rating) ** 2) + penalty
output(loss, pred)
'''


def poisson() -> gc.Graph:
    x = gc.input("x", ("N", 3))
    k = gc.input("k", ("N",), "int64")
    exposure = gc.input("exposure", ("N",))
    w, b = gc.param("w", (3,)), gc.param("b")
    rate = exposure * gc.exp(x @ w + b)
    loss = gc.mean(rate - gc.astype(k, "float32") * gc.log(rate))
    return gc.graph({"loss": loss, "rate": rate}, name="poisson")


POISSON = '''
"""poisson: counts over exposures of different length."""
x: input(f32, N, 3)
k: input(i64, N)
exposure: input(f32, N)
w: param(f32, 3)
b: param(f32)

rate = exposure * exp(x @ w + b)
loss = mean(rate - astype(k, f32) * log(rate))
output(loss, rate)
'''


def autoencoder() -> gc.Graph:
    x = gc.input("x", ("N", 6))
    W = gc.param("W", (6, 3), init=gc.init.glorot_uniform())
    b, c = gc.param("b", (3,)), gc.param("c", (6,))
    h = gc.sigmoid(x @ W + b)
    xhat = h @ W.T + c
    loss = gc.mean(gc.sum((x - xhat) ** 2, axis=1)) + 0.001 * gc.sum(W**2)
    return gc.graph({"loss": loss, "xhat": xhat}, name="autoencoder")


AUTOENCODER = '''
"""autoencoder: the decoder's weights are the encoder's, transposed."""
x: input(f32, N, 6)
W: param(f32, 6, 3, init=glorot_uniform())
b: param(f32, 3)
c: param(f32, 6)

h = sigmoid(x @ W + b)
xhat = h @ W.T + c
loss = mean(sum((x - xhat) ** 2, axis=1)) + 0.001 * sum(W**2)
output(loss, xhat)
'''


def energy(r: Any, m: Any, v: Any) -> Any:
    """Return the energy of bodies that attract one another, in plain NumPy."""
    d = r[:, None, :] - r[None, :, :]
    distance = np.sqrt(np.sum(d**2, axis=-1) + 0.01)
    pair = np.triu(np.outer(m, m) / distance, 1)
    kinetic = 0.5 * np.sum(m * np.sum(v * v, axis=1))
    return kinetic - np.sum(pair)


def physics() -> gc.Graph:
    return gc.from_function(
        lambda r, m, v: {"loss": energy(r, m, v)},
        name="physics",
        r=((4, 3), "float32"),
        m=((4,), "float32"),
        v=((4, 3), "float32"),
    )


PHYSICS = '''
"""physics: the energy of four bodies."""
r: input(f32, 4, 3)
m: input(f32, 4)
v: input(f32, 4, 3)

d = r[:, None, :] - r[None, :, :]
distance = sqrt(sum(d**2, axis=-1) + 0.01)
pair = triu(outer(m, m) / distance, 1)
kinetic = 0.5 * sum(m * sum(v * v, axis=1))
loss = kinetic - sum(pair)
output(loss)
'''


def triplet() -> gc.Graph:
    anchor, positive, negative = (
        gc.input(name, ("N", 4)) for name in ("anchor", "positive", "negative")
    )
    label = gc.input("label", ("N",), "int64")
    W = gc.param("W", (4, 3), init=gc.init.glorot_uniform())
    centers = gc.param("centers", (5, 3), init=gc.init.normal(1.0))
    fa, fp, fn = anchor @ W, positive @ W, negative @ W
    near, far = gc.norm(fa - fp, axis=1), gc.norm(fa - fn, axis=1)
    hinge = gc.mean(gc.maximum(near - far + 0.2, 0))
    center = gc.mean(gc.sum((fa - centers[label]) ** 2, axis=1))
    loss = hinge + 0.1 * center
    return gc.graph({"loss": loss}, name="triplet")


TRIPLET = '''
"""triplet: triplet loss and center loss."""
anchor: input(f32, N, 4)
positive: input(f32, N, 4)
negative: input(f32, N, 4)
label: input(i64, N)
W: param(f32, 4, 3, init=glorot_uniform())
centers: param(f32, 5, 3, init=normal(1.0))

fa = anchor @ W
fp = positive @ W
fn = negative @ W
near = norm(fa - fp, axis=1)
far = norm(fa - fn, axis=1)
hinge = mean(maximum(near - far + 0.2, 0))
center = mean(sum((fa - centers[label]) ** 2, axis=1))
loss = hinge + 0.1 * center
output(loss)
'''


def focal() -> gc.Graph:
    x = gc.input("x", ("N", 4))
    y = gc.input("y", ("N",), "int64")
    W = gc.param("W", (4, 3), init=gc.init.glorot_uniform())
    b = gc.param("b", (3,))
    gamma = 2.0
    p = gc.softmax(x @ W + b, axis=1)
    pt = gc.take_along_axis(p, y[:, None], axis=1)[:, 0]
    loss = gc.mean(-((1 - pt) ** gamma) * gc.log(pt))
    return gc.graph({"loss": loss, "p": p}, name="focal")


FOCAL = '''
"""focal: cross-entropy that looks away from what is right already."""
x: input(f32, N, 4)
y: input(i64, N)
W: param(f32, 4, 3, init=glorot_uniform())
b: param(f32, 3)

gamma = 2.0
p = softmax(x @ W + b, axis=1)
pt = take_along_axis(p, y[:, None], axis=1)[:, 0]
loss = mean(-((1 - pt) ** gamma) * log(pt))
output(loss, p)
'''


def normal(r: np.random.Generator, *shape: int) -> np.ndarray:
    return r.normal(size=shape).astype(np.float32)


MODELS = {
    "skip_regression": Model(
        skip_regression,
        SKIP_REGRESSION,
        lambda r: {"x": normal(r, N, 4), "y": 3 * normal(r, N)},
        "adamw(0.05)",
        0.5,
    ),
    "multilabel": Model(
        multilabel,
        MULTILABEL,
        lambda r: {
            "x": normal(r, N, 5),
            "y": (normal(r, N, 3) > 0).astype(np.float32),
            "mask": normal(r, N, 3) > -0.5,
        },
        "sgd(0.5)",
        0.5,
    ),
    "mixture": Model(mixture, MIXTURE, lambda r: {"x": normal(r, N, 2)}, "adam(0.05)", 0.7),
    "attention": Model(
        attention,
        ATTENTION,
        lambda r: {"x": normal(r, 5, 4), "target": normal(r, 5, 4)},
        "sgd(0.1, momentum=0.9)",
        0.7,
    ),
    "factorization": Model(
        factorization,
        FACTORIZATION,
        lambda r: {
            "user": r.integers(0, 6, N),
            "item": r.integers(0, 7, N),
            "rating": 3 + normal(r, N),
        },
        "adagrad(0.3)",
        0.3,
    ),
    "poisson": Model(
        poisson,
        POISSON,
        lambda r: {
            "x": normal(r, N, 3),
            "k": r.poisson(2.0, N),
            "exposure": np.exp(normal(r, N)),
        },
        "sgd(0.02)",
        0.8,
    ),
    "autoencoder": Model(
        autoencoder, AUTOENCODER, lambda r: {"x": normal(r, N, 6)}, "rmsprop(0.01)", 0.6
    ),
    "physics": Model(
        physics,
        PHYSICS,
        lambda r: {
            "r": normal(r, 4, 3),
            "m": r.uniform(1, 2, 4).astype(np.float32),
            "v": normal(r, 4, 3),
        },
        "",
        0.0,
    ),
    "triplet": Model(
        triplet,
        TRIPLET,
        lambda r: {
            "anchor": normal(r, N, 4),
            "positive": normal(r, N, 4),
            "negative": normal(r, N, 4),
            "label": r.integers(0, 5, N),
        },
        "sgd(0.1)",
        0.6,
    ),
    "focal": Model(
        focal,
        FOCAL,
        lambda r: {"x": normal(r, N, 4), "y": r.integers(0, 3, N)},
        "adam(0.05)",
        0.5,
    ),
}
TRAINED = [name for name, model in MODELS.items() if model.optimizer]

every_model = pytest.mark.parametrize("name", MODELS)


@cache
def graph_of(name: str) -> gc.Graph:
    return MODELS[name].build()


def data_of(name: str) -> Data:
    return MODELS[name].data(np.random.default_rng(1))


def in_double(values: Mapping[str, np.ndarray]) -> Data:
    return {k: a.astype(np.float64) if a.dtype.kind == "f" else a for k, a in values.items()}


def wrt_of(graph: gc.Graph) -> list[str]:
    """Return the parameters, or the float inputs where there are none."""
    floats = [name for name, node in graph.inputs.items() if node.dtype.kind == "f"]
    return list(graph.params) or floats


@every_model
def test_text_and_python_state_one_graph(name: str) -> None:
    assert gc.parse(MODELS[name].text) == graph_of(name)


@every_model
def test_one_value_in_every_style_at_every_level(name: str) -> None:
    graph, data = graph_of(name).astype("float64"), in_double(data_of(name))
    state = graph.init(seed=3)
    wrt = wrt_of(graph)
    expected = gc.interpret(graph.gradient("loss", wrt), state or None, **data)
    for level in range(4):
        for style in ("readable", "fast"):
            f = gc.compile(graph, gradient_of="loss", wrt=wrt, optimize=level, style=style)
            for _ in range(2):  # kept buffers give the second call nothing away
                result = f(state, **data) if state else f(**data)
            assert result.keys() == expected.keys()
            for key, value in expected.items():
                np.testing.assert_allclose(
                    result[key], value, rtol=1e-9, atol=1e-11, err_msg=f"{key} {style} {level}"
                )


@every_model
def test_gradient_is_the_slope(name: str) -> None:
    """Differences that this test takes itself, and those of `check_gradient`."""
    graph, data = graph_of(name).astype("float64"), in_double(data_of(name))
    state = graph.init(seed=3)
    wrt = wrt_of(graph)
    f = gc.compile(graph, gradient_of="loss", wrt=wrt)
    point = {**state, **data}

    def run(values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        inputs = {key: values[key] for key in data}
        return f({key: values[key] for key in state}, **inputs) if state else f(**inputs)

    found = {key: np.array(value) for key, value in run(point).items()}
    for key in wrt:
        slope = np.zeros_like(point[key])
        for place in np.ndindex(slope.shape):
            nudge = np.zeros_like(slope)
            nudge[place] = 1e-6
            above = run({**point, key: point[key] + nudge})["loss"]
            below = run({**point, key: point[key] - nudge})["loss"]
            slope[place] = (above - below) / 2e-6
        np.testing.assert_allclose(found[f"d_loss_d_{key}"], slope, rtol=1e-6, atol=1e-8)
    assert gc.check_gradient(graph, of="loss", at=point, wrt=wrt).max_error < 1e-6


@pytest.mark.parametrize("name", TRAINED)
def test_loss_goes_down_alike_in_both_styles(name: str) -> None:
    model, data = MODELS[name], data_of(name)
    curves = []
    for style in ("readable", "fast"):
        step = gc.compile(graph_of(name), minimize="loss", optimizer=model.optimizer, style=style)
        state = step.init(seed=0)
        curves.append([float(step(state, **data)["loss"]) for _ in range(60)])
    np.testing.assert_allclose(*curves, rtol=1e-3, atol=1e-4)
    assert curves[0][-1] < model.left * curves[0][0]


def test_losses_stay_finite_where_the_textbook_overflows() -> None:
    """Scores of ±200, and points far from every Gaussian."""
    data = data_of("multilabel")
    f = gc.compile(graph_of("multilabel"), gradient_of="loss")
    state = {"W": np.full((5, 3), 200, np.float32), "b": np.zeros(3, np.float32)}
    assert all(np.isfinite(value).all() for value in f(state, **data).values())

    f = gc.compile(graph_of("mixture"), gradient_of="loss")
    far = {"x": np.full((N, 2), 1e3, np.float32)}
    assert all(np.isfinite(value).all() for value in f(f.init(0), **far).values())


def test_a_causal_head_never_looks_ahead() -> None:
    data = data_of("attention")
    f = gc.compile(graph_of("attention"), style="readable")
    weights = f(f.init(0), **data)["a"]
    assert (np.triu(weights, 1) == 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert "np.tri(5, dtype=bool)" in f.source  # and not a table of 25 truth values


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save each model's module in both styles."""
    folder = tmp_path_factory.mktemp("modules")
    for name, model in MODELS.items():
        for style in ("readable", "fast"):
            goal = (
                {"minimize": "loss", "optimizer": model.optimizer}
                if model.optimizer
                else {"gradient_of": "loss"}
            )
            gc.compile(graph_of(name), style=style, **goal).save(folder / f"{name}_{style}.py")
    return folder


def test_modules_check_their_own_gradients_without_graphc(modules: Path) -> None:
    program = (
        "import pathlib, runpy, sys\n"
        f"for path in sorted(pathlib.Path({str(modules)!r}).glob('*.py')):\n"
        "    runpy.run_path(str(path), run_name='__main__')\n"
        "assert not any(m.split('.')[0] in ('graphc', 'sympy') for m in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=modules, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_modules_are_formatted(modules: Path) -> None:
    """Formatters and linters with nothing but their defaults find nothing to do."""
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--isolated"], ["format", "--isolated", "--diff"]):
        done = subprocess.run([*ruff, *command, str(modules)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
