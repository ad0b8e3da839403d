"""Equations with triangles are solved by blocks, where the ops tell that a matrix is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node
from graphc.ops.contraction.triangles import triangle

linalg = pytest.importorskip("scipy.linalg")


def _triangles(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.tril(rng.normal(size=shape) / shape[-1] ** 0.5) + 2 * np.eye(shape[-1])


a, b = gc.input("a", (5, 5), dtype="float64"), gc.input("b", (5, 5), dtype="float64")
stack = gc.input("stack", (2, 5, 5), dtype="float64")


@pytest.mark.parametrize(
    ("side", "matrices"),
    {
        "lower": [
            gc.cholesky(a),
            gc.tril(a),
            gc.tril(a, -1) - 2 * gc.eye(5),
            gc.triu(a).T,
            gc.tril(stack) * gc.exp(stack),
            gc.broadcast_to(gc.cholesky(a), (3, 5, 5)),
            gc.eye(5, dtype="float64"),
            gc.where(a > 0, gc.tril(b), gc.cholesky(a) / 3),
        ],
        "upper": [
            gc.triu(a),
            gc.triu(a, 1) + gc.eye(5),
            -gc.swapaxes(gc.cholesky(stack), 1, 2),
            gc.swapaxes(gc.tril(stack), -1, -2),
        ],
        None: [
            a,
            gc.tril(a, 1),
            gc.triu(a, -1),
            gc.cholesky(a) + gc.triu(b),
            gc.cholesky(a) + b,
            gc.exp(gc.tril(a)),
            gc.where(a > 0, gc.tril(b), b),
            gc.where(gc.constant(np.tri(5, dtype=bool)), 1.0, gc.tril(a)),
            gc.transpose(gc.broadcast_to(gc.cholesky(a), (5, 5, 5)), (1, 0, 2)),
        ],
    }.items(),
)
def test_triangles_are_known(side: str | None, matrices: list[Node]) -> None:
    for matrix in matrices:
        assert triangle(matrix) == side
        point = {"a": 5 * np.eye(5) + 1, "b": np.ones((5, 5)), "stack": np.ones((2, 5, 5))}
        point["stack"] = point["stack"] + 5 * np.eye(5)
        given = {name: point[name] for name in gc.graph({"y": matrix}).inputs}
        value = gc.compile(gc.graph({"y": matrix}))(**given)["y"]
        if side is not None:
            kept = np.tril(value) if side == "lower" else np.triu(value)
            np.testing.assert_array_equal(value, kept)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("of_matrix", "of_right"),
    [((65, 65), (65,)), ((96, 96), (96, 3)), ((200, 200), (200, 1)), ((2, 70, 70), (2, 70, 5))],
)
def test_values_and_gradients(
    of_matrix: tuple[int, ...], of_right: tuple[int, ...], dtype: str, style: str
) -> None:
    matrix, right = gc.input("m", of_matrix, dtype=dtype), gc.input("r", of_right, dtype=dtype)
    lower = gc.tril(matrix)
    forms: list[tuple[Node, Callable[[Any, Any], Any]]] = [
        (gc.solve(lower, right), lambda m, r: linalg.solve_triangular(m, r, lower=True)),
        (gc.solve(gc.matrix_transpose(lower), right), lambda m, r: linalg.solve_triangular(m.T, r)),
    ]
    m, r = _triangles(*of_matrix).astype(dtype), np.ones(of_right, dtype)
    r += np.arange(r.size, dtype=dtype).reshape(of_right) % 7
    before = r.copy()
    for form, by_scipy in forms:
        graph = gc.graph({"loss": gc.sum(gc.sin(form)), "x": form})
        function = gc.compile(graph, gradient_of="loss", style=style)
        assert "np.linalg.solve" not in function.source
        found = function(m=m, r=r)
        pairs = list(zip(m, r, strict=True)) if m.ndim == 3 else [(m, r)]
        exact = np.array([by_scipy(*(x.astype(np.float64) for x in pair)) for pair in pairs])
        expected = exact.reshape(r.shape)
        tolerance = 1e-6 if dtype == "float32" else 1e-13
        assert np.abs(found["x"] - expected).max() < tolerance * np.abs(expected).max()
        assert found["x"].dtype == dtype
        gc.check_gradient(graph, "loss", {"m": m, "r": r}, raises=True)
        at_zero = gc.compile(graph, gradient_of="loss", optimize=0)(m=m, r=r)
        for name in ("d_loss_d_m", "d_loss_d_r"):
            size = np.abs(at_zero[name]).max()
            assert np.abs(found[name] - at_zero[name]).max() < 10 * tolerance * size
    np.testing.assert_array_equal(r, before)


def test_few_rows_and_other_matrices_take_numpys_solver() -> None:
    small, other = gc.input("m", (64, 64)), gc.input("m", (300, 300))
    for matrix in (gc.tril(small), other):
        right = gc.input("r", (matrix.shape[0],))
        source = gc.compile(gc.graph({"x": gc.solve(matrix, right)})).source
        assert "np.linalg.solve" in source
        assert "_solve_lower" not in source


def test_a_named_size_may_be_any_number() -> None:
    n = gc.dim("n")
    k, y = gc.input("k", (n, n), dtype="float64"), gc.input("y", (n,), dtype="float64")
    factor = gc.cholesky(k)
    alpha = gc.solve(factor.T, gc.solve(factor, y))
    function = gc.compile(gc.graph({"alpha": alpha}))
    for size in (1, 2, 31, 32, 33, 64, 100):
        x = np.random.default_rng(size).normal(size=(size, size))
        covariance, target = x @ x.T + np.eye(size), x[0]
        expected = np.linalg.solve(covariance, target)
        np.testing.assert_allclose(function(k=covariance, y=target)["alpha"], expected, rtol=1e-8)


def test_a_singular_triangle_raises_numpys_error() -> None:
    m, r = gc.input("m", (80, 80)), gc.input("r", (80,))
    function = gc.compile(gc.graph({"x": gc.solve(gc.tril(m), r)}))
    singular = np.eye(80, dtype=np.float32)
    singular[70, 70] = 0
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        function(m=singular, r=np.ones(80, np.float32))


def test_it_costs_half_of_two_products() -> None:
    m, r = gc.input("m", (100, 100)), gc.input("r", (100, 7))
    assert gc.solve(gc.tril(m), r).op.flops(gc.solve(gc.tril(m), r)) == 100 * 100 * 7
