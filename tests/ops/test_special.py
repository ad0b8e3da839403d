"""erf and erfc: the emitted helpers, against mpmath, in units in the last place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from graphc.ir.code import Code, Notation
from graphc.ops import OPS

INF, NAN = float("inf"), float("nan")


def helper(name: str, dtype: Any = "float64") -> Callable[[Any], Any]:
    """Return the function that emitted modules call for the op `name`."""
    namespace: dict[str, Any] = {"np": np}
    node = OPS[name](OPS["input"]("x", (), dtype))
    exec(node.op.helper(node), namespace)
    return namespace[str(node.op.numpy(node, [Code("")], Notation({}))).partition("(")[0]]


def points(dtype: str, low: float, high: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    smallest = np.log10(float(np.finfo(dtype).tiny))
    tiny = 10 ** rng.uniform(smallest, 0, 300) * rng.choice([-1, 1], 300)
    spread = [rng.uniform(low, high, 600), rng.uniform(-1, 1, 600), tiny]
    return np.concatenate(spread).astype(dtype)


def units_in_the_last_place(name: str, x: np.ndarray) -> np.ndarray:
    """Return the error of the helper at x, in units in the last place of the true value."""
    mpmath.mp.dps = 50
    exact = [getattr(mpmath, name)(mpmath.mpf(float(v))) for v in x]
    unit = [np.spacing(np.abs(x.dtype.type(float(v)))) for v in exact]
    got = helper(name, x.dtype)(x)
    assert got.dtype == x.dtype
    return np.array(
        [
            abs(float((mpmath.mpf(float(g)) - e) / float(u)))
            for g, e, u in zip(got, exact, unit, strict=True)
        ]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_is_within_four_units_in_the_last_place(dtype: str) -> None:
    assert units_in_the_last_place("erf", points(dtype, -7, 7)).max() <= 4


@pytest.mark.parametrize(("dtype", "high"), [("float32", 9.0), ("float64", 26.0)])
def test_erfc_keeps_its_digits_in_the_tail(dtype: str, high: float) -> None:
    limit = 1 if dtype == "float32" else 10
    assert units_in_the_last_place("erfc", points(dtype, -6, high)).max() <= limit


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("erf", [0.0, INF, -INF, 1e30, -1e30, NAN], [0.0, 1.0, -1.0, 1.0, -1.0, NAN]),
        ("erfc", [0.0, INF, -INF, 1e30, -1e30, NAN], [1.0, 0.0, 2.0, 0.0, 2.0, NAN]),
    ],
)
def test_limits(dtype: str, name: str, at: list[float], value: list[float]) -> None:
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(helper(name, dtype)(np.array(at, dtype)), value)


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_shapes_and_signed_zero(name: str) -> None:
    f = helper(name)
    assert f(np.array(0.5)).shape == ()
    assert helper(name, "float32")(np.float32(0.5)).dtype == np.float32
    assert f(np.zeros((0, 3))).shape == (0, 3)
    x = np.asfortranarray(np.linspace(-2, 2, 12).reshape(3, 4))[:, ::2]
    np.testing.assert_array_equal(f(x), f(np.ascontiguousarray(x)))
    assert np.signbit(helper("erf")(np.array(-0.0)))


def test_erf_is_odd_and_monotone() -> None:
    for dtype in ("float32", "float64"):
        x, f = np.linspace(0, 7, 200_001, dtype=dtype), helper("erf", dtype)
        y = f(x)
        np.testing.assert_array_equal(y, -f(-x))
        assert np.all(np.diff(y) >= -2 * np.spacing(y.dtype.type(1)))
        assert y.max() == 1
