"""Frozen parameters and graphs cut open: no gradient code for what is not trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(6, 3)).astype("float32"), RNG.normal(size=(6, 2)).astype("float32")


def model() -> gc.Graph:
    x, y = gc.input("x", ("N", 3)), gc.input("y", ("N", 2))
    h = gc.nn.dense(x, 4, name="body.first", activation="tanh")
    h = gc.nn.batch_norm(h, name="body.norm")
    h = gc.nn.dense(h, 5, name="body.second", activation="relu").named("features")
    out = gc.nn.dense(h, 2, name="head")
    return gc.graph({"loss": gc.nn.mean_squared_error(out, y).mean(), "out": out}, name="model")


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("optimizer", ["sgd(0.1)", "adam(0.01)"])
def test_the_frozen_body_gets_no_code(style: str, optimizer: str) -> None:
    g = model().frozen("body.*")
    assert g.trainable == ("head.W", "head.b") and not g.updates
    step = gc.compile(g, minimize="loss", optimizer=optimizer, style=style)
    source = step.source.partition("def check")[0]
    assert (
        "d_body" not in source and "dloss/dbody" not in source and "body.first.W.mean" not in source
    )
    assert source.count(".T") == 1  # the head's weights: features.T @ d_out
    state = step.init(seed=0)
    before = {k: v.copy() for k, v in state.items()}
    for _ in range(3):
        step(state, x=X, y=Y)
    moved = {k for k in before if not np.array_equal(before[k], state[k])}
    assert {k for k in moved if k.startswith("body")} == set() and {"head.W", "head.b"} <= moved


def test_frozen_parameters_train_as_those_created_so() -> None:
    def dense(trainable: bool) -> gc.Graph:
        x, y = gc.input("x", ("N", 3)), gc.input("y", ("N", 2))
        W = gc.param("W", (3, 2), init=gc.init.normal(0.5), trainable=trainable)
        out = gc.nn.dense(x, 2, weight=W, name="out")
        return gc.graph({"loss": gc.nn.mean_squared_error(out, y).mean()}, name="dense")

    assert dense(True).frozen("W") == dense(False)
    assert dense(False).unfrozen("W") == dense(True)
    assert "trainable=False" in str(dense(True).frozen("W"))


def test_a_layer_below_a_frozen_one_still_trains() -> None:
    g = model().astype("float64").frozen("body.norm.*", ["body.second.W", "head.*"])
    assert g.trainable == ("body.first.W", "body.first.b", "body.second.b")
    at = {"x": X, "y": Y, **g.init(seed=3)}
    assert gc.check_gradient(g, of="loss", at=at).max_error < 1e-6


def test_unfrozen_is_the_way_back() -> None:
    g = model()
    assert g.frozen("*").unfrozen("*") == g
    assert g.frozen("body.*").unfrozen("body.*") == g
    part = g.frozen("body.*").unfrozen("body.second.*")
    assert part.trainable == ("body.second.W", "body.second.b", "head.W", "head.b")
    assert gc.parse(str(part)) == part


def test_frozen_averages_stand_in_every_mode() -> None:
    g = model().frozen("body.norm.running_mean")  # its variance goes with it
    assert not g.updates and not g.for_training().updates
    assert not g.for_inference().for_training().updates
    assert list(g.unfrozen("body.norm.*").updates) == [
        "body.norm.running_mean",
        "body.norm.running_var",
    ]
    state = g.init(seed=0)
    call = {"x": X, "y": Y}
    used = gc.compile(g.for_inference())(state, **call)["out"]
    np.testing.assert_array_equal(gc.compile(g)(state, **call)["out"], used)


def test_training_everything_or_nothing() -> None:
    g = model()
    with pytest.raises(GraphError, match="nothing to train"):
        gc.compile(g.frozen("*"), minimize="loss", optimizer="sgd(0.1)")
    assert g.frozen() == g


@pytest.mark.parametrize(
    "pattern, message",
    [
        ("body.frist.W", r"matches 'body.frist.W'[\s\S]*did you mean 'body.first.W'"),
        ("tail.*", r"no parameter of model matches 'tail\.\*'[\s\S]*head\.W"),
        ("x", "no parameter of model matches 'x'"),
    ],
)
def test_a_pattern_without_a_match_is_told(pattern: str, message: str) -> None:
    for change in ("frozen", "unfrozen"):
        with pytest.raises(GraphError, match=message):
            getattr(model(), change)("head.*", pattern)


# -- a graph cut at an inner node ------------------------------------------------------------------


def test_features_of_a_trained_graph() -> None:
    g = model()
    state = g.init(seed=1)
    used = g.for_inference()
    features = gc.graph({"features": used.find("features")}, name="img2vec")
    assert list(features.inputs) == ["x"] and not features.updates
    assert not any(name.startswith("head") for name in features.params)
    f = gc.compile(features)
    vectors = f({k: state[k] for k in features.params}, x=X)["features"]
    wanted = gc.interpret(used.with_outputs({"h": used.find("features")}), state, x=X, y=Y)["h"]
    np.testing.assert_allclose(vectors, wanted, rtol=1e-5)


def test_a_new_head_on_a_trained_body() -> None:
    trained = model()
    state: dict[str, Any] = trained.init(seed=1)
    label = gc.input("label", ("N",), "int64")
    scores = gc.nn.dense(trained.for_inference().find("features"), 3, name="new_head")
    g = gc.graph({"loss": gc.nn.softmax_cross_entropy(scores, label).mean()}, name="transfer")
    g = g.frozen("body.*")
    assert g.trainable == ("new_head.W", "new_head.b") and list(g.inputs) == ["x", "label"]
    step = gc.compile(g, minimize="loss", optimizer="adam(0.05)")
    new = {**step.init(seed=0), **{k: v for k, v in state.items() if k in g.params}}
    labels = np.arange(6) % 3
    losses = [float(step(new, x=X, label=labels)["loss"]) for _ in range(50)]
    assert losses[-1] < 0.7 * losses[0]
