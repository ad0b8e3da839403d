"""A user's own updates are made in the update block, so that a call that fails changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc


def averaged(style: str) -> Any:
    """Return a step that trains W and lets T follow it slowly."""
    x, w = gc.input("x", ("N", 4)), gc.param("W", (4, 3))
    follower = gc.param("T", (4, 3), trainable=False, init=gc.init.ones())
    loss = ((x @ w - gc.stop_gradient(x @ follower)) ** 2).mean()
    graph = gc.graph({"loss": loss}, updates={"T": 0.995 * follower + 0.005 * w})
    return gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1), style=style)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_nothing_is_written_before_the_update_block(style: str) -> None:
    source = averaged(style).source
    forward = source[source.index("# forward") : source.index("# update")]
    for statement in ("T *=", "T +=", "T[...]", "W +=", "0.995 * T"):
        assert statement not in forward


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_the_update_takes_the_old_value_of_what_is_trained(style: str) -> None:
    step = averaged(style)
    state = step.init(seed=0)
    before = {name: array.copy() for name, array in state.items()}
    step(state, x=np.ones((2, 4), np.float32))
    np.testing.assert_allclose(state["T"], 0.995 * before["T"] + 0.005 * before["W"], rtol=1e-6)


def test_a_factor_that_the_forward_pass_makes_is_no_reason_to_write_early() -> None:
    x, w = gc.input("x", ("N", 4)), gc.param("W", (4,))
    count = gc.param("count", (4,), trainable=False, init=gc.init.ones())
    seen = gc.abs(x).mean(axis=0)
    loss = ((x * w).sum(axis=1) ** 2).mean() + seen.sum()
    graph = gc.graph({"loss": loss}, updates={"count": count * seen})
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1), style="fast")
    source = step.source
    assert "count *=" not in source[source.index("# forward") : source.index("# update")]
    state = step.init(seed=0)
    step(state, x=np.full((2, 4), 3.0, np.float32))
    np.testing.assert_allclose(state["count"], 3.0)
