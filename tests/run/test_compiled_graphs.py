"""What the compiler emits, behind the call: aliasing, threads and state, in both styles."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.run.compiled import CompiledFunction

STYLES = pytest.mark.parametrize("style", ["fast", "readable"])


def classifier() -> gc.Graph:
    x = gc.input("x", ("N", 3))
    y = gc.input("y", ("N",), dtype="int64")
    W = gc.param("W", (3, 4), init=gc.init.glorot_uniform())
    b = gc.param("b", (4,))
    p = gc.softmax(gc.tanh(x) @ W + b)
    loss = -gc.log(gc.take_along_axis(p, y[:, None], axis=1)).mean()
    return gc.graph({"loss": loss, "p": p}, name="classifier")


def batch(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=(rows, 3)).astype("f4"), "y": rng.integers(0, 4, rows)}


def step(style: str) -> CompiledFunction:
    return gc.compile(classifier(), minimize="loss", optimizer=gc.optim.sgd(0.1), style=style)


@STYLES
def test_a_step_agrees_with_the_reference_for_changing_batch_sizes(style: str) -> None:
    f = step(style)
    state, other = f.init(1), f.init(1)
    for rows in (5, 8, 5, 1, 8):
        got = f(state, **batch(rows, rows))
        expected = gc.interpret(f.graph, other, **batch(rows, rows))
        for name in expected:
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-4, atol=1e-6)
        for name in other:
            np.testing.assert_allclose(state[name], other[name], rtol=1e-4, atol=1e-6)


@STYLES
def test_outputs_survive_the_next_call(style: str) -> None:
    f = step(style)
    state = f.init()
    first = f(state, **batch(5))
    kept = {name: np.array(value) for name, value in first.items()}
    f(state, **batch(5, seed=1))
    for name in kept:
        np.testing.assert_array_equal(first[name], kept[name])


@STYLES
def test_outputs_that_are_inputs_are_not_overwritten(style: str) -> None:
    x = gc.input("x", (4, 4))
    W = gc.param("W", (4, 4), init=gc.init.ones())
    outputs = {"same": x + 0, "whole": x[:], "turned": x.T, "old": W, "loss": (x @ W).sum()}
    f = gc.compile(
        gc.graph(outputs, name="views"), minimize="loss", optimizer="sgd(0.5)", style=style
    )
    given = np.arange(16, dtype="f4").reshape(4, 4)
    before, state = given.copy(), f.init()
    got = f(state, x=given)
    for _ in range(3):
        f(state, x=np.full((4, 4), 7, "f4"))
    np.testing.assert_array_equal(given, before)
    for name in ("same", "whole"):
        np.testing.assert_array_equal(got[name], before)
    np.testing.assert_array_equal(got["turned"], before.T)
    np.testing.assert_array_equal(got["old"], 1)


@STYLES
@pytest.mark.parametrize("form", ["read-only", "fortran", "strided", "swapped", "twice"])
def test_odd_inputs_are_read_and_never_written(style: str, form: str) -> None:
    a, b = gc.input("a", ("N", 3)), gc.input("b", ("N", 3))
    f = gc.compile(gc.graph({"y": gc.exp(a) * b - a.sum(axis=0)}, name="f"), style=style)
    plain = np.random.default_rng(0).normal(size=(6, 3)).astype("f4")
    forms = {
        "read-only": plain.copy(),
        "fortran": np.asfortranarray(plain),
        "strided": np.repeat(plain, 2, axis=1)[:, ::2],
        "swapped": plain.astype(">f4"),
        "twice": plain.copy(),
    }
    given = forms[form]
    given.flags.writeable = form != "read-only"
    other = given if form == "twice" else plain
    expected = gc.interpret(f.graph, a=plain, b=plain)["y"]
    for _ in range(2):
        np.testing.assert_allclose(f(a=given, b=other)["y"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(given, plain)


@STYLES
def test_two_threads_call_one_function(style: str) -> None:
    f = gc.compile(classifier(), gradient_of="loss", style=style)
    state = f.init()
    jobs = [(batch(5 + k, k), f(state, **batch(5 + k, k))) for k in range(4)]
    failures: list[int] = []

    def work(offset: int) -> None:
        for call in range(1000):
            inputs, expected = jobs[(call + offset) % len(jobs)]
            got = f(state, **inputs)
            if any(not np.array_equal(got[name], expected[name]) for name in expected):
                failures.append(call)
                return

    threads = [threading.Thread(target=work, args=(offset,)) for offset in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@STYLES
def test_draws_agree_with_the_reference(style: str) -> None:
    x = gc.input("x", (50,))
    noisy = x * gc.random_bernoulli((50,), p=0.5).astype("float32") + gc.random_normal((50,))
    graph = gc.graph({"y": noisy}, name="noisy")
    f = gc.compile(graph, style=style)
    data = np.ones(50, "f4")
    for seed in (0, 1):
        got = f(x=data, rng=np.random.default_rng(seed))["y"]
        expected = gc.interpret(graph, x=data, rng=np.random.default_rng(seed))["y"]
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    with pytest.raises(gc.GraphError, match="needs a generator"):
        f(x=data)


@STYLES
def test_parameters_without_axes_are_updated_in_place(style: str) -> None:
    x, w = gc.input("x", ()), gc.param("w", (), init=gc.init.constant(2.0))
    f = gc.compile(
        gc.graph({"loss": gc.square(w * x)}, name="g"),
        minimize="loss",
        optimizer="sgd(0.1)",
        style=style,
    )
    state = f.init()
    w_array = state["w"]
    assert isinstance(w_array, np.ndarray)
    f(state, x=1.0)
    assert state["w"] is w_array and w_array == pytest.approx(2 - 0.1 * 2 * 2)


@STYLES
def test_fit_trains_a_compiled_step(style: str) -> None:
    f = step(style)
    state = f.init()
    data = batch(64)
    data["y"] = (data["x"][:, 0] > 0).astype("i8")
    history = gc.train.fit(f, state, data, epochs=20, batch_size=20)
    assert history.losses[-1] < 0.6 * history.losses[0]


def test_saved_source_is_the_function(tmp_path: Path) -> None:
    f = step("readable")
    f.save(tmp_path / "m.py")
    namespace: dict = {"__name__": "saved"}
    exec((tmp_path / "m.py").read_text(), namespace)
    state, other = namespace["init"](seed=3), f.init(3)
    assert list(state) == list(other)
    got = namespace[f.__name__](state, **batch(4))
    np.testing.assert_allclose(got["loss"], f(other, **batch(4))["loss"], rtol=1e-6)


def test_tracebacks_lead_into_emitted_code() -> None:
    import traceback

    class Broken(np.random.Generator):
        def standard_normal(self, *args: Any, **words: Any) -> Any:
            raise RuntimeError("out of numbers")

    x = gc.input("x", ("N", 3))
    f = gc.compile(gc.graph({"y": x + gc.random_normal((3,))}, name="classifier"), style="readable")
    with pytest.raises(RuntimeError) as error:
        f(x=np.ones((2, 3), "f4"), rng=Broken(np.random.PCG64(0)))
    frames = traceback.extract_tb(error.value.__traceback__)
    emitted = [frame for frame in frames if frame.filename.startswith("<graphc classifier")]
    assert emitted and emitted[0].line and emitted[0].line in f.source


def test_what_a_compilation_would_ignore_is_refused() -> None:
    x, w = gc.input("x", (3,)), gc.param("w", (3,))
    graph = gc.graph({"loss": gc.sum(x * w)})
    with pytest.raises(gc.GraphError, match="nothing is to be differentiated"):
        gc.compile(graph, wrt=["w"])
    with pytest.raises(gc.GraphError, match="and no others"):
        gc.compile(graph, gradient_of="loss", minimize="loss", optimizer="sgd(0.1)")


@pytest.mark.parametrize("rng", [3, np.random.RandomState(0)])
def test_a_seed_is_no_generator(rng: object) -> None:
    graph = gc.graph({"y": gc.nn.dropout(gc.input("x", (3,)), 0.5)})
    x = np.ones(3, np.float32)
    for call in (gc.compile(graph), lambda **given: gc.interpret(graph, **given)):
        with pytest.raises(gc.GraphError, match="draws random numbers") as error:
            call(x=x, rng=rng)
        assert "rng=np.random.default_rng(" in str(error.value)


def test_the_quick_way_is_open_to_layers_and_to_pickled_arrays() -> None:
    x, y = gc.input("x", ("N", 3)), gc.input("y", ("N",), dtype="int64")
    loss = gc.nn.softmax_cross_entropy(gc.nn.dense(x, 2, name="z"), y).mean()
    step = gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer="sgd(0.1)")
    data = {"x": np.ones((4, 3), np.float32), "y": np.zeros(4, np.int64)}
    for function in (step, pickle.loads(pickle.dumps(step))):
        for state in (function.init(), pickle.loads(pickle.dumps(function.init()))):
            for inputs in (data, pickle.loads(pickle.dumps(data))):
                for _ in range(2):
                    function(state, **inputs)
                assert function._fitting(state, inputs, function._known_state) is not None


def test_the_state_of_a_model_fits_where_its_parameters_turn_out_to_be_needless() -> None:
    x, b = gc.input("x", ("T", 3)), gc.param("b", (3,))
    last, _ = gc.scan(lambda h, x_t: (h * x_t, x_t * b), init=gc.ones((3,)), xs=x)
    graph = gc.graph({"y": gc.sum(last)})
    X = np.ones((4, 3), np.float32)
    f = gc.compile(graph)
    assert not f.graph.params
    for _ in range(2):
        assert f(graph.init(), x=X)["y"] == f(x=X)["y"] == 3
