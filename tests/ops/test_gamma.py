"""loggamma, digamma, polygamma and the normal tail: the emitted helpers, against mpmath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from mpmath import mp, mpf

import graphc as gc
from graphc.ops import OPS
from graphc.ops.elementwise.gamma import Polygamma
from graphc.ops.elementwise.special import Special

INF, NAN = float("inf"), float("nan")
Helper = Callable[..., Any]


def helper(name: str) -> Helper:
    """Return the function that emitted modules call for the op `name`."""
    op, namespace = OPS[name], {"np": np}
    assert isinstance(op, Special)
    exec(op.source, namespace)
    found: Helper = namespace[f"_{name}"]  # type: ignore[assignment]
    return found


def _scaled_tail(a: Any) -> Any:
    return mp.exp(a * a) * mp.erfc(a) if a < 100 else 1 / (a * mp.sqrt(mp.pi)) * _series(a)


def _series(a: Any) -> Any:
    return sum((-1) ** k * mp.fac2(2 * k - 1) / (2 * a * a) ** k for k in range(12))


def _log_ndtr(x: Any) -> Any:
    tail = _scaled_tail(abs(x) / mp.sqrt(2)) / 2
    return mp.log(tail) - x * x / 2 if x < 0 else mp.log1p(-tail * mp.exp(-x * x / 2))


def _inverse_mills_ratio(x: Any) -> Any:
    return mp.exp(-x * x / 2 - _log_ndtr(x)) / mp.sqrt(2 * mp.pi)


EXACT: dict[str, Callable[[Any], Any]] = {
    "loggamma": lambda x: mp.log(abs(mp.gamma(x))) if x < 0 else mp.loggamma(x),
    "digamma": mp.digamma,
    "log_ndtr": _log_ndtr,
    "inverse_mills_ratio": _inverse_mills_ratio,
}


def errors(got: np.ndarray, exact: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Return the errors at x, in units in the last place of the exact value."""
    assert got.dtype == x.dtype
    with mp.workdps(60):
        values = [exact(mpf(float(v))) for v in x]
        units = [np.spacing(np.abs(x.dtype.type(float(v)))) for v in values]
        rows = zip(got, values, units, strict=True)
        return np.array([abs(float((mpf(float(g)) - v) / float(u))) for g, v, u in rows])


def points(dtype: str, highest: float) -> np.ndarray:
    """Return positive numbers: tiny, ordinary, near the zeros of both functions, and huge."""
    rng = np.random.default_rng(0)
    lowest, near = np.log10(float(np.finfo(dtype).tiny)), 10.0 ** rng.uniform(-15, -1, 100)
    zeros = [z + s * near for z in (1.0, 2.0, 1.4616321449683623) for s in (-1, 1)]
    spread = [rng.uniform(0.001, 12, 500), 10 ** rng.uniform(1, np.log10(highest), 150)]
    tiny = 10 ** rng.uniform(lowest + 1, -2, 150)
    return np.concatenate([*spread, *zeros, tiny]).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "limit", "highest"), [("float64", 7, 1e304), ("float32", 0.51, 1e36)]
)
@pytest.mark.parametrize("name", ["loggamma", "digamma"])
def test_positive_arguments_keep_all_digits(
    name: str, dtype: str, limit: float, highest: float
) -> None:
    x = points(dtype, highest)
    assert errors(helper(name)(x), EXACT[name], x).max() <= limit


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_polygamma_keeps_its_digits(n: int, dtype: str) -> None:
    rng = np.random.default_rng(n)
    x = np.concatenate([10 ** rng.uniform(-3, 0, 60), rng.uniform(1, 60, 120)]).astype(dtype)

    def exact(v: Any) -> Any:
        return (-1) ** (n + 1) * mp.factorial(n) * mp.zeta(n + 1, v)

    limit = 7 if dtype == "float64" else 0.51
    assert errors(helper("polygamma")(n, x), exact, x).max() <= limit


@pytest.mark.parametrize("name", ["loggamma", "digamma"])
def test_reflection_below_0(name: str) -> None:
    x = np.random.default_rng(1).uniform(-15, 0, 800)
    exact = np.array([float(EXACT[name](mpf(float(v)))) for v in x])
    error = np.abs(helper(name)(x) - exact) / np.maximum(np.abs(exact), 1)
    assert error.max() < 1e-14


@pytest.mark.parametrize("n", [1, 2, 5])
def test_polygamma_below_0(n: int) -> None:
    x = np.random.default_rng(n).uniform(-15, 0, 300)
    exact = np.array([float(mpmath.psi(n, mpf(float(v)))) for v in x])
    error = np.abs(helper("polygamma")(n, x) - exact) / np.maximum(np.abs(exact), 1)
    assert error.max() < 1e-12


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("loggamma", [0, -0.0, -1, -7, INF, -INF, NAN, 1, 2], [INF] * 6 + [NAN, 0, 0]),
        ("digamma", [0, -0.0, -1, -7, INF, -INF, NAN], [-INF, INF, NAN, NAN, INF, NAN, NAN]),
        ("log_ndtr", [-INF, INF, NAN, -1e200, 1e200], [-INF, 0, NAN, -INF, 0]),
        ("inverse_mills_ratio", [-INF, INF, NAN, -1e200, 1e200], [INF, 0, NAN, 1e200, 0]),
    ],
)
def test_limits_and_poles(name: str, at: list[float], value: list[float]) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(helper(name)(np.array(at, float)), value, rtol=1e-15)
        reference = OPS[name].reference(
            [np.array(at, float)], {}, OPS["input"]("x", (9,), "float64").type
        )
    np.testing.assert_allclose(reference, value, rtol=1e-15)


def test_poles_of_polygamma() -> None:
    x = np.array([0.0, -3.0, INF, NAN])
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(helper("polygamma")(1, x), [INF, INF, 0, NAN])
        np.testing.assert_array_equal(helper("polygamma")(2, x), [NAN, NAN, 0, NAN])


@pytest.mark.parametrize("name", ["loggamma", "digamma", "log_ndtr", "inverse_mills_ratio"])
def test_regular_arguments_warn_of_nothing(name: str) -> None:
    x = np.array([1e-300, 0.5, 1.0, 2.0, 7.9, 8.0, 1e300, INF, NAN, -0.5, -30.25])
    with np.errstate(all="raise", under="ignore"):
        at = x if name.endswith("gamma") else x[np.abs(x) != 1e300]
        helper(name)(at)
        for v in at:
            assert helper(name)(np.array(v)).shape == ()


@pytest.mark.parametrize("name", ["log_ndtr", "inverse_mills_ratio"])
def test_the_normal_tail_keeps_its_digits(name: str) -> None:
    rng = np.random.default_rng(2)
    low = np.concatenate([-(10 ** rng.uniform(0, 8, 300)), rng.uniform(-40, 1, 400)])
    assert errors(helper(name)(low), EXACT[name], low).max() <= 8
    single = low.astype(np.float32)
    assert errors(helper(name)(single), EXACT[name], single).max() <= 0.51
    high = rng.uniform(0, 37, 300)  # rounding x alone moves the result by x*x units
    assert (errors(helper(name)(high), EXACT[name], high) <= 8 + high**2).all()


def test_log_ndtr_has_a_gradient_where_its_value_underflows_as_a_probability() -> None:
    x = gc.input("x", (4,), "float64")
    f = gc.compile(gc.graph({"y": gc.sum(gc.log_ndtr(x))}), gradient_of="y", wrt=["x"])
    at = np.array([-40.0, -38.0, 0.0, 50.0])
    with mp.workdps(40):
        exact = [float(_inverse_mills_ratio(mpf(v))) for v in at]
    np.testing.assert_allclose(f(x=at)["d_y_d_x"], exact, rtol=1e-14)
    (first,) = gc.grad(gc.sum(gc.log_ndtr(x)), [x])
    (second,) = gc.grad(gc.sum(first), [x])
    found = gc.compile(gc.graph({"h": second}))(x=at)["h"]
    np.testing.assert_allclose(
        found, [-h * (h + v) for h, v in zip(exact, at, strict=True)], rtol=1e-11
    )


# -- as users meet them --------------------------------------------------------------------------


def test_every_order_of_derivative_is_there() -> None:
    x = gc.input("x", (3,), "float64")
    at, y = np.array([0.3, 1.7, 9.0]), gc.lgamma(x)
    for order in range(4):
        (y,) = gc.grad(gc.sum(y), [x])
        found = gc.compile(gc.graph({"y": y}))(x=at)["y"]
        exact = [float(mpmath.psi(order, v)) for v in at]
        np.testing.assert_allclose(found, exact, rtol=1e-13)


def test_a_masked_pole_contributes_nothing() -> None:
    x = gc.input("x", (3,), "float64")
    y = gc.sum(gc.where(x > 0, gc.lgamma(x), 0.0))
    f = gc.compile(gc.graph({"y": y}), gradient_of="y", wrt=["x"])
    with np.errstate(all="ignore"):
        found = f(x=np.array([0.0, -1.0, 3.0]))["d_y_d_x"]
    np.testing.assert_allclose(found, [0, 0, 1.5 - 0.5772156649015329])


def _beta(a: gc.Node, b: gc.Node) -> gc.Node:
    return gc.lgamma(a) + gc.lgamma(b) - gc.lgamma(a + b)


@pytest.mark.parametrize(
    "likelihood",
    [
        lambda t, y: t[0] * gc.log(t[1]) - gc.lgamma(t[0]) + (t[0] - 1) * gc.log(y) - t[1] * y,
        lambda t, y: (t[0] - 1) * gc.log(y) + t[1] * gc.log(1 - y) - _beta(t[0], t[1] + 1),
        lambda t, y: gc.lgamma(y + t[0]) - gc.lgamma(t[0]) + t[0] * gc.log(t[1] / (1 + t[1])),
        lambda t, y: (
            gc.lgamma((t[0] + 1) / 2)
            - gc.lgamma(t[0] / 2)
            - (t[0] + 1) / 2 * gc.log1p(y * y / (t[1] * t[0]))
        ),
    ],
    ids=["gamma", "beta", "negative-binomial", "student-t"],
)
def test_likelihoods_have_hessians(likelihood: Callable[..., gc.Node]) -> None:
    theta, y = gc.input("theta", (2,), "float64"), gc.input("y", (5,), "float64")
    graph = gc.graph({"l": gc.sum(likelihood(theta, y))})
    hessian = gc.compile(graph.hessian("l", wrt=["theta"]))
    at, data = np.array([1.3, 2.1]), np.linspace(0.1, 0.9, 5)
    found = next(v for k, v in hessian(theta=at, y=data).items() if k != "l")
    slope = gc.compile(graph, gradient_of="l", wrt=["theta"])
    step = 1e-5
    expected = [
        (slope(theta=at + e, y=data)["d_l_d_theta"] - slope(theta=at - e, y=data)["d_l_d_theta"])
        / (2 * step)
        for e in np.eye(2) * step
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_sympys_functions_are_understood() -> None:
    before = list(OPS)
    try:
        op = gc.define_pointwise(
            "log_binomial_half", lambda x: sympy.loggamma(x) + x * sympy.digamma(x + 1)
        )
        x = gc.input("x", (), "float64")
        f = gc.compile(gc.graph({"y": op(x)}), gradient_of="y", wrt=["x"])
        v = mpf(1.25)
        slope = mp.psi(0, v) + mp.psi(0, v + 1) + v * mp.psi(1, v + 1)
        np.testing.assert_allclose(f(x=1.25)["d_y_d_x"], float(slope), rtol=1e-13)
    finally:
        for name in set(OPS) - set(before):
            del OPS[name]


def test_the_order_of_polygamma_is_a_whole_number() -> None:
    x = gc.input("x", (2,))
    assert isinstance(gc.polygamma(2, x).op, Polygamma) and gc.polygamma(0, x).op.name == "digamma"
    assert gc.polygamma(2, x).dtype == np.float32
    for order in (-1, 1.5, 171):
        with pytest.raises(gc.GraphError, match="the order of polygamma"):
            gc.polygamma(order, x)
