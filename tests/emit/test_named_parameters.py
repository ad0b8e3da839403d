"""Parameters with named dims: a call reads their sizes off the state, as the reference does."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest
from named_parameters import (
    MODELS,
    assert_close,
    case,
    codes,
    copied,
    distances_of,
    scaling,
    square_of_all,
    words,
)

import graphc as gc
from graphc.run.loader import load

LEVELS_AND_STYLES = [(level, style) for level in range(4) for style in ("readable", "fast")]
each_model = pytest.mark.parametrize("model", MODELS)


@each_model
@pytest.mark.parametrize(("level", "style"), LEVELS_AND_STYLES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_gradient_are_the_reference_s(
    model: str, level: int, style: str, dtype: str
) -> None:
    graph, sizes, inputs = case(model, dtype)
    f = gc.compile(graph, gradient_of="loss", optimize=level, style=style)
    state = f.init(seed=3, **sizes)
    assert_close(state, graph.init(3, **sizes), dtype)
    wanted = gc.interpret(graph.gradient("loss"), state, **inputs)
    assert_close(f(state, **inputs), wanted, dtype)
    assert_close(f(copied(state), **inputs), wanted, dtype)


@each_model
def test_the_gradient_is_its_difference(model: str) -> None:
    graph, sizes, inputs = case(model)
    f = gc.compile(graph, gradient_of="loss")
    state = f.init(seed=0, **sizes)
    found = f(state, **inputs)
    rng = np.random.default_rng(2)
    for name in graph.trainable:
        way = rng.normal(size=state[name].shape)
        ends = [f({**state, name: state[name] + s * way}, **inputs)["loss"] for s in (1e-6, -1e-6)]
        slope = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(np.vdot(found[f"d_loss_d_{name}"], way), slope, rtol=1e-5)


OPTIMIZERS = [
    "sgd(0.1)",
    "sgd(0.1, momentum=0.9, nesterov=True)",
    "adagrad(0.1, initial_accumulator=0.1)",
    "rmsprop(0.01)",
    "adam(0.05)",
    "adamw(0.05)",
    "clip_by_norm(adam(0.05), 0.1)",
    "clip_by_value(sgd(0.1), 0.01)",
    "max_norm(sgd(0.1), 0.5)",
]


@each_model
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", ["readable", "fast"])
def test_a_step_is_the_reference_s(model: str, optimizer: str, style: str) -> None:
    graph, sizes, inputs = case(model)
    step = gc.compile(graph, minimize="loss", optimizer=optimizer, style=style)
    state = step.init(seed=0, **sizes)
    for name, leaf in step.graph.params.items():
        owner = name.removesuffix("." + name.rpartition(".")[2])
        if leaf.attrs["slot"] and leaf.shape:
            assert state[name].shape == state[owner].shape
    other = copied(state)
    for _ in range(3):
        found = step(state, **inputs)
        assert_close(found, gc.interpret(step.graph, other, **inputs), "float64")
        assert_close(state, other, "float64")


@pytest.mark.parametrize(("level", "style"), LEVELS_AND_STYLES)
def test_a_step_at_every_level(level: int, style: str) -> None:
    graph, sizes, inputs = case("codes", "float32")
    step = gc.compile(graph, minimize="loss", optimizer="adam(0.05)", optimize=level, style=style)
    state = step.init(**sizes)
    other = copied(state)
    found = step(state, **inputs)
    assert_close(found, gc.interpret(step.graph, other, **inputs), "float32")
    assert_close(state, other, "float32")


def test_large_arrays_go_through_memory_in_blocks() -> None:
    """700² distances are several blocks, of rows that parameter and input share."""
    step = gc.compile(scaling(), minimize="loss", optimizer="adam(0.05)")
    assert "in_blocks" in step.source
    state = step.init(N=700)
    other, inputs = copied(state), {"distances": distances_of(700)}
    found = step(state, **inputs)
    assert_close(found, gc.interpret(step.graph, other, **inputs), "float64")
    assert_close(state, other, "float64")


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_one_function_takes_states_of_any_size(style: str) -> None:
    """Buffers are made for the sizes of the state at hand; there is no input to tell them."""
    graph = square_of_all()
    step = gc.compile(graph, minimize="loss", optimizer="sgd(0.25)", style=style)
    for count in (3, 5, 3, 1):
        state = step.init(seed=count, N=count)
        start = state["Z"].copy()
        assert step(state)["loss"] == pytest.approx((start**2).sum(), rel=1e-6)
        np.testing.assert_allclose(state["Z"], start / 2, rtol=1e-6)
        assert step(state)["loss"] == pytest.approx((start**2).sum() / 4, rel=1e-6)


def test_scaling_finds_the_distances() -> None:
    points = np.random.default_rng(5).normal(size=(20, 2))
    distances = np.sqrt(((points[:, None] - points) ** 2).sum(axis=2))
    step = gc.compile(scaling(), minimize="loss", optimizer="adam(0.1)")
    state = step.init(seed=1, N=20)
    losses = [float(step(state, distances=distances)["loss"]) for _ in range(400)]
    assert losses[-1] < 1e-3 * losses[0]


# -- modules ---------------------------------------------------------------------------------------


@each_model
@pytest.mark.parametrize("style", ["readable", "fast"])
def test_the_module_stands_alone_and_checks_itself(
    model: str, style: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph, sizes, inputs = case(model, "float32")
    step = gc.compile(graph, minimize="loss", optimizer="adam(0.05)", style=style)
    path = tmp_path / "saved.py"
    step.save(path)
    spec = importlib.util.spec_from_file_location("saved", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.check()
    checked = capsys.readouterr().out
    assert all(f"{name}: gradient" in checked for name in graph.trainable)
    state = module.init(2, **sizes)
    other = copied(state)
    found = module.step(state, *[inputs[name] for name in graph.inputs])
    assert_close(found, gc.interpret(step.graph, other, **inputs), "float32")
    assert_close(state, other, "float32")


def test_the_module_alone_names_the_parameter_that_does_not_fit() -> None:
    module = load(gc.emit(codes("float32")), "codes")
    state = module.init(N=4, K=2)
    with pytest.raises(ValueError, match=r"code \[N, K\].*; got x \(5, 3\), code \(4, 2\)"):
        module.codes(state, np.ones((5, 3), np.float32))
    with pytest.raises(TypeError, match="'K'"):
        module.init(N=4)


def test_the_function_in_use_and_a_pickled_one_take_the_same_state() -> None:
    graph, sizes, inputs = case("words")
    step = gc.compile(graph, minimize="loss", optimizer="adam(0.05)")
    state = step.init(**sizes)
    step(state, **inputs)
    used = step.for_inference("z")
    wanted = gc.interpret(graph, state, **inputs)["z"]
    np.testing.assert_allclose(used(state, word=inputs["word"])["z"], wanted, rtol=1e-9)
    assert used.init(**sizes).keys() == graph.params.keys()
    again = pickle.loads(pickle.dumps(step))
    assert_close(again.init(4, **sizes), step.init(4, **sizes), "float64")


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_parameter_and_input_that_disagree(style: str) -> None:
    graph, sizes, inputs = case("codes")
    f = gc.compile(graph, gradient_of="loss", style=style)
    state = f.init(**sizes)
    f(state, **inputs)
    message = r"input 'x' has the wrong shape: axis 0 has size 4, but N = 5 \(from parameter 'code'"
    for call in (f, lambda state, **x: gc.interpret(graph, state, **x)):
        with pytest.raises(gc.GraphError, match=message):
            call(state, x=inputs["x"][:4])
        with pytest.raises(gc.GraphError, match="parameter 'decode' has the wrong shape"):
            call({**state, "decode": np.ones((3, 3))}, **inputs)


def test_a_call_without_a_state_says_how_to_make_one() -> None:
    graph, sizes, inputs = case("codes")
    step = gc.compile(graph, minimize="loss", optimizer="adam(0.1)")
    with pytest.raises(gc.GraphError, match=r"f\.init\(seed=0, N=10, K=10\)"):
        step(**inputs)
    with pytest.raises(gc.GraphError, match=r"\{\*\*f\.init\(seed=0, N=10, K=10\), \*\*state\}"):
        step(graph.init(**sizes), **inputs)


# -- training --------------------------------------------------------------------------------------


def test_fit_trains_a_table_in_batches() -> None:
    step = gc.compile(words(), minimize="loss", optimizer="adam(0.05)")
    word = np.arange(60) % 12
    data = {"word": word, "label": word % 3}
    state = step.init(seed=0, V=12)
    history = gc.train.fit(step, state, data, epochs=30, batch_size=8, progress=False)
    assert len(history.step_losses) == 30 * 8
    assert history.column("loss")[-1] < 0.05


def test_fit_takes_data_whole_whose_dim_a_parameter_has() -> None:
    graph, sizes, inputs = case("scaling")
    step = gc.compile(graph, minimize="loss", optimizer="adam(0.05)")
    state = step.init(**sizes)
    other = copied(state)
    history = gc.train.fit(step, state, inputs, epochs=3, batch_size=4, progress=False)
    assert len(history.step_losses) == 3
    for _ in range(3):
        gc.interpret(step.graph, other, **inputs)
    assert_close(state, other, "float64")
    with pytest.raises(gc.GraphError, match="no batches can be cut along 'N'"):
        gc.train.fit(step, state, inputs, epochs=1, batch_dim="N", progress=False)
    with pytest.raises(gc.GraphError, match=r"N = 20 \(from parameter 'Z' axis 0\)"):
        gc.train.fit(step, state, {"distances": distances_of(9)}, epochs=1, progress=False)


def test_restarts_read_sizes_off_the_data_or_are_told() -> None:
    graph, _, inputs = case("codes")
    step = gc.compile(graph, minimize="loss", optimizer="adam(0.05)")
    settings = {"seeds": range(2), "epochs": 2, "progress": False}
    with pytest.raises(gc.GraphError, match="the size of K is unknown") as error:
        gc.train.random_restarts(step, inputs, **settings)
    assert "sizes={'K': 10}" in str(error.value)
    runs = gc.train.random_restarts(step, inputs, sizes={"K": 2}, **settings)
    assert [run.state["code"].shape for run in runs] == [(5, 2)] * 2


def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    graph, sizes, inputs = case("codes")
    step = gc.compile(graph, minimize="loss", optimizer="adam(0.05)")
    path = tmp_path / "run.npz"
    whole, parts, again = (step.init(**sizes) for _ in range(3))
    gc.train.fit(step, whole, inputs, epochs=6, progress=False)
    gc.train.fit(step, parts, inputs, epochs=3, checkpoint=path, progress=False)
    gc.train.fit(step, again, inputs, epochs=6, checkpoint=path, resume=True, progress=False)
    assert all(np.array_equal(again[name], whole[name]) for name in whole)
