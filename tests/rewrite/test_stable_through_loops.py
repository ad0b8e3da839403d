"""What a loop and its surroundings compute together is stable as if no loop stood between them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

T, N = 6, 3
X, Y = gc.input("x", ("T", "N", 4)), gc.input("y", ("T", "N"), "int64")
W = gc.param("W", (4, 5), init=gc.init.normal(1.0))
U = gc.param("U", (5, 5), init=gc.init.normal(1.0))
V = gc.param("V", (5, 5), init=gc.init.normal(1.0))


def states() -> Node:
    """Return the states of a recurrent network, the scores of which are far apart."""
    (_, hs) = gc.scan(lambda h, x: (gc.tanh(x @ W + h @ U),) * 2, gc.zeros(("N", 5)), X)
    return 1000 * hs @ V


def made_inside(function: Callable[[Node], Node]) -> Node:
    """Return what a loop emits of the same scores."""

    def step(h: Node, x: Node) -> tuple[Node, Node]:
        h = gc.tanh(x @ W + h @ U)
        return h, function(1000 * h @ V)

    return gc.scan(step, gc.zeros(("N", 5)), X)[1]


def made_within(function: Callable[[Node], Node]) -> Node:
    """Return what a loop in a loop emits of scores."""

    def step(h: Node, x: Node) -> tuple[Node, Node]:
        h = gc.tanh(x @ W + h)
        return h, function(1000 * h @ V)

    return gc.scan(lambda h, xs: gc.scan(step, h, xs), gc.zeros((5,)), X)[1]


def added_up(terms: Callable[[Node], Node], stack: Node) -> Node:
    """Return the sum of the terms of each step, weighted by what is carried."""

    def step(total: Node, weight: Node, values: Node) -> tuple[Node, Node]:
        return total + weight * gc.mean(terms(values)), 0.5 * weight + 0.25

    return gc.scan(step, (gc.zeros(()), gc.ones(())), stack)[0]


def of_labels(logs: Node) -> Node:
    return -gc.mean(gc.take_along_axis(logs, Y[..., None], axis=-1))


def binary(p: Node) -> Node:
    t = gc.one_hot(Y, 5)
    return -gc.mean(t * gc.log(p) + (1 - t) * gc.log(1 - p))


def transitions(log: Callable[[Node], Node], inside: bool) -> Node:
    """Return the log-likelihood of a hidden Markov model, whose transitions are far apart."""
    A = gc.softmax(1000 * U, axis=1)
    outside = log(A)

    def step(alpha: Node, e: Node) -> Node:
        steps = alpha[:, :, None] + (log(A) if inside else outside)
        return gc.log(gc.sum(gc.exp(steps), axis=1)) + e

    (alpha,) = gc.scan(step, gc.zeros(("N", 5)), X @ W)
    return -gc.mean(gc.logsumexp(alpha, axis=1))


#: As one may write it across the border of a loop; and without one between.
FORMS = {
    "probabilities emitted": (
        lambda: of_labels(gc.log(made_inside(gc.softmax))),
        lambda: of_labels(gc.log_softmax(states())),
    ),
    "probabilities emitted, written out": (
        lambda: of_labels(gc.log(made_inside(lambda z: gc.exp(z) / gc.exp(z).sum(-1)[:, None]))),
        lambda: of_labels(gc.log_softmax(states())),
    ),
    "binary probabilities emitted": (
        lambda: binary(made_inside(gc.sigmoid)),
        lambda: binary(gc.sigmoid(states())),
    ),
    "probabilities emitted by a loop in a loop": (
        lambda: of_labels(gc.log(made_within(gc.softmax))),
        lambda: of_labels(gc.log_softmax(made_within(lambda z: z))),
    ),
    "probabilities read": (
        lambda: added_up(gc.log, gc.softmax(X)),
        lambda: added_up(lambda z: z, gc.log_softmax(X)),
    ),
    "exponentials read": (
        lambda: added_up(lambda e: gc.log(gc.sum(e, axis=-1)), gc.exp(X)),
        lambda: added_up(lambda z: z, gc.logsumexp(X, axis=-1)),
    ),
    "the same probabilities read by all steps": (
        lambda: transitions(gc.log, True),
        lambda: transitions(gc.log, False),
    ),
}


def graph_of(loss: Node) -> gc.Graph:
    return gc.graph({"loss": loss}, name="across")


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("form", FORMS)
def test_the_border_of_a_loop_hides_nothing(form: str, style: str) -> None:
    across, plain = (graph_of(write()) for write in FORMS[form])
    rng = np.random.default_rng(0)
    values = {"x": 500 * rng.normal(size=(T, N, 4)), "y": rng.integers(0, 5, (T, N))}
    values["x"] = values["x"].astype(np.float32)
    for level in (2, 3):
        got, wanted = (
            gc.compile(graph, gradient_of="loss", style=style, optimize=level)(
                *([graph.init(seed=1)] if graph.params else []),
                **{name: values[name] for name in graph.inputs},
            )
            for graph in (across, plain)
        )
        assert np.isfinite(wanted["loss"])
        for name, value in wanted.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-3, err_msg=name)


def test_public_derivatives_are_of_that_form_too() -> None:
    graph = graph_of(FORMS["probabilities emitted"][0]()).gradient("loss", ["V"])
    rng = np.random.default_rng(0)
    x = (500 * rng.normal(size=(T, N, 4))).astype(np.float32)
    found = gc.interpret(graph, graph.init(seed=1), x=x, y=rng.integers(0, 5, (T, N)))
    assert all(np.isfinite(value).all() for value in found.values())


def test_what_all_steps_read_is_derived_once() -> None:
    """The average of many rows, taken at each step: no step adds to the gradient of them all."""
    keys = gc.input("keys", ("S", 5))

    def step(h: Node, x: Node) -> Node:
        return gc.tanh(x @ W + h * gc.mean(gc.exp(keys), axis=0))

    (h,) = gc.scan(step, gc.zeros((5,)), X[:, 0])
    graph = graph_of(gc.sum(h * h))
    source = gc.compile(graph, gradient_of="loss", wrt=["keys"], style="readable").source
    assert "d_keys" in source and "[S, 5]" in source
    backward = source.partition("# backward")[2]
    assert not [
        line for line in backward.splitlines() if line.startswith(" " * 8) and "S, 5" in line
    ]
