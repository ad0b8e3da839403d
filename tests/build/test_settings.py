"""Settings of optimizers, schedules, initializers: what they may be, how they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.build.optim import parse_optimizer

#: What people compute a setting with gives NumPy's numbers, not Python's.
NUMPY_OPTIMIZERS: list[Callable[[], Any]] = [
    lambda: gc.optim.sgd(np.logspace(-3, -1, 3)[0], momentum=np.float32(0.5)),
    lambda: gc.optim.sgd(np.float32(0.5), nesterov=np.True_, momentum=0.5),
    lambda: gc.optim.adam(gc.optim.cosine(np.float64(0.1), np.int64(10))),
    lambda: gc.optim.clip_by_norm(gc.optim.sgd(np.array(0.25)), np.sqrt(2)),
]
NUMPY_INITIALIZERS: list[Callable[[], Any]] = [
    lambda: gc.init.normal(np.sqrt(2 / 3)),
    lambda: gc.init.uniform(-1 / np.sqrt(3), 1 / np.sqrt(3)),
    lambda: gc.init.he_normal(np.float32(2)),
    lambda: gc.init.orthogonal(np.sqrt(2)),
    lambda: gc.init.constant(np.float32(0.5)),
    lambda: gc.init.constant(np.array(0.5)),
]


@pytest.mark.parametrize("made", NUMPY_OPTIMIZERS)
def test_numpy_numbers_become_pythons_in_optimizers(made: Callable[[], Any]) -> None:
    optimizer = made()
    assert "np." not in repr(optimizer)
    assert parse_optimizer(repr(optimizer)) == optimizer


@pytest.mark.parametrize("made", NUMPY_INITIALIZERS)
def test_numpy_numbers_become_pythons_in_initializers(made: Callable[[], Any]) -> None:
    g = gc.graph({"y": gc.input("x", ("N", 3)) @ gc.param("W", (3, 3), init=made())})
    assert gc.parse(str(g)) == g
    np.testing.assert_array_equal(gc.compile(g).init(seed=1)["W"], g.init(seed=1)["W"])


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: gc.optim.sgd(0.1, momentum="a"), r"momentum of sgd must be a number in \[0, 1\]"),
    (lambda: gc.optim.sgd(0.1, momentum=-1), r"momentum of sgd must be a number in \[0, 1\]"),
    (lambda: gc.optim.sgd(0.1, momentum=2), r"momentum of sgd must be a number in \[0, 1\]"),
    (lambda: gc.optim.rmsprop(momentum=1.5), r"momentum of rmsprop must be a number in \[0, 1\]"),
    (lambda: gc.optim.sgd(10**400), "learning rate must be a positive number"),
    (lambda: gc.optim.cosine(0.1, 10**400), "steps of cosine must be a positive number"),
    (lambda: gc.optim.sgd(0.1, weight_decay=None), "weight_decay of sgd must be 0 or a positive"),
    (lambda: gc.optim.sgd(0.1, weight_decay=np.nan), "weight_decay of sgd must be 0 or a positive"),
    (lambda: gc.optim.sgd(0.1, 0.9, "yes"), "nesterov of sgd must be True or False"),
    (lambda: gc.optim.sgd(True), "learning rate must be a positive number"),
    (lambda: gc.optim.adam(0.1, eps=-1), "eps of adam must be 0 or a positive number"),
    (lambda: gc.optim.adam(0.1, beta1="x"), r"beta1 of adam must be a number in \[0, 1\)"),
    (lambda: gc.optim.rmsprop(0.1, alpha=2), r"alpha of rmsprop must be a number in \[0, 1\)"),
    (lambda: gc.optim.adagrad(initial_accumulator=-3), "initial_accumulator of adagrad must be 0"),
    (lambda: gc.optim.cosine(0.1, 5, "x"), "final of cosine must be 0 or a positive number"),
    (lambda: gc.optim.step_decay(0.1, 2, -0.5), "factor of step_decay must be a positive number"),
    (lambda: gc.optim.clip_by_norm(gc.optim.sgd(0.1), "1"), "limit of clip_by_norm must be a posi"),
    (lambda: gc.init.normal("a"), "scale of normal must be 0 or a positive number"),
    (lambda: gc.init.normal(-1), "scale of normal must be 0 or a positive number"),
    (lambda: gc.init.normal([1, 2]), "scale of normal must be 0 or a positive number"),
    (lambda: gc.init.normal(mean=np.inf), "mean of normal must be a finite number"),
    (lambda: gc.init.normal(gc.input("s")), "scale of normal must be 0 or a positive number"),
    (lambda: gc.init.uniform(1, -1), "uniform: low lies above high"),
    (lambda: gc.init.he_normal("x"), "gain of he_normal must be a finite number"),
    (lambda: gc.init.constant("abc"), "constant takes a number, or an array of numbers"),
    (lambda: gc.init.constant(None), "constant takes a number, or an array of numbers"),
    (lambda: gc.init.constant(["a", "b"]), "constant takes a number, or an array of numbers"),
    (lambda: gc.init.constant([1, [2, 3]]), "constant takes a number, or an array of numbers"),
    (lambda: gc.param("w", (2,), init=[1, [2, 3]]), "constant takes a number, or an array of num"),
]


@pytest.mark.parametrize("made, message", WRONG, ids=[row[1] for row in WRONG])
def test_a_setting_that_cannot_be_is_refused_where_it_stands(
    made: Callable[[], Any], message: str
) -> None:
    with pytest.raises(gc.GraphError, match=message) as error:
        made()
    assert "test_settings.py:" in str(error.value)


def test_a_setting_in_a_text_is_refused_at_its_line() -> None:
    with pytest.raises(gc.GraphError, match=r"m\.graph:1:\d+: scale of normal must be 0 or"):
        gc.parse("W: param(f32, 3, init=normal(-1))\noutput(W)", "m.graph")
