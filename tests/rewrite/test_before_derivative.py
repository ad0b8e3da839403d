"""Derivatives are those of the stable form, and of the graph as written for who asks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.rewrite.before_derivative import stable_form

FAR = np.array([1e4, 1e4, 9999.0])


def log_sum_exp() -> Graph:
    x = gc.input("x", (3,), "float64")
    z = (x + 0.0).named("z")
    e = gc.exp(z).named("e")
    return gc.graph({"t": gc.log(gc.sum(e))})


def at_far(derived: Graph, **more: Any) -> dict[str, np.ndarray]:
    return gc.interpret(derived, x=FAR, **more)


SHARES = np.exp(FAR - FAR.max()) / np.exp(FAR - FAR.max()).sum()


def test_gradient_jacobian_and_tangent_are_finite_far_out() -> None:
    graph = log_sum_exp()
    np.testing.assert_allclose(at_far(graph.gradient("t", ["x"]))["d_t_d_x"], SHARES)
    np.testing.assert_allclose(at_far(graph.jacobian("t", "x"))["d_t_d_x"], SHARES)
    moved = at_far(graph.tangent("x"), x_dot=np.ones(3))
    np.testing.assert_allclose(moved["t_dot"], 1.0)


def test_second_derivatives_are_finite_far_out() -> None:
    graph = log_sum_exp()
    expected = np.diag(SHARES) - np.outer(SHARES, SHARES)
    second = at_far(graph.hessian("t", wrt="x"))["d2_t_d_x_d_x"]
    np.testing.assert_allclose(second, expected, atol=1e-15)
    v = np.array([1.0, 2.0, 3.0])
    product = at_far(graph.hvp("t", "x"), x_v=v)["d2_t_d_x_v"]
    np.testing.assert_allclose(product, expected @ v, atol=1e-15)
    curved = at_far(graph.gauss_newton("t", "z", "x"), x_v=v)["gn_t_d_x_v"]
    np.testing.assert_allclose(curved, expected @ v, atol=1e-15)


def test_the_graph_as_written_is_derived_for_who_asks() -> None:
    graph = log_sum_exp()
    written = graph.gradient("t", ["x"], stabilize=False)
    assert {node.op.name for node in graph.nodes} <= {node.op.name for node in written.nodes}
    with np.errstate(all="ignore"):
        assert np.isnan(at_far(written)["d_t_d_x"]).all()


def test_an_inner_node_that_a_rule_would_swallow_is_derived_by() -> None:
    graph = log_sum_exp()
    for level in (0, 1, 2, 3):
        f = gc.compile(graph, gradient_of="t", wrt=["e"], optimize=level)
        np.testing.assert_allclose(f(x=np.zeros(3))["d_t_d_e"], np.full(3, 1 / 3))
    found = gc.interpret(graph.jacobian("t", ["e", "z"]), x=np.zeros(3))
    np.testing.assert_allclose(found["d_t_d_e"], np.full(3, 1 / 3))
    np.testing.assert_allclose(found["d_t_d_z"], np.full(3, 1 / 3))


def test_a_graph_with_nothing_unstable_is_left_alone() -> None:
    x = gc.input("x", (3,), "float64")
    graph = gc.graph({"y": gc.sum(gc.sin(x + 0.0) * gc.sin(x + 0.0))})
    assert stable_form(graph) is graph


def test_methods_agree_far_out() -> None:
    found = gc.compare_methods(log_sum_exp(), at={"x": FAR})
    assert found["reverse mode"].error < 1e-12
    assert found["forward mode"].error < 1e-12
    assert found["central difference"].error < 1e-5


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_a_coefficient_leaves_its_product_only_so_far(factor: float) -> None:
    """A chain of factors and their inverses: without its coefficients it overflows."""
    x = gc.input("x", (2,), "float32")
    h = x
    for _ in range(200):
        h = (h * factor) * gc.exp(x * 0 - np.log(factor).item())
    f = gc.compile(gc.graph({"y": gc.sum(h)}), gradient_of="y", wrt=["x"])
    found = f(x=np.array([1.0, 2.0], np.float32))
    assert np.isfinite(found["y"])
    np.testing.assert_allclose(found["y"], 3.0, rtol=1e-3)


def test_moving_coefficients_outward_is_linear() -> None:
    x = gc.input("x", (4,))
    counts = []
    for length in (200, 800):
        h = x
        for _ in range(length):
            h = gc.sin(gc.tanh(h * 0.5))
        graph = gc.graph({"y": gc.sum(h)}).gradient("y", ["x"])
        counts.append(sum(len(record.firings) for record in gc.optimize(graph).history))
    assert counts[1] < 5 * counts[0]
