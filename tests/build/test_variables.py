"""Values are called what the user's variables call them: in functions, loop bodies, derivatives."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import graphc as gc


def filtered() -> gc.Graph:
    ys, a = gc.input("ys", ("T",)), gc.param("a", init=0.9)
    noise = gc.exp(gc.param("log_noise"))

    def step(m, P, y):
        P_pred = a * P * a + noise
        gain = P_pred / (P_pred + 1)
        innovation = y - a * m
        m = a * m + gain * innovation
        P = (1 - gain) * P_pred
        square = innovation**2
        return m, P, square

    *_, squares = gc.scan(step, init=(0.0, 1.0), xs=ys)
    return gc.graph({"loss": gc.sum(squares)}, name="filtered")


def test_values_of_a_step_are_called_as_in_the_users_function() -> None:
    text = str(filtered())
    for line in ("P_pred: f32 =", "gain: f32 =", "innovation: f32 =", "m_next: f32 ="):
        assert line in text
    assert "+ noise" in text  # what the body reads of its surroundings
    assert gc.parse(text) == filtered()


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_gradients_of_a_steps_values_have_their_names(style: str) -> None:
    source = gc.compile(filtered(), gradient_of="loss", style=style).source
    assert "d_innovation" in source and "d_gain" in source and "d_P_pred" in source


def test_a_function_of_numpy_keeps_the_names_of_its_variables() -> None:
    def model(x):
        shifted = x - np.mean(x)
        spread = np.sqrt(np.mean(shifted * shifted))
        return shifted / spread

    text = str(gc.from_function(model, x=("N",)))
    assert "shifted: f32[N] =" in text and "spread: f32 =" in text


def test_a_derivative_is_called_what_its_user_calls_it() -> None:
    x = gc.input("x", ("N", 1))
    u = gc.tanh(x @ gc.param("w", (1, 1)))
    (u_x,) = gc.grad(u.sum(), [x])
    (u_xx,) = gc.grad(u_x.sum(), [x])
    graph = gc.graph({"loss": gc.square(u_xx - gc.sin(u_x)).mean()}, name="waves")
    source = gc.compile(graph, gradient_of="loss", style="readable").source
    assert "u_x = " in source and "u_xx = " in source and "d_u_xx" in source
    assert "    d_x = " not in source
    assert gc.graph([u_x, u_xx]).outputs.keys() == {"u_x", "u_xx"}


def test_a_derivative_that_nobody_holds_is_named_after_what_it_derives_by() -> None:
    x = gc.input("x", ("N",))
    assert [*gc.graph(gc.grad(gc.sum(gc.sin(x)), [x])).outputs] == ["d_x"]


def test_a_profiler_keeps_its_hook() -> None:
    seen: list[str] = []

    def profiler(frame: object, event: str, _: object) -> None:
        seen.append(event)

    sys.setprofile(profiler)
    try:
        graph = filtered()
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)
    assert graph == filtered() and seen


def test_no_hook_is_left_behind_where_a_body_fails() -> None:
    def step(h, x):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        gc.scan(step, init=0.0, xs=gc.input("x", ("T",)))
    assert sys.getprofile() is None
