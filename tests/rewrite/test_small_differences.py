"""Differences that are small beside their terms keep their digits, and so do their slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

import graphc as gc
from graphc.ir.node import Node

MP = mpmath.mp.clone()
MP.dps = 60
AT = [1e-20, -1e-6, 1e-4, -1e-3, 0.01, -0.06, 0.3, -0.9]
#: As typed, what it is, and how far off it may be, of the size of x where two terms cancel.
FORMS: dict[str, tuple[Callable[[Node], Node], Callable[..., Any], float]] = {
    "exp(x) - x - 1": (lambda x: gc.exp(x) - x - 1, lambda x: MP.expm1(x) - x, 1),
    "exp(x) - 1 - x": (lambda x: gc.exp(x) - 1 - x, lambda x: MP.expm1(x) - x, 1),
    "-x + exp(x) - 1": (lambda x: -x + gc.exp(x) - 1, lambda x: MP.expm1(x) - x, 1),
    "1 + (x - exp(x))": (lambda x: 1 + (x - gc.exp(x)), lambda x: x - MP.expm1(x), 1),
    "exp(x) + x**2 - 1": (lambda x: gc.exp(x) + x**2 - 1, lambda x: MP.expm1(x) + x**2, 1),
    "sqrt(1 + x**2) - 1": (lambda x: gc.sqrt(1 + x**2) - 1, lambda x: MP.sqrt(1 + x * x) - 1, 0),
    "4*((1 + (x/2)**2)**0.5 - 1)": (
        lambda x: 4 * ((1 + (x / 2) ** 2) ** 0.5 - 1),
        lambda x: 4 * (MP.sqrt(1 + x * x / 4) - 1),
        0,
    ),
    "sqrt(x**2 + 9) - 3": (lambda x: gc.sqrt(x**2 + 9) - 3, lambda x: MP.sqrt(x * x + 9) - 3, 0),
    "1 - sqrt(1 - x**2)": (lambda x: 1 - gc.sqrt(1 - x**2), lambda x: 1 - MP.sqrt(1 - x * x), 0),
    "1 - sqrt(x + 1)": (lambda x: 1 - gc.sqrt(x + 1), lambda x: 1 - MP.sqrt(x + 1), 0),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_they_keep_their_digits(form: str, dtype: str, style: str) -> None:
    typed, exact, cancels = FORMS[form]
    at = np.array(AT, dtype)
    x = gc.input("x", at.shape, dtype=dtype)
    graph = gc.graph({"value": typed(x), "total": gc.sum(typed(x))})
    found = gc.compile(graph, gradient_of="total", wrt=["x"], style=style)(x=at)
    points = [MP.mpf(float(v)) for v in at]
    eps = float(np.finfo(dtype).eps)
    values = np.array([float(exact(v)) for v in points])
    slopes = [float(MP.diff(exact, v, h=MP.mpf(10) ** -25)) for v in points]
    assert (
        abs(found["value"] - values) <= 4 * eps * (abs(values) + cancels * abs(at)) + 1e-44
    ).all()
    np.testing.assert_allclose(found["d_total_d_x"], slopes, rtol=30 * eps)


def test_log1p_of_expm1_is_its_argument() -> None:
    x = gc.input("x", (4,))
    f = gc.compile(gc.graph({"y": gc.log1p(gc.exp(x) - 1)}))
    at = np.float32([-50, 1e-20, 3, 100])
    np.testing.assert_array_equal(f(x=at)["y"], at)


def test_the_root_of_one_plus_exp_does_not_overflow() -> None:
    x = gc.input("x", (3,))
    y = gc.sqrt(1 + gc.exp(x))
    f = gc.compile(gc.graph({"y": y, "total": gc.sum(y)}), gradient_of="total", wrt=["x"])
    found = f(x=np.float32([-30, 0.5, 120]))
    wanted = [1, np.sqrt(1 + np.exp(0.5)), np.exp(60)]
    np.testing.assert_allclose(found["y"], wanted, rtol=1e-5)
    slopes = [np.exp(-30) / 2, np.exp(0.5) / 2 / wanted[1], np.exp(60) / 2]
    np.testing.assert_allclose(found["d_total_d_x"], slopes, rtol=1e-5)


@pytest.mark.parametrize("form", ["sqrt(2.0 + x**2) - 2.0", "sqrt(x) - 1.0", "sqrt(1.0 - x) - w"])
def test_other_differences_of_roots_stay(form: str) -> None:
    graph = gc.parse(f"x: input(f64, 3)\nw: input(f64, 3)\ny = {form} + 0*w\noutput(y)")
    better = gc.optimize(graph)
    assert "root_less_number" not in {f.rule.name for r in better.history for f in r.firings}


def test_sympy_confirms() -> None:
    x, y = sympy.symbols("x y", real=True)
    c = sympy.Symbol("c", positive=True)
    root = sympy.sqrt(c**2 + x)
    assert sympy.simplify((root - c) - x / (root + c)) == 0
    expm1 = sympy.exp(x) - 1
    assert sympy.simplify((sympy.exp(x) - y) - 1 - (expm1 - y)) == 0
    assert sympy.simplify((y - sympy.exp(x)) + 1 - (y - expm1)) == 0
    assert sympy.log(1 + expm1) == x
    softplus = sympy.log(1 + sympy.exp(x))
    assert sympy.simplify(sympy.sqrt(1 + sympy.exp(x)) - sympy.exp(softplus / 2)) == 0


BY_TANH: dict[str, tuple[Callable[[Node], Node], int]] = {
    "log((1 + t)/2)": (lambda t: gc.log((1 + t) / 2), 1),
    "log(0.5*t + 0.5)": (lambda t: gc.log(0.5 * t + 0.5), 1),
    "log(0.5 - t/2)": (lambda t: gc.log(0.5 - t / 2), -1),
    "log(1 - (1 + t)/2)": (lambda t: gc.log(1 - (1 + t) / 2), -1),
    "log(-(t - 1)/2)": (lambda t: gc.log(-(t - 1) / 2), -1),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("form", BY_TANH)
def test_logarithms_of_shares_by_tanh_are_finite(form: str, style: str) -> None:
    typed, sign = BY_TANH[form]
    at = np.float32([-1e4, -20, -0.5, 0, 0.5, 20, 1e4])
    x = gc.input("x", at.shape)
    y = typed(gc.tanh(x))
    graph = gc.graph({"y": y, "total": gc.sum(y)})
    found = gc.compile(graph, gradient_of="total", wrt=["x"], style=style)(x=at)
    u = 2.0 * sign * at.astype(float)
    np.testing.assert_allclose(found["y"], -np.logaddexp(0, -u), rtol=1e-6, atol=1e-44)
    slopes = 2 * sign * np.exp(-np.logaddexp(0, u))
    np.testing.assert_allclose(found["d_total_d_x"], slopes, rtol=2e-6, atol=1e-44)


def test_other_sums_with_tanh_keep_their_logarithm() -> None:
    x = gc.input("x", (3,))
    for y in (gc.log(0.6 + 0.5 * gc.tanh(x)), gc.log(0.5 / (1 + gc.tanh(x)))):
        assert "softplus" not in str(gc.optimize(gc.graph({"y": y}), level=2))
        assert "logaddexp" not in str(gc.optimize(gc.graph({"y": y}), level=2))
