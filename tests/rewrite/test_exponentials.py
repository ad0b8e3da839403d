"""Exponentials of any base, in products and quotients that are finite where they are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from far_out import MP, holds_far_out

import graphc as gc
from graphc.ir.node import Node


def rating(x: Node) -> Node:
    """Return the expected score of a player whose rating is x points above the other's."""
    return 1 / (1 + 10 ** (-x / 40))


#: A formula of x, and the function that it is, by mpmath.
FORMS: dict[str, tuple[Callable[[Node], Node], Callable[..., Any]]] = {
    "a rating, to base 10": (rating, lambda x: 1 / (1 + MP.mpf(10) ** (-x / 40))),
    "its logarithm": (
        lambda x: gc.log(rating(x)),
        lambda x: -MP.log1p(MP.mpf(10) ** (-x / 40)),
    ),
    "softplus to base 2": (
        lambda x: gc.log2(1 + 2**x),
        lambda x: MP.log1p(MP.mpf(2) ** x) / MP.log(2),
    ),
    "a scaled logistic function": (
        lambda x: 3 / (1 + 5 * gc.exp(-x)),
        lambda x: 3 / (1 + 5 * MP.exp(-x)),
    ),
    "a number above an exponential": (
        lambda x: 1 / (2 + gc.exp(-x)),
        lambda x: 1 / (2 + MP.exp(-x)),
    ),
    "log1p of a large exponential": (
        lambda x: gc.log1p(3 * gc.exp(x)),
        lambda x: MP.log1p(3 * MP.exp(x)),
    ),
    "sech": (lambda x: 1 / gc.cosh(x), lambda x: 1 / MP.cosh(x)),
    "sech, written out": (lambda x: 2 / (gc.exp(x) + gc.exp(-x)), lambda x: 1 / MP.cosh(x)),
    "the slope of tanh": (lambda x: 1 / gc.cosh(x) ** 2, lambda x: 1 / MP.cosh(x) ** 2),
    "tanh by sinh": (lambda x: gc.sinh(x) / gc.cosh(x), lambda x: MP.tanh(x)),
    "Gumbel's distribution": (lambda x: gc.exp(-gc.exp(-x)), lambda x: MP.exp(-MP.exp(-x))),
    "the complementary log-log link": (
        lambda x: 1 - gc.exp(-gc.exp(x)),
        lambda x: -MP.expm1(-MP.exp(x)),
    ),
    "its logarithm, negated": (
        lambda x: -gc.log(1 - gc.exp(-gc.exp(x))),
        lambda x: -MP.log(-MP.expm1(-MP.exp(x))),
    ),
    "a focal loss with a root": (
        lambda x: -((1 - gc.sigmoid(x)) ** 0.5) * gc.log(gc.sigmoid(x)),
        lambda x: MP.log1p(MP.exp(-x)) / MP.sqrt(1 + MP.exp(x)),
    ),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMS)
def test_values_and_slopes_hold_far_out(name: str, dtype: str, style: str) -> None:
    form, exact = FORMS[name]
    holds_far_out(form, exact, dtype, style, steps=4)


def along(reduction: Callable[..., Node]) -> Callable[[Node], Node]:
    return lambda x: reduction(x, axis=1, keepdims=True)


total, mean, largest = along(gc.sum), along(gc.mean), along(gc.max)

#: A formula of rows, and the same in ops that are stable by themselves.
ROWS: dict[str, tuple[Callable[[Node], Node], Callable[[Node], Node]]] = {
    "softmax by a product": (
        lambda z: gc.exp(z) * (1 / total(gc.exp(z))),
        lambda z: gc.softmax(z, axis=1),
    ),
    "shares of a mean": (
        lambda z: gc.exp(z) / mean(gc.exp(z)),
        lambda z: 3 * gc.softmax(z, axis=1),
    ),
    "softmax to base 2": (
        lambda z: 2**z / total(2**z),
        lambda z: gc.softmax(z * math.log(2), axis=1),
    ),
    "its logarithm": (
        lambda z: gc.log(gc.exp2(z) / total(gc.exp2(z))),
        lambda z: gc.log_softmax(z * math.log(2), axis=1),
    ),
    "decibels": (
        lambda z: 10 * gc.log10(total(10 ** (z / 10))),
        lambda z: gc.logsumexp(z * math.log(10) / 10, axis=1, keepdims=True) * (10 / math.log(10)),
    ),
    "softmax with one more class": (
        lambda z: gc.exp(z) / (1 + total(gc.exp(z))),
        lambda z: gc.softmax(gc.concat([z, 0 * z[:, :1]], axis=1), axis=1)[:, :3],
    ),
    "softmax with a small number": (
        lambda z: gc.exp(z) / (total(gc.exp(z)) + 1e-8),
        lambda z: gc.exp(z - gc.logaddexp(gc.logsumexp(z, axis=1, keepdims=True), math.log(1e-8))),
    ),
    "parts of the largest": (
        lambda z: gc.exp(z) / largest(gc.exp(z)),
        lambda z: gc.exp(z - largest(z)),
    ),
    "parts of the largest, by its exponential": (
        lambda z: gc.exp(z) / gc.exp(largest(z)),
        lambda z: gc.exp(z - largest(z)),
    ),
    "a product of exponentials": (
        lambda z: gc.prod(gc.exp(z), axis=1),
        lambda z: gc.exp(gc.sum(z, axis=1)),
    ),
    "a logarithm of weighted shares": (
        lambda z: gc.log(1.5 * gc.exp(z) / total(1.5 * gc.exp(z)))[:, 0],
        lambda z: gc.log_softmax(z, axis=1)[:, 0],
    ),
}
Z = [[1e4, 1e4 - 1, 1e4], [-1e4, -1e4, -1e4 + 2], [700, -750, 40], [0.5, -1, 2], [0, 0, 0]]


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ROWS)
def test_rows_of_huge_exponents(name: str, dtype: str, style: str) -> None:
    found, expected = (
        gc.compile(
            gc.graph({"value": form(z), "total": gc.sum(gc.sin(form(z)))}, name="rows"),
            gradient_of="total",
            wrt=["z"],
            style=style,
        )(z=np.array(Z, dtype))
        for form in ROWS[name]
        for z in [gc.input("z", ("N", 3), dtype=dtype)]
    )
    rtol = 2e-3 if dtype == "float32" else 1e-9
    for key, value in expected.items():
        assert found[key].dtype == dtype
        np.testing.assert_allclose(found[key], value, rtol=rtol, atol=2e-6)


@pytest.mark.parametrize(
    "before, after",
    [
        ("log(10.0**z)", "z * 2.302585092994046"),
        ("log(exp2(z))", "z * 0.6931471805599453"),
        ("2.0**z", "exp2(z)"),
        ("exp(z)/exp(k)", "exp(z - k)"),
        ("exp(k)*exp(z)", "exp(k + z)"),
        ("sinh(z)/cosh(z)", "tanh(z)"),
        ("1/(2 + exp(-z))", "0.5 / (1 + exp(-0.6931471805599453 - z))"),
        ("1/(3 + sigmoid(z))", "1 / (3 + 1 / (1 + exp(-z)))"),
    ],
)
def test_text_in_text_out(before: str, after: str) -> None:
    head = "z: input(f64, N, 3)\nk: input(f64, N, 1)\n" if "k" in before else "z: input(f64, N)\n"
    better = str(gc.optimize(gc.parse(f"{head}y = {before}\noutput(y)")))
    assert better.splitlines()[-2].endswith(f"= {after}"), better
