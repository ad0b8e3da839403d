"""Found by an audit: formulas as books write them, far out, where their exponentials overflow."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from far_out import MP, holds_far_out

import graphc as gc
from graphc.ir.node import Node


def scaled_tail(x: Any) -> Any:
    return MP.exp(x**2) * MP.erfc(x)


#: A formula of x, and the function that it is, by mpmath.
FORMS: dict[str, tuple[Callable[[Node], Node], Callable[..., Any]]] = {
    "tanh, divided by exp(x)": (
        lambda x: (1 - gc.exp(-2 * x)) / (1 + gc.exp(-2 * x)),
        lambda x: MP.tanh(x),
    ),
    "tanh, divided by exp(-x)": (
        lambda x: (gc.exp(2 * x) - 1) / (gc.exp(2 * x) + 1),
        lambda x: MP.tanh(x),
    ),
    "the slope of the logistic function": (
        lambda x: gc.exp(-x) / (1 + gc.exp(-x)) ** 2,
        lambda x: MP.exp(-x) / (1 + MP.exp(-x)) ** 2,
    ),
    "a squared share": (lambda x: 1 / (1 + gc.exp(x)) ** 2, lambda x: 1 / (1 + MP.exp(x)) ** 2),
    "softmax of three, written out": (
        lambda x: gc.exp(x) / (gc.exp(x) + gc.exp(-x) + gc.exp(0.5 * x)),
        lambda x: 1 / (1 + MP.exp(-2 * x) + MP.exp(-x / 2)),
    ),
    "a mixture of two normal densities": (
        lambda x: gc.log(0.3 * gc.exp(-(x**2) / 2) + 0.7 * gc.exp(-((x - 1) ** 2) / 2)),
        lambda x: MP.log(0.3 * MP.exp(-(x**2) / 2) + 0.7 * MP.exp(-((x - 1) ** 2) / 2)),
    ),
    "a mixture of two probabilities": (
        lambda x: gc.log(0.25 * gc.sigmoid(x) + 0.5 * gc.sigmoid(2 * x)),
        lambda x: MP.log(0.25 / (1 + MP.exp(-x)) + 0.5 / (1 + MP.exp(-2 * x))),
    ),
    "softplus, inverted": (
        lambda x: gc.log(gc.exp(gc.abs(x)) - 1),
        lambda x: MP.log(MP.expm1(abs(x))),
    ),
    "a generalized logistic": (
        lambda x: (1 + gc.exp(-x)) ** (-0.3) + 2 / (1 + gc.exp(x)) ** 0.7,
        lambda x: (1 + MP.exp(-x)) ** (-MP.mpf("0.3")) + 2 / (1 + MP.exp(x)) ** MP.mpf("0.7"),
    ),
    "one of two": (
        lambda x: gc.log(1 - (1 - gc.sigmoid(x)) ** 2),
        lambda x: MP.log((2 + MP.exp(x)) * MP.exp(x) / (1 + MP.exp(x)) ** 2),
    ),
    "a hyperbolic sine": (lambda x: gc.log(gc.sinh(gc.abs(x))), lambda x: MP.log(MP.sinh(abs(x)))),
    "its inverse": (
        lambda x: gc.log(x + gc.sqrt(x**2 + 1)),
        lambda x: MP.asinh(x),
    ),
    "the inverse of a hyperbolic cosine": (
        lambda x: gc.log(x**2 + 2 + gc.sqrt((x**2 + 2) ** 2 - 1)),
        lambda x: MP.acosh(x**2 + 2),
    ),
    "a soft maximum of two": (
        lambda x: (x * gc.exp(x) + 3 * gc.exp(-x)) / (gc.exp(x) + gc.exp(-x)),
        lambda x: (x * MP.exp(x) + 3 * MP.exp(-x)) / (MP.exp(x) + MP.exp(-x)),
    ),
    "a quotient of tails": (
        lambda x: gc.log(3 * gc.erfc(x / 30) / gc.erfc(x / 50)),
        lambda x: MP.log(3 * MP.erfc(x / 30) / MP.erfc(x / 50)),
    ),
    "a quotient of hyperbolic functions": (
        lambda x: gc.sinh(x) / gc.cosh(1.5 * x - 2),
        lambda x: MP.sinh(x) / MP.cosh(1.5 * x - 2),
    ),
    "a hyperbolic cotangent": (
        lambda x: gc.cosh(x) / gc.sinh(x),
        lambda x: MP.coth(x),
    ),
    "a sum of cosines": (
        lambda x: gc.log(3 + 2 * gc.cosh(x)),
        lambda x: MP.log(3 + 2 * MP.cosh(x)),
    ),
    "a flux through a membrane": (
        lambda x: x * gc.exp(x) / (gc.exp(x) - 1),
        lambda x: x / -MP.expm1(-x),
    ),
    "a share of an exponential": (
        lambda x: gc.exp(x) / (1 + gc.exp(1.25 * x)),
        lambda x: MP.exp(x) / (1 + MP.exp(1.25 * x)),
    ),
    "a scaled tail": (
        lambda x: gc.exp(gc.softplus(x) ** 2) * gc.erfc(gc.softplus(x)),
        lambda x: scaled_tail(MP.log1p(MP.exp(x)) if x < 90 else x),
    ),
    "a logarithm of 1 and a tangent": (
        lambda x: gc.log(1 + gc.tanh(x)) - gc.log(1 - gc.tanh(x)),
        lambda x: 2 * x,
    ),
    "an exponential beside a square": (
        lambda x: gc.log(2 + gc.exp(x) + x**2),
        lambda x: MP.log(2 + MP.exp(x) + x**2),
    ),
    "a square beside an exponential": (
        lambda x: gc.log(1 + x**2 + gc.exp(x) + gc.exp(-x / 2)),
        lambda x: MP.log(1 + x**2 + MP.exp(x) + MP.exp(-x / 2)),
    ),
    "a logarithm of a square": (lambda x: gc.log(x**2), lambda x: MP.log(x**2)),
    "a logarithm of a difference": (
        lambda x: gc.log(gc.expm1(gc.abs(x))),
        lambda x: MP.log(MP.expm1(abs(x))),
    ),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMS)
def test_textbook_forms_hold_far_out(name: str, dtype: str, style: str) -> None:
    form, exact = FORMS[name]
    holds_far_out(form, exact, dtype, style, steps=1)


#: A root as it is typed by a power of a half, of numbers whose squares have no float.
HALVES: dict[str, tuple[Callable[[Node], Node], list[float], list[float]]] = {
    "(x*x)**0.5": (lambda x: (x * x) ** 0.5, [1e200, 0.0, 1e200], [-1.0, 0.0, 1.0]),
    "(x**2 + y**2)**0.5": (
        lambda x: (x**2 + gc.flip(x) ** 2) ** 0.5,
        [2**0.5 * 1e200, 0.0, 2**0.5 * 1e200],
        [-(2**0.5), 0.0, 2**0.5],
    ),
    "log(x**0.5)": (
        lambda x: gc.log((1 + gc.exp(x / 1e197)) ** 0.5),
        [0.0, 0.5 * np.log(2), 500.0],
        [0.0, 0.25e-197, 0.5e-197],
    ),
    "(x*x)**-0.5": (
        lambda x: gc.where(x == 0, 0.0, (x * x) ** -0.5),
        [1e-200, 0.0, 1e-200],
        [0.0, 0.0, 0.0],
    ),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("name", HALVES)
def test_a_power_of_a_half_is_a_root(name: str, style: str) -> None:
    form, values, slopes = HALVES[name]
    x = gc.input("x", (3,), "float64")
    graph = gc.graph({"total": gc.sum(form(x)), "y": form(x)})
    at = np.array([-1e200, 0.0, 1e200])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of numbers that float32 cannot hold, too
        compiled = gc.compile(graph, gradient_of="total", wrt=["x"], style=style)
    with np.errstate(all="ignore"):
        found = compiled(x=at)
    np.testing.assert_allclose(found["y"], values, rtol=1e-12)
    np.testing.assert_allclose(found["d_total_d_x"], slopes, rtol=1e-12)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_inverse_mills_ratio_as_books_write_it(style: str) -> None:
    at = np.array([-30.0, -3.0, 0.5, 8.0, 45.0])
    x = gc.input("x", at.shape, "float64")
    ratio = gc.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) / (0.5 * (1 + gc.erf(-x / np.sqrt(2))))
    graph = gc.graph({"total": gc.sum(ratio), "ratio": ratio})
    found = gc.compile(graph, gradient_of="total", wrt=["x"], style=style)(x=at)

    def exact(v: Any) -> Any:
        return MP.npdf(v) / (MP.erfc(v / MP.sqrt(2)) / 2)

    np.testing.assert_allclose(found["ratio"], [float(exact(v)) for v in at], rtol=1e-12)
    slopes = [float(MP.diff(exact, v)) for v in at]
    np.testing.assert_allclose(found["d_total_d_x"], slopes, rtol=1e-9, atol=1e-12)


def weights(scores: Any) -> Any:
    """Return softmax along the last axis, of arrays."""
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


#: A mean by exponential weights of z [2, 3, 3], as it is typed, and what it is.
MEANS: dict[str, tuple[Callable[[Node], Node], Callable[[Any], Any]]] = {
    "sums": (
        lambda z: gc.sum(gc.exp(z) * z, axis=2) / gc.sum(gc.exp(z), axis=2),
        lambda z: (weights(z) * z).sum(axis=2),
    ),
    "sums, axes kept": (
        lambda z: gc.sum(z / 2 * gc.exp(z), 2, keepdims=True) / gc.sum(gc.exp(z), 2, keepdims=True),
        lambda z: (weights(z) * z / 2).sum(axis=2, keepdims=True),
    ),
    "means": (
        lambda z: gc.mean(gc.exp(z) * z, axis=(1, 2)) / gc.mean(gc.exp(z), axis=(1, 2)),
        lambda z: (weights(z.reshape(2, 9)) * z.reshape(2, 9)).sum(axis=1),
    ),
    "attention": (
        lambda z: (gc.exp(z) @ z) / gc.sum(gc.exp(z), axis=-1, keepdims=True),
        lambda z: weights(z) @ z,
    ),
    "attention, a mask of numbers": (
        lambda z: (
            (gc.exp(z) * np.tri(3)) @ z / gc.sum(gc.exp(z) * np.tri(3), axis=-1, keepdims=True)
        ),
        lambda z: weights(np.where(np.tri(3) > 0, z, -np.inf)) @ z,
    ),
    "attention, an axis put back": (
        lambda z: (gc.exp(z) @ z) / gc.sum(gc.exp(z), axis=-1)[:, :, None],
        lambda z: weights(z) @ z,
    ),
    "attention of one query": (
        lambda z: (gc.exp(z[0, 0]) @ z[1]) / gc.sum(gc.exp(z[0, 0])),
        lambda z: weights(z[0, 0]) @ z[1],
    ),
    "an einsum that keeps what is added up": (
        lambda z: (
            gc.einsum("bij,bij->bij", gc.exp(z), z) / gc.sum(gc.exp(z), axis=2, keepdims=True)
        ),
        lambda z: weights(z) * z,
    ),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("offset", [0.0, 1e3, -1e3])
@pytest.mark.parametrize("name", MEANS)
def test_means_by_exponential_weights(name: str, offset: float, style: str) -> None:
    mean, exact = MEANS[name]
    z = gc.input("z", (2, 3, 3), "float64")
    graph = gc.graph({"total": gc.sum(gc.square(mean(z))), "mean": mean(z)}, name="means")
    at = np.random.default_rng(0).normal(size=(2, 3, 3)) + offset
    found = gc.compile(graph, gradient_of="total", wrt=["z"], style=style)(z=at)
    np.testing.assert_allclose(found["mean"], exact(at), rtol=1e-12)
    if not offset:
        plain = gc.compile(graph, gradient_of="total", wrt=["z"], optimize=0)(z=at)
        np.testing.assert_allclose(found["d_total_d_z"], plain["d_total_d_z"], rtol=1e-11)
    nudge = np.random.default_rng(1).normal(size=at.shape) * 1e-4
    above, below = (float(np.sum(np.square(exact(at + s * nudge)))) for s in (1, -1))
    slope = float(np.sum(found["d_total_d_z"] * nudge))
    np.testing.assert_allclose(slope, (above - below) / 2, rtol=1e-5)


def test_sums_along_other_lines_stay_as_they_are() -> None:
    z = gc.input("z", (3, 3), "float64")
    other = (gc.exp(z) @ z) / gc.sum(gc.exp(z), axis=0)
    at = np.random.default_rng(0).normal(size=(3, 3))
    got = gc.compile(gc.graph({"y": other}, name="other"))(z=at)["y"]
    np.testing.assert_allclose(got, np.exp(at) @ at / np.exp(at).sum(axis=0), rtol=1e-13)


@pytest.mark.parametrize("factor", ["clip(s, 0, 1)", "maximum(s, 0)", "s**2", "abs(s)"])
@pytest.mark.parametrize("outside", ["log(1 + {})", "log1p({})", "log({} + exp(z))"])
def test_a_factor_that_may_be_0_stays_outside_of_logarithms(outside: str, factor: str) -> None:
    """The derivative of log(1 + s*exp(z)) by s is not that of log(s): there is one at s = 0."""
    inside = outside.format(f"{factor}*exp(z)")
    text = f"s: input(f64, 3)\nz: input(f64, 3)\nloss = sum({inside})\noutput(loss)"
    graph = gc.parse(text)
    given = {"s": np.array([0.0, 1e-30, 0.5]), "z": np.zeros(3)}
    with np.errstate(all="raise"):
        plain = gc.compile(graph, gradient_of="loss", wrt=["s", "z"], optimize=0)(**given)
        better = gc.compile(graph, gradient_of="loss", wrt=["s", "z"])(**given)
    for name, value in plain.items():
        np.testing.assert_allclose(better[name], value, rtol=1e-12, atol=1e-300)


#: Formulas at tiny numbers, where what is typed rounds to 0, or its square underflows.
NEAR_ZERO: dict[str, tuple[Callable[[Node], Node], Callable[[Any], Any]]] = {
    "1 - cos": (lambda x: 1 - gc.cos(x), lambda x: 2 * MP.sin(x / 2) ** 2),
    "cos - 1": (lambda x: gc.cos(x) - 1, lambda x: -2 * MP.sin(x / 2) ** 2),
    "cosh - 1": (lambda x: gc.cosh(x) - 1, lambda x: 2 * MP.sinh(x / 2) ** 2),
    "log of a square": (lambda x: gc.log(x**2), lambda x: 2 * MP.log(abs(x))),
    "log(1 + tanh)": (lambda x: gc.log(1 + gc.tanh(x)), lambda x: MP.log1p(MP.tanh(x))),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("name", NEAR_ZERO)
def test_textbook_forms_keep_their_digits_near_zero(name: str, style: str) -> None:
    form, exact = NEAR_ZERO[name]
    at = np.array([-3e-2, -1e-4, -1e-12, 1e-12, 1e-4, 3e-2, 0.7], np.float32)
    x = gc.input("x", at.shape)
    graph = gc.graph({"total": gc.sum(form(x)), "value": form(x)})
    found = gc.compile(graph, gradient_of="total", wrt=["x"], style=style)(x=at)
    points = [MP.mpf(float(v)) for v in at]
    np.testing.assert_allclose(found["value"], [float(exact(v)) for v in points], rtol=2e-6)
    slopes = [float(MP.diff(exact, v, relative=True)) for v in points]
    np.testing.assert_allclose(found["d_total_d_x"], slopes, rtol=4e-6)


@pytest.mark.parametrize(
    "form", [lambda x: gc.log(gc.softplus(x)), lambda x: gc.log1mexp(-gc.exp(x))]
)
def test_where_two_forms_meet_there_is_no_kink(form: Callable[[Node], Node]) -> None:
    x = gc.input("x", (3,))
    f = gc.compile(gc.graph({"y": gc.sum(form(x))}), gradient_of="y", wrt=["x"])
    np.testing.assert_allclose(f(x=np.float32([-41, -40, -39]))["d_y_d_x"], np.ones(3), rtol=1e-6)
