"""A parameter below a threshold has the gradient zero; the step compiles, and leaves it alone."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc


@pytest.mark.parametrize("style", ["fast", "readable"])
@pytest.mark.parametrize("optimizer", ["sgd(0.1)", "adam(0.1)", "clip_by_norm(sgd(0.1), 1.0)"])
def test_a_gradient_that_is_zero_everywhere(style: str, optimizer: str) -> None:
    x = gc.input("x", ("N", 2))
    W, v = gc.param("W", (2, 3), init=gc.init.normal(1.0)), gc.param("v", (3,), init=1.0)
    graph = gc.graph({"loss": gc.mean((gc.sign(x @ W) @ v) ** 2)})
    step = gc.compile(graph, minimize="loss", optimizer=optimizer, style=style)
    state = step.init(seed=0)
    before = state["W"].copy()
    data = np.random.default_rng(0).normal(size=(20, 2))
    history = gc.train.fit(step, state, {"x": data}, epochs=3, progress=False)
    np.testing.assert_array_equal(state["W"], before)
    assert history.losses[-1] < history.losses[0]
    step.module.check()
