"""Logarithms of running sums and products, where what is added up over- or underflows."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

MP = mpmath.mp.clone()
MP.dps = 50
Z = [
    [800.0, 1.0, 805.0, -2000.0, 3.0],
    [-900.0, -800.0, -1e4, -3.0, 88.0],
    [0.0, 0.0, 1.0, 0.0, 0.5],
]


def sums(terms: list[mpmath.mpf]) -> list[mpmath.mpf]:
    return [MP.fsum(terms[: k + 1]) for k in range(len(terms))]


def logistic(z: mpmath.mpf) -> mpmath.mpf:
    return 1 / (1 + MP.exp(-z))


def logs(terms: list[mpmath.mpf]) -> list[mpmath.mpf]:
    return [MP.log(v) for v in terms]


#: What is typed, of z [3, 5], and what it is, of one row.
FORMS: dict[str, tuple[Callable[[Node], Node], Callable[[list], list]]] = {
    "running log-sum-exp": (
        lambda z: gc.log(gc.cumsum(gc.exp(z), axis=1)),
        lambda z: logs(sums([MP.exp(v) for v in z])),
    ),
    "along another axis": (
        lambda z: gc.log(gc.cumsum(gc.exp(z.T), axis=0)).T,
        lambda z: logs(sums([MP.exp(v) for v in z])),
    ),
    "from the end": (
        lambda z: gc.log(gc.cumsum(gc.exp(z)[:, ::-1], axis=-1)[:, ::-1]),
        lambda z: logs(sums([MP.exp(v) for v in z[::-1]]))[::-1],
    ),
    "of a multiple, and more": (
        lambda z: gc.log(1 + gc.cumsum(0.25 * gc.exp(z) * gc.sigmoid(-z), axis=1)),
        lambda z: logs([1 + v for v in sums([MP.exp(v) * logistic(-v) / 4 for v in z])]),
    ),
    "of those that count": (
        lambda z: gc.log(gc.cumsum(gc.where(z > 0.7, gc.exp(z), 0.0), axis=1) + 2.0),
        lambda z: logs([2 + v for v in sums([MP.exp(v) if v > 0.7 else MP.mpf(0) for v in z])]),
    ),
    "the share among those before": (
        lambda z: gc.exp(z) / gc.cumsum(gc.exp(z), axis=1),
        lambda z: [MP.exp(v) / s for v, s in zip(z, sums([MP.exp(v) for v in z]), strict=True)],
    ),
    "its definition": (
        lambda z: gc.logcumsumexp(z, axis=1),
        lambda z: logs(sums([MP.exp(v) for v in z])),
    ),
    "survival": (
        lambda z: gc.log(gc.cumprod(1 - gc.sigmoid(z), axis=1)),
        lambda z: sums([MP.log(logistic(-v)) for v in z]),
    ),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMS)
def test_running_folds_hold_far_out(name: str, dtype: str, style: str) -> None:
    form, exact = FORMS[name]
    at, weights = np.array(Z, dtype), np.linspace(-1, 2, 15).reshape(3, 5).astype(dtype)
    z = gc.input("z", at.shape, dtype)
    graph = gc.graph({"total": gc.sum(form(z) * weights), "value": form(z)})
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = gc.compile(graph, gradient_of="total", wrt=["z"], style=style)(z=at)
    rows = [[MP.mpf(float(v)) for v in row] for row in at]
    values = [[float(v) for v in exact(row)] for row in rows]

    def total(k: int, row: list[mpmath.mpf]) -> mpmath.mpf:
        return MP.fdot(exact(row), [float(w) for w in weights[k]])

    slopes = [
        [
            float(MP.diff(lambda v: total(k, [*row[:i], v, *row[i + 1 :]]), row[i]))  # noqa: B023
            for i in range(5)
        ]
        for k, row in enumerate(rows)
    ]
    eps = np.finfo(dtype).eps
    # exp(x - y) has the rounding of x and y, which are 1000 at most where it is not 0.
    atol = (2000 if name.startswith("the share") else 8) * eps
    np.testing.assert_allclose(found["value"], values, rtol=8 * eps, atol=atol)
    np.testing.assert_allclose(found["d_total_d_z"], slopes, rtol=2000 * eps, atol=2000 * eps)


def test_what_is_masked_has_no_slope() -> None:
    z = gc.input("z", (4,), "float64")
    graph = gc.graph({"y": gc.log(gc.cumsum(gc.where(z > 0, gc.exp(z), 0.0)))})
    total = gc.graph({"total": gc.sum(gc.exp(graph.outputs["y"])), **graph.outputs})
    f = gc.compile(total, gradient_of="total", wrt=["z"])
    found = f(z=np.array([-1.0, -2.0, 3.0, -1.0]))
    np.testing.assert_array_equal(found["y"], [-np.inf, -np.inf, 3, 3])
    np.testing.assert_allclose(found["d_total_d_z"], [0, 0, 2 * np.exp(3), 0], rtol=1e-14)


def test_a_weight_that_may_be_0_stays_inside() -> None:
    """The derivative of log(cumsum(w*exp(z))) by w is not that of log(w): there is one at w = 0."""
    text = "w: input(f64, 3)\nz: input(f64, 3)\ny = sum(log(cumsum(abs(w)*exp(z)))[1:])\noutput(y)"
    at = {"w": np.array([1.0, 0.0, 2.0]), "z": np.zeros(3)}
    plain, better = (
        gc.compile(gc.parse(text), gradient_of="y", wrt=["w", "z"], optimize=level)(**at)
        for level in (0, 2)
    )
    for name, value in plain.items():
        np.testing.assert_allclose(better[name], value, rtol=1e-14)


def test_second_derivatives_far_out() -> None:
    z = gc.input("z", (3,), "float64")
    graph = gc.graph({"y": gc.sum(gc.square(gc.logcumsumexp(z) - z))})
    at = np.array([0.3, 1.0, -0.5])
    hessian = gc.compile(graph.hessian("y", wrt="z"))
    near, far = (hessian(z=at + c)["d2_y_d_z_d_z"] for c in (0.0, 1e4))
    np.testing.assert_allclose(far, near, rtol=1e-10, atol=1e-11)
    gradient = gc.compile(graph, gradient_of="y", wrt=["z"])
    for i in range(3):
        step = 1e-5 * np.eye(3)[i]
        ends = [gradient(z=at + s * step)["d_y_d_z"] for s in (1, -1)]
        np.testing.assert_allclose((ends[0] - ends[1]) / 2e-5, near[i], rtol=1e-8, atol=1e-9)


def test_numpys_name() -> None:
    at = np.random.default_rng(0).normal(size=(3, 4))
    graph = gc.from_function(lambda x: np.logaddexp.accumulate(x, axis=1), x=(3, 4))
    found = gc.interpret(graph, x=at.astype(np.float32))
    np.testing.assert_allclose(
        next(iter(found.values())), np.logaddexp.accumulate(at, axis=1), rtol=1e-5
    )
