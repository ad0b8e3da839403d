"""A step reads `h` and returns the next `h`: it is derived by what it reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc

AT = {"h": np.array([0.5, -1.0]), "w": np.array(2.0)}


def step(output: str, weight: str = "w") -> gc.Graph:
    """Return a step whose second and third outputs may be called as what it reads."""
    h, w = gc.input("h", (2,), "float64"), gc.param("w", (), "float64", init=2.0)
    following = gc.tanh(w * h)
    return gc.graph({"loss": gc.sum(following**3), output: following, weight: gc.sum(h)})


DERIVED = [
    pytest.param(lambda g: g.gradient("loss", wrt=["h", "w"]), id="gradient"),
    pytest.param(lambda g: g.gradient("loss"), id="gradient by the parameters"),
    pytest.param(lambda g: g.tangent(wrt=["h"]), id="tangent"),
    pytest.param(lambda g: g.jacobian("loss", wrt="h"), id="jacobian"),
    pytest.param(lambda g: g.hessian("loss", wrt=["h", "w"]), id="hessian"),
    pytest.param(lambda g: g.hvp("loss", wrt="w"), id="hvp"),
    pytest.param(lambda g: g.gauss_newton("loss", "loss", wrt="h"), id="gauss_newton"),
]


@pytest.mark.parametrize("derive", DERIVED)
def test_a_derivative_is_taken_by_what_is_read(derive: Callable[[gc.Graph], gc.Graph]) -> None:
    plain, same = derive(step("following", "total")), derive(step("h", "w"))
    given = {n: AT.get(n, np.full([int(d) for d in x.shape], 0.5)) for n, x in plain.inputs.items()}
    state = plain.init()
    for graph in (same, gc.optimize(same)):
        found, expected = gc.interpret(graph, state, **given), gc.interpret(plain, state, **given)
        for a, b in zip(found.values(), expected.values(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_what_shows_or_checks_a_derivative_means_the_same() -> None:
    graph = step("h", "w")
    assert gc.check_gradient(graph, of="loss", at=AT, wrt=["h", "w"])
    assert "2 passes" in str(gc.dependence(graph, "loss", "h"))
    h, w = graph.inputs["h"], graph.params["w"]
    assert graph.variable("h") is h and graph.find("h") is graph.outputs["h"]
    assert graph.gradient("loss", wrt=[h, w]) == graph.gradient("loss", wrt=["h", "w"])


def test_an_output_that_is_given_as_a_node_is_that_node() -> None:
    graph = step("h", "w")
    derived = graph.gradient("loss", wrt=[graph.outputs["h"]])
    slope = gc.interpret(derived, derived.init(), h=AT["h"])["d_loss_d_following"]
    np.testing.assert_allclose(slope, 3 * np.tanh(2 * AT["h"]) ** 2)
