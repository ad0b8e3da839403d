"""logaddexp from exponentials: right for infinities, without a warning, and its slopes as well."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinities_and_extremes_have_their_value(dtype: str) -> None:
    N = gc.dim("N")
    a, b = (gc.input(name, (N, 64), dtype=dtype) for name in "ab")
    function = gc.compile(gc.graph({"y": gc.logaddexp(a, b)}), style="fast")
    assert "np.logaddexp" not in function.source
    most = float(np.finfo(dtype).max)
    special = np.array([np.inf, -np.inf, np.nan, 0, -0.0, most, -most, most / 3, 1e-30, 90, -90])
    rng = np.random.default_rng(0)
    A = rng.normal(scale=20, size=(64, 64))
    B = A + rng.normal(size=A.shape)
    A[:11, :11], B[:11, :11] = special[:, None], special
    A, B = A.astype(dtype), B.astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        got = function(a=A, b=B)["y"]
    with np.errstate(all="ignore"):
        wanted = np.logaddexp(A, B)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(got, wanted, rtol=2 * eps, atol=2 * eps)


def test_slopes_are_shares_of_the_sum() -> None:
    a, b = gc.input("a", (40, 50), dtype="float64"), gc.input("b", (40, 50), dtype="float64")
    graph = gc.graph({"loss": gc.sum(gc.logaddexp(a, b))})
    rng = np.random.default_rng(1)
    given = {name: rng.normal(scale=9, size=(40, 50)) for name in "ab"}
    given["a"][0], given["b"][0, :9] = -np.inf, -np.inf
    found = gc.compile(graph, gradient_of="loss", wrt=["a", "b"])(**given)
    with np.errstate(invalid="ignore"):
        share = np.nan_to_num(np.exp(given["a"] - np.logaddexp(given["a"], given["b"])))
    np.testing.assert_allclose(found["d_loss_d_a"], share, rtol=1e-12, atol=1e-300)


def test_few_elements_are_left_to_numpy() -> None:
    a, b = gc.input("a", (4,)), gc.input("b", (4,))
    assert "np.logaddexp" in gc.compile(gc.graph({"y": gc.logaddexp(a, b)})).source
