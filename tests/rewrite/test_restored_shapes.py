"""A reshape behind a formula of reshaped arrays vanishes where they had its shape before."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

A, B = "a: input(f64, N, 1)", "b: input(f64, N, 1)"
FORMS = {
    "reshape(reshape(a, (N,))*sin(reshape(b, (N,))), (N, 1))": True,
    "reshape(2*reshape(a, (N,))/(1 + reshape(b, (N,))), (N, 1))": True,
    "b*reshape(-sin(reshape(a, (N,))), (N, 1))": True,
    "reshape(sum(a, axis=1)*reshape(b, (N,)), (1, N))": False,  # another shape than b's
}


@pytest.mark.parametrize("form", FORMS)
def test_what_had_the_shape_before_needs_none(form: str) -> None:
    graph = gc.parse(f"N: dim\n{A}\n{B}\ny = {form}\noutput(y)")
    better = gc.optimize(graph)
    assert ("reshape" not in {node.op.name for node in better.nodes}) is FORMS[form]
    at = {
        "a": np.array([[-np.inf], [-0.0], [1e300], [np.nan]]),
        "b": np.array([[0.0], [-1.0], [3.0], [np.inf]]),
    }
    with np.errstate(all="ignore"):
        found, expected = (gc.interpret(g, **at)["y"] for g in (better, graph))
    np.testing.assert_array_equal(found, expected)


def test_what_others_read_too_is_computed_once() -> None:
    graph = gc.parse(
        f"N: dim\n{A}\n{B}\np = reshape(a, (N,))*reshape(b, (N,))\n"
        "y = reshape(p, (N, 1)) + cos(a)\nz = sum(sin(p))\noutput(y, z, p)"
    )
    assert [node.op.name for node in gc.optimize(graph).nodes].count("multiply") == 1


def test_a_vector_over_its_length_has_a_slope_of_one_shape() -> None:
    x, W = gc.input("x", ("N", 4)), gc.param("W", (4, 3), init=gc.init.normal())
    s = x @ W
    square = gc.sum(s**2, axis=1, keepdims=True)
    v = square / (1 + square) * s / gc.sqrt(square + 1e-8)
    graph = gc.graph({"loss": gc.mean(v**3)}, name="squash")
    function = gc.compile(graph, gradient_of="loss", style="readable")
    assert ".reshape(N, " not in function.source
    function.module.check()
