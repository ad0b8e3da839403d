"""Linear algebra and order: values and gradients by another library, and forms that are stable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
FACTOR = RNG.normal(size=(2, 4, 4))
STACK = FACTOR @ FACTOR.swapaxes(1, 2) + np.eye(4)


def torch_gradients(function: Any, **arrays: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    value = function(**leaves)
    value.backward()
    return value.item(), {name: leaf.grad.numpy() for name, leaf in leaves.items()}


def assert_like_torch(ours: Any, theirs: Any, **arrays: np.ndarray) -> None:
    nodes = {name: gc.input(name, array.shape, dtype="float64") for name, array in arrays.items()}
    graph = gc.graph({"y": ours(**nodes)})
    value, gradients = torch_gradients(theirs, **arrays)
    for style in ("readable", "fast"):
        result = gc.compile(graph, gradient_of="y", style=style)(**arrays)
        assert float(result["y"]) == pytest.approx(value, rel=1e-12)
        for name, gradient in gradients.items():
            np.testing.assert_allclose(
                result[f"d_y_d_{name}"], gradient, rtol=1e-9, atol=1e-11 * np.abs(gradient).max()
            )


WEIGHTS = np.arange(1.0, 17.0).reshape(4, 4)
T_WEIGHTS = torch.tensor(WEIGHTS)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda a: (gc.inv(a) * WEIGHTS).sum(), lambda a: (torch.linalg.inv(a) * T_WEIGHTS).sum()),
        (lambda a: gc.det(a).sum(), lambda a: torch.linalg.det(a).sum()),
        (lambda a: gc.logdet(a).sum(), lambda a: torch.logdet(a).sum()),
        (lambda a: gc.slogdet(a)[1].sum(), lambda a: torch.linalg.slogdet(a)[1].sum()),
        (lambda a: gc.log(gc.det(a)).sum(), lambda a: torch.logdet(a).sum()),
    ],
)
def test_functions_of_square_matrices(ours: Any, theirs: Any) -> None:
    assert_like_torch(ours, theirs, a=STACK)
    assert_like_torch(ours, theirs, a=STACK[0])


def test_the_gradient_of_a_cholesky_factor_is_that_of_what_is_read() -> None:
    def theirs(a: Any) -> Any:
        low = torch.tril(a)
        symmetric = low + torch.tril(a, -1).transpose(-1, -2)
        return (torch.linalg.cholesky(symmetric) * T_WEIGHTS).sum()

    assert_like_torch(lambda a: (gc.cholesky(a) * WEIGHTS).sum(), theirs, a=STACK)
    # of a symmetric function it is the same whichever triangle is read
    arrays = {"a": FACTOR[0]}
    assert_like_torch(
        lambda a: (gc.cholesky(a @ a.T + gc.eye(4, dtype="float64")) * WEIGHTS).sum(),
        lambda a: (torch.linalg.cholesky(a @ a.T + torch.eye(4)) * T_WEIGHTS).sum(),
        **arrays,
    )


@pytest.mark.parametrize("shape", [(4,), (4, 3), (2, 4, 3)])
def test_equations(shape: tuple[int, ...]) -> None:
    b = RNG.normal(size=shape)
    matrix = STACK if len(shape) == 3 else STACK[0]
    weights = RNG.normal(size=shape)
    assert_like_torch(
        lambda a, b: (gc.solve(a, b) * weights).sum(),
        lambda a, b: (torch.linalg.solve(a, b) * torch.tensor(weights)).sum(),
        a=matrix,
        b=b,
    )


def test_one_right_side_serves_a_stack_of_matrices_and_the_reverse() -> None:
    b, columns = RNG.normal(size=4), RNG.normal(size=(4, 2))
    for right in (b, columns):
        node = gc.input("b", right.shape, dtype="float64")
        x = gc.solve(gc.constant(STACK), node)
        got = gc.compile(gc.graph({"x": x}))(b=right)["x"]
        np.testing.assert_allclose(got, np.linalg.solve(STACK, right), rtol=1e-12)


@pytest.mark.parametrize("flag", [False, True])
def test_either_triangle(flag: bool) -> None:
    a = gc.input("a", (4, 4), dtype="float64")
    f = gc.compile(gc.graph({"y": gc.cholesky(a, upper=flag)}))
    garbled = np.where(np.tri(4, dtype=bool).T if flag else np.tri(4, dtype=bool), STACK[0], np.nan)
    expected = np.linalg.cholesky(STACK[0])
    np.testing.assert_allclose(f(a=garbled)["y"], expected.T if flag else expected, rtol=1e-12)


def test_a_hessian_goes_through_a_solution() -> None:
    a, b = gc.input("a", (4, 4), dtype="float64"), gc.input("b", (4,), dtype="float64")
    graph = gc.graph({"y": b @ gc.solve(a, b)})
    hessian = gc.compile(graph.hessian("y", "b"))
    got = hessian(a=FACTOR[0], b=np.ones(4))["d2_y_d_b_d_b"]
    inverse = np.linalg.inv(FACTOR[0])
    np.testing.assert_allclose(got, inverse + inverse.T, rtol=1e-9)


def test_a_textbook_likelihood_comes_out_stable() -> None:
    """The determinant of 400 rows underflows even in float64; nobody needs the inverse."""
    x, y = gc.input("x", ("N",), dtype="float64"), gc.input("y", ("N",), dtype="float64")
    n = x.shape[0]
    covariance = gc.exp(-((x[:, None] - x) ** 2) / 2) + 1e-3 * gc.eye(n, dtype="float64")
    fit = y @ gc.inv(covariance) @ y
    loss = -0.5 * (fit + gc.log(gc.det(covariance)) + n * np.log(2 * np.pi))
    f = gc.compile(gc.graph({"loss": loss}))
    assert "linalg.inv" not in f.source and "linalg.solve" in f.source
    at = np.linspace(-3, 3, 400)
    values = np.sin(at)
    matrix = np.exp(-((at[:, None] - at) ** 2) / 2) + 1e-3 * np.eye(400)
    sign, log_size = np.linalg.slogdet(matrix)
    expected = values @ np.linalg.solve(matrix, values) + log_size + 400 * np.log(2 * np.pi)
    assert np.linalg.det(matrix) == 0 and sign == 1
    assert float(f(x=at, y=values)["loss"]) == pytest.approx(-0.5 * expected, rel=1e-9)


def test_the_logarithm_of_a_negative_determinant_stays_nan() -> None:
    a = gc.input("a", (2, 2), dtype="float64")
    graph = gc.graph({"y": gc.log(gc.det(a)), "z": gc.log(gc.abs(gc.det(a)))})
    turned = np.array([[0.0, 2.0], [1.0, 0.0]])
    with np.errstate(invalid="ignore"):
        got = gc.compile(graph)(a=turned)
    assert np.isnan(got["y"]) and float(got["z"]) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: gc.inv(x), "inv takes square matrices"),
        (lambda x: gc.det(x[0]), "det takes square matrices"),
        (lambda x: gc.cholesky(x[0], upper=True), "cholesky takes square matrices"),
        (lambda x: gc.solve(x @ x.T, np.ones(4)), "a row for each row of the matrix"),
        (lambda x: gc.solve(x, np.ones(3)), "solve takes square matrices"),
    ],
)
def test_what_does_not_fit_is_told(call: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        call(gc.input("x", (3, 4), dtype="float64"))


# -- order --------------------------------------------------------------------------------------


def test_each_element_hands_its_derivative_to_where_it_came_from() -> None:
    x = RNG.normal(size=(5, 6))
    weights = RNG.normal(size=(5, 6))
    for axis in (0, 1):
        assert_like_torch(
            lambda x, axis=axis: (gc.sort(x, axis=axis) * weights).sum(),
            lambda x, axis=axis: (torch.sort(x, dim=axis)[0] * torch.tensor(weights)).sum(),
            x=x,
        )
    assert_like_torch(
        lambda x: (gc.sort(x, descending=True)[:, :2] ** 2).sum(),
        lambda x: (torch.topk(x, 2, dim=1)[0] ** 2).sum(),
        x=x,
    )
    assert_like_torch(
        lambda x: (x[gc.argsort(x[:, 0])] * weights).sum(),
        lambda x: (x[torch.argsort(x[:, 0])] * torch.tensor(weights)).sum(),
        x=x,
    )


def test_equal_elements_stay_in_their_order() -> None:
    x = gc.input("x", ("N",), dtype="int64")
    graph = gc.graph(
        {"up": gc.argsort(x), "down": gc.argsort(x, descending=True), "flat": gc.sort(x, axis=None)}
    )
    got = gc.compile(graph)(x=[2, 1, 2, 1, 3])
    assert got["up"].tolist() == [1, 3, 0, 2, 4]
    assert got["down"].tolist() == [4, 0, 2, 1, 3]
    assert got["flat"].tolist() == [1, 1, 2, 2, 3]


def test_the_distance_of_two_samples_by_order() -> None:
    """In one dimension, Wasserstein's distance compares the sorted samples."""
    a, b = RNG.normal(size=50), RNG.normal(1.0, 2.0, size=50)
    assert_like_torch(
        lambda a, b: gc.abs(gc.sort(a) - gc.sort(b)).mean(),
        lambda a, b: (torch.sort(a)[0] - torch.sort(b)[0]).abs().mean(),
        a=a,
        b=b,
    )
