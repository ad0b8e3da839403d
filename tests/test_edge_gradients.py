"""What every derivative is at kinks, ties, poles and infinities: the table of conventions.

Each line of the table is a case here, in the same order: in float32 and float64, at first and
second order, by the reference interpreter and by compiled code in both styles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from edges import TOLERANCE, WAYS, Edge, check, derivatives, rows, run, vector

import graphc as gc
from graphc.ir.node import Node

INF, NAN = np.inf, np.nan
pytestmark = pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")

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
    Edge("norm by a product", lambda x: gc.sqrt(x @ x), [0, 0], [0, 0], None),
    Edge("norm by einsum", lambda x: gc.einsum("i,i->", x, x) ** 0.5, [0, 0], [0, 0], None),
    Edge("norms by vecdot", lambda x: gc.sqrt(gc.vecdot(rows(x), rows(x))), [0, 0], [0, 0], None),
    Edge("norm squared", lambda x: gc.norm(x) ** 2, [0, 0], [0, 0], None),
    Edge(
        "x/‖x‖ where it is", lambda x: gc.where(gc.norm(x) > 0, x / gc.norm(x), 0.0), [0, 0], [0, 0]
    ),
    Edge("x/‖x‖", gc.normalize, [0, 0], [0, 0]),
    Edge(
        "x/‖x‖ of rows",
        lambda x: gc.normalize(rows(x), axis=1),
        [0, 0, 3, 4],
        [0, 0, 0.032, -0.024],
        None,
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
    Edge("logaddexp, both -inf", lambda x: gc.logaddexp(x[0], x[1]), [-INF, -INF], [0, 0]),
    Edge("logaddexp, two masks", lambda x: gc.logaddexp(x[0], x[1]), [-3e38, -3e38], [0.5, 0.5]),
    Edge("far below 0", lambda x: gc.logaddexp(x[0], x[1]), [-1e30, -1e30], [0.5, 0.5], [0, 0]),
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


# -- each of them --------------------------------------------------------------------------------


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


def test_corners_agree_between_ops() -> None:
    """What is one op for the compiler after rewriting was one convention before: maximum is ½."""
    forms: dict[str, tuple[Callable[[Node], Node], float]] = {
        "relu(x)": (gc.relu, 0.0),
        "where(x > 0, x, 0)": (lambda x: gc.where(x > 0, x, 0.0), 0.0),
        "x*(x > 0)": (lambda x: x * (x > 0), 0.0),
        "maximum(x, 0)": (lambda x: gc.maximum(x, 0.0), 0.5),
        "maximum(0, x)": (lambda x: gc.maximum(0.0, x), 0.5),
        "-minimum(-x, 0)": (lambda x: -gc.minimum(-x, 0.0), 0.5),
        "(x + abs(x))/2": (lambda x: (x + gc.abs(x)) / 2, 0.5),
        "clip(x, 0, 1)": (lambda x: gc.clip(x, 0.0, 1.0), 1.0),
    }
    for name, (function, slope) in forms.items():
        for way in WAYS:
            (first, *_) = derivatives(Edge(name, function, [0], [slope], None), "float64", way)
            assert first == [slope], f"{name} by {way}"


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_integer_or_bool_wrt(dtype: str) -> None:
    n, x = gc.input("n", (2,), dtype=dtype), gc.input("x", (2,), dtype="float64")
    y = gc.sum(gc.astype(n, "float64") * x)
    short = {"int32": "i32", "int64": "i64", "bool": "bool"}[dtype]
    with pytest.raises(gc.GraphError, match=rf"integer or bool(.|\n)*n: {short}\[2\]"):
        gc.grad(y, [n])
    with pytest.raises(gc.GraphError, match=rf"integer or bool(.|\n)*n: {short}\[2\]"):
        gc.compile(gc.graph({"y": y}), gradient_of="y", wrt=["x", "n"])


@pytest.mark.parametrize("way", WAYS)
def test_what_is_cut_leaves_the_rest_of_the_gradient(way: str) -> None:
    """Comparisons and argmax cut: the gradient through them is 0, of the right shape."""
    x = gc.input("x", (3,), dtype="float64")
    z = gc.input("z", (3,), dtype="float64")
    y = gc.sum(z * (x > 0)) + gc.sum(gc.one_hot(gc.argmax(x), 3) * z)
    feed = {"x": np.array([-1.0, 2, 5]), "z": np.array([10.0, 20, 30])}
    found = run(gc.graph({"y": y}), "y", ["x", "z"], way, feed)
    np.testing.assert_array_equal(found["d_y_d_x"], [0, 0, 0])
    np.testing.assert_array_equal(found["d_y_d_z"], [0, 1, 2])


# -- higher orders -------------------------------------------------------------------------------

THIRD: dict[str, tuple[Callable[[Node], Node], float, float]] = {
    "x**2 at 0": (lambda x: x**2, 0.0, 0.0),
    "x*x at 0": (lambda x: x * x, 0.0, 0.0),
    "x**3 at 0": (lambda x: x**3, 0.0, 6.0),
    "x*x*x at 0": (lambda x: x * x * x, 0.0, 6.0),
    "where around log": (lambda x: gc.where(x > 0, gc.log(x), x**3), 0.0, 6.0),
    "where around log, taken": (lambda x: gc.where(x > 0, gc.log(x), x**3), 2.0, 0.25),
    "where around sqrt": (lambda x: gc.where(x > 0, gc.sqrt(x), x**3), 0.0, 6.0),
    "where around 1/x": (lambda x: gc.where(x == 0, x**3, 1 / x), 0.0, 6.0),
    "prod at 0": (lambda x: gc.prod(gc.broadcast_to(x, (3,))), 0.0, 6.0),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", THIRD)
def test_third_derivative(name: str, dtype: str, way: str) -> None:
    function, at, expected = THIRD[name]
    x = gc.input("x", (), dtype=dtype)
    y = function(x)
    for _ in range(2):
        (y,) = gc.grad(y, [x])
    graph = gc.graph({"y": y})
    found = (
        run(graph, "y", ["x"], way, {"x": np.array(at, dtype)})["d_y_d_x"] if graph.inputs else 0
    )
    assert float(found) == pytest.approx(expected, rel=TOLERANCE[dtype], abs=0)


# -- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "function",
    [
        lambda x: gc.sum(x * x),
        lambda x: gc.sum(gc.relu(x)),
        lambda x: gc.sum(gc.softmax(x, axis=1)),
        lambda x: gc.sum(gc.logsumexp(x, axis=1)),
        lambda x: gc.sum(gc.max(x, axis=1)),
        lambda x: gc.sum(gc.cumprod(x, axis=1)),
        lambda x: gc.sum(gc.norm(x, axis=1)),
        lambda x: gc.prod(x),
        lambda x: gc.sum(gc.std(x, axis=1)),
        lambda x: gc.norm(x),
    ],
    ids=[
        "square",
        "relu",
        "softmax",
        "logsumexp",
        "max",
        "cumprod",
        "norms",
        "prod",
        "std",
        "norm",
    ],
)
def test_empty_arrays(function: Callable[[Node], Node], way: str) -> None:
    x = gc.input("x", ("N", 3), dtype="float64")
    graph = gc.graph({"y": function(x)})
    found = run(graph, "y", ["x"], way, {"x": np.zeros((0, 3))})
    assert found["d_y_d_x"].shape == (0, 3)
    assert float(found["y"]) == (1.0 if function(x).op.name == "prod" else 0.0)


@pytest.mark.parametrize("way", WAYS)
def test_zero_dimensional_arrays(way: str) -> None:
    x = gc.input("x", (), dtype="float64")
    y = gc.sum(x) * gc.max(x) + gc.exp(gc.reshape(x, (1,)))[0] + gc.norm(x) + gc.prod(x)
    found = run(gc.graph({"y": y}), "y", ["x"], way, {"x": np.array(2.0)})
    assert np.shape(found["d_y_d_x"]) == ()
    assert float(found["d_y_d_x"]) == pytest.approx(4 + np.exp(2) + 1 + 1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_unused_inputs_get_zeros_of_their_shape(dtype: str, way: str) -> None:
    x = gc.input("x", (2,), dtype=dtype)
    u = gc.input("u", ("N", 3), dtype=dtype)
    graph = gc.graph({"y": gc.sum(x * x), "u2": u * 2})
    feed = {"x": np.ones(2, dtype), "u": np.ones((4, 3), dtype)}
    found = run(graph, "y", ["x", "u"], way, feed)
    assert found["d_y_d_u"].dtype == dtype
    np.testing.assert_array_equal(found["d_y_d_u"], np.zeros((4, 3)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_reciprocal_that_nothing_reaches_has_a_zero_gradient(dtype: str, way: str) -> None:
    x, w = (gc.input(name, (2,), dtype=dtype) for name in "xw")
    feed = {"x": np.array([0.0, 2.0], dtype), "w": np.array([0.0, 3.0], dtype)}
    for y in (w * (1 / x), w * gc.reciprocal(x), w * x**-1, w * (1 / gc.square(x))):
        with np.errstate(all="ignore"):
            found = run(gc.graph({"y": gc.sum(y)}), "y", ["x"], way, feed)
        np.testing.assert_allclose(found["d_y_d_x"], [0, -0.75], rtol=1e-6)
