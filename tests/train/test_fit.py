"""The training loop: batches, seeds, records, interruptions, and losses that explode."""

from __future__ import annotations

import io
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ops import OPS
from graphc.run.compiled import CompiledFunction
from graphc.train import Epoch, History, KeepBest, accuracy, fit, patience, random_restarts

# One neuron, y = w x, squared error: small enough to write its step by hand.
STEP = """
import numpy as np


def init(seed=0):
    return {"w": np.zeros((), np.float64)}


def step(state, x, y):
    w = state["w"]
    error = w * x - y
    loss = np.mean(error * error)
    worst = np.max(np.abs(error))
    w -= RATE * np.mean(2 * error * x)
    return {"loss": loss, "worst": worst}
"""


FORWARD = """
import numpy as np


def evaluate(state, x, y):
    error = state["w"] * x - y
    return {"loss": np.mean(error * error), "worst": np.max(np.abs(error))}
"""


def neuron(rate: float = 0.01, shape: tuple = ("N",), source: str = STEP) -> CompiledFunction:
    x, y = OPS["input"]("x", shape, "float64"), OPS["input"]("y", shape, "float64")
    w = OPS["param"]("w", (), "float64")
    error = OPS["subtract"](OPS["multiply"](w, x), y).named("error")
    loss = OPS["mean"](OPS["square"](error))
    slope = OPS["mean"](OPS["multiply"](OPS["multiply"](error, x), 2.0))
    graph = Graph(
        {"loss": loss, "worst": OPS["max"](OPS["abs"](error))},
        updates={"w": OPS["subtract"](w, OPS["multiply"](slope, rate))},
        name="step",
    )
    forward = CompiledFunction(graph.with_outputs(graph.outputs), FORWARD, "evaluate")
    return CompiledFunction(
        graph, source.replace("RATE", str(rate)), "step", inference=lambda: forward
    )


#: World's smallest perceptron: the lecture's four points.
DATA = {"x": [10, 2, 3.5, 1], "y": [10.1, 1.9, 3.4, 1.1]}


def test_worlds_smallest_perceptron_learns_its_slope() -> None:
    step = neuron()
    state = step.init()
    history = fit(step, state, DATA, epochs=60, batch_size=2)
    assert state["w"] == pytest.approx(1.01, abs=0.02)
    assert len(history.losses) == 60 and history.losses[-1] < 0.02 < history.losses[0]
    assert len(history.step_losses) == 120


def test_one_example_at_a_time_where_the_graph_holds_one() -> None:
    step = neuron(shape=())
    state = step.init()
    history = fit(step, state, DATA, epochs=3, shuffle=False)
    w = 0.0
    for _ in range(3):
        for x, y in zip(DATA["x"], DATA["y"], strict=True):
            w -= 0.01 * 2 * (w * x - y) * x
    assert state["w"] == pytest.approx(w, rel=1e-12)
    assert len(history.step_losses) == 12


def test_equal_seeds_give_equal_training_and_other_seeds_another_order() -> None:
    def losses(seed: int) -> list[float]:
        step = neuron()
        return fit(step, step.init(), DATA, epochs=4, batch_size=1, seed=seed).step_losses

    assert losses(1) == losses(1) != losses(2)


def test_the_last_partial_batch_is_kept_and_weighted() -> None:
    step = neuron(rate=0.0)
    data = {"x": np.ones(5), "y": np.arange(5.0)}
    history = fit(step, step.init(), data, epochs=1, batch_size=2, shuffle=False)
    assert history.step_losses == [0.5, 6.5, 16.0]
    assert history.losses == [pytest.approx(np.mean(np.arange(5.0) ** 2))]
    assert history.epochs[0].metrics["worst"] == pytest.approx((2 * 1 + 2 * 3 + 1 * 4) / 5)


def test_every_example_is_seen_once_an_epoch() -> None:
    source = STEP.replace("w = state", "SEEN.extend(x.tolist())\n    w = state")
    step = neuron(source="SEEN = []\n" + source)
    fit(step, step.init(), {"x": np.arange(7.0), "y": np.zeros(7)}, epochs=2, batch_size=3)
    seen = step.module.SEEN
    assert sorted(seen[:7]) == sorted(seen[7:]) == list(range(7))
    assert seen[:7] != seen[7:]


def test_the_batch_axis_need_not_be_the_first() -> None:
    x = OPS["input"]("x", ("T", "N", 2), "float64")
    scale = OPS["input"]("scale", (2,), "float64")
    w = OPS["param"]("w", (), "float64")
    total = OPS["sum"](OPS["multiply"](OPS["multiply"](x, scale), w))
    graph = Graph({"loss": total}, updates={"w": w}, name="step")
    source = "SHAPES = []\ndef step(state, x, scale):\n    SHAPES.append((x.shape, scale.shape))\n"
    step = CompiledFunction(graph, source + "    return {'loss': 0.0}\n", "step")
    data = {"x": np.zeros((3, 5, 2)), "scale": np.ones(2)}
    state = {"w": np.zeros(())}
    fit(step, state, data, epochs=1, batch_size=4)
    fit(step, state, data, epochs=1, batch_size=2, batch_dim="T")
    assert step.module.SHAPES == [
        ((3, 4, 2), (2,)),
        ((3, 1, 2), (2,)),
        ((2, 5, 2), (2,)),
        ((1, 5, 2), (2,)),
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"x": [1.0, 2.0], "y": [1.0]}, "differ in their number of examples"),
        ({"x": [1.0]}, "the data lack 'y'"),
        ({"x": [1.0], "y": [1.0], "z": [1.0]}, "no input called 'z'"),
        ({"x": [[1.0]], "y": [[1.0]]}, "wrong number of axes"),
        ({"x": ["a"], "y": [1.0]}, "data 'x' has the wrong dtype"),
        ({"x": [], "y": []}, "no examples"),
        ([1, 2], "data must name its arrays"),
    ],
)
def test_data_that_do_not_fit(data: object, words: str) -> None:
    step = neuron()
    with pytest.raises(GraphError, match=words):
        fit(step, step.init(), data)


def test_what_cannot_train_is_said() -> None:
    x = OPS["input"]("x", ())
    f = CompiledFunction(Graph({"loss": x}), "def f(x):\n    return {'loss': x}\n", "f")
    with pytest.raises(GraphError, match="has no updates"):
        fit(f, {}, {"x": [1.0]})
    with pytest.raises(GraphError, match="did you mean 'worst'"):
        fit(neuron(), {"w": np.zeros(())}, DATA, loss="wors")
    with pytest.raises(GraphError, match="lacks parameter 'w'"):
        fit(neuron(), {}, DATA)
    for wrong in ({"batch_size": 0}, {"batch_size": 2.5}, {"epochs": -1}, {"seed": -1}):
        name, value = next(iter(wrong.items()))
        with pytest.raises(GraphError, match=f"{name} must be a whole number[\\s\\S]*{value}"):
            fit(neuron(), {"w": np.zeros(())}, DATA, **wrong)
    with pytest.raises(GraphError, match="a metric is called 'worst'"):
        fit(neuron(), {"w": np.zeros(())}, DATA, metrics={"worst": lambda outputs, batch: 0.0})


def test_examples_may_have_weights() -> None:
    """An example of weight 2 counts as much as one that stands there twice."""
    x, y = gc.input("x", ("N",), "float64"), gc.input("y", ("N",), "float64")
    weight = gc.input("weight", ("N",), "float64")
    w = gc.param("w", (), "float64")
    loss = gc.sum(weight * (w * x - y) ** 2) / gc.sum(weight)
    step = gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer=gc.optim.sgd(0.01))
    once, twice = step.init(), step.init()
    data = {"x": [1.0, 2.0, 3.0], "y": [1.0, 1.0, 1.0], "weight": [1.0, 2.0, 1.0]}
    again = {"x": [1.0, 2.0, 2.0, 3.0], "y": np.ones(4), "weight": np.ones(4)}
    fit(step, once, data, epochs=5, batch_size=None)
    fit(step, twice, again, epochs=5, batch_size=None)
    assert once["w"] == pytest.approx(float(twice["w"]), rel=1e-12)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"validation": (np.ones(2), np.ones(2))}, "arrays by name[\\s\\S]*ndarray, ndarray"),
        ({"metrics": ["accuracy"]}, "metrics are functions by name"),
        ({"metrics": {"accuracy": "accuracy"}}, "metrics are functions by name"),
        ({"callbacks": print}, "in a list"),
        ({"stop": 3}, "stop is a function[\\s\\S]*patience"),
        ({"augment": 0.5}, "augment is a function"),
        ({"augment": lambda batch, rng: None}, "augment returns the arrays"),
        ({"augment": lambda batch, rng: {"z": 1}}, "no input called 'z'"),
        ({"epochs": "10"}, "epochs must be a whole number"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict, words: str) -> None:
    step = neuron()
    state = step.init()
    with pytest.raises(GraphError, match=words):
        fit(step, state, DATA, **settings)
    assert state["w"] == 0


def test_a_graph_is_not_a_step() -> None:
    with pytest.raises(GraphError, match=r"a compiled step[\s\S]*a graph[\s\S]*gc\.compile"):
        fit(neuron().graph, {}, DATA)
    with pytest.raises(GraphError, match="fix       range\\(3\\)"):
        random_restarts(neuron(), DATA, 3)


# -- losses that explode ---------------------------------------------------------------------


def test_an_exploding_loss_names_the_node_and_leaves_the_last_finite_state() -> None:
    step = neuron(rate=1e60)
    state = step.init()
    with np.errstate(all="ignore"), pytest.raises(GraphError) as error:
        fit(step, state, DATA, epochs=50, batch_size=2, seed=3)
    text = str(error.value)
    assert "training stopped at epoch" in text and "the first infinity appears in" in text
    assert "learning rate" in text
    assert np.isfinite(state["w"]) and state["w"] != 0


def test_nan_in_the_data_is_blamed_on_the_data() -> None:
    step = neuron()
    data = {"x": [1.0, 2.0, np.nan], "y": [1.0, 2.0, 3.0]}
    with pytest.raises(GraphError, match="input 'x' holds NaN"):
        fit(step, step.init(), data, batch_size=1)


def test_an_update_that_breaks_the_last_step_is_found_too() -> None:
    source = STEP.replace("w -= RATE", "w /= 0.0 if np.all(x == 1) else 1.0\n    w -= RATE")
    step = neuron(source=source)
    state = step.init()
    state["w"][...] = 2.0
    with np.errstate(all="ignore"), pytest.raises(GraphError, match="the reference stays finite"):
        fit(step, state, {"x": [1.0], "y": [1.0]}, epochs=1)
    assert state["w"] == 2.0


# -- callbacks, validation, stopping ---------------------------------------------------------


def test_callbacks_see_every_epoch_and_the_state() -> None:
    step, seen = neuron(), []
    state = step.init()

    def remember(epoch: Epoch, given: dict) -> None:
        assert given is state
        seen.append(epoch.number)

    fit(step, state, DATA, epochs=3, callbacks=[remember])
    assert seen == [1, 2, 3]


def test_validation_does_not_train() -> None:
    step, other = neuron(), neuron()
    state, plain = step.init(), other.init()
    held_out = {"x": [4.0, 5.0, 6.0], "y": [4.0, 5.0, 6.0]}
    history = fit(step, state, DATA, epochs=2, validation=held_out, batch_size=2)
    fit(other, plain, DATA, epochs=2, batch_size=2)
    assert state["w"] == plain["w"]
    expected = np.mean((float(state["w"]) * np.arange(4.0, 7.0) - np.arange(4.0, 7.0)) ** 2)
    assert history.epochs[-1].validation["loss"] == pytest.approx(expected)
    assert "validation loss" in str(history)


def test_validation_by_function() -> None:
    step = neuron()
    history = fit(step, step.init(), DATA, epochs=1, validation=lambda state: {"w": state["w"]})
    assert 0 < history.column("validation w")[0] < 1.2


def test_a_function_made_by_hand_has_no_test_mode() -> None:
    step = neuron()
    step._inference = None
    with pytest.raises(GraphError, match="does not know the graph"):
        fit(step, step.init(), DATA, validation=DATA)


def test_patience_stops() -> None:
    step = neuron(rate=0.0)
    history = fit(step, step.init(), DATA, epochs=50, stop=patience(3), shuffle=False)
    assert len(history) == 4 and "stop rule after epoch 4" in history.stopped


@pytest.mark.parametrize(
    ("values", "settings", "stops"),
    [
        ([3, 2, 1], {"epochs": 2}, False),
        ([1, 2, 3], {"epochs": 2}, True),
        ([1, 2, 3], {"epochs": 2, "higher_is_better": True}, False),
        ([3, 2.9, 2.8, 2.7], {"epochs": 2, "least": 0.5}, True),
        ([3, 2.7, 2.4, 2.1], {"epochs": 2, "least": 0.5}, False),
        ([2, 1, 1, 1], {"epochs": 3}, False),
        ([], {"epochs": 1}, False),
    ],
)
def test_patience_counts_epochs_without_improvement(
    values: list[float], settings: dict, stops: bool
) -> None:
    past = History([Epoch(number, value) for number, value in enumerate(values, 1)])
    assert patience(**settings)(past) is stops


def test_patience_wants_a_number_of_epochs_and_a_known_column() -> None:
    for epochs in (0, 2.5, True, "5"):
        with pytest.raises(GraphError, match=rf"epochs of patience .*at least 1[\s\S]*{epochs!r}"):
            patience(epochs)  # type: ignore[arg-type]
    assert patience(np.int64(1))(history()) is patience(1)(history())  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="did you mean 'validation loss'"):
        patience(1, "validaton loss")(history())


def test_keep_best_remembers_the_best_epoch() -> None:
    state = {"w": np.array(0.0)}
    best = KeepBest()
    for number, loss in enumerate([3.0, 1.0, 2.0], 1):
        state["w"][...] = 10 * number
        best(Epoch(number, 0.0, {}, {"loss": loss}), state)
    best.restore(state)
    assert (best.epoch, best.value, state["w"]) == (2, 1.0, 20)
    with pytest.raises(GraphError, match="no number called 'validation loss'"):
        best(Epoch(1, 0.0), state)
    with pytest.raises(GraphError, match="seen no epoch"):
        KeepBest("loss").restore(state)


def test_keep_best_can_look_for_the_highest() -> None:
    best = KeepBest("accuracy", higher_is_better=True)
    for number, value in enumerate([0.1, 0.9, 0.5], 1):
        best(Epoch(number, 0.0, {"accuracy": value}), {"w": np.array(float(number))})
    assert best.epoch == 2 and best.state["w"] == 2


# -- metrics, augmentation, whole batches ----------------------------------------------------


def test_metrics_are_means_over_the_examples_of_training_and_validation() -> None:
    step = neuron(rate=0.0)
    data = {"x": np.ones(5), "y": np.arange(5.0)}
    largest = {"largest": lambda outputs, batch: batch["y"].max()}
    history = fit(step, step.init(), data, 1, 2, metrics=largest, validation=DATA, shuffle=False)
    assert history.column("largest") == [pytest.approx((2 * 1 + 2 * 3 + 4) / 5)]
    assert history.column("validation largest") == [pytest.approx(10.1)]


@pytest.mark.parametrize(
    ("p", "y", "share"),
    [
        ([[0.1, 0.9], [0.8, 0.2]], [1, 1], 0.5),
        ([[0.1, 0.9], [0.8, 0.2]], [[0, 1], [1, 0]], 1.0),
        ([0.7, 0.2, 0.6], [1, 0, 0], 2 / 3),
        ([[0.7], [0.2]], [[1], [1]], 0.5),
        ([[0.7], [0.2]], [1, 1], 0.5),
        (np.eye(3)[None], [[0, 1, 1]], 2 / 3),
        (np.eye(3), [[0], [1], [1]], 2 / 3),  # a column of classes is no one-hot row
        ([0.7, 0.2, 0.6], [[1], [0], [0]], 2 / 3),
        (np.eye(3)[:, None], [[0], [1], [1]], 2 / 3),
    ],
)
def test_accuracy(p: object, y: object, share: float) -> None:
    assert accuracy()({"p": np.array(p)}, {"y": np.array(y)}) == pytest.approx(share)


def test_accuracy_of_what_does_not_fit_is_an_error() -> None:
    with pytest.raises(GraphError, match=r"do not fit(.|\n)*p \[3\], y \[2\]"):
        accuracy()({"p": np.zeros(3)}, {"y": np.zeros(2)})
    with pytest.raises(GraphError, match="do not fit"):  # features are no one-hot rows
        accuracy()({"p": np.zeros((5, 3))}, {"y": np.zeros((5, 13))})


def test_nan_is_never_the_best() -> None:
    best = KeepBest("loss")
    for number, value in enumerate([np.nan, 0.5, np.nan, 0.2, 0.3], 1):
        best(Epoch(number, value), {"w": np.array(float(number))})
    assert (best.epoch, best.value, best.state["w"]) == (4, 0.2, 4.0)


def test_accuracy_names_what_is_missing() -> None:
    with pytest.raises(GraphError, match="no output called 'q'"):
        accuracy("q")({"p": np.zeros(1)}, {"y": np.zeros(1)})
    with pytest.raises(GraphError, match="no input called 'z'"):
        accuracy("p", "z")({"p": np.zeros(1)}, {"y": np.zeros(1)})


def test_augmentation_changes_training_batches_only() -> None:
    step = neuron(rate=0.0)

    def shift(batch: dict, rng: np.random.Generator) -> dict:
        return {"y": batch["y"] + 100}

    data = {"x": np.ones(4), "y": np.zeros(4)}
    history = fit(step, step.init(), data, 1, 2, augment=shift, validation=data)
    assert history.losses == [1e4] and history.column("validation loss") == [0.0]


def test_augmentation_draws_from_the_seed_and_leaves_the_order_alone() -> None:
    def run(seed: int, draws: int) -> list[float]:
        step = neuron()

        def noise(batch: dict, rng: np.random.Generator) -> dict:
            return {"y": batch["y"] + 1e-3 * rng.normal(size=(draws, len(batch["y"])))[0]}

        return fit(step, step.init(), DATA, 3, 1, seed, augment=noise).step_losses

    assert run(1, 1) == run(1, 1) != run(2, 1)
    np.testing.assert_allclose(run(1, 1), run(1, 7), rtol=0.2, atol=0.1)


def test_all_examples_at_once() -> None:
    step, once = neuron(), neuron()
    state, expected = step.init(), once.init()
    history = fit(step, state, DATA, epochs=3, batch_size=None, shuffle=False)
    for _ in range(3):
        once(expected, **{name: np.array(array) for name, array in DATA.items()})
    assert len(history.step_losses) == 3
    assert state["w"] == pytest.approx(float(expected["w"]), rel=1e-12)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C reach the test as at a terminal; a shell's background jobs start without it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupt_finishes_the_step_and_keeps_the_history(ctrl_c: None) -> None:
    source = STEP.replace(
        "w = state", "COUNT[0] += 1\n    if COUNT[0] == 7:\n        STOP()\n    w = state"
    )
    step = neuron(source="COUNT = [0]\n" + source)
    step.module.STOP = lambda: os.kill(os.getpid(), signal.SIGINT)
    state = step.init()
    history = fit(step, state, DATA, epochs=5, batch_size=1)
    assert history.stopped == "interrupted in epoch 2"
    assert len(history.step_losses) == 7 and len(history) == 1
    plain = neuron()
    other = plain.init()
    with pytest.raises(StopIteration):
        fit(plain, other, DATA, epochs=5, batch_size=1, progress=False, callbacks=[_stop_at(2)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _stop_at(number: int) -> object:
    def callback(epoch: Epoch, state: dict) -> None:
        if epoch.number == number:
            raise StopIteration

    return callback


# -- history ---------------------------------------------------------------------------------


def history() -> History:
    epochs = [Epoch(i, 1 / i, {"accuracy": i / 4}, {"loss": 2 / i}, 0.5) for i in (1, 2, 3)]
    return History(epochs, [1.0, 0.5])


def test_history_prints_a_table() -> None:
    assert str(history()).splitlines() == [
        "epoch      loss  accuracy  validation loss  seconds",
        "    1         1      0.25                2     0.50",
        "    2       0.5       0.5                1     0.50",
        "    3  0.333333      0.75         0.666667     0.50",
    ]


@pytest.mark.parametrize("name", ["h.json", "h.svg", "h.npz", "h.txt"])
def test_a_history_is_not_written_as_what_it_is_not(tmp_path: Path, name: str) -> None:
    with pytest.raises(GraphError, match=rf"a history as .*{name}'\n  expected  \.csv"):
        history().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_history_saves_and_plots(tmp_path: Path) -> None:
    history().save(tmp_path / "h.csv")
    lines = (tmp_path / "h.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,accuracy,validation loss" and len(lines) == 4
    assert math.isclose(float(lines[3].split(",")[1]), 1 / 3)
    for kind in ("svg", "png", "pdf"):
        history().plot(tmp_path / f"loss.{kind}")
    first = (tmp_path / "loss.svg").read_bytes()
    history().plot(tmp_path / "loss.svg")
    assert first == (tmp_path / "loss.svg").read_bytes()
    assert b"validation" in first and b"epoch" in first
    with pytest.raises(GraphError, match="cannot write a plot"):
        history().plot(tmp_path / "loss.txt")


def test_history_plots_any_column(tmp_path: Path) -> None:
    history().plot(tmp_path / "both.svg", "loss", "accuracy")
    text = (tmp_path / "both.svg").read_text()
    assert text.count(">accuracy<") == 1 and ">loss<" in text and ">validation<" in text
    with pytest.raises(GraphError, match="did you mean 'accuracy'"):
        history().plot(tmp_path / "no.svg", "acuracy")
    History().plot(tmp_path / "empty.svg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["both.svg", "empty.svg"]


def test_a_number_that_comes_late_leaves_a_gap() -> None:
    late = History([Epoch(1, 0.5), Epoch(2, 0.25, {"extra": 3.0})])
    assert str(late).splitlines()[1:] == [
        "    1   0.5            0.00",
        "    2  0.25      3     0.00",
    ]
    with pytest.raises(GraphError, match="no column 'extra'"):
        late.column("extra")


def test_a_missing_matplotlib_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(GraphError, match="pip install 'graphc\\[plot\\]'"):
        history().plot(tmp_path / "loss.svg")
    assert not list(tmp_path.iterdir())


class Screen(io.StringIO):
    """A stderr that says it is a terminal, or says it is none."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(("terminal", "wanted"), [(True, True), (True, False), (False, True)])
def test_the_progress_bar_is_for_terminals(
    terminal: bool, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(terminal)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")  # rich draws nothing on a dumb terminal
    step = neuron()
    history = fit(step, step.init(), DATA, epochs=2, progress=wanted)
    assert len(history) == 2
    assert ("epoch" in screen.getvalue()) is (terminal and wanted)
    assert "nan" not in screen.getvalue()  # before the first step there is no loss to show


# -- random restarts -------------------------------------------------------------------------


def two_valleys() -> CompiledFunction:
    """(w² - 1)² + w/4: two minima, the deeper one at about -1.03; the start decides."""
    w = gc.param("w", (), "float64", init=gc.init.normal(1.0))
    x = gc.input("x", ("N",), "float64")
    loss = (w**2 - 1) ** 2 + w / 4 + 0 * gc.sum(x)
    return gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer=gc.optim.sgd(0.05))


def test_random_restarts_find_the_deeper_valley() -> None:
    runs = random_restarts(two_valleys(), {"x": [0.0]}, range(8), epochs=100)
    ends = {round(float(run.state["w"]), 2) for run in runs}
    assert ends == {-1.03, 0.97}
    assert float(runs[0].state["w"]) == pytest.approx(-1.03, abs=0.01)
    assert [run.value for run in runs] == sorted(run.value for run in runs)
    assert sorted(run.seed for run in runs) == list(range(8))
    assert runs[0].history.losses[-1] == runs[0].value


def test_random_restarts_end_where_a_run_is_good_enough() -> None:
    runs = random_restarts(
        two_valleys(), {"x": [0.0]}, range(50), accept=lambda loss: loss < 0, epochs=100
    )
    assert runs[0].value < 0 and len(runs) < 10
    assert all(run.value > 0 for run in runs[1:])
    with pytest.raises(GraphError, match="at least one seed"):
        random_restarts(two_valleys(), {"x": [0.0]}, [])


def test_random_restarts_put_what_diverged_last() -> None:
    def validation(state: Any) -> dict[str, float]:
        w = float(state["w"])
        return {"loss": float("nan") if w > 0 else w}

    runs = random_restarts(
        two_valleys(), {"x": [0.0]}, range(8), "validation loss", epochs=3, validation=validation
    )
    is_nan = [bool(np.isnan(run.value)) for run in runs]
    assert is_nan == sorted(is_nan) and len({*is_nan}) == 2
    known = [run.value for run in runs if not np.isnan(run.value)]
    assert known == sorted(known)
