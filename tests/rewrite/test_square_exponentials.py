"""A variance exp(s) and its root exp(s/2) take one exponential, whichever comes first."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import graphc as gc

FORMS = {
    "cos(x)*exp(x) + sin(x)*exp(0.5*x)": 1,
    "sin(x)*exp(0.5*x) + cos(x)*exp(x)": 1,
    "sin(x)*exp(x) + cos(x)*exp(2*x) + exp(x*4)*x": 1,
    "sin(x)*exp(-2*x) + cos(x)*exp(-x)": 1,
    "sin(x)*exp(3*x) + cos(x)*exp(x)": 2,
    "sin(x)*exp(2*x) + cos(x)*exp(cos(x))": 2,
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("form", FORMS)
def test_one_exponential_for_both(form: str, style: str) -> None:
    graph = gc.parse(f"x: input(f64, 7)\ny = {form}\noutput(y)")
    source = gc.compile(graph, style=style).source.partition("def check")[0]
    assert source.partition('"""')[2].partition('"""')[2].count("np.exp(") == FORMS[form]
    for x in (
        np.linspace(-3, 3, 7),
        np.array([-2000.0, -740.0, -300.0, 0.0, 170.0, 340.0, 2000.0]),
        np.array([-np.inf, np.inf, np.nan, -0.0, 1e-300, 1e300, -1e300]),
    ):
        with np.errstate(all="ignore"):
            found, expected = (
                gc.compile(graph, style=style)(x=x)["y"],
                gc.interpret(graph, x=x)["y"],
            )
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_gradient_of_a_variational_bound() -> None:
    n = gc.dim("N")
    x, noise = gc.input("x", (n, 3), "float64"), gc.input("noise", (n, 2), "float64")
    mu, log_variance = (x @ gc.param(name, (3, 2), "float64") for name in ("W", "V"))
    z = mu + gc.exp(0.5 * log_variance) * noise
    divergence = -0.5 * gc.sum(1 + log_variance - mu**2 - gc.exp(log_variance), axis=1)
    graph = gc.graph({"loss": gc.mean(gc.sum(gc.sin(z), axis=1) + divergence)})
    source = gc.compile(graph, minimize="loss", optimizer="sgd(0.1)", style="readable").source
    assert source.partition("def check")[0].count("np.exp(") == 1
    rng = np.random.default_rng(0)
    at = {"x": rng.normal(size=(5, 3)), "noise": rng.normal(size=(5, 2))}
    assert gc.check_gradient(graph, of="loss", at=at).passed


def test_sympy_confirms() -> None:
    a = sympy.Symbol("a", real=True)
    assert sympy.simplify(sympy.exp(2 * a) - sympy.exp(a) ** 2) == 0
