"""Arrays that share memory are found, whatever lies between and around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.run.overlap import find_overlap


def test_two_that_overlap_behind_one_that_does_not() -> None:
    block = np.zeros(12)
    assert find_overlap({"a": block[:3], "b": block[4:9], "c": block[7:]}, "abc") == ("b", "c")
    assert find_overlap({"a": block[:3], "b": block[4:7], "c": block[7:]}, "abc") is None


def test_two_that_overlap_in_the_gaps_of_a_third() -> None:
    block = np.zeros(12)
    even, odd = block[::2], block[1::2]
    assert find_overlap({"a": even, "b": odd[:2], "c": odd[2:]}, "abc") is None
    assert find_overlap({"a": even, "b": odd[:2], "c": odd[1:]}, "abc") == ("b", "c")


def test_empty_arrays_overlap_nothing() -> None:
    block = np.zeros(12)
    assert find_overlap({"a": block, "b": block[3:3]}, "abc") is None


def test_only_what_is_written_has_to_lie_apart() -> None:
    block = np.zeros(10)
    pair = {"a": block[:3], "b": block[2:5]}
    assert find_overlap(pair, "b") == ("a", "b")
    assert find_overlap(pair, "") is None


def frozen_and_trained() -> Any:
    """Return a step that trains W beside two frozen parameters of its shape."""
    x, w = gc.input("x", ("N", 3)), gc.param("W", (3,))
    frozen = [gc.param(name, (3,), trainable=False) for name in ("B", "C")]
    loss = ((x * (w + frozen[0] * frozen[1])).sum(axis=1) ** 2).mean()
    return gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer=gc.optim.sgd(0.1))


def test_frozen_parameters_may_share_an_array() -> None:
    step, x = frozen_and_trained(), np.ones((2, 3), np.float32)
    state = step.init(seed=0)
    state["B"] = state["C"] = np.ones(3, np.float32)
    step(state, x=x)
    step(state, x=x)
    np.testing.assert_array_equal(state["B"], 1)


def test_a_frozen_parameter_that_is_a_trained_one_is_refused_whatever_was_called_before() -> None:
    step, x = frozen_and_trained(), np.ones((2, 3), np.float32)
    state = step.init(seed=0)
    step(state, x=x)  # these shapes are known now
    other = step.init(seed=0)
    other["B"] = other["W"]
    with pytest.raises(gc.GraphError, match="share memory"):
        step(other, x=x)
