"""A run that was stopped goes on to the same numbers, bit by bit, as one that was not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.run.compiled import CompiledFunction
from graphc.train import History, fit, load_checkpoint, patience

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
DATA = {"x": X, "y": Y}
SETTINGS: dict[str, Any] = {"batch_size": 16, "seed": 5, "progress": False}


def network(width: int = 8, optimizer: str = "adam(cosine(0.02, 30))") -> CompiledFunction:
    """A classifier with dropout, an optimizer with slots and a schedule: all that has a memory."""
    x, y = gc.input("x", ("N", 4)), gc.input("y", ("N",), dtype="int64")
    h = gc.nn.dropout(gc.nn.dense(x, width, activation="tanh", name="hidden"), 0.25)
    z = gc.nn.dense(h, 2, name="out")
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    graph = gc.graph({"loss": loss, "p": gc.softmax(z)}, name="network")
    return gc.compile(graph, minimize="loss", optimizer=optimizer)


def noise(batch: dict, rng: np.random.Generator) -> dict:
    return {"x": batch["x"] + rng.normal(0, 0.1, batch["x"].shape).astype(np.float32)}


@pytest.fixture(scope="module")
def step() -> CompiledFunction:
    return network()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(step: CompiledFunction, epochs: int, **more: Any) -> tuple[dict, History]:
    state = step.init(seed=1)
    metrics = {"accuracy": gc.train.accuracy()}
    settings = {**SETTINGS, "validation": DATA, "metrics": metrics, "augment": noise, **more}
    return state, fit(step, state, DATA, epochs, **settings)


def assert_same(one: tuple[dict, History], other: tuple[dict, History]) -> None:
    for name, array in one[0].items():
        np.testing.assert_array_equal(array, other[0][name], err_msg=name, strict=True)
    assert one[1].step_losses == other[1].step_losses
    assert [e.columns() for e in one[1].epochs] == [e.columns() for e in other[1].epochs]
    assert [e.number for e in one[1].epochs] == [e.number for e in other[1].epochs]


def test_a_resumed_run_is_bit_identical(step: CompiledFunction, tmp_path: Path) -> None:
    whole = run(step, 6)
    path = tmp_path / "run.npz"
    run(step, 2, checkpoint=path)
    run(step, 3, checkpoint=path, resume=True)
    assert_same(run(step, 6, checkpoint=path, resume=True), whole)
    assert len(whole[1].step_losses) == 6 * 5  # four whole batches and one of 6


def test_resume_without_a_file_starts_from_the_beginning(
    step: CompiledFunction, tmp_path: Path
) -> None:
    assert_same(run(step, 2, checkpoint=tmp_path / "run.npz", resume=True), run(step, 2))
    with pytest.raises(GraphError, match="resume needs a checkpoint"):
        run(step, 1, resume=True)


def test_a_finished_run_that_is_resumed_does_nothing(
    step: CompiledFunction, tmp_path: Path
) -> None:
    first = run(step, 2, checkpoint=tmp_path / "run.npz")
    assert_same(run(step, 2, checkpoint=tmp_path / "run.npz", resume=True), first)


def test_ctrl_c_within_an_epoch_resumes_at_the_next_step(
    step: CompiledFunction, tmp_path: Path, ctrl_c: None
) -> None:
    whole = run(step, 4)
    calls = [0]

    def interrupting(batch: dict, rng: np.random.Generator) -> dict:
        calls[0] += 1
        if calls[0] == 8:  # the third batch of the second epoch
            os.kill(os.getpid(), signal.SIGINT)
        return noise(batch, rng)

    path = tmp_path / "run.npz"
    _, stopped = run(step, 4, checkpoint=path, augment=interrupting)
    assert stopped.stopped == "interrupted in epoch 2" and len(stopped.step_losses) == 8
    saved = load_checkpoint(path)
    assert (saved.position.epoch, saved.position.done) == (2, 48)
    assert_same(run(step, 4, checkpoint=path, resume=True), whole)


def test_ctrl_c_in_a_callback_ends_between_epochs(
    step: CompiledFunction, tmp_path: Path, ctrl_c: None
) -> None:
    path = tmp_path / "run.npz"

    def press(epoch: object, state: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    _, stopped = run(step, 4, checkpoint=path, callbacks=[press])
    assert stopped.stopped == "interrupted in epoch 2" and len(stopped) == 1
    assert_same(run(step, 2, checkpoint=path, resume=True), run(step, 2))


def test_a_stop_rule_holds_after_resuming(step: CompiledFunction, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    rule = patience(1, least=10.0)  # nothing improves by 10, so the second epoch ends it
    _, first = run(step, 9, checkpoint=path, stop=rule)
    _, again = run(step, 9, checkpoint=path, stop=rule, resume=True)
    assert len(first) == len(again) == 2 and "stop rule" in again.stopped


def test_a_crash_while_writing_leaves_the_old_checkpoint(
    step: CompiledFunction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.npz"
    run(step, 1, checkpoint=path)
    before = path.read_bytes()

    def full_disk(self: Path, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(GraphError, match="No space left"):
        run(step, 2, checkpoint=path, resume=True)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_the_trained_state_can_be_read_and_used(step: CompiledFunction, tmp_path: Path) -> None:
    state, history = run(step, 2, checkpoint=tmp_path / "run.npz")
    found = load_checkpoint(tmp_path / "run.npz")
    assert str(found.history).splitlines()[:2] == str(history).splitlines()[:2]
    expected = step.for_inference()(state, x=X, y=Y)["p"]
    np.testing.assert_array_equal(step.for_inference()(found.state, x=X, y=Y)["p"], expected)


def test_equal_runs_write_equal_bytes(step: CompiledFunction, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        state = step.init(seed=1)
        fit(step, state, DATA, 0, **SETTINGS, checkpoint=tmp_path / name)
    assert not list(tmp_path.iterdir())  # nothing was trained, nothing is written
    loop_states = [load_checkpoint_of(step, tmp_path / name) for name in ("a.npz", "b.npz")]
    assert loop_states[0] == loop_states[1]


def load_checkpoint_of(step: CompiledFunction, path: Path) -> bytes:
    """Return the bytes of a checkpoint without its only changing part, the seconds."""
    from dataclasses import replace

    run(step, 1, checkpoint=path)
    found = load_checkpoint(path)
    found.history.epochs[:] = [replace(epoch, seconds=0.0) for epoch in found.history.epochs]
    found.save(path)
    return path.read_bytes()


def test_numbers_of_any_kind_can_be_saved(step: CompiledFunction, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    kinds = {"array": np.array(2.0, np.float32), "integer": np.int64(3), "nan": float("nan")}
    numpy_settings = {"seed": np.int64(5), "batch_size": np.int32(16)}
    run(step, 1, checkpoint=path, validation=lambda state: kinds, **numpy_settings)
    found = load_checkpoint(path).history.epochs[0].validation
    assert found["array"] == 2.0 and found["integer"] == 3.0 and np.isnan(found["nan"])
    run(step, 2, checkpoint=path, resume=True, validation=lambda state: kinds)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"seed": 6}, "seed=6"),
        ({"batch_size": 8}, "batch_size=8"),
        ({"shuffle": False}, "shuffle=False"),
    ],
)
def test_other_settings_are_refused_and_change_nothing(
    step: CompiledFunction, tmp_path: Path, changed: dict, words: str
) -> None:
    run(step, 1, checkpoint=tmp_path / "run.npz")
    state = step.init(seed=9)
    settings = {**SETTINGS, **changed}
    with pytest.raises(GraphError, match=words):
        fit(step, state, DATA, 2, **settings, checkpoint=tmp_path / "run.npz", resume=True)
    for name, array in step.init(seed=9).items():
        np.testing.assert_array_equal(state[name], array)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"width": 9}, r"float32 \[4, 8\]"),
        ({"optimizer": "sgd(0.1)"}, "nothing"),
    ],
)
def test_another_model_is_refused(
    step: CompiledFunction, tmp_path: Path, other: dict, words: str
) -> None:
    run(step, 1, checkpoint=tmp_path / "run.npz")
    with pytest.raises(GraphError, match=f"belongs to another model[\\s\\S]*{words}"):
        run(network(**other), 2, checkpoint=tmp_path / "run.npz", resume=True)


def test_what_is_no_checkpoint(step: CompiledFunction, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    with pytest.raises(GraphError, match="No such file"):
        load_checkpoint(path)
    np.savez(path, x=np.zeros(2))
    with pytest.raises(GraphError, match="no checkpoint"):
        load_checkpoint(path)
    path.write_bytes(b"PK\x03\x04 and nothing else")
    with pytest.raises(GraphError, match="no checkpoint"):
        load_checkpoint(path)
    run(step, 1, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(GraphError, match="no checkpoint"):
        load_checkpoint(path)
    with pytest.raises(GraphError, match=r"expected  a path to \.npz"):
        run(step, 1, checkpoint=tmp_path / "run.pkl")
    with pytest.raises(GraphError, match="no folder"):
        run(step, 1, checkpoint=tmp_path / "none" / "run.npz")


def test_validation_runs_in_test_mode(step: CompiledFunction) -> None:
    state, history = run(step, 1)
    used = gc.compile(gc.parse(str(network_graph())).for_inference())
    expected = used(state, x=X, y=Y)["loss"]
    assert history.column("validation loss") == [pytest.approx(float(expected), rel=1e-6)]
    dropped = step(dict(state), x=X, y=Y, rng=np.random.default_rng(0))["loss"]
    assert abs(float(dropped) - float(expected)) > 1e-4


def network_graph() -> gc.Graph:
    x, y = gc.input("x", ("N", 4)), gc.input("y", ("N",), dtype="int64")
    h = gc.nn.dropout(gc.nn.dense(x, 8, activation="tanh", name="hidden"), 0.25)
    z = gc.nn.dense(h, 2, name="out")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()}, name="network")
