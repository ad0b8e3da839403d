"""Higher derivatives go through the output in a layer, and keep the digits of tails elsewhere."""

from __future__ import annotations

import re

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import graphc as gc
from graphc.differentiate.sweeps.layers import MadeOfSums
from graphc.ir.node import Node

#: Activation -> how many exponentials its value takes, at float32 in style fast.
EXPONENTIALS = {"tanh": 0, "sigmoid": 1, "silu": 1, "softplus": 2, "log_sigmoid": 2}


def exponentials(graph: gc.Graph) -> int:
    return len(re.findall(r"np\.(?:exp|expm1)\(", gc.compile(graph, style="fast").source))


def curved(activation: str, way: str) -> gc.Graph:
    """Return second derivatives of a net of two layers, by both modes or as a physicist does."""
    x = gc.input("x", ("N", 3))
    W, V = gc.param("W", (3, 4)), gc.param("V", (4, 5))
    f = getattr(gc, activation)
    u = gc.sum(f(f(x @ W) @ V))
    if way == "physics":
        (slope,) = gc.grad(u, [x])
        return gc.graph({"loss": gc.sum(slope**2)}, name="net").gradient("loss", wrt=["W", "V"])
    graph = gc.graph({"loss": u**2}, name="net")
    return graph.hvp("loss", wrt=["W", "V"]) if way == "hvp" else graph.hessian("loss", wrt="V")


@pytest.mark.parametrize("way", ["hvp", "hessian", "physics"])
@pytest.mark.parametrize("activation", EXPONENTIALS)
def test_second_derivatives_of_layers_take_no_exponentials_of_their_own(
    activation: str, way: str
) -> None:
    assert exponentials(curved(activation, way)) <= 2 * EXPONENTIALS[activation]


def test_a_tangent_of_the_sigmoid_goes_through_its_output() -> None:
    x = gc.input("x", ("N", 3))
    graph = gc.graph({"y": gc.sigmoid(x)}, name="net").tangent(wrt=["x"])
    assert exponentials(graph) == 1


def test_what_is_computed_by_element_keeps_the_digits_of_its_tail() -> None:
    x = gc.input("x", (2,), dtype="float64")
    w = gc.param("w", (2,), dtype="float64")
    for act, curvature in (
        (gc.tanh, -8 * np.exp(-2 * np.array([20.0, 50]))),
        (gc.sigmoid, -np.exp(-np.array([20.0, 50]))),
    ):
        (slope,) = gc.grad(gc.sum(act(w * x)), [x])
        (bend,) = gc.grad(gc.sum(slope), [x])
        found = gc.compile(gc.graph({"bend": bend}))({"w": np.ones(2)}, x=np.array([20.0, 50]))
        np.testing.assert_allclose(found["bend"], curvature, rtol=1e-7)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_in_a_layer_second_derivatives_are_exact_to_an_ulp_of_one(activation: str) -> None:
    """As far out as float32 reaches, and all the way in between."""
    x = gc.input("x", ("N", 1))
    W = gc.param("W", (1, 1))
    (slope,) = gc.grad(gc.sum(getattr(gc, activation)(x @ W)), [x])
    (bend,) = gc.grad(gc.sum(slope), [x])
    points = np.linspace(-100, 100, 4001, dtype=np.float32)[:, None]
    found = gc.compile(gc.graph({"bend": bend}))({"W": np.ones((1, 1), np.float32)}, x=points)
    f = {"tanh": anp.tanh, "sigmoid": lambda z: 1 / (1 + anp.exp(-z))}[activation]
    exact = autograd.elementwise_grad(autograd.elementwise_grad(f))(points.astype(float))
    np.testing.assert_allclose(found["bend"], exact, rtol=0, atol=2 * np.finfo(np.float32).eps)


def test_products_sums_and_loops_make_a_layer() -> None:
    x, W = gc.input("x", (3, 4)), gc.param("W", (4, 4))
    (h,) = gc.scan(lambda h, v: (h * v,), init=gc.zeros((4,)), xs=x)
    by_element = [x, gc.exp(x[1:] * W[0]), gc.concat([x, gc.stop_gradient(x)])]
    of_sums = [x @ W, gc.sum(x, axis=0), gc.exp((x @ W).T) - 1, x - gc.max(x), h]
    is_made_of_sums = MadeOfSums()
    assert [is_made_of_sums(node) for node in by_element] == [False] * len(by_element)
    assert [is_made_of_sums(node) for node in of_sums] == [True] * len(of_sums)


def test_a_long_chain_is_walked_once() -> None:
    node: Node = gc.input("x", (3,))
    is_made_of_sums = MadeOfSums()
    for _ in range(20_000):
        node = gc.exp(node)
        assert not is_made_of_sums(node)
