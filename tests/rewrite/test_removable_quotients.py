"""sin(x)/x and the like near 0: the value at 0 is the limit, and no derivative loses its digits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

import graphc as gc
from graphc.ir.node import Node
from graphc.ops.elementwise.series import SERIES, quotient_near_0

MP = mpmath.mp.clone()
MP.dps = 80
EXACT: dict[str, Callable[..., Any]] = {name: getattr(MP, name, None) for name in SERIES}
STYLES = ["readable", "fast"]
#: 0 is judged by the limit, 1e-30 away from it.
AT = [0.0, 1e-20, -1e-8, 1e-4, -1e-3, 0.01, -0.03, 0.05, -0.12, 0.3, -0.7, 0.9]
FORMS: dict[str, tuple[Callable[[Node], Node], Callable[..., Any]]] = {
    "(exp(x) - 1)/x": (lambda x: (gc.exp(x) - 1) / x, lambda x: MP.expm1(x) / x),
    "(1 - exp(-x))/x": (lambda x: (1 - gc.exp(-x)) / x, lambda x: -MP.expm1(-x) / x),
    "x/(exp(x) - 1)": (lambda x: x / (gc.exp(x) - 1), lambda x: x / MP.expm1(x)),
    "log(1 + x)/x": (lambda x: gc.log(1 + x) / x, lambda x: MP.log1p(x) / x),
    "(1 - cos(x))/x**2": (lambda x: (1 - gc.cos(x)) / x**2, lambda x: 2 * (MP.sin(x / 2) / x) ** 2),
    "(1 - cos(x))/x": (lambda x: (1 - gc.cos(x)) / x, lambda x: 2 * MP.sin(x / 2) ** 2 / x),
    "tanh(x/2)/(4*x)": (lambda x: gc.tanh(x / 2) / (4 * x), lambda x: MP.tanh(x / 2) / (4 * x)),
    "w*(1/x)*sin(3*x)": (
        lambda x: gc.cos(x) * (1 / x) * gc.sin(3 * x),
        lambda x: MP.cos(x) * MP.sin(3 * x) / x,
    ),
    "log(sinh(x)/x)": (lambda x: 1 + gc.log(gc.sinh(x) / x), lambda x: 1 + MP.log(MP.sinh(x) / x)),
}

GUARDED: dict[str, tuple[Callable[[Node], Node], Callable[..., Any]]] = {
    "sin(x)/x, 1 at 0": (
        lambda x: gc.where(x != 0, gc.sin(x) / gc.where(x != 0, x, 1.0), 1.0),
        lambda x: MP.sin(x) / x,
    ),
    "2*sinh(x)/x, 2 near 0": (
        lambda x: gc.where(x**2 < 1e-24, 2.0, 2 * gc.sinh(x) / gc.where(x**2 < 1e-24, 1.0, x)),
        lambda x: 2 * MP.sinh(x) / x,
    ),
    "-tanh(x)/x, -1 at 0": (
        lambda x: gc.where(x == 0, -1.0, -(gc.tanh(x) / gc.where(x == 0, 1.0, x))),
        lambda x: -MP.tanh(x) / x,
    ),
}


def judged(
    form: Callable[[Node], Node],
    exact: Callable[..., Any],
    dtype: str,
    style: str,
    points: Sequence[float] = AT,
) -> None:
    """Compare value, slope and second derivative with mpmath's."""
    at = np.array(points, dtype)
    x = gc.input("x", at.shape, dtype=dtype)
    (slope,) = gc.grad(gc.sum(form(x)), [x])
    (curve,) = gc.grad(gc.sum(slope), [x])
    f = gc.compile(gc.graph({"value": form(x), "slope": slope, "curve": curve}), style=style)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = f(x=at)
    exactly = [MP.mpf(float(v)) + MP.mpf(10) ** -30 for v in at]
    for order, name in enumerate(("value", "slope", "curve")):
        h = MP.mpf(10) ** -33
        wanted = [float(MP.diff(exact, v, order, h=h)) for v in exactly]
        rtol = (1e-6, 1e-4, 2e-4)[order] if dtype == "float32" else (1e-14, 1e-10, 1e-10)[order]
        np.testing.assert_allclose(found[name], wanted, rtol=rtol, atol=1e-27, err_msg=name)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_as_they_are_typed(form: str, dtype: str, style: str) -> None:
    judged(*FORMS[form], dtype, style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", GUARDED)
def test_beside_a_guard(form: str, dtype: str, style: str) -> None:
    judged(*GUARDED[form], dtype, style, [x for x in AT if abs(x) > 1e-9])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("is_inverse", [False, True])
@pytest.mark.parametrize("name", SERIES)
def test_every_function_that_vanishes_at_0(name: str, is_inverse: bool, dtype: str) -> None:
    function = getattr(gc, name)
    if is_inverse:
        judged(lambda x: x / function(x), lambda x: x / EXACT[name](x), dtype, "fast")
    else:
        judged(lambda x: function(x) / x, lambda x: EXACT[name](x) / x, dtype, "fast")


@pytest.mark.parametrize("name", SERIES)
def test_sympy_confirms_the_series(name: str) -> None:
    x = sympy.Symbol("x")
    function = {"expm1": sympy.exp(x) - 1, "log1p": sympy.log(1 + x)}.get(name)
    if function is None:
        function = getattr(sympy, name)(x)
    for is_inverse in (False, True):
        near = quotient_near_0(name, np.dtype("float32"), is_inverse)
        quotient = x / function if is_inverse else function / x
        step = 2 if SERIES[name].is_odd else 1
        series = sympy.series(quotient, x, 0, step * len(near.coefficients)).removeO()
        wanted = [float(series.coeff(x, step * k)) for k in range(len(near.coefficients))]
        np.testing.assert_allclose(near.coefficients, wanted, rtol=1e-13, atol=1e-16)


def test_a_rotation_by_nothing_has_a_derivative() -> None:
    """Rodrigues' formula: the identity for a vector of 0, whose derivative is that of w x v."""
    w, v = gc.input("w", (3,)), gc.input("v", (3,))
    angle = gc.norm(w)
    across = gc.stack(
        [w[1] * v[2] - w[2] * v[1], w[2] * v[0] - w[0] * v[2], w[0] * v[1] - w[1] * v[0]]
    )
    turned = v * gc.cos(angle) + across * (gc.sin(angle) / angle)
    turned = turned + w * (gc.sum(w * v) * (1 - gc.cos(angle)) / angle**2)
    f = gc.compile(gc.graph({"y": turned, "x": turned[0]}), gradient_of="x", wrt=["w"])
    found = f(w=np.zeros(3, np.float32), v=np.float32([1, 2, 3]))
    np.testing.assert_allclose(found["y"], [1, 2, 3])
    np.testing.assert_allclose(found["d_x_d_w"], [0, 3, -2])


def test_the_way_from_a_tangent_to_a_ball_starts_with_slope_one() -> None:
    x = gc.input("x", (2, 3), "float64")
    n = gc.norm(x, axis=1, keepdims=True)
    for typed in (x * gc.tanh(n) / n, gc.tanh(n) * x / n, x * (gc.tanh(n) / n), gc.tanh(n) / n * x):
        graph = gc.graph({"y": typed, "total": gc.sum(typed * np.array([1.0, 2.0, 3.0]))})
        f = gc.compile(graph, gradient_of="total", wrt=["x"])
        found = f(x=np.array([[0.0, 0, 0], [3.0, 0, 4.0]]))
        np.testing.assert_allclose(found["y"], [[0, 0, 0], np.tanh(5) * np.array([0.6, 0, 0.8])])
        np.testing.assert_allclose(found["d_total_d_x"][0], [1, 2, 3])


@pytest.mark.parametrize(
    "form",
    [
        *(
            "sin(x)/w",
            "x/w",
            "cos(x)/x",
            "sin(x)*x",
            "sin(x)/(x + 1e-8)",
            "sin(2.0 + x**2)/(2.0 + x**2)",
        ),
        *("x/norm(x)", "softmax(x)", "(x - mean(x))/std(x)", "sin(2.0*x)/2.0", "sin(x)/(x + w)"),
    ],
)
def test_no_other_quotient_pays_for_it(form: str) -> None:
    graph = gc.parse(f"x: input(f64, 6)\nw: input(f64, 6)\ny = {form} + 0*w\noutput(y)")
    better = gc.optimize(graph)
    assert "removable_quotient" not in {f.rule.name for r in better.history for f in r.firings}


@pytest.mark.parametrize("style", STYLES)
def test_far_out_and_without_a_number_it_is_the_quotient(style: str) -> None:
    x = gc.input("x", (6,))
    f = gc.compile(gc.graph({"y": gc.sin(x) / x, "z": x / gc.tanh(x)}), style=style)
    at = np.float32([1e18, -3e9, np.nan, 1e-40, 7, -7])
    found = f(x=at)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(found["y"], np.sin(at) / at, rtol=1e-5)
        np.testing.assert_allclose(found["z"], at / np.tanh(at), rtol=1e-5)


@pytest.mark.parametrize("reduce", [gc.sum, gc.mean])
def test_a_sum_does_not_take_the_divisor_out_first(reduce: Callable[..., Node]) -> None:
    """The power transform (x**a - 1)/a as it is computed by logarithms: log(x) at a = 0."""
    a, x = gc.input("a", (), "float64"), gc.input("x", (3,), "float64")
    graph = gc.graph({"total": reduce(gc.expm1(a * gc.log(x)) / a)})
    found = gc.compile(graph, gradient_of="total", wrt=["a", "x"])(a=0.0, x=np.array([1.0, 2, 3]))
    log = np.log([1.0, 2, 3])
    count = 1 if reduce is gc.sum else 3
    np.testing.assert_allclose(found["total"], log.sum() / count)
    np.testing.assert_allclose(found["d_total_d_a"], (log**2).sum() / 2 / count)
    np.testing.assert_allclose(found["d_total_d_x"], 1 / np.array([1.0, 2, 3]) / count)
