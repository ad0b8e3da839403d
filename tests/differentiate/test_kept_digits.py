"""Derivatives are built in the writing that keeps their digits; readers see the plain one."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from graphc.differentiate.formulas.kept_digits import kept_digits
from graphc.differentiate.formulas.local import partial
from graphc.differentiate.formulas.symbolic import symbol
from graphc.differentiate.formulas.text import stable, write
from graphc.ops import OPS

x, a, b, y = symbol("x"), symbol("a"), symbol("b"), symbol("y")

WRITINGS = {
    "sqrt(1 + x**2)": (sympy.sqrt(1 + x**2), "hypot(1, x)"),
    "b/(a**2 + b**2)": (b / (a**2 + b**2), "b/hypot(a, b)/hypot(a, b)"),
    "1 + erf(x)": (1 + sympy.erf(x), "erfc(-x)"),
    "1 - erf(x)": (1 - sympy.erf(x), "erfc(x)"),
    "1/2 + erf(x)/2 + x": (sympy.Rational(1, 2) + sympy.erf(x) / 2 + x, "x + erfc(-x)/2"),
    "1 + tanh(x)": (1 + sympy.tanh(x), "2*sigmoid(2*x)"),
    "1 - tanh(x)**2": (1 - sympy.tanh(x) ** 2, "4*sigmoid(-2*x)*sigmoid(2*x)"),
    # Nothing is gained in these.
    "1 - y**2": (1 - y**2, "1 - y**2"),
    "sqrt(1 + y**2)": (sympy.sqrt(1 + y**2), "sqrt(1 + y**2)"),
    "2 + erf(x)": (2 + sympy.erf(x), "2 + erf(x)"),
    "1/(1 + x**2)": (1 / (1 + x**2), "1/(1 + x**2)"),
}


@pytest.mark.parametrize("plain", WRITINGS)
def test_writing(plain: str) -> None:
    expression, expected = WRITINGS[plain]
    assert write(stable(expression)).text == expected
    assert kept_digits(kept_digits(expression)) == kept_digits(expression)


@pytest.mark.parametrize(
    ("name", "index", "text", "built"),
    [
        ("asinh", 0, "1/sqrt(1 + x**2)", "1/hypot(1, x)"),
        ("logaddexp", 1, "sigmoid(b - a)", "sigmoid(b - a)"),
        ("log1mexp", 0, "-exp(x)/(1 - exp(x))", "exp(x)/expm1(x)"),
        ("remainder", 1, "-floor(a/b)", "-floor_divide(a, b)"),
        ("tanh", 0, "1 - y**2", "1 - y**2"),
        ("expm1", 0, "1 + y", "1 + y"),
    ],
)
def test_partial(name: str, index: int, text: str, built: str) -> None:
    found = partial(OPS[name], index)
    assert (found.text, found.built) == (text, built)


def test_a_form_that_amplifies_the_rounding_of_the_output_is_refused() -> None:
    """exp(a - y) is cheap, but y = 1e4 has an ulp of 2e-12, and so would the derivative."""
    for index in (0, 1):
        assert "y" not in partial(OPS["logaddexp"], index).text
    assert "y" not in partial(OPS["log1mexp"], 0).text


def test_an_overflowing_square_meets_a_zero_as_zero() -> None:
    built = partial(OPS["gelu_tanh"], 0)
    assert "multiply_no_nan" in built.built
    assert np.isfinite(built.probes["partial"]).all()


def test_a_sign_before_a_sum_of_negative_terms_goes_into_it() -> None:
    """As derivations have it, in which SymPy distributes nothing by itself."""
    a, b = sympy.symbols("a b")
    with sympy.core.parameters.distribute(False):
        assert write(-(-a - b)).text == "a + b"
        assert write(-2 * (-a - b)).text == "2*(a + b)"
