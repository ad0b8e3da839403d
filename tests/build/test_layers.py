"""Layers, penalties and losses against their textbook formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from comparing import built, leaf

from graphc.build import functions as gf
from graphc.build import nn
from graphc.build.graphs import graph, input, param
from graphc.build.init import initial_state, normal
from graphc.build.layers import losses
from graphc.build.layers import plain as layers
from graphc.compile import compile
from graphc.errors import GraphError
from graphc.run.reference import interpret

RNG = np.random.default_rng(1)


def test_dense_makes_its_parameters() -> None:
    x = input("x", ("N", 3))
    y = nn.dense(x, 4, name="hidden", activation=gf.relu)
    g = graph(y)
    assert {k: v.shape for k, v in g.params.items()} == {"hidden.W": (3, 4), "hidden.b": (4,)}
    state = initial_state(g)
    state["hidden.b"] += 0.1
    data = RNG.normal(size=(5, 3)).astype(np.float32)
    wanted = np.maximum(data @ state["hidden.W"] + state["hidden.b"], 0)
    np.testing.assert_allclose(interpret(g, state, x=data)["y"], wanted, rtol=1e-6)
    assert {node.provenance.scope for node in g.nodes if node is not x} == {"hidden"}


def test_dense_uses_given_parameters() -> None:
    x, w, b = input("x", ("N", 3)), param("w", (3, 2)), param("b", (2,))
    assert list(graph(nn.dense(x, 2, weight=w, bias=b)).params) == ["w", "b"]
    assert list(graph(nn.dense(x, 2, weight=w, use_bias=False)).params) == ["w"]
    assert list(graph(nn.dense(x, 2, weight=w.T.T)).params) == ["w", "dense_3.b"]
    with pytest.raises(GraphError, match="weight has the wrong shape"):
        nn.dense(x, 3, weight=w)


def test_dense_of_sequences_and_other_inputs() -> None:
    x = input("x", ("T", "N", 3), "float64")
    y = nn.dense(x, 2, activation=np.tanh, init=normal(0.1))
    assert y.shape[2] == 2 and y.dtype == np.float64
    assert nn.dense(input("n", (4, 3), "int64"), 2).dtype == np.float32
    with pytest.raises(GraphError, match=r"are these D samples or D features\?"):
        nn.dense(input("z", ("D",)), 2)
    assert layers.activate(x, "linear") is x is layers.activate(x, None)
    with pytest.raises(GraphError, match="did you mean 'relu'"):
        nn.dense(x, 2, activation="relux")


def test_default_names_are_unique_and_repeatable() -> None:
    def build() -> list[str]:
        x = input("x", ("N", 3))
        h = nn.dense(nn.dense(x, 3), 3)
        mean, spread = nn.dense(h, 2), nn.dense(h, 2)
        own = nn.dense(gf.exp(mean + spread), 2, name="dense_6")
        last = nn.dense(nn.dense(own, 1), 1)
        return list(graph(last, spread).params)

    names = [name.removesuffix(".W") for name in build() if name.endswith(".W")]
    assert names == ["dense", "dense_2", "dense_3", "dense_4", "dense_6", "dense_5", "dense_7"]
    assert build() == build()


def test_default_names_grow_linearly() -> None:
    x = input("x", (2,))
    for _ in range(2000):
        x = gf.tanh(nn.dense(x, 2))
    assert len(graph(x).params) == 4000


def test_embedding_looks_rows_up() -> None:
    i = input("i", ("N", 2), "int64")
    y = nn.embedding(i, 10, 4, name="words")
    g = graph(y)
    state = initial_state(g)
    rows = np.array([[3, 3], [9, 0]])
    np.testing.assert_array_equal(interpret(g, state, i=rows)["y"], state["words.W"][rows])
    assert abs(state["words.W"].std() - 1) < 0.3
    with pytest.raises(GraphError, match="must hold integers"):
        nn.embedding(input("x", (3,)), 10, 4)


def test_dropout_keeps_the_mean() -> None:
    x = input("x", ("N",))
    y = nn.dropout(x, 0.25)
    data = np.ones(20_000, np.float32)
    value = interpret(graph(y), x=data, rng=np.random.default_rng(0))["y"]
    assert set(np.unique(value)) == {np.float32(0), np.float32(4 / 3)}
    assert abs(value.mean() - 1) < 0.02 and abs((value == 0).mean() - 0.25) < 0.02
    assert nn.dropout(x, 0) is x
    for rate in (1.0, -0.1):
        with pytest.raises(GraphError, match="0 <= rate < 1"):
            nn.dropout(x, rate)


def test_layers_without_parameters_have_names_too() -> None:
    x = input("x", ("N", 4))
    for layer in (nn.dropout, nn.local_response_norm):
        assert layer(x, name="part").provenance.scope == "part"
        assert layer(x).provenance.scope == ""


def test_penalties() -> None:
    w, v = RNG.normal(size=(3, 2)), RNG.normal(size=4)
    got = built(lambda a, b: nn.l2([a, b], 0.1), w, v)
    np.testing.assert_allclose(got, 0.05 * ((w**2).sum() + (v**2).sum()))
    np.testing.assert_allclose(built(lambda a: nn.l1(a, 0.1), w), 0.1 * np.abs(w).sum())
    with pytest.raises(GraphError, match="at least one"):
        nn.l2([])


# -- losses --------------------------------------------------------------------------------------

P = RNG.uniform(0.1, 0.9, 6)
T = np.array([1.0, 0, 1, 1, 0, 0])
S, Y = RNG.normal(size=6), np.array([1, -1, 1, -1, -1, 1])
Z, C = RNG.normal(size=(4, 3)), np.array([2, 0, 1, 2])
Q = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)
M1, M2 = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))


C6, D = np.array([0, 3, 1, 0, 2, 7]), np.abs(3 * S - Y)


def huber(d: np.ndarray, delta: float) -> np.ndarray:
    return np.where(np.abs(d) <= delta, d**2 / 2, delta * (np.abs(d) - delta / 2))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


LOSSES: list[tuple[Any, tuple[np.ndarray, ...], np.ndarray]] = [
    (losses.mean_squared_error, (M1, M2), ((M1 - M2) ** 2).mean(1)),
    (losses.mean_squared_error, (P, T), (P - T) ** 2),
    (losses.squared_error, (M1, M2), 0.5 * ((M1 - M2) ** 2).sum(1)),
    (losses.absolute_error, (M1, M2), np.abs(M1 - M2).mean(1)),
    (losses.binary_cross_entropy, (P, T), -T * np.log(P) - (1 - T) * np.log(1 - P)),
    (losses.binary_cross_entropy, (P, T.astype(bool)), -np.log(np.where(T > 0, P, 1 - P))),
    (
        lambda z, t: losses.binary_cross_entropy(z, t, from_logits=True),
        (S, T),
        -T * np.log(sigmoid(S)) - (1 - T) * np.log(1 - sigmoid(S)),
    ),
    (losses.softmax_cross_entropy, (Z, C), -np.log(Q[range(4), C])),
    (losses.softmax_cross_entropy, (Z, np.eye(3)[C]), -np.log(Q[range(4), C])),
    (losses.softmax_cross_entropy, (Z, Q), -(Q * np.log(Q)).sum(1)),
    (
        lambda p, c: losses.softmax_cross_entropy(p, c, from_logits=False),
        (Q, C),
        -np.log(Q[range(4), C]),
    ),
    (lambda z, c: losses.softmax_cross_entropy(z, c, axis=0), (Z.T, C), -np.log(Q[range(4), C])),
    (losses.hinge, (S, Y), np.maximum(0, 1 - Y * S)),
    (losses.perceptron_loss, (S, Y), np.maximum(0, -Y * S)),
    (losses.logistic_loss, (S, Y), np.log1p(np.exp(-Y * S))),
    (losses.huber, (3 * S, Y), np.where(D <= 1, D**2 / 2, D - 0.5)),
    (lambda p, t: losses.huber(p, t, delta=2.0), (M1, M2), huber(M1 - M2, 2.0).mean(1)),
    (losses.poisson_loss, (S, C6), np.exp(S) - C6 * S),
    (lambda p, t: losses.poisson_loss(p, t, from_logs=False), (P, C6), P - C6 * np.log(P)),
    (losses.zero_one, (S, Y), (np.where(S >= 0, 1, -1) != Y).astype(float)),
    (losses.zero_one, (np.zeros(2), np.array([1, -1])), np.array([0.0, 1.0])),
    (losses.zero_one, (Z, C), (Z.argmax(1) != C).astype(float)),
]


@pytest.mark.parametrize("loss, data, wanted", LOSSES, ids=range(len(LOSSES)))
def test_losses_give_one_value_per_sample(
    loss: Callable[..., Any], data: tuple[np.ndarray, ...], wanted: np.ndarray
) -> None:
    np.testing.assert_allclose(built(loss, *data), wanted, rtol=1e-12)


def test_losses_from_logits_survive_large_numbers() -> None:
    big = np.array([1e4, -1e4])
    targets = np.array([0.0, 1.0])
    got = built(lambda z, t: losses.binary_cross_entropy(z, t, from_logits=True), big, targets)
    np.testing.assert_array_equal(got, [1e4, 1e4])
    np.testing.assert_array_equal(built(losses.logistic_loss, big, np.array([-1, 1])), [1e4, 1e4])
    got = built(losses.softmax_cross_entropy, np.array([[1e4, 0.0]]), np.array([1]))
    np.testing.assert_array_equal(got, [1e4])


def test_integer_targets_keep_float32() -> None:
    z, y = input("z", ("N",)), input("y", ("N",), "int64")
    for loss in (losses.hinge, losses.mean_squared_error, losses.zero_one, losses.logistic_loss):
        assert loss(z, y).dtype == np.float32
    assert losses.poisson_loss(z, y).dtype == losses.huber(z, y).dtype == np.float32
    assert losses.mean_squared_error(z, 0.5).dtype == np.float32


def test_a_column_against_a_vector_is_refused() -> None:
    z, y = input("z", ("N", 1)), input("y", ("N",))
    with pytest.raises(GraphError, match=r"do not fit[\s\S]*z\[:, 0\]"):
        losses.mean_squared_error(z, y)
    with pytest.raises(GraphError, match="class indices"):
        losses.softmax_cross_entropy(leaf(Z, "z"), input("t", (4,), "float64"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": [1.0, 2.0]}, "one factor for each class"),
        ({"label_smoothing": 1.5}, r"a number in \[0, 1\]"),
        ({"label_smoothing": None}, r"a number in \[0, 1\]"),
    ],
)
def test_settings_of_a_cross_entropy_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        losses.softmax_cross_entropy(leaf(Z, "z"), leaf(C, "c"), **settings)


def test_shares_have_no_index_to_ignore() -> None:
    with pytest.raises(GraphError, match="ignore_index is for"):
        losses.softmax_cross_entropy(leaf(Z, "z"), leaf(Q, "q"), ignore_index=0)


def test_what_is_ignored_costs_nothing_whatever_it_is() -> None:
    """Not even an infinite logit reaches the loss, or its gradient."""
    z, y = input("z", ("N", 3)), input("y", ("N",), "int64")
    loss = losses.softmax_cross_entropy(z, y, ignore_index=-100)
    f = compile(graph({"loss": gf.sum(loss)}), gradient_of="loss")
    scores = np.array([[1, 2, 3], [1e30, -1e30, 0]], np.float32)
    got = f(z=scores, y=np.array([1, -100]))
    np.testing.assert_allclose(got["loss"], 1.4076059, rtol=1e-6)
    assert not np.any(got["d_loss_d_z"][1])
