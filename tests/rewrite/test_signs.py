"""Signs of factors: a number takes them over, or a sum takes them away; no bit changes."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import graphc as gc

FORMS = {
    "-(2/n/(3 + cos(x)))": "sign_into_factor",
    "-(2/n*sin(x)*x)": "sign_into_factor",
    "-(broadcast_to(2/n, (6,))*x/(3 + cos(x)))": "sign_into_factor",
    "sin(x) - -2/n/(3 + cos(x))": "sign_of_factor",
    "sin(x) + -2/n*sin(x)*x": "sign_of_factor",
    "sin(x) + broadcast_to(-exp(n), (6,))*x/(3 + cos(x))": "sign_of_factor",
}
X = np.array([-np.inf, -1e300, -0.0, 0.0, 2.5, np.nan])


@pytest.mark.parametrize("n", [-3.0, 0.5, 1e-300, np.inf, 0.0])
@pytest.mark.parametrize("form", FORMS)
def test_a_sign_vanishes_and_no_bit_changes(form: str, n: float) -> None:
    graph = gc.parse(f"x: input(f64, 6)\nn: input(f64)\ny = {form}\noutput(y)")
    better = gc.optimize(graph)
    assert FORMS[form] in {firing.rule.name for r in better.history for firing in r.firings}
    assert "negative" not in {node.op.name for node in better.nodes}
    with np.errstate(all="ignore"):
        found, expected = (gc.interpret(g, x=X, n=n)["y"] for g in (better, graph))
    np.testing.assert_array_equal(found, expected)
    is_number = ~np.isnan(expected)
    assert np.array_equal(np.signbit(found[is_number]), np.signbit(expected[is_number]))


def test_sympy_confirms() -> None:
    c, n, x, a = sympy.symbols("c n x a", real=True, nonzero=True)
    assert sympy.simplify(-(c / n * x) - (-c) / n * x) == 0
    assert sympy.simplify(-(c / n / x) - (-c) / n / x) == 0
    assert sympy.simplify((a + (-c) / n / x) - (a - c / n / x)) == 0


def test_what_others_read_keeps_its_sign() -> None:
    graph = gc.parse(
        "x: input(f64, 6)\nn: input(f64)\nk = 2/n\np = k/(3 + cos(x))\ny = -p\noutput(y, p, k)"
    )
    assert "negative" in {node.op.name for node in gc.optimize(graph).nodes}


def test_the_slope_of_a_logarithm_has_no_second_sign() -> None:
    p = gc.input("p", ("N",))
    graph = gc.graph({"loss": -gc.mean(gc.log(1 - p))})
    source = gc.compile(graph, gradient_of="loss", wrt=["p"], style="readable").source
    assert "d_p = 1 / np.float32(N) / (1 - p)" in source


CONTRACTIONS = {
    "c + (-cos(x)) @ w": ("subtract", 1),
    "c - (-cos(x)) @ w": ("add", 1),
    "(-cos(x)) @ w + c": ("subtract", 1),
    "(-cos(x)) @ w - sin(x) @ v + c": ("subtract", 2),
    "((-cos(x)) @ w + (-sin(x)) @ v) + c": ("subtract", 2),
}


@pytest.mark.parametrize("form", CONTRACTIONS)
def test_a_sum_takes_the_sign_of_a_product_of_matrices(form: str) -> None:
    graph = gc.parse(
        "x: input(f64, 3, 4)\nw: input(f64, 4, 2)\nv: input(f64, 4, 2)\nc: input(f64, 3, 2)\n"
        f"y = {form}\nz = x @ v\noutput(y, z)"
    )
    better = gc.optimize(graph)
    assert "sign_of_contraction" in {f.rule.name for r in better.history for f in r.firings}
    ops = [node.op.name for node in better.nodes]
    name, count = CONTRACTIONS[form]
    assert "negative" not in ops and ops.count(name) == count
    rng = np.random.default_rng(0)
    shapes = {"x": (3, 4), "w": (4, 2), "v": (4, 2), "c": (3, 2)}
    for scale in (1.0, 1e150):
        at = {name: scale * rng.normal(size=shape) for name, shape in shapes.items()}
        found, expected = (gc.interpret(g, **at)["y"] for g in (better, graph))
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_the_opposite_that_others_read_stays() -> None:
    graph = gc.parse(
        "x: input(f64, 3, 4)\nw: input(f64, 4, 2)\nc: input(f64, 3, 2)\n"
        "n = -cos(x)\ny = n @ w + c\noutput(y, n)"
    )
    assert "negative" in {node.op.name for node in gc.optimize(graph).nodes}


def test_sympy_confirms_for_contractions() -> None:
    x, w, b, a = (sympy.MatrixSymbol(name, 3, 3).as_explicit() for name in "xwba")
    assert sympy.expand(a + (-x) * w - (a - x * w)) == sympy.zeros(3, 3)
    assert sympy.expand((-x * w + b) + a - ((a - x * w) + b)) == sympy.zeros(3, 3)


GATHERED = {
    "2/n/(3 + cos(x))*5": "10/n/(3 + cos(x))",
    "-0.25*(2/n*sin(x)*x)": "-0.5/n*sin(x)*x",
    "3*(broadcast_to(0.5/n, (6,))*x/(3 + cos(x)))": "1.5/n*x/(3 + cos(x))",
}


@pytest.mark.parametrize("form", GATHERED)
def test_a_number_goes_into_a_scalar_factor(form: str) -> None:
    head = "x: input(f64, 6)\nn: input(f64)\ny = "
    graph, expected = (gc.parse(f"{head}{y}\noutput(y)") for y in (form, GATHERED[form]))
    better = gc.optimize(graph)
    assert "number_into_factor" in {f.rule.name for r in better.history for f in r.firings}
    assert len(better.nodes) <= len(gc.optimize(expected).nodes)
    for n in (-3.0, 0.5, 1e-300, np.inf, 0.0):
        with np.errstate(all="ignore"):
            found, wanted = (gc.interpret(g, x=X, n=n)["y"] for g in (better, graph))
        np.testing.assert_allclose(found, wanted, rtol=1e-14)


@pytest.mark.parametrize("form", ["x/(2/n)*5", "cos(x)/(2/n*x)*5", "(2/n + x)*5"])
def test_no_number_goes_into_a_denominator_or_a_sum(form: str) -> None:
    graph = gc.parse(f"x: input(f64, 6)\nn: input(f64)\ny = {form}\noutput(y)")
    better = gc.optimize(graph)
    assert "number_into_factor" not in {f.rule.name for r in better.history for f in r.firings}
    with np.errstate(all="ignore"):
        found, wanted = (gc.interpret(g, x=X, n=0.75)["y"] for g in (better, graph))
    np.testing.assert_allclose(found, wanted, rtol=1e-14)


def test_sympy_confirms_for_numbers() -> None:
    c, d, n, x = sympy.symbols("c d n x", real=True, nonzero=True)
    assert sympy.simplify(c / n * x * d - (c * d) / n * x) == 0
    assert sympy.simplify(c / n / x * d - (c * d) / n / x) == 0
