"""A mistake that only shows while a run goes on is told with the place where it was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError

X = np.random.default_rng(0).normal(size=(10, 3))
Y = np.arange(10) % 2


@pytest.fixture(scope="module")
def step() -> gc.CompiledFunction:
    x, y = gc.input("x", ("N", 3)), gc.input("y", ("N",), dtype="int64")
    loss = gc.nn.softmax_cross_entropy(gc.nn.dense(x, 2, name="z"), y).mean()
    return gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer="adam(0.1)")


def message(step: gc.CompiledFunction, y: Any = Y, **settings: Any) -> str:
    options = {"epochs": 1, "batch_size": 4, "shuffle": False, **settings}
    with pytest.raises(GraphError) as error:
        gc.train.fit(step, step.init(), {"x": X, "y": y}, **options)
    return str(error.value)


def test_a_label_out_of_range_is_told_with_its_step(step: gc.CompiledFunction) -> None:
    found = message(step, y=np.where(np.arange(10) == 5, 7, Y))
    assert "stopped at epoch 1, step 2: input 'y' holds an index out of range" in found
    assert "got       7 at [1]" in found


def test_the_steps_before_a_mistake_stand_and_the_failed_one_did_nothing(
    step: gc.CompiledFunction,
) -> None:
    done, broken = step.init(), step.init()
    gc.train.fit(step, done, {"x": X[:4], "y": Y[:4]}, 1, batch_size=4, shuffle=False)
    labels = np.where(np.arange(10) == 5, 7, Y)
    with pytest.raises(GraphError):
        gc.train.fit(step, broken, {"x": X, "y": labels}, 1, batch_size=4, shuffle=False)
    assert all(np.array_equal(done[name], broken[name]) for name in done)


@pytest.mark.parametrize(
    ("validation", "words"),
    [
        ({"x": X[:0], "y": Y[:0]}, "validation: there are no examples"),
        ({"x": X}, "validation: the data lack 'y'"),
        ({"x": X, "y": Y + 5}, "validation: input 'y' holds an index out of range"),
        (lambda state: None, "validation returns numbers by name"),
        (lambda state: {"a": "high"}, "the validation 'a' is no number\n  got       'high'"),
    ],
)
def test_validation_is_named(step: gc.CompiledFunction, validation: Any, words: str) -> None:
    assert words in message(step, validation=validation)


@pytest.mark.parametrize("value", [None, np.zeros(3), "high"])
def test_a_metric_is_a_number(step: gc.CompiledFunction, value: Any) -> None:
    found = message(step, metrics={"a": lambda outputs, batch: value})
    assert "the metric 'a' is no number" in found


def test_a_metric_that_is_an_array_is_told_by_its_shape(step: gc.CompiledFunction) -> None:
    found = message(step, metrics={"a": lambda outputs, batch: np.zeros((32, 4))})
    assert found.splitlines()[1] == "  got       an array of shape [32, 4]"


def test_a_rule_that_looks_at_validation_needs_some(step: gc.CompiledFunction) -> None:
    found = message(step, epochs=3, stop=gc.train.patience(1, "validation loss"))
    assert found.endswith("fix       give fit validation data")


def test_labels_below_zero_are_warned_of(step: gc.CompiledFunction) -> None:
    unknown = np.where(np.arange(10) == 5, -1, Y)
    with pytest.warns(gc.GraphWarning, match="data 'y' hold indices below 0.*ignore_index=-1"):
        gc.train.fit(step, step.init(), {"x": X, "y": unknown}, 1)
    x, y = gc.input("x", ("N", 3)), gc.input("y", ("N",), dtype="int64")
    z = gc.nn.dense(x, 2, name="z")
    ignoring = gc.nn.softmax_cross_entropy(z, y, ignore_index=-1).mean()
    silent = gc.compile(gc.graph({"loss": ignoring}), minimize="loss", optimizer="sgd(0.1)")
    gc.train.fit(silent, silent.init(), {"x": X, "y": unknown}, 1)


@pytest.mark.parametrize(
    ("shape", "fix"),
    [
        ((6, 64), "  fix       x.reshape(-1, 1, 8, 8)"),
        ((6, 8, 8), "  fix       x.reshape(-1, 1, 8, 8)"),
        ((6, 63), None),
        ((0, 64), None),
        ((), None),
    ],
)
def test_flat_pictures_are_told_how_to_stand_up(shape: tuple[int, ...], fix: str | None) -> None:
    x = gc.input("x", ("N", 1, 8, 8))
    loss = (gc.nn.conv2d(x, 2, 3, name="c") ** 2).mean()
    step = gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer="sgd(0.1)")
    with pytest.raises(GraphError, match="wrong number of axes") as error:
        gc.train.fit(step, step.init(), {"x": np.zeros(shape)}, 1)
    last = str(error.value).splitlines()[-1]
    assert last == fix if fix else last.startswith("  expected")


def test_a_column_of_labels_is_told_how_to_lie_down(step: gc.CompiledFunction) -> None:
    assert message(step, y=Y[:, None]).endswith("fix       y.reshape(-1)")


def test_a_folder_is_no_checkpoint(step: gc.CompiledFunction, tmp_path: Path) -> None:
    (tmp_path / "run.npz").mkdir()
    state = step.init()
    before = {name: array.copy() for name, array in state.items()}
    with pytest.raises(GraphError, match="it is a folder"):
        gc.train.fit(step, state, {"x": X, "y": Y}, 1, checkpoint=tmp_path / "run.npz")
    assert all(np.array_equal(state[name], before[name]) for name in state)
