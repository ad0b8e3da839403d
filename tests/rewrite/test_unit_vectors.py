"""x/‖x‖ is recognized in each way of typing it, and nothing else is; ‖x‖² has no root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc

NORMS: dict[str, Callable[[Any], Any]] = {
    "norm": gc.norm,
    "NumPy's norm": np.linalg.norm,
    "root of a sum of squares": lambda x: gc.sqrt(gc.sum(x * x)),
    "root of a sum of powers": lambda x: np.sqrt((x**2).sum(keepdims=True)),
    "sum of powers to a half": lambda x: gc.sum(x**2) ** 0.5,
}
READ: dict[str, Callable[[Any], Any]] = {
    "sum": lambda u: u.sum(),  # a sum that would divide behind itself
    "mean": lambda u: u.mean(),
    "element": lambda u: u[0],
    "product": lambda u: u @ np.array([1.0, 2.0]),
}


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("norm", NORMS)
def test_the_derivative_at_0_is_0(norm: str, read: str) -> None:
    x = gc.input("x", (2,), "float64")
    g = gc.graph({"y": READ[read](x / NORMS[norm](x))})
    result = gc.compile(g, gradient_of="y", wrt=["x"])(x=np.zeros(2))
    assert np.array_equal(result["d_y_d_x"], [0, 0])
    away = gc.check_gradient(g, of="y", at={"x": np.array([3.0, -4.0])}, wrt=["x"])
    assert away.passed


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_what_holds_at_0_is_chosen_once_for_each_norm(style: str) -> None:
    """Rows of zeros divide by infinity: no element is looked at, forward or backward."""
    x, y = gc.input("x", ("N", 64)), gc.input("y", ("N", 64))
    norm = gc.sqrt(gc.sum(x**2, axis=1, keepdims=True))
    graph = gc.graph({"loss": gc.sum(gc.square((x / norm) @ y.T))})
    f = gc.compile(graph, gradient_of="loss", wrt=["x"], style=style)
    choices = [x for x in f.graph.nodes if x.op.name in ("where", "equal")]
    assert choices and all(x.shape[1:] in ((1,), ()) for x in choices)
    rng = np.random.default_rng(0)
    given = {name: rng.normal(size=(5, 64)).astype(np.float32) for name in "xy"}
    given["x"][2] = 0
    wanted = gc.interpret(graph.gradient("loss", wrt=["x"]), **given)["d_loss_d_x"]
    found = f(**given)["d_loss_d_x"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
    assert not found[2].any() and np.isfinite(found).all()


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize(
    "divide",
    [
        lambda x, norm: x / norm(x, 1, True),
        lambda x, norm: x / norm(x, 0, False),
        lambda x, norm: x / norm(x, 1, False)[:, None],
        lambda x, norm: x / norm(x, 1, False),  # the norm of another row
        lambda x, norm: x / norm(x, 1, True).reshape(1, 3),
        lambda x, norm: x / norm(x, 0, True).reshape(3, 1),
        lambda x, norm: x / np.sqrt(np.square(x)),
        lambda x, norm: x / np.sqrt(np.square(x).mean(axis=1, keepdims=True)),
    ],
)
def test_each_element_is_divided_by_its_own_norm(divide: Any, typed: bool) -> None:
    def norm(x: Any, axis: int, keepdims: bool) -> Any:
        if typed:
            return np.sqrt((x**2).sum(axis=axis, keepdims=keepdims))
        return np.linalg.norm(x, axis=axis, keepdims=keepdims)

    X = np.random.default_rng(0).normal(size=(3, 3))
    g = gc.graph({"y": divide(gc.input("x", (3, 3), "float64"), norm)})
    np.testing.assert_allclose(gc.compile(g)(x=X)["y"], divide(X, norm), rtol=1e-14)


@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_squared_norm_is_a_sum_of_squares(axis: Any, keepdims: bool) -> None:
    x = gc.input("x", (3, 2), "float64")
    squared = np.linalg.norm(x, axis=axis, keepdims=keepdims) ** 2
    g = gc.graph({"y": squared, "s": gc.sum(squared)})
    X = np.random.default_rng(0).normal(size=(3, 2))
    f = gc.compile(g.hvp("s", wrt="x"))
    assert "sqrt" not in f.source
    for at in (X, np.zeros((3, 2))):  # at 0, too, the second derivative is that of a sum
        result = f(x=at, x_v=X)
        wanted = np.sum(at**2, axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(result["y"], wanted, rtol=1e-14)
        np.testing.assert_allclose(result["d2_s_d_x_v"], 2 * X, rtol=1e-14)


IN_PRODUCTS: dict[str, Callable[[Any, Any], Any]] = {
    "times the reciprocal": lambda x, n: x * (1 / n),
    "reciprocal first": lambda x, n: (3 / n) * x,
    "power of the norm": lambda x, n: x * n**-1,
    "number first": lambda x, n: 2 * x / n,
    "divided before": lambda x, n: x / 5 / n,
    "squashed capsule": lambda x, n: n**2 / (1 + n**2) * x / n,
    "squashed capsule, moved": lambda x, n: x * (n**2 / (1 + n**2) / n),
    "weight norm": lambda x, n: x * (gc.constant(np.array([[2.0], [3.0]])) / n),
    "inverse root": lambda x, n: x * gc.sum(x * x, axis=1, keepdims=True) ** -0.5,
    "without the axis": lambda x, n: x * (1 / gc.norm(x, axis=1))[:, None],
}


@pytest.mark.parametrize("form", IN_PRODUCTS)
def test_x_and_what_divides_by_its_norm_are_factors_of_one_product(form: str) -> None:
    x = gc.input("x", (2, 3), "float64")
    typed = IN_PRODUCTS[form](x, gc.norm(x, axis=1, keepdims=True))
    graph = gc.graph({"y": typed, "total": gc.sum(typed * np.array([1.0, 2.0, 3.0]))})
    f = gc.compile(graph, gradient_of="total", wrt=["x"])
    at = np.array([[0.0, 0, 0], [3.0, 0, -4.0]])
    found = f(x=at)
    assert not found["y"][0].any() and not found["d_total_d_x"][0].any()
    with np.errstate(all="ignore"):
        wanted = gc.interpret(graph.gradient("total", wrt=["x"], stabilize=False), x=at)
    np.testing.assert_allclose(found["y"][1], wanted["y"][1], rtol=1e-14)
    np.testing.assert_allclose(found["d_total_d_x"][1], wanted["d_total_d_x"][1], rtol=1e-12)


COSINES: dict[str, Callable[[Any, Any], Any]] = {
    "each by each": lambda x, y: x @ y.T / (gc.norm(x, axis=1, keepdims=True) * gc.norm(y, axis=1)),
    "one by one": lambda x, y: (
        gc.sum(x * y[:2], axis=1) / (gc.norm(x, axis=1) * gc.norm(y[:2], axis=1))
    ),
    "keepdims": lambda x, y: (
        gc.sum(x * y[:2], axis=1, keepdims=True) / gc.norm(x, axis=1, keepdims=True)
    ),
    "two quotients": lambda x, y: (
        gc.einsum("ij,kj->ki", x, y) / gc.norm(x, axis=1) / gc.norm(y, axis=1)[:, None]
    ),
    "vectors": lambda x, y: x[0] @ y[1] / gc.norm(x[0]) / gc.sqrt(gc.sum(y[1] ** 2)),
}


@pytest.mark.parametrize("form", COSINES)
def test_the_cosine_of_the_angle_with_0_is_0(form: str) -> None:
    x, y = gc.input("x", (2, 4), "float64"), gc.input("y", (3, 4), "float64")
    typed = COSINES[form](x, y)
    graph = gc.graph({"c": typed, "total": gc.sum(gc.square(typed + 1))})
    f = gc.compile(graph, gradient_of="total", wrt=["x", "y"])
    rng = np.random.default_rng(0)
    at = {"x": rng.normal(size=(2, 4)), "y": rng.normal(size=(3, 4))}
    found = f(**at)
    wanted = gc.interpret(graph.gradient("total", wrt=["x", "y"], stabilize=False), **at)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-13, err_msg=name)
    at["x"][0] = 0
    found = f(**at)
    assert all(np.isfinite(value).all() for value in found.values())
    assert not found["d_total_d_x"][0].any()
    if form != "vectors":
        assert (found["c"] == 0).sum() == wanted["c"].size // 2


@pytest.mark.parametrize(
    "form",
    [
        lambda x, y: x @ y.T / gc.norm(x, axis=1),  # the norm of another row
        lambda x, y: x @ y / gc.norm(x, axis=1, keepdims=True),  # ok: of its own
        lambda x, y: x @ y / gc.norm(x, axis=0),
        lambda x, y: x.T @ y / gc.norm(x, axis=1, keepdims=True),
        lambda x, y: x.T @ y / gc.norm(x, axis=0)[:, None],  # ok
        lambda x, y: gc.sum(x * y, axis=0) / gc.norm(x, axis=1),
        lambda x, y: gc.sum(x + y, axis=0) / gc.norm(x, axis=0),
    ],
)
def test_only_the_norm_of_what_is_summed_over_goes_into_a_sum(form: Any) -> None:
    x, y = gc.input("x", (3, 3), "float64"), gc.input("y", (3, 3), "float64")
    graph = gc.graph({"v": form(x, y)})
    at = dict(zip("xy", np.random.default_rng(0).normal(size=(2, 3, 3)), strict=True))
    at["x"][1] = 0
    with np.errstate(all="ignore"):
        found, wanted = gc.compile(graph)(**at)["v"], gc.interpret(graph, **at)["v"]
    np.testing.assert_allclose(found[np.isfinite(wanted)], wanted[np.isfinite(wanted)], rtol=1e-12)
    assert not np.isfinite(found[np.isinf(wanted)]).any()
