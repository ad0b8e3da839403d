"""Running products and recurrences: what is computed by doubling is what steps give."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ops.registry import OPS


def by_steps(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    a, y = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0).copy()
    for k in range(1, len(y)):
        y[k] += a[k] * y[k - 1]
    return np.moveaxis(y, 0, axis)


#: Factors of a recurrence that call for one way or the other.
FACTORS = {
    "shares": lambda rng, shape: rng.uniform(0, 1, shape),
    "of both signs": lambda rng, shape: rng.uniform(-1, 1, shape),
    "zeros": lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    "a little above 1": lambda rng, shape: rng.uniform(0, 1, shape) + 1e-10,
    "large": lambda rng, shape: rng.uniform(-1.2, 1.2, shape),
    "tiny, then huge": lambda rng, shape: np.where(np.arange(shape[-1]) % 4 < 2, 1e-160, 1e160),
    "one not a number": lambda rng, shape: np.where(np.arange(shape[-1]) == 2, np.nan, 0.5),
}


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize(
    "shape", [(0,), (1,), (2,), (7,), (64,), (65,), (3, 33), (2, 5, 9)], ids=str
)
def test_recurrences(factors: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    a, b = np.broadcast_to(FACTORS[factors](rng, shape), shape), rng.normal(size=shape)
    for axis in range(len(shape)):
        if factors[0] in "to" and axis != len(shape) - 1:
            continue
        for values in (b, np.where(b > 1.5, np.inf, b)):
            nodes = [gc.input(name, shape, "float64") for name in "ab"]
            f = gc.compile(gc.graph({"y": OPS["linear_recurrence"](*nodes, axis=axis)}))
            with np.errstate(all="ignore"):
                got, wanted = f(a=a, b=values)["y"], by_steps(a, values, axis)
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype, digits", [("float32", 2e-6), ("float64", 1e-13)])
def test_the_partial_likelihood_of_many(dtype: str, digits: float) -> None:
    """Cox's: each is weighed against all who are still at risk."""
    n = 3000
    x = gc.input("x", ("N",), dtype)
    f = gc.compile(gc.graph({"l": gc.mean(gc.log(gc.cumsum(gc.exp(x))))}), "l", ["x"])
    values = (3 * np.random.default_rng(0).normal(size=n)).astype(dtype)
    e = np.exp(values.astype(np.float64))
    wanted = e * np.cumsum((1 / np.cumsum(e))[::-1])[::-1] / n
    np.testing.assert_allclose(f(x=values)["d_l_d_x"], wanted, rtol=digits * 100, atol=digits)
