"""Log-densities as books write them: value and every slope in the tails, judged by mpmath."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import pytest

import graphc as gc

EPS = float(np.finfo(np.float32).eps)
MP = SimpleNamespace(
    exp=mpmath.exp,
    log=mpmath.log,
    erf=mpmath.erf,
    erfc=mpmath.erfc,
    lgamma=mpmath.loggamma,
    abs=mpmath.fabs,
    sigmoid=lambda x: 1 / (1 + mpmath.exp(-x)),
    where=lambda m, a, b: a if m else b,
)
Density = Callable[..., Any]
SHARES = (1e-30, 1e-7, 0.3, 1 - 1e-7)
FAR = (0.3, -1.7, 12.0, -40.0)
GRADES = (0.0, 3.0, -20.0, 200.0, -200.0)

#: Name -> (a density, in the functions of graphc or of mpmath; the values of each argument).
DENSITIES: dict[str, tuple[Density, Sequence[Sequence[float]]]] = {
    "a mixture whose share is given": (
        lambda F, x, p, m: F.log(
            p * F.exp(-((x - m) ** 2) / 2) + (1 - p) * F.exp(-((x + m) ** 2) / 2)
        ),
        (FAR, SHARES, (0.0, 3.0, 30.0)),
    ),
    "a mixture of two scales": (
        lambda F, x, p, s: F.log(p * F.exp(-(x**2) / 2) + (1 - p) / s * F.exp(-((x / s) ** 2) / 2)),
        (FAR, SHARES, (0.1, 2.0, 100.0)),
    ),
    "a mixture of three, one of them negative": (
        lambda F, x, p: F.log(
            p * F.exp(-F.abs(x)) + 2.0 * F.exp(-F.abs(x) / 2) + p * F.exp(-2 * F.abs(x))
        ),
        ((0.3, -12.0, 300.0, -1e3), (-0.01, 0.0, 0.5, 1e6)),
    ),
    "a grade of an ordinal regression": (
        lambda F, z, a, b: F.log(F.sigmoid(b - z) - F.sigmoid(a - z)),
        (GRADES, (-2.0, 0.0, 50.0), (50.5, 90.0)),
    ),
    "a logistic, rounded to whole numbers": (
        lambda F, x, s: F.log(F.sigmoid((x + 0.5) / s) - F.sigmoid((x - 0.5) / s)),
        (GRADES, (0.5, 1.0, 20.0)),
    ),
    "the upper tail of a normal": (
        lambda F, x: F.log(1 - (1 + F.erf(x / math.sqrt(2))) / 2),
        ((-30.0, -6.0, -1.0, 0.0, 1.0, 6.0, 30.0),),
    ),
    "the lower class of a probit": (
        lambda F, x: F.log(1 - 0.5 * (1 + F.erf(x / math.sqrt(2)))),
        ((-30.0, -6.0, -1.0, 0.0, 1.0, 6.0, 30.0),),
    ),
    "a truncated normal": (
        lambda F, x, a, b: F.log(
            F.exp(-(x**2) / 2)
            / ((1 + F.erf(b / math.sqrt(2))) / 2 - (1 + F.erf(a / math.sqrt(2))) / 2)
        ),
        ((0.3, -12.0), (-30.0, -3.0, 0.5, 11.0), (12.0, 19.0)),
    ),
    "a share of a normal, in its lower tail": (
        lambda F, a, b: F.log(F.erfc(a) - F.erfc(b)),
        ((-30.0, -9.0, -8.5), (-8.0, -1.0, 5.0)),
    ),
    "a grade of a probit": (
        lambda F, z, a: F.log(0.5 * (F.erf(a - z) - F.erf(-a - z))),
        ((0.0, 2.0, -12.0, 15.0), (0.5, 1.0, 20.0)),
    ),
    "a skewed normal": (
        lambda F, x, k: F.log(F.exp(-(x**2) / 2) * (1 + F.erf(k * x / math.sqrt(2)))),
        ((0.3, -1.7, 12.0), (-3.0, 0.5, 4.0)),
    ),
    "Student's t": (
        lambda F, x, n: F.log((1 + x**2 / n) ** (-(n + 1) / 2)),
        ((0.3, -1.7, 1e3, -1e9), (0.5, 5.0, 40.0)),
    ),
    "gamma": (
        lambda F, x, k: F.log(x ** (k - 1) * F.exp(-x) / F.exp(F.lgamma(k))),
        ((1e-20, 0.3, 2.0, 300.0), (0.5, 3.0, 30.0)),
    ),
    "Weibull": (
        lambda F, x, k, s: F.log(k / s * (x / s) ** (k - 1) * F.exp(-((x / s) ** k))),
        ((1e-6, 0.3, 2.0, 5.0), (0.5, 30.0), (0.5, 7.0)),
    ),
    "Pareto": (
        lambda F, x, k, s: F.log(k * s**k / x ** (k + 1)),
        ((1e-6, 0.3, 2e4), (0.5, 30.0), (1e-7, 0.1)),
    ),
    "beta, of both signs": (
        lambda F, x: F.log(x**30 * (x - 3) ** 16),
        ((-1e-6, -0.3, -20.0, 5.0, 1e9),),
    ),
    "an asymmetric Laplace": (
        lambda F, x, k: F.log(F.where(x > 0, F.exp(-k * x), F.exp(x / k)) / (k + 1 / k)),
        ((1e-6, -1e-6, *FAR, 1e3, -1e4), (0.1, 1.0, 8.0)),
    ),
}


def slope(f: Callable[..., Any], at: Sequence[Any], i: int) -> Any:
    step = mpmath.mpf(10) ** -200 * (abs(at[i]) or 1)
    above, below = (f(*at[:i], at[i] + h, *at[i + 1 :]) for h in (step, -step))
    return (above - below) / (2 * step)


def rounding(f: Callable[..., Any], at: Sequence[Any], exact: Any) -> Any:
    """Return how far a function moves when its arguments are rounded."""
    moved = ([*at[:i], at[i] * (1 + EPS), *at[i + 1 :]] for i in range(len(at)))
    return sum(abs(f(*place) - exact) for place in moved)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("name", DENSITIES)
def test_values_and_slopes_are_as_exact_as_their_arguments(name: str, style: str) -> None:
    density, grid = DENSITIES[name]
    points = np.array(list(itertools.product(*grid)), np.float32)
    names = [f"a{i}" for i in range(len(grid))]
    y = density(gc, *(gc.input(name, (len(points),)) for name in names))
    graph = gc.graph({"y": y, "total": gc.sum(y)})
    f = gc.compile(graph, gradient_of="total", wrt=names, style=style)
    got = f(**dict(zip(names, points.T, strict=True)))
    columns = [got["y"], *(got[f"d_total_d_{name}"] for name in names)]
    with mpmath.workdps(500):
        for row, point in enumerate(points.tolist()):
            at = [mpmath.mpf(v) for v in point]
            for i, column in enumerate(columns):

                def function(*place: Any, i: int = i) -> Any:
                    exact = lambda *a: mpmath.re(density(MP, *a))  # noqa: E731
                    return exact(*place) if i == 0 else slope(exact, place, i - 1)

                exact = function(*at)
                if abs(exact) > 1e30:  # the slope in a share of 0 may be any number
                    continue
                error = abs(mpmath.mpf(float(column[row])) - exact)
                allowed = 64 * EPS * abs(exact) + 8 * rounding(function, at, exact) + 1e-37
                # A slope in a share is the difference of two quotients, which may be large.
                assert error <= allowed + (4 * EPS if i else 0), (i, point, column[row], exact)


def test_a_mixture_without_any_weight_is_minus_infinity() -> None:
    x, p = gc.input("x", (2,)), gc.input("p", (2,))
    graph = gc.graph({"y": gc.log(p * gc.exp(-x) + p * gc.exp(x) * 2.0)})
    got = gc.compile(graph)(x=np.float32([0, 200]), p=np.float32([0, 0]))["y"]
    np.testing.assert_array_equal(got, [-np.inf, -np.inf])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_what_has_no_share_counts_for_nothing_however_near_it_is(share: float) -> None:
    x, p = gc.input("x", ("N",)), gc.input("p", ("N",))
    y = gc.log(p * gc.exp(-((x - 9) ** 2) / 2) + (1 - p) * gc.exp(-((x + 9) ** 2) / 2))
    graph = gc.graph({"y": y, "total": gc.sum(y)})
    f = gc.compile(graph, gradient_of="total", wrt=["x", "p"])
    at = np.linspace(-20, 20, 9, dtype=np.float32)
    got = f(x=at, p=np.full(9, share, np.float32))
    mean = 9 if share else -9
    np.testing.assert_allclose(got["y"], -((at - mean) ** 2) / 2, rtol=1e-6)
    np.testing.assert_allclose(got["d_total_d_x"], mean - at, rtol=1e-6, atol=1e-6)
    assert np.isfinite(got["d_total_d_p"]).all()
    np.testing.assert_array_equal(np.sign(got["d_total_d_p"]), np.sign(at))


@pytest.mark.parametrize("power", [3, 7, 3.5, -3, -2.5])
def test_a_power_without_a_sign_of_its_own_takes_no_choice(power: float) -> None:
    x, w = gc.input("x", (4,), dtype="float64"), gc.input("w", (4,), dtype="float64")
    source = gc.compile(gc.graph({"y": gc.log(2 * x**power * gc.exp(-x))})).source
    assert "where" not in source
    of_both = gc.compile(gc.graph({"y": gc.log(w * x**power)}))  # both may be negative
    given = {"x": np.array([-2.0, -3.0, 2.0, 1e90]), "w": np.array([-1.0, 2.0, 3.0, 1.0])}
    with np.errstate(all="ignore"):
        expected = np.log(given["w"] * given["x"] ** power)
    expected[3] = power * math.log(1e90)
    np.testing.assert_allclose(of_both(**given)["y"], expected, rtol=1e-12)


def test_a_mixture_of_normal_densities_is_one_logsumexp() -> None:
    """The number of a density is a summand of its logarithm, and no entry is masked."""
    x, a = gc.input("x", ("N", 3)), gc.param("a", (5,))
    mu, log_sigma = gc.param("mu", (5, 3)), gc.param("log_sigma", (5, 3))
    pi = gc.exp(a) / gc.exp(a).sum()
    d = (x[:, None, :] - mu) / gc.exp(log_sigma)
    scale = gc.prod(gc.exp(log_sigma), axis=-1) * (2 * np.pi) ** 1.5
    density = gc.exp(-0.5 * gc.sum(d**2, axis=-1)) / scale
    graph = gc.graph({"loss": -gc.mean(gc.log((pi * density).sum(axis=1)))})
    source = gc.compile(graph, gradient_of="loss", style="readable").source
    code = source.partition("# forward")[2].partition("def check")[0]
    assert "isfinite" not in code and "e-19" not in code and "loss = 2.7568157 - (" in code
    state = graph.init(seed=0)
    state["mu"] = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    point = 1e3 * np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    squares = np.square(point[:, None].astype(float) - state["mu"]).sum(axis=2)
    right = np.logaddexp.reduce(-0.5 * squares, axis=1) - np.log(5) - 1.5 * np.log(2 * np.pi)
    got = gc.compile(graph)(state, x=point)["loss"]
    np.testing.assert_allclose(got, -right.mean(), rtol=1e-6)
