"""A divisor that is one number: asked once, and still 0 wins over what dividing by 0 gives."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph


def tempered(rows: int | str = 3) -> Graph:
    z, tau = gc.input("z", (rows, 4), "float64"), gc.param("tau", (), "float64", init=1.5)
    w = gc.input("w", (rows, 4), "float64")
    return gc.graph({"loss": gc.sum(w * (z / tau))})


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("tau", [1.5, -0.25, 0.0, np.nan, np.inf])
def test_a_zero_cotangent_stays_zero_whatever_the_divisor_is(style: str, tau: float) -> None:
    graph = tempered()
    rng = np.random.default_rng(0)
    data: dict[str, Any] = {"z": rng.standard_normal((3, 4)), "w": rng.standard_normal((3, 4))}
    data["w"][1] = 0
    state = {"tau": np.asarray(tau)}
    function = gc.compile(graph, gradient_of="loss", wrt=["z"], style=style)
    with np.errstate(all="ignore"):
        got = function(state, **data)["d_loss_d_z"]
        wanted = gc.interpret(graph.gradient("loss", ["z"]), state, **data)["d_loss_d_z"]
    np.testing.assert_array_equal(got, wanted)
    assert not got[1].any()


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_no_array_of_divisors_is_made(style: str) -> None:
    function = gc.compile(tempered(), gradient_of="loss", wrt=["z"], style=style)
    (line,) = [line for line in function.source.splitlines() if " = _divide_no_nan(" in line]
    assert "w, tau" in line


def test_divisors_of_rows_keep_their_guards_by_element() -> None:
    z, tau = gc.input("z", (3, 4), "float64"), gc.param("tau", (4,), "float64", init=1.5)
    graph = gc.graph({"loss": gc.sum(gc.input("w", (3, 4), "float64") * (z / tau))})
    function = gc.compile(graph, gradient_of="loss", wrt=["z"])
    assert "_divide_no_nan" not in function.source
    w = np.arange(12.0).reshape(3, 4)
    with np.errstate(all="ignore"):
        found = function({"tau": np.zeros(4)}, z=np.ones((3, 4)), w=w)["d_loss_d_z"]
    np.testing.assert_array_equal(found, np.where(w == 0, 0, np.inf))


def test_it_stays_within_a_run_of_blocks() -> None:
    z, tau = gc.input("z", ("N",), "float64"), gc.param("tau", (), "float64", init=1.5)
    y = gc.tanh(gc.exp(-gc.square(z / tau))) + gc.sin(z)
    graph = gc.graph({"loss": gc.sum(gc.sin(y) * gc.cos(gc.tanh(y)))})
    function = gc.compile(graph, gradient_of="loss", wrt=["z", "tau"])
    assert re.search(r"^ {8}\w+ = _divide_no_nan\(", function.source, re.MULTILINE)
    rng = np.random.default_rng(0)
    data: dict[str, Any] = {"z": rng.standard_normal(300000)}
    state = {"tau": np.asarray(0.7)}
    got = function(state, **data)
    wanted = gc.interpret(graph.gradient("loss", ["z", "tau"]), state, **data)
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-12)
