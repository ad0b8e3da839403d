"""What every derivative is at kinks, ties, poles and infinities: the table of conventions.

Each line of the table is a case here, in the same order: in float32 and float64, at first and
second order, by the reference interpreter and by compiled code in both styles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node

INF, NAN = np.inf, np.nan
WAYS = ["reference", "readable", "fast"]
#: Where it is far from rounding: relative errors of the results.
TOLERANCE = {"float32": 4e-6, "float64": 1e-12}

pytestmark = pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")


@dataclass(frozen=True)
class Edge:
    """A function of one vector x, a point, and the first and second derivatives of its sum there.

    `second` is the derivative of the sum of the first: zeros unless said, None where the first is
    infinite, so that there is none.
    """

    name: str
    function: Callable[[Node], Node]
    at: list[float]
    first: list[float]
    second: list[float] | None = field(default_factory=list)


def vector(x: Node, values: list[float]) -> Node:
    """Return a constant vector of x's dtype."""
    return gc.constant(np.array(values, x.dtype))


def rows(x: Node, count: int = 2) -> Node:
    return gc.reshape(x, (count, x.shape[0] // count))


# -- Conventions: one block for each line of the table -------------------------------------------

RELU_HARDTANH_CLIP = [
    Edge("relu", gc.relu, [-1, -0.0, 0, 1], [0, 0, 0, 1]),
    Edge("relu of -x", lambda x: gc.relu(-x), [-1, -0.0, 0, 1], [-1, 0, 0, 0]),
    Edge("leaky_relu", lambda x: gc.leaky_relu(x, 0.25), [-1, 0, 1], [0.25, 0.25, 1]),
    Edge("elu", lambda x: gc.elu(x, 2.0), [0, 1], [2, 1], [2, 0]),
    Edge("hardtanh", gc.hardtanh, [-2, -1, 0, 1, 2], [0, 0, 1, 0, 0]),
    Edge("hard_sigmoid", lambda x: 6 * gc.hard_sigmoid(x), [-4, -3, 0, 3, 4], [0, 0, 1, 0, 0]),
    Edge("clip", lambda x: gc.clip(x, -1, 1), [-2, -1, 0, 1, 2], [0, 1, 1, 1, 0]),
    Edge("clip from one side", lambda x: gc.clip(x, min=0.0), [-1, 0, 1], [0, 1, 1]),
]
ABS_SIGN = [
    Edge("abs", gc.abs, [-1, -0.0, 0, 2], [-1, 0, 0, 1]),
    Edge("abs squared", lambda x: gc.abs(x) ** 2, [-1, 2], [-2, 4], [2, 2]),
    Edge("abs squared at 0", lambda x: gc.abs(x) ** 2, [0], [0], None),
    Edge("sign", gc.sign, [-1, 0, 1], [0, 0, 0]),
    Edge("x*sign(x)", lambda x: x * gc.sign(x), [-1, 0, 1], [-1, 0, 1]),
]
MAXIMUM_MINIMUM = [
    Edge("maximum", lambda x: gc.maximum(x[0], x[1]), [3, 3], [0.5, 0.5]),
    Edge("minimum", lambda x: gc.minimum(x[0], x[1]), [3, 3], [0.5, 0.5]),
    Edge("maximum and a constant", lambda x: gc.maximum(x, 0.0), [-1, 0, 1], [0, 0.5, 1]),
    Edge("minimum and a constant", lambda x: gc.minimum(x, 0.0), [-1, 0, 1], [1, 0.5, 0]),
    Edge("maximum of x and itself", lambda x: gc.maximum(x, x), [-1, 0], [1, 1]),
    Edge("maximum squared", lambda x: gc.maximum(x[0], x[1]) ** 2, [3, 3], [3, 3], [1, 1]),
]
MAX_MIN = [
    Edge("max", gc.max, [1, 3, 3], [0, 1, 0]),
    Edge("min", gc.min, [1, 1, 3], [1, 0, 0]),
    Edge("max of rows", lambda x: gc.max(rows(x), axis=1), [2, 2, 1, 4], [1, 0, 0, 1]),
    Edge("max of columns", lambda x: gc.max(rows(x), axis=0), [2, 1, 2, 4], [1, 0, 0, 1]),
    Edge("max over both", lambda x: gc.max(rows(x)), [1, 5, 5, 5], [0, 1, 0, 0]),
    Edge("max, keepdims", lambda x: gc.max(rows(x), 1, keepdims=True), [2, 2, 1, 1], [1, 0, 1, 0]),
    Edge("max squared", lambda x: gc.max(x) ** 2, [1, 3, 3], [0, 6, 0], [0, 2, 0]),
    Edge(
        "max-pool: blocks of two",
        lambda x: gc.sum(gc.max(gc.reshape(x, (2, 2)), axis=1) * vector(x, [1, 10])),
        [0, 0, 7, 7],
        [1, 0, 10, 0],
    ),
]
SQRT = [
    Edge("sqrt", gc.sqrt, [0, 4], [INF, 0.25], None),
    Edge("x**0.5", lambda x: x**0.5, [0, 4], [INF, 0.25], None),
    Edge("sqrt times 0", lambda x: gc.sqrt(x) * 0.0, [0, 4], [0, 0]),
    Edge(
        "sqrt by weights", lambda x: gc.sqrt(x) * vector(x, [0, 1]), [0, 4], [0, 0.25], [0, -1 / 32]
    ),
    Edge(
        "sqrt(A)[0,0]",
        lambda x: gc.sqrt(rows(x))[0, 0],
        [4, 0, 0, 0],
        [0.25, 0, 0, 0],
        [-1 / 32, 0, 0, 0],
    ),
    Edge(
        "sqrt(A[0,0])",
        lambda x: gc.sqrt(rows(x)[0, 0]),
        [4, 0, 0, 0],
        [0.25, 0, 0, 0],
        [-1 / 32, 0, 0, 0],
    ),
    Edge("x*x**.5", lambda x: x * x**0.5, [0, 4], [0, 3], None),
    Edge("sqrt(x**4)", lambda x: gc.sqrt(x**4), [0, 2], [0, 4], None),
]
NORM = [
    Edge("norm", gc.norm, [0, 0], [0, 0]),
    Edge("norm away from 0", gc.norm, [3, 4], [0.6, 0.8], [(16 - 12) / 125, (9 - 12) / 125]),
    Edge(
        "norm of rows",
        lambda x: gc.norm(rows(x), axis=1),
        [0, 0, 3, 4],
        [0, 0, 0.6, 0.8],
        [0, 0, 4 / 125, -3 / 125],
    ),
    Edge("norm written out", lambda x: gc.sqrt(gc.sum(x * x)), [0, 0], [0, 0], None),
    Edge("norm squared", lambda x: gc.norm(x) ** 2, [0, 0], [0, 0], None),
    Edge(
        "x/‖x‖ where it is", lambda x: gc.where(gc.norm(x) > 0, x / gc.norm(x), 0.0), [0, 0], [0, 0]
    ),
    Edge("hypot", lambda x: gc.hypot(x[0], x[1]), [0, 0], [0, 0], None),
]
POWER = [
    Edge("x**0", lambda x: x**0, [0, 2], [0, 0]),
    Edge("x**1", lambda x: x**1, [0, 2], [1, 1]),
    Edge("x**2", lambda x: x**2, [0, 2], [0, 4], [2, 2]),
    Edge("x*x", lambda x: x * x, [0, 2], [0, 4], [2, 2]),
    Edge("x**2.0", lambda x: x**2.0, [-3, 0], [-6, 0], [2, 2]),
    Edge("x**3", lambda x: x**3, [-1, 0, 2], [3, 0, 12], [-6, 0, 12]),
    Edge("x**-1", lambda x: x**-1, [2], [-0.25], [0.25]),
    Edge("x**y by both, y = 1", lambda x: x[0] ** x[1], [0, 1], [1, 0], None),
    Edge("x**y by both, y = 2", lambda x: x[0] ** x[1], [0, 2], [0, 0], None),
    Edge("x**y by both, y = 0", lambda x: gc.power(x[0], x[1]) * 0.0, [0, 0], [0, 0]),
    Edge("0**y by y", lambda x: gc.power(vector(x, [0, 0, 0]), x), [0.5, 1, 2], [0, 0, 0]),
    Edge("1**y by y", lambda x: gc.power(vector(x, [1, 1]), x), [0, 2], [0, 0]),
]
LOG_RECIPROCAL = [
    Edge("log", gc.log, [0, 2], [INF, 0.5], None),
    Edge("1/x at 0", lambda x: 1 / x, [0.0, 2], [-INF, -0.25], None),
    Edge("reciprocal", gc.reciprocal, [0.0, 2], [-INF, -0.25], None),
    Edge("log times 0", lambda x: gc.log(x) * vector(x, [0, 1]), [0, 2], [0, 0.5], [0, -0.25]),
    Edge("log, one element read", lambda x: gc.log(x)[1], [0, 2], [0, 0.5], [0, -0.25]),
    Edge("1/x, one element read", lambda x: (1 / x)[1], [0, 2], [0, -0.25], [0, 0.25]),
    Edge("1/x times 0", lambda x: (1 / x) * vector(x, [0, 1]), [0, 2], [0, -0.25], [0, 0.25]),
    Edge("log1p", lambda x: gc.log1p(x)[1], [-1, 1], [0, 0.5], [0, -0.25]),
]
WHERE = [
    Edge(
        "log not taken",
        lambda x: gc.where(x > 0, gc.log(x), 0.0),
        [-1, 0, 2],
        [0, 0, 0.5],
        [0, 0, -0.25],
    ),
    Edge(
        "sqrt not taken",
        lambda x: gc.where(x > 0, gc.sqrt(x), x * x),
        [-1, 0, 4],
        [-2, 0, 0.25],
        [2, 2, -1 / 32],
    ),
    Edge("1/x not taken", lambda x: gc.where(x == 0, 1.0, 1 / x), [0, 2], [0, -0.25], [0, 0.25]),
    Edge(
        "exp not taken",
        lambda x: gc.where(x > 0, x, gc.exp(x)),
        [1e4, -1],
        [1, np.exp(-1)],
        [0, np.exp(-1)],
    ),
    Edge("a nan not taken", lambda x: gc.where(x > 0, x, x * NAN), [1, 2], [1, 1]),
    Edge("x**x not taken", lambda x: gc.where(x > 0, x, x ** (x - 1)), [1, 2], [1, 1]),
    Edge("of a chosen scalar", lambda x: gc.where(x[0] > 0, gc.log(x[0]), x[1]), [0, 3], [0, 1]),
    Edge(
        "(d**.5)[d > 0]",
        lambda d: gc.sum(gc.where(d > 0, d, 1.0) ** 0.5 * (d > 0)),
        [0, 4],
        [0, 0.25],
        [0, -1 / 32],
    ),
    Edge(
        "sqrt behind the mask",
        lambda d: gc.where(d > 0, d**0.5, 0.0),
        [0, 4],
        [0, 0.25],
        [0, -1 / 32],
    ),
    Edge(
        "a norm behind the mask",
        lambda d: gc.where(d > 0, d / gc.sqrt(gc.sum(d * d)), 0.0),
        [0, 0],
        [0, 0],
    ),
    Edge(
        "log not taken, of a chain",
        lambda x: gc.where(x > 0, gc.log(gc.sqrt(x)), x),
        [0, 1],
        [1, 0.5],
        [0, -0.5],
    ),
]
PROD_CUMPROD = [
    Edge("prod, one zero", gc.prod, [2, 0, 3], [0, 6, 0], [3, 5, 2]),
    Edge("prod, two zeros", gc.prod, [0, 0, 3], [0, 0, 0], [3, 3, 0]),
    Edge("prod, three zeros", gc.prod, [0, 0, 0], [0, 0, 0]),
    Edge(
        "prod of rows", lambda x: gc.prod(rows(x), axis=1), [0, 5, 2, 3], [5, 0, 3, 2], [1, 1, 1, 1]
    ),
    Edge("cumprod, one zero", gc.cumprod, [2, 0, 3], [1, 8, 0], [4, 6, 2]),
    Edge("cumprod, two zeros", gc.cumprod, [0, 0, 3], [1, 0, 0], [4, 4, 0]),
]
STD_VAR = [
    Edge("std of a constant", gc.std, [2, 2, 2], [0, 0, 0]),
    Edge(
        "std of rows, one constant",
        lambda x: gc.std(rows(x), axis=1),
        [2, 2, 1, 3],
        [0, 0, -0.5, 0.5],
    ),
    Edge("var of a constant", gc.var, [2, 2, 2], [0, 0, 0]),
    Edge("std of one element", gc.std, [2], [0]),
]
LOGSUMEXP = [
    Edge("all -inf", gc.logsumexp, [-INF, -INF], [0, 0]),
    Edge("one -inf", gc.logsumexp, [0, -INF, 0], [0.5, 0, 0.5]),
    Edge(
        "rows, one all -inf",
        lambda x: gc.logsumexp(rows(x), axis=1),
        [-INF, -INF, 0, 0],
        [0, 0, 0.5, 0.5],
    ),
    Edge(
        "masked by where",
        lambda x: gc.logsumexp(gc.where(x > 0, x, -INF)),
        [-1, 2, 2],
        [0, 0.5, 0.5],
    ),
    Edge("all masked by where", lambda x: gc.logsumexp(gc.where(x > 9, x, -INF)), [1, 2], [0, 0]),
    Edge(
        "softmax, masked",
        lambda x: gc.softmax(gc.where(x > 0, x, -INF))[1],
        [-1, 2, 2],
        [0, 0.25, -0.25],
    ),
    Edge(
        "log_softmax, masked",
        lambda x: gc.log_softmax(gc.where(x > 0, x, -INF))[1],
        [-1, 2, 2],
        [0, 0.5, -0.5],
    ),
    Edge("logaddexp, one -inf", lambda x: gc.logaddexp(x[0], x[1]), [-INF, 1], [0, 1]),
]
SOFTPLUS = [
    Edge("softplus", gc.softplus, [0], [0.5], [0.25]),
    Edge("log_sigmoid", gc.log_sigmoid, [0], [0.5], [-0.25]),
    Edge("log(1 + exp(x))", lambda x: gc.log(1 + gc.exp(x)), [0], [0.5], [0.25]),
]
STEPS = [
    Edge("floor", gc.floor, [0.5, 1], [0, 0]),
    Edge("ceil", gc.ceil, [0.5, 1], [0, 0]),
    Edge("round", gc.round, [0.5, 1], [0, 0]),
    Edge("trunc", gc.trunc, [-0.5, 1], [0, 0]),
    Edge("x*floor(x)", lambda x: x * gc.floor(x), [1.5, 2], [1, 2]),
    Edge("a comparison as a factor", lambda x: (x > 1) * x, [0.5, 1, 2], [0, 0, 1]),
    Edge("argmax as an index", lambda x: x[gc.argmax(x)] ** 2, [1, 3, 3], [0, 6, 0], [0, 2, 0]),
    Edge("stop_gradient", lambda x: x * gc.stop_gradient(x), [3], [3]),
]

#: The line of the table, and its cases.
CONVENTIONS = {
    "relu, hard tanh, clip": RELU_HARDTANH_CLIP,
    "abs, sign": ABS_SIGN,
    "maximum, minimum": MAXIMUM_MINIMUM,
    "max, min, max-pool": MAX_MIN,
    "sqrt": SQRT,
    "norm, x/‖x‖": NORM,
    "pow": POWER,
    "log, 1/x": LOG_RECIPROCAL,
    "where": WHERE,
    "prod, cumprod": PROD_CUMPROD,
    "std, var": STD_VAR,
    "logsumexp": LOGSUMEXP,
    "softplus, log_sigmoid": SOFTPLUS,
    "floor, round, comparisons, argmax": STEPS,
}

# -- Gradients: what has gone wrong elsewhere ----------------------------------------------------

BROADCASTING = [
    Edge("one tensor as both operands", lambda x: x @ x, [1, 2], [2, 4], [2, 2]),
    Edge(
        "both operands of a matmul",
        lambda x: rows(x) @ rows(x),
        [1, 2, 3, 4],
        [7, 11, 9, 13],
        [4, 4, 4, 4],
    ),
    Edge("x - x", lambda x: x - x, [1, 2], [0, 0]),
    Edge("x/x", lambda x: x / x, [1, 2], [0, 0]),
    Edge("fan-out", lambda x: x + x * x + gc.sum(x) * x, [1, 2], [9, 11], [6, 6]),
    Edge(
        "repeated indices", lambda x: gc.take(x, np.array([0, 0, 1])) ** 2, [1, 2], [4, 4], [4, 2]
    ),
    Edge("leading axis", lambda x: gc.broadcast_to(x, (3, 2)) ** 2, [1, 2], [6, 12], [6, 6]),
    Edge(
        "trailing axis", lambda x: gc.broadcast_to(x[:, None], (2, 3)) ** 2, [1, 2], [6, 12], [6, 6]
    ),
    Edge("size-1 axis", lambda x: x[:1] * x, [1, 2], [4, 1], [3, 1]),
    Edge(
        "negative axis",
        lambda x: gc.sum(rows(x), axis=-1) ** 2,
        [1, 2, 3, 4],
        [6, 6, 14, 14],
        [4, 4, 4, 4],
    ),
    Edge(
        "keepdims", lambda x: rows(x) - gc.mean(rows(x), -1, keepdims=True), [1, 2, 3, 4], [0] * 4
    ),
    Edge("unused elements", lambda x: x[:1] * 3.0, [1, 2], [3, 0]),
]


# -- how each is run -----------------------------------------------------------------------------


def run(graph: Graph, of: str, wrt: list[str], way: str, feed: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs and gradients, by the reference or by compiled code."""
    feed = {name: value for name, value in feed.items() if name in graph.inputs}
    if way == "reference":
        return dict(gc.interpret(graph.gradient(of, wrt), **feed))
    return dict(gc.compile(graph, gradient_of=of, wrt=wrt, style=way)(**feed))


def derivatives(edge: Edge, dtype: str, way: str) -> list[np.ndarray]:
    """Return the first derivative and, where it is declared, the second."""
    x = gc.input("x", (len(edge.at),), dtype=dtype)
    feed = {"x": np.array(edge.at, dtype)}
    total = gc.sum(edge.function(x))
    found = [run(gc.graph({"y": total}, name="edge"), "y", ["x"], way, feed)["d_y_d_x"]]
    if edge.second is not None:
        (slope,) = gc.grad(total, [x])
        slopes = gc.graph({"slope": gc.sum(slope)}, name="edge")
        is_constant = "x" not in slopes.inputs
        second = np.zeros(len(edge.at), dtype)
        found.append(
            second if is_constant else run(slopes, "slope", ["x"], way, feed)["d_slope_d_x"]
        )
    return found


def agree(got: np.ndarray, expected: list[float], dtype: str) -> None:
    assert got.dtype == dtype
    np.testing.assert_allclose(got, np.array(expected), rtol=TOLERANCE[dtype], atol=0)


def check(edge: Edge, dtype: str, way: str) -> None:
    found = derivatives(edge, dtype, way)
    agree(found[0], edge.first, dtype)
    if edge.second is not None:
        agree(found[1], edge.second or [0.0] * len(edge.at), dtype)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "edge",
    [
        pytest.param(edge, id=f"{line} | {edge.name}")
        for line, edges in CONVENTIONS.items()
        for edge in edges
    ],
)
def test_convention(edge: Edge, dtype: str, way: str) -> None:
    check(edge, dtype, way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("edge", BROADCASTING, ids=lambda edge: edge.name)
def test_sums_over_every_use(edge: Edge, dtype: str, way: str) -> None:
    check(edge, dtype, way)
