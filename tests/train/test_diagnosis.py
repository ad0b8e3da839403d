"""Where a run stops being finite, the message names the node, its line in the code, its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.train import fit

HERE = Path(__file__).name


def stopped(loss: gc.Node, data: dict, rate: float = 0.1, epochs: int = 3, **more: object) -> str:
    """Train until it breaks; return the message. The state must be left finite."""
    step = gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer=gc.optim.sgd(rate))
    state = step.init(seed=0)
    with np.errstate(all="ignore"), pytest.raises(GraphError) as error:
        fit(step, state, data, epochs, progress=False, **more)
    assert all(np.isfinite(array).all() for array in state.values())
    return str(error.value)


def line_of(text: str) -> str:
    """Return `file:line` of a statement in this file."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return f"{HERE}:{1 + next(i for i, line in enumerate(lines) if text in line)}"


def test_the_node_its_line_and_its_operands_are_named() -> None:
    x = gc.input("x", ("N",))
    w = gc.param("w", (), init=1.0)
    h = gc.sqrt(w * x).named("h")  # the node that breaks
    text = stopped(h.mean(), {"x": [4.0, 1.0, -9.0]}, batch_size=1, shuffle=False)
    assert "epoch 1, step 3: the first NaN appears in h = √(w · x)" in text
    assert line_of("# the node that breaks") in text
    assert "-" in text.partition("there")[2]  # the number under the root is negative


def test_an_infinite_gradient_is_found_although_the_loss_is_finite() -> None:
    x = gc.input("x", ("N",))
    w = gc.param("w", (), init=0.0)
    root = gc.sqrt(w + x).named("root")  # √0 = 0, with an infinite slope
    text = stopped(root.mean(), {"x": [9.0, 8.0, 0.0]}, rate=1e-30, batch_size=1, epochs=1)
    assert "the first infinity appears in" in text and "there" in text
    assert line_of("# √0 = 0") in text


@pytest.mark.parametrize("optimizer", ["clip_by_norm(sgd(0.1), 1.0)", "adam(0.1)"])
def test_an_infinite_gradient_is_found_before_what_the_optimizer_makes_of_it(
    optimizer: str,
) -> None:
    x = gc.input("x", ("N",))
    w = gc.param("w", (), init=0.0)
    root = gc.sqrt(w + x).named("root")  # its slope, not NaN = inf·0 of clipping
    step = gc.compile(gc.graph({"loss": root.mean()}), minimize="loss", optimizer=optimizer)
    with np.errstate(all="ignore"), pytest.raises(GraphError) as error:
        fit(step, step.init(), {"x": [0.0]}, 1, progress=False)
    assert "the first infinity appears in" in str(error.value)
    assert line_of("# its slope") in str(error.value)


def test_an_update_that_overflows_is_found_in_the_gradient() -> None:
    x = gc.input("x", ("N",))
    w = gc.param("w", (), init=1.0)
    loss = gc.exp(w * x).mean()
    text = stopped(loss, {"x": [80.0]}, rate=1e9, batch_size=1)
    assert "the first infinity appears in" in text and "lower the learning rate" in text


def test_the_step_is_found_in_the_middle_of_a_later_epoch() -> None:
    x = gc.input("x", ("N",))
    w = gc.param("w", (), init=1.0)
    grows = (w * x) ** 2
    text = stopped(grows.mean(), {"x": np.ones(6)}, rate=1e3, batch_size=2, epochs=60)
    assert "training stopped at epoch " in text and "epoch 1," not in text


def test_a_bad_example_is_blamed_by_its_place() -> None:
    x = gc.input("x", ("N", 3))
    w = gc.param("w", (3,))
    data = np.ones((4, 3))
    data[2, 1] = np.inf
    text = stopped((x @ w).mean(), {"x": data}, batch_size=4, shuffle=False)
    assert "input 'x' holds infinity" in text and "the first at [2, 1]" in text
    assert "look at the data: np.argwhere(~np.isfinite(x))" in text


def test_dropout_is_replayed_with_the_same_mask() -> None:
    """Only with the masks of the broken step does the division by zero come back."""
    x = gc.input("x", ("N", 2))
    w = gc.param("w", (2,), init=1.0)
    kept = gc.nn.dropout(x * w, 0.5).sum(axis=1)
    loss = gc.log(kept).mean()  # both dropped: log 0
    text = stopped(loss, {"x": np.ones((64, 2))}, rate=1e-6, batch_size=1, epochs=1)
    assert "the first infinity appears in" in text and line_of("# both dropped") in text


def test_the_step_of_a_loop_is_named_in_which_it_begins() -> None:
    x, w = gc.input("x", ("T", "N")), gc.param("w", (), init=3.0)
    (h,) = gc.scan(lambda h, v: (h * h * w + v,), init=gc.zeros(("N",)), xs=x)
    step = gc.compile(gc.graph({"loss": gc.mean(h)}), minimize="loss", optimizer="sgd(0.1)")
    with np.errstate(all="ignore"), pytest.raises(GraphError) as error:
        fit(step, step.init(), {"x": np.ones((12, 8), np.float32)}, batch_size=None, progress=False)
    text = str(error.value)
    assert "the first infinity appears in" in text and "in step 7 of a loop" in text
    assert "lower the learning rate" in text
