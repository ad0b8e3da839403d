"""Values are called what the user's variables call them: in functions, loop bodies, derivatives."""

from __future__ import annotations

import weakref

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


def test_names_are_those_of_the_body_and_not_of_what_it_calls() -> None:
    def squared(v):
        inside = v * v
        return inside

    def step(h, x):
        first = squared(x) + 1
        second = squared(first) * h
        return second, first

    graph = gc.graph({"y": gc.scan(step, init=0.0, xs=gc.input("x", ("T",)))[1]}, name="g")
    text = str(graph)
    assert "first: f32 =" in text and "inside" not in text


def test_a_loop_in_a_loop_has_names_of_its_own() -> None:
    x = gc.input("x", ("T", 4))

    def outer(h, x_t):
        scaled = gc.tanh(x_t) * 2

        def inner(s, v):
            grown = gc.exp(v) + s
            return grown * 0.5, grown

        _, rows = gc.scan(inner, init=h, xs=scaled)
        total = gc.sum(rows) * 0.25
        return total + h, total

    text = str(gc.graph({"y": gc.scan(outer, init=0.0, xs=x)[1]}, name="g"))
    assert all(f"{name}: f32" in text for name in ("scaled", "grown", "total"))


def test_nothing_is_held_after_a_body_fails() -> None:
    held: list[Held] = [Held()]
    known = weakref.ref(held[0])

    def step(h, x):
        mine = held.pop()
        raise ValueError(str(gc.exp(x) is mine))

    with pytest.raises(ValueError, match="False"):
        gc.scan(step, init=0.0, xs=gc.input("x", ("T",)))
    assert known() is None


class Held:
    """An object of the user's, which dies when nobody holds it."""
