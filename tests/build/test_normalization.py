"""Normalization layers: parameters, running averages, hard cases, gradients; errors that help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.ops import OPS
from graphc.run.opcheck import check_derivatives

RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 4)).astype("float32") * 3 + 1


def regression(**settings: Any) -> gc.Graph:
    x, y = gc.input("x", ("N", 4)), gc.input("y", ("N", 1))
    h = gc.nn.batch_norm(gc.nn.dense(x, 5, name="hidden"), name="bn", activation="tanh", **settings)
    out = gc.nn.dense(h, 1, name="out")
    return gc.graph(
        {"loss": gc.nn.mean_squared_error(out, y).mean(), "out": out}, name="regression"
    )


def test_parameters_and_updates() -> None:
    g = regression()
    shapes = {k: v.shape for k, v in g.params.items() if k.startswith("bn.")}
    kinds = ("running_mean", "running_var", "W", "b")
    assert shapes == {f"bn.{kind}": (5,) for kind in kinds}
    assert [k for k in g.trainable if k.startswith("bn.")] == ["bn.W", "bn.b"]
    assert list(g.updates) == ["bn.running_mean", "bn.running_var"]
    state = g.init()
    assert [float(state[f"bn.{kind}"].mean()) for kind in kinds] == [0, 1, 1, 0]
    bare = gc.graph(gc.nn.batch_norm(gc.input("x", ("N", 4)), affine=False))
    assert list(bare.params) == ["batch_norm.running_mean", "batch_norm.running_var"]


def test_training_and_inference_from_one_graph() -> None:
    g = regression()
    used = g.for_inference()
    assert not used.updates
    assert used.for_training() == g and used.for_inference() == used and g.for_training() == g
    for graph in (g, used, used.gradient("loss"), g.astype("float64")):
        assert gc.parse(str(graph)) == graph
        assert list(graph.updates) == ([] if "inference" in str(graph) else list(g.updates))


def test_inference_reads_the_averages_only() -> None:
    used = regression().for_inference()
    state = used.init(seed=1)
    f = gc.compile(used, optimize=2, style="readable")
    assert ".mean(axis=0)" not in f.source
    many = f(state, x=X, y=X[:, :1])["out"]
    alone = np.concatenate([f(state, x=X[i : i + 1], y=X[:1, :1])["out"] for i in range(6)])
    np.testing.assert_allclose(alone, many, rtol=1e-6)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [0, 2])
def test_a_step_trains_and_measures(style: str, level: int) -> None:
    g = regression(momentum=0.25)
    step = gc.compile(g, minimize="loss", optimizer="sgd(0.1)", optimize=level, style=style)
    state = step.init(seed=0)
    hidden = X @ state["hidden.W"]
    before = state["bn.W"].copy()
    step(state, x=X, y=X[:, :1])
    np.testing.assert_allclose(state["bn.running_mean"], 0.25 * hidden.mean(0), rtol=2e-5)
    wanted = 0.75 + 0.25 * hidden.var(0, ddof=1)
    np.testing.assert_allclose(state["bn.running_var"], wanted, rtol=2e-5)
    assert (state["bn.W"] != before).any()


def test_fit_moves_the_averages_to_those_of_the_data() -> None:
    g = regression()
    step = gc.compile(g, minimize="loss", optimizer="sgd(0.0001)")
    state = step.init(seed=0)
    data = {"x": np.tile(X, (20, 1)), "y": np.tile(X[:, :1], (20, 1))}
    gc.train.fit(step, state, data, epochs=8, batch_size=60, progress=False)
    hidden = data["x"] @ state["hidden.W"] + state["hidden.b"]
    share = 1 - 0.9 ** (8 * 2)
    np.testing.assert_allclose(state["bn.running_mean"], share * hidden.mean(0), atol=0.2)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_without_momentum_all_batches_count_alike(style: str) -> None:
    x = gc.input("x", ("N", 4), "float64")
    g = gc.graph({"y": gc.nn.batch_norm(x, name="bn", momentum=None)})
    assert list(g.updates) == ["bn.running_mean", "bn.running_var", "bn.batches"]
    assert gc.parse(str(g)) == g and g.for_inference().for_training() == g
    batches = [RNG.normal(size=(n, 4)) for n in (3, 5, 4)]
    state, reference = g.init(), g.init()
    f = gc.compile(g, style=style)
    for seen, batch in enumerate(batches, 1):
        f(state, x=batch)
        gc.interpret(g, reference, x=batch)
        means = [b.mean(0) for b in batches[:seen]]
        spreads = [b.var(0, ddof=1) for b in batches[:seen]]
        for kept in (state, reference):
            assert kept["bn.batches"] == seen and kept["bn.batches"].dtype == np.int64
            np.testing.assert_allclose(kept["bn.running_mean"], np.mean(means, 0), rtol=1e-12)
            np.testing.assert_allclose(kept["bn.running_var"], np.mean(spreads, 0), rtol=1e-12)
    used = gc.compile(g.for_inference())(state, x=X)["y"]
    wanted = (X - np.mean(means, 0)) / np.sqrt(np.mean(spreads, 0) + 1e-5)
    np.testing.assert_allclose(used, wanted, rtol=1e-12)
    assert not g.frozen("bn.*").updates and g.frozen("bn.*").unfrozen("bn.*") == g


def test_only_a_graph_for_training_changes_its_state() -> None:
    g = regression()
    state = g.init(seed=0)
    kept = {k: v.copy() for k, v in state.items()}
    call = {"x": X, "y": X[:, :1]}
    gc.check_gradient(g, of="loss", at={**call, **state})
    gc.compile(g.for_inference())(state, **call)
    assert all(np.array_equal(state[k], kept[k]) for k in kept)
    reference = {k: v.copy() for k, v in state.items()}
    gc.interpret(g, reference, **call)
    gc.compile(g)(state, **call)
    for k in kept:
        np.testing.assert_allclose(state[k], reference[k], rtol=1e-5)
    assert not np.array_equal(state["bn.running_mean"], kept["bn.running_mean"])


def test_one_set_of_averages_for_two_batches_moves_twice() -> None:
    a, b = gc.input("a", ("N", 2)), gc.input("b", ("N", 2))
    mean = gc.param("mean", (2,), trainable=False)
    var = gc.param("var", (2,), init=1.0, trainable=False)
    shared = {"affine": False, "momentum": 0.5, "running_mean": mean, "running_var": var}
    g = gc.graph({"y": gc.nn.batch_norm(a, **shared) + gc.nn.batch_norm(b, **shared)})
    state = g.init()
    A, B = (RNG.normal(size=(4, 2)).astype("float32") for _ in "ab")
    gc.compile(g)(state, a=A, b=B)
    np.testing.assert_allclose(state["mean"], 0.25 * A.mean(0) + 0.5 * B.mean(0), rtol=1e-5)


# -- hard cases ----------------------------------------------------------------------------------

LAYERS: dict[str, Any] = {
    "batch_norm": lambda x: gc.nn.batch_norm(x, name="n"),
    "layer_norm": lambda x: gc.nn.layer_norm(x, name="n"),
    "group_norm": lambda x: gc.nn.group_norm(x, 2, name="n"),
    "instance_norm": lambda x: gc.nn.instance_norm(x, name="n", affine=True),
    "rms_norm": lambda x: gc.nn.rms_norm(x, name="n"),
    "local_response_norm": lambda x: gc.nn.local_response_norm(x, 3, alpha=0.5),
}
HARD = {
    "one sample": RNG.normal(size=(1, 4, 3)),
    "one element": RNG.normal(size=(1, 4, 1)),
    "equal elements": np.full((3, 4, 2), 0.7),
    "zeros": np.zeros((2, 4, 2)),
    "large": RNG.normal(size=(3, 4, 2)) * 1e15,
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("data", HARD)
@pytest.mark.parametrize("style", ["readable", "fast"])
def test_no_nan(layer: str, data: str, style: str) -> None:
    x = gc.input("x", ("N", *HARD[data].shape[1:]))
    y = LAYERS[layer](x)
    w = gc.input("w", y.shape)
    g = gc.graph({"y": y, "loss": (y * w).sum()})
    wrt = ["x", *g.trainable]
    f = gc.compile(g, gradient_of="loss", wrt=wrt, style=style)
    state = g.init()
    array = HARD[data].astype("float32")
    call = (state,) if g.params else ()
    outputs = f(*call, x=array, w=RNG.normal(size=array.shape).astype("float32"))
    for name, value in {**outputs, **state}.items():
        assert np.isfinite(value).all(), name


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("mode", ["training", "inference"])
def test_gradients_against_finite_differences(layer: str, mode: str) -> None:
    x = gc.input("x", ("N", 4, 3), "float64")
    y = LAYERS[layer](x)
    g = gc.graph({"loss": (y * gc.sin(y) + gc.exp(0.3 * y)).mean()})
    g = g if mode == "training" else g.for_inference()
    rng = np.random.default_rng(2)
    at = {"x": rng.normal(size=(3, 4, 3))}
    at |= {k: rng.uniform(0.5, 1.5, node.shape) for k, node in g.params.items()}
    assert gc.check_gradient(g, of="loss", at=at).max_error < 1e-6


@pytest.mark.parametrize("name", ["standardize", "batch_normalize", "response_normalize"])
def test_second_derivatives(name: str) -> None:
    """The gradient of |gradient|² is right too: the collected forms are ordinary nodes."""
    found = check_derivatives(OPS[name])
    assert found is not None and found.is_right, found


def test_the_emitted_step_reads_as_by_hand() -> None:
    source = gc.compile(
        regression(), minimize="loss", optimizer="sgd(0.1)", style="readable"
    ).source
    for line in (
        "bn_variance = np.square(bn_centred).mean(axis=0)  # [5]",
        "bn_spread = np.sqrt(bn_variance + 1e-5)  # [5]",
        "bn_normal = bn_centred / bn_spread  # [N, 5]  batch_normalize(hidden)",
        "bn_running_mean += (bn_mean - bn_running_mean) * 0.1",
    ):
        assert f"    {line}\n" in source
    # The mean and the variance: what the derivative needs beside them are the gradients of W and b.
    assert "np.where" not in source and source.count(".mean(axis=0)") == 2


@pytest.mark.parametrize("layer", LAYERS)
def test_no_layer_needs_a_guard(layer: str) -> None:
    """What is divided by is never 0, and the compiler knows: no case distinction, one root."""
    x = gc.input("x", ("N", 4, 3))
    y = LAYERS[layer](x)
    g = gc.graph({"loss": (y * gc.input("w", y.shape)).sum()})
    source = gc.compile(g, gradient_of="loss", wrt="x", style="readable").source
    body = source.partition("def check")[0]
    assert "where" not in body and "errstate" not in body
    assert body.count("np.sqrt") + body.count("**0.75") == 1


# -- errors --------------------------------------------------------------------------------------

VECTOR, TABLE, IMAGE = gc.input("v", ("C",)), gc.input("t", ("N", "C")), gc.input("i", ("N", 6, 2))
MISTAKES: list[tuple[Any, str]] = [
    (lambda: gc.nn.batch_norm(VECTOR), r"batch_norm needs 2 axes[\s\S]*\[N, C, \.\.\.\]"),
    (lambda: gc.nn.batch_norm(IMAGE, momentum=1.5), "0 <= momentum <= 1"),
    (lambda: gc.nn.batch_norm(IMAGE, momentum="no"), "momentum is the share of the newest"),
    (lambda: gc.nn.batch_norm(IMAGE, axis=3), "axis 3 is out of bounds"),
    (lambda: gc.nn.batch_norm(IMAGE, running_var=gc.param("r", (2,))), "running_var has the wrong"),
    (lambda: gc.nn.layer_norm(IMAGE, eps=-1.0), "eps is 0 or"),
    (lambda: gc.nn.layer_norm(IMAGE, weight=gc.param("w", (6,))), "weight has the wrong shape"),
    (lambda: gc.nn.group_norm(IMAGE, 4), r"4 equal groups[\s\S]*6 channels[\s\S]*a divisor of 6"),
    (lambda: gc.nn.instance_norm(TABLE), "needs 3 axes"),
    (lambda: gc.nn.local_response_norm(IMAGE, 0), "1 or more"),
]


def test_a_loop_body_has_no_running_averages() -> None:
    xs, h0 = gc.input("xs", ("T", "N", 3)), gc.input("h0", ("N", 3))

    def body(h: gc.Node, x: gc.Node) -> tuple[gc.Node, gc.Node]:
        h = gc.nn.batch_norm(h + x, name="bn")
        return h, h

    with pytest.raises(GraphError, match=r"cannot keep running averages[\s\S]*layer_norm"):
        gc.scan(body, init=h0, xs=xs)


@pytest.mark.parametrize("make, message", MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_told(make: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        make()


@pytest.mark.parametrize(
    ("given", "result"), [("float32", "float32"), ("float64", "float64"), ("int64", "float64")]
)
def test_what_is_normalized_stays_as_exact_as_it_is(given: str, result: str) -> None:
    y = gc.normalize(gc.input("x", (3,), given))
    assert y.dtype == result
    values = gc.interpret(gc.graph({"y": y}), x=np.array([3, 4, 0], given))["y"]
    np.testing.assert_allclose(values, [0.6, 0.8, 0], rtol=1e-6)
