"""Numbers far out: second derivatives keep their digits, losses stay exact, dtypes stay."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from edges import TOLERANCE, WAYS, agree

import graphc as gc
from graphc.ir.node import Node

# -- second derivatives --------------------------------------------------------------------------


def logistic(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def bump(x: float) -> float:
    """Return the derivative of the logistic function, with all its digits."""
    return logistic(x) * logistic(-x)


CURVATURES: dict[str, tuple[Callable[[Node], Node], Callable[[float], float]]] = {
    "softplus": (gc.softplus, bump),
    "log_sigmoid": (gc.log_sigmoid, lambda x: -bump(x)),
    "tanh": (gc.tanh, lambda x: -8 * bump(2 * x) * np.tanh(x)),
    "sigmoid": (gc.sigmoid, lambda x: -bump(x) * np.tanh(x / 2)),
}
FAR = [-50.0, -40.0, -20.0, 20.0, 30.0, 40.0, 50.0]


def step_by_step(function: Callable[[Node], Node]) -> Callable[[Node], Node]:
    """Return the function that goes through its elements in a loop."""

    def loop(x: Node) -> Node:
        _, values = gc.scan(lambda state, x_t: (state, function(x_t)), init=0 * x[0], xs=x)
        return values

    return loop


FAR_CURVATURES = CURVATURES | {
    f"{name} in a loop": (step_by_step(function), curvature)
    for name, (function, curvature) in CURVATURES.items()
}


@pytest.mark.parametrize("mode", ["grad of compile", "grad of grad", "tangent of tangent"])
@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", FAR_CURVATURES)
def test_second_derivatives_keep_their_digits_far_out(
    name: str, dtype: str, style: str, mode: str
) -> None:
    function, expected = FAR_CURVATURES[name]
    far = [v for v in FAR if abs(v) < 40 or not (dtype == "float32" and "tanh" in name)]
    x = gc.input("x", (len(far),), dtype=dtype)
    graph = gc.graph({"y": gc.sum(function(x))}, name="far")
    ones = np.ones(len(far), dtype)
    feed = {"x": np.array(far, dtype)}
    if mode == "tangent of tangent":
        graph = gc.graph({"y": function(x)}, name="far")
        graph = graph.tangent(["x"]).tangent(["x"])
        dots = {name: ones for name in graph.inputs if name != "x"}
        found = gc.compile(graph, style=style)(**feed, **dots)["y_dot_dot"]
    else:
        slope = graph.gradient("y", ["x"]).find("d_y_d_x")
        if mode == "grad of grad":
            (second,) = gc.grad(gc.sum(slope), [x])
            found = gc.compile(gc.graph({"second": second}), style=style)(**feed)["second"]
        else:
            slopes = gc.graph({"slope": gc.sum(slope)}, name="far")
            f = gc.compile(slopes, gradient_of="slope", wrt=["x"], style=style)
            found = f(**feed)["d_slope_d_x"]
    exact = [expected(v) for v in far]
    np.testing.assert_allclose(found, exact, rtol=3e-5 if dtype == "float32" else 1e-13)


# -- Numbers -------------------------------------------------------------------------------------


def pair_log(x: Node) -> Node:
    """Return log(exp(x) + exp(-x)), typed as a book has it."""
    return gc.log(gc.exp(x) + gc.exp(-x))


def gaussian(x: Node) -> Node:
    """Return the negative log-likelihood of x under a normal distribution with mean 1 and σ = 2."""
    density = gc.exp(-((x - 1) ** 2) / (2 * 2**2)) / (2 * (2 * np.pi) ** 0.5)
    return -gc.log(density)


def cross_entropy(target: float) -> Callable[[Node], Node]:
    def loss(z: Node) -> Node:
        p = 1 / (1 + gc.exp(-z))
        return -(target * gc.log(p) + (1 - target) * gc.log(1 - p))

    return loss


#: A loss as typed, its value at ±1e4, and its slope there.
HUGE: dict[str, tuple[Callable[[Node], Node], list[float], list[float]]] = {
    "sigmoid, cross-entropy of 1": (cross_entropy(1.0), [1e4, 0], [-1, 0]),
    "sigmoid, cross-entropy of 0": (cross_entropy(0.0), [0, 1e4], [0, 1]),
    "sigmoid, cross-entropy of ¼": (cross_entropy(0.25), [2500, 7500], [-0.25, 0.75]),
    "logistic loss": (lambda z: gc.log(1 + gc.exp(-z)), [1e4, 0], [-1, 0]),
    "log(1 + exp)": (lambda z: gc.log(1 + gc.exp(z)), [0, 1e4], [0, 1]),
    "log-sum-exp": (pair_log, [1e4, 1e4], [-1, 1]),
    "Gaussian": (
        gaussian,
        [
            10001.0**2 / 8 + np.log(2 * np.sqrt(2 * np.pi)),
            9999.0**2 / 8 + np.log(2 * np.sqrt(2 * np.pi)),
        ],
        [-10001 / 4, 9999 / 4],
    ),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", HUGE)
def test_textbook_losses_are_exact_at_huge_logits(name: str, dtype: str, style: str) -> None:
    loss, values, slopes = HUGE[name]
    z = gc.input("z", (2,), dtype=dtype)
    losses = loss(z)
    graph = gc.graph({"total": gc.sum(losses), "losses": losses}, name="huge")
    f = gc.compile(graph, gradient_of="total", wrt=["z"], style=style)
    found = f(z=np.array([-1e4, 1e4], dtype))
    agree(found["losses"], values, dtype)
    agree(found["d_total_d_z"], slopes, dtype)


MP = mpmath.mp.clone()
MP.dps = 60
#: A loss as typed, the points at which it is asked, its value and its slope there by mpmath.
TINY: dict[str, tuple[Callable[[Node], Node], list[float], Callable[..., Any]]] = {
    "log-cosh": (
        lambda x: gc.log(gc.cosh(x)),
        [0, 1e-18, 1e-5, 1e-2, -0.3, 0.999, 1.001, -20, 1e4],
        lambda x: (MP.log(MP.cosh(x)), MP.tanh(x)),
    ),
    "log of a softplus scale": (
        lambda x: gc.log(gc.softplus(x)),
        [-1e4, -110, -90, -41, -39, -1, 0, 3, 1e4],
        lambda x: (
            MP.log(MP.log1p(MP.exp(x))),
            MP.exp(x) / (1 + MP.exp(x)) / MP.log1p(MP.exp(x)),
        ),
    ),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", TINY)
def test_small_values_keep_their_digits(name: str, dtype: str, style: str) -> None:
    loss, points, exact = TINY[name]
    at = np.array(points, dtype)
    x = gc.input("x", at.shape, dtype=dtype)
    graph = gc.graph({"total": gc.sum(loss(x)), "losses": loss(x)}, name="tiny")
    found = gc.compile(graph, gradient_of="total", wrt=["x"], style=style)(x=at)
    values, slopes = zip(*(exact(MP.mpf(float(v))) for v in at), strict=True)
    rtol = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(found["losses"], np.array(values, float), rtol=rtol)
    np.testing.assert_allclose(found["d_total_d_x"], np.array(slopes, float), rtol=rtol)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_textbook_softmax_cross_entropy_is_exact_at_huge_logits(dtype: str, style: str) -> None:
    z = gc.input("z", (1, 3), dtype=dtype)
    target = gc.input("t", (1, 3), dtype=dtype)
    p = gc.exp(z) / gc.sum(gc.exp(z), axis=1, keepdims=True)
    graph = gc.graph({"loss": -gc.sum(target * gc.log(p))}, name="huge")
    f = gc.compile(graph, gradient_of="loss", wrt=["z"], style=style)
    logits = np.array([[1e4, -1e4, 0]], dtype)
    found = f(z=logits, t=np.array([[0, 1, 0]], dtype))
    assert float(found["loss"]) == 2e4
    np.testing.assert_array_equal(found["d_loss_d_z"], [[1, -1, 0]])


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_constants_are_not_folded_before_they_are_stable(style: str) -> None:
    big, x = gc.constant(np.array(1e4)), gc.input("x", (), dtype="float64")
    graph = gc.graph({"y": gc.log(1 + gc.exp(big)) * x, "z": gc.log(gc.exp(-big)) + x})
    found = gc.compile(graph, style=style)(x=1.0)
    assert (float(found["y"]), float(found["z"])) == (1e4, 1.0 - 1e4)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 9.0,
        lambda x: x * 8.9,
        lambda x: 8.9 / x + 9,
        lambda x: x**2.5,
        lambda x: gc.leaky_relu(x, 0.1),
        lambda x: gc.elu(x, 0.3),
        lambda x: gc.selu(x) + gc.gelu(x) + gc.gelu_tanh(x) + gc.hard_sigmoid(x),
        lambda x: gc.mean(x) * x,
        lambda x: gc.std(x) * gc.var(x) * x,
        lambda x: gc.where(x > 0.1, x, 0.1),
        lambda x: gc.clip(x, 0.1, 0.7) * np.pi,
        lambda x: gc.softmax(x) / 3,
        lambda x: gc.erf(x) + gc.erfc(x) + gc.softplus(x),
        lambda x: gc.maximum(x, 0.1) + gc.logaddexp(x, 0.1),
    ],
    ids=[
        "9.0", "8.9", "8.9/x", "x**2.5", "leaky_relu", "elu", "activations", "mean", "std", "where",
        "clip", "softmax", "erf", "maximum",
    ],
)  # fmt: skip
def test_float32_stays_float32(function: Callable[[Node], Node], style: str) -> None:
    x = gc.input("x", (3,), dtype="float32")
    graph = gc.graph({"y": gc.sum(function(x)), "v": function(x)})
    f = gc.compile(graph, gradient_of="y", wrt=["x"], style=style)
    found = f(x=np.array([0.25, 0.5, 2], np.float32))
    assert {value.dtype for value in found.values()} == {np.dtype("float32")}
    assert {node.dtype.name for node in f.graph.nodes if node.dtype.kind == "f"} == {"float32"}


@pytest.mark.parametrize("way", WAYS)
def test_integer_division_and_means_are_numpys(way: str) -> None:
    a = gc.input("a", (4,), dtype="int64")
    b = gc.input("b", (4,), dtype="int64")
    graph = gc.graph(
        {"floor": a // b, "rest": a % b, "true": a / b, "mean": gc.mean(a), "sum": gc.sum(a)}
    )
    x, y = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    f = gc.compile(graph, style=way) if way != "reference" else None
    found = f(a=x, b=y) if f else gc.interpret(graph, a=x, b=y)
    expected = {"floor": x // y, "rest": x % y, "true": x / y, "mean": np.mean(x), "sum": np.sum(x)}
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_a_case_that_is_not_taken_does_not_warn(style: str) -> None:
    x = gc.input("x", (4,))
    f = gc.compile(gc.graph({"y": gc.log1mexp(x)}), style=style)
    at = np.array([-1e-30, -1e-8, -1, -50], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = f(x=at)["y"]
    exact = [np.log1p(-np.exp(v)) if v < -1 else np.log(-np.expm1(v)) for v in at.astype("f8")]
    np.testing.assert_allclose(y, exact, rtol=1e-6)


TYPED_BY_HAND: dict[str, Callable[[Node], Node]] = {
    "elu": lambda x: gc.where(x > 0, x, gc.exp(x) - 1),
    "power of 2": lambda x: 1 / (1 + 2.0**x),
    "1 - exp": lambda x: gc.tanh(1 - gc.exp(x)),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("form", TYPED_BY_HAND)
def test_an_exponential_of_another_name_is_as_quiet(form: str, style: str) -> None:
    x = gc.input("x", (3,))
    y = TYPED_BY_HAND[form](x)
    f = gc.compile(gc.graph({"t": gc.sum(y)}), gradient_of="t", wrt=["x"], style=style)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(f(x=np.float32([-200, 0.5, 200]))["d_t_d_x"]).all()


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_the_logarithm_of_masked_columns_does_not_warn(style: str) -> None:
    x = gc.input("x", ("N", 3))
    y = gc.logsumexp(gc.where(x > 0, x, -np.inf), axis=0)
    f = gc.compile(gc.graph({"y": y}), style=style)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(f(x=-np.ones((4, 3), np.float32))["y"], [-np.inf] * 3)
