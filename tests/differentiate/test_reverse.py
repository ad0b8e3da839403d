"""The reverse sweep: what it accumulates, what it guards, how it names, how fast it is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from evaluation import evaluate, variable

from graphc.build import functions as gf
from graphc.differentiate.gradient import grad
from graphc.differentiate.sweeps.forward import tangents
from graphc.differentiate.sweeps.reverse import cotangents
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, scope
from graphc.ir.walk import topological
from graphc.ops import OPS
from graphc.ops.leaf import fill

INF = float("inf")
NAN = float("nan")


def gradient_at(function: Callable[[Node], Node], at: object, order: int = 1) -> np.ndarray:
    """Return the gradient of the function's sum at a point; of that gradient's sum; and so on."""
    value = np.asarray(at, float)
    x = variable("x", value)
    node = function(x)
    for _ in range(order):
        (node,) = grad(node if not node.shape else OPS["sum"](node), [x])
    return evaluate([node], {"x": value})[0]


def ops_of(nodes: list[Node]) -> Counter[str]:
    return Counter(n.op.name for n in topological(nodes) if n.provenance.phase == BACKWARD)


# -- accumulation --------------------------------------------------------------------------------


def test_fan_out_adds_up() -> None:
    def f(x: Node) -> Node:
        return OPS["sin"](x) + x * x + OPS["exp"](x) + x

    np.testing.assert_allclose(
        gradient_at(f, [0.3, -1.0]), np.cos([0.3, -1]) + [0.6, -2] + np.exp([0.3, -1]) + 1
    )


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x * x, [4.0, -6.0]),
        (lambda x: x + x, [2.0, 2.0]),
        (lambda x: x - x, [0.0, 0.0]),
        (lambda x: x / x, [0.0, 0.0]),
        (lambda x: gf.matmul(x, x), [4.0, -6.0]),
        (lambda x: OPS["concat"](x, x), [2.0, 2.0]),
        (lambda x: OPS["maximum"](x, x), [1.0, 1.0]),
        (lambda x: OPS["where"](OPS["greater"](x, 0.0), x, x), [1.0, 1.0]),
    ],
)
def test_one_tensor_as_both_operands(
    function: Callable[[Node], Node], expected: list[float]
) -> None:
    np.testing.assert_allclose(gradient_at(function, [2.0, -3.0]), expected)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 4), (4,)),
        ((3, 4), (3, 1)),
        ((3, 4), ()),
        ((2, 3, 4), (1, 4)),
        ((1, 4), (3, 1)),
        ((0, 4), (4,)),
    ],
)
def test_broadcasting_sums_over_what_was_repeated(
    left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    values = {"a": rng.normal(size=left), "b": rng.normal(size=right)}
    a, b = (variable(name, value) for name, value in values.items())
    da, db = evaluate(grad(OPS["sum"](a * b), [a, b]), values)
    whole = np.broadcast_shapes(left, right)

    def summed(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        value = np.broadcast_to(value, whole)
        value = value.sum(axis=tuple(range(len(whole) - len(shape))))
        return (
            value.sum(axis=tuple(i for i, d in enumerate(shape) if d == 1), keepdims=True)
            if shape
            else value
        )

    np.testing.assert_allclose(da, summed(values["b"], left).reshape(left))
    np.testing.assert_allclose(db, summed(values["a"], right).reshape(right))


def test_repeated_gather_indices_accumulate() -> None:
    index = np.array([[0, 0], [2, 0]])
    np.testing.assert_array_equal(
        gradient_at(lambda x: OPS["gather"](x, index), np.zeros(3)), [3, 0, 1]
    )


def test_several_outputs_with_their_own_seeds() -> None:
    x = variable("x", np.zeros(2))
    outputs = [OPS["exp"](x), x * 3.0]
    seeds = [fill(2.0, (2,), x.dtype), fill(5.0, (2,), x.dtype)]
    (total,) = cotangents(outputs, seeds, [x])
    assert total is not None
    np.testing.assert_array_equal(evaluate([total], {"x": np.zeros(2)})[0], [17.0, 17.0])


def test_an_inner_node_and_its_operand_both_get_theirs() -> None:
    x = variable("x", np.array(0.5))
    h = OPS["sin"](x)
    dh, dx = evaluate(grad(h * h, [h, x]), {"x": np.array(0.5)})
    assert dh == pytest.approx(2 * np.sin(0.5))
    assert dx == pytest.approx(2 * np.sin(0.5) * np.cos(0.5))


@pytest.mark.parametrize("name", ["argmax", "floor", "stop_gradient", "round"])
def test_what_cuts_the_gradient_gives_none(name: str) -> None:
    x = variable("x", np.ones(3))
    node = OPS["cast"](OPS[name](x), "float64") * 2.0
    assert cotangents([OPS["sum"](node)], [fill(1.0, (), x.dtype)], [x]) == [None]


# -- zeros, infinities and branches --------------------------------------------------------------


def divided(x: Node) -> Node:
    return OPS["where"](x == 0.0, 1.0, 1.0 / x)


GUARDED: list[tuple[str, Callable[[Node], Node], list[float], list[float], list[float]]] = [
    ("log", lambda x: gf.where(x > 0, gf.log(x), 0.0), [-1, 0, 2], [0, 0, 0.5], [0, 0, -0.25]),
    ("1/x", divided, [0, 2], [0, -0.25], [0, 0.25]),
    ("exp", lambda x: gf.where(x < 9, gf.exp(x), 0.0), [0, 1e4], [1, 0], [1, 0]),
    ("nan", lambda x: gf.where(gf.isnan(x), 0.0, x * x), [NAN, 3], [0, 6], [0, 2]),
    (
        "nan, reshaped",
        lambda x: gf.where(gf.isnan(x), 0.0, gf.reshape(x * x, (2,))),
        [NAN, 3],
        [0, 6],
        [0, 2],
    ),
    (
        "textbook softplus",
        lambda x: gf.where(x > 20, x, gf.log(1 + gf.exp(x))),
        [1e4, 0],
        [1, 0.5],
        [0, 0.25],
    ),
    (
        "two masks",
        lambda x: gf.where(x > -1, gf.where(x > 0, gf.sqrt(x), 0.0), x),
        [0, 4, -2],
        [0, 0.25, 1],
        [0, -1 / 32, 0],
    ),
    (
        "mask, then slice",
        lambda x: gf.where(x > 0, gf.sqrt(x), 0.0)[1:],
        [0, 0, 4],
        [0, 0, 0.25],
        [0, 0, -1 / 32],
    ),
    ("root of a slice", lambda x: gf.sqrt(x)[1:], [0, 4], [0, 0.25], [0, -1 / 32]),
    ("root of relu", lambda x: gf.sqrt(gf.relu(x)), [-1, 4], [0, 0.25], [0, -1 / 32]),
    ("norm of relu", lambda x: gf.sqrt(gf.sum(gf.relu(x) ** 2)), [-1, 0], [0, 0], None),
    ("quotient read in part", lambda x: (1.0 / x)[1], [0, 2], [0, -0.25], [0, 0.25]),
    ("relu of log", lambda x: gf.relu(gf.log(x)), [0, 2], [0, 0.5], [0, -0.25]),
    ("power through exp", lambda x: gf.exp(3 * gf.log(x)), [0, 1], [0, 3], None),
    ("hypot", lambda x: gf.hypot(x, 0.0 * x), [0, 2], [0, 1], None),
    ("root mean square", lambda x: gf.sqrt(gf.mean(x**2)), [0, 0], [0, 0], None),
    ("distance", lambda x: gf.sqrt(gf.sum((x - x[0]) ** 2)), [3, 3], [0, 0], None),
]


@pytest.mark.parametrize(
    ("function", "at", "first", "second"),
    [row[1:] for row in GUARDED],
    ids=[row[0] for row in GUARDED],
)
def test_a_zero_never_becomes_nan(
    function: Callable[[Node], Node],
    at: list[float],
    first: list[float],
    second: list[float] | None,
) -> None:
    np.testing.assert_allclose(gradient_at(function, at), first, rtol=1e-12)
    if second is not None:
        np.testing.assert_allclose(gradient_at(function, at, order=2), second, rtol=1e-12)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (lambda x: x**2, 0),
        (lambda x: x**3, 6),
        (lambda x: x * x * x, 6),
        (lambda x: gf.square(x) * x, 6),
    ],
)
def test_third_derivative_at_zero(function: Callable[[Node], Node], value: float) -> None:
    np.testing.assert_array_equal(gradient_at(function, [0.0, 2.0], order=3), [value, value])


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_a_variable_exponent_is_exact_at_zero(exponent: float) -> None:
    values = {"x": np.array(0.0), "n": np.array(exponent)}
    x, n = (variable(name, value) for name, value in values.items())
    node, expected = OPS["power"](x, n), 1.0
    for order in range(1, 4):
        (node,) = grad(node, [x])
        expected *= exponent - order + 1
        assert evaluate([node], values)[0] == (expected if order == exponent else 0.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: gf.tanh(x) ** 2,
        lambda x: gf.log(1 + gf.exp(x)),
        lambda x: x / (1 + x * x),
        lambda x: x / (gf.var(x) + 1e-5),
        lambda x: x / gf.sqrt(gf.mean(x * x) + 1e-5),
        lambda x: gf.sqrt(x * x + 1e-9) * x,
        lambda x: gf.relu(x) * gf.softplus(x),
        lambda x: (x - 3.0) / 7.0,
        lambda x: gf.log(x),
        lambda x: gf.log_softmax(x),
        lambda x: gf.logsumexp(x) * gf.sigmoid(x),
    ],
)
def test_no_guard_where_none_is_needed(function: Callable[[Node], Node]) -> None:
    x = OPS["input"]("x", ("N", 4), "float32")
    built = ops_of(grad(OPS["mean"](function(x)), [x]))
    assert not [name for name in built if "no_nan" in name], built


@pytest.mark.parametrize(
    "function", [lambda x: gf.sqrt(x) * x, lambda x: gf.log(x)[0], lambda x: gf.sqrt(gf.sum(x * x))]
)
def test_a_guard_where_one_is_needed(function: Callable[[Node], Node]) -> None:
    x = OPS["input"]("x", ("N", 4), "float32")
    built = ops_of(grad(OPS["mean"](function(x)), [x]))
    assert [name for name in built if "no_nan" in name]


# -- what is built -------------------------------------------------------------------------------


def mlp() -> tuple[Node, list[Node]]:
    x, t = OPS["input"]("x", ("N", 4)), OPS["input"]("t", ("N", 2))
    W = OPS["param"]("W", (4, 2))
    with scope("hidden"):
        b = OPS["param"]("b", (2,))
        h = OPS["tanh"](gf.matmul(x, W) + b).named("h")
    return OPS["mean"](OPS["square"](h - t)).named("loss"), [W, b]


def test_adjoints_carry_name_scope_phase_and_note() -> None:
    loss, params = mlp()
    dW, db = grad(loss, params)
    assert (dW.name, db.name) == ("d_W", "d_b")
    assert db.provenance.scope == "hidden"
    named = {n.name: n for n in topological([dW, db]) if n.name}
    d_h = named["d_h"]
    assert d_h.provenance.phase == BACKWARD
    assert d_h.provenance.origin.note == "adjoint of h"
    assert d_h.provenance.origin.file == __file__


def test_a_name_makes_no_second_node() -> None:
    loss, params = mlp()
    nodes = [n for n in topological(grad(loss, params)) if n.provenance.phase == BACKWARD]
    keys = Counter((n.op.name, n.inputs, n.attrs, n.type) for n in nodes if n.inputs)
    assert max(keys.values()) == 1


def test_sums_pass_the_cotangent_on() -> None:
    x = OPS["input"]("x", (3,))
    y = OPS["input"]("y", (3,))
    built = ops_of(grad(OPS["sum"](OPS["tanh"]((x + y) - 2.0)), [x]))
    assert built["multiply"] == 1  # the partial of tanh times 1 is not a product
    assert not built["negative"]


def test_gradient_of_a_gradient_is_the_tangent_of_the_tangent() -> None:
    for name in ("tanh", "softplus", "log_sigmoid", "sigmoid", "silu"):
        for at in (-50.0, -20.0, 0.0, 20.0, 50.0):
            x = variable("x", np.array(at))
            y = OPS[name](x)
            one = fill(1.0, (), x.dtype)
            (slope,) = tangents([y], [x], [one])
            assert slope is not None
            (curvature,) = tangents([slope], [x], [one])
            (reverse,) = grad(grad(y, [x])[0], [x])
            assert curvature is not None
            a, b = evaluate([curvature, reverse], {"x": np.array(at)})
            assert a == pytest.approx(float(b), rel=1e-12, abs=0), (name, at)


# -- size ----------------------------------------------------------------------------------------


def seconds_for(chain: int) -> float:
    x = OPS["input"]("x", (3,))
    node = x
    for _ in range(chain):
        node = OPS["tanh"](node)
    total = OPS["sum"](node)
    start = time.process_time()
    (derivative,) = grad(total, [x])
    assert derivative.shape == (3,)
    return time.process_time() - start


def test_a_long_chain_takes_linear_time() -> None:
    seconds_for(100)  # SymPy is imported
    short, long = seconds_for(1_000), seconds_for(10_000)
    assert long < 40 * short


def test_a_wide_fan_out() -> None:
    x = variable("x", np.array([0.5]))
    total = OPS["sin"](x)
    for _ in range(9_999):
        total = total + OPS["sin"](x)
    (derivative,) = evaluate(grad(OPS["sum"](total), [x]), {"x": np.array([0.5])})
    np.testing.assert_allclose(derivative, [10_000 * np.cos(0.5)])


def test_a_long_chain_of_linearized_ops_takes_linear_time() -> None:
    def seconds(chain: int) -> float:
        x = OPS["input"]("x", (3,))
        node = x
        for _ in range(chain):
            node = OPS["logsumexp"](node, keepdims=True) + x
        start = time.process_time()
        grad(OPS["sum"](node), [x])
        return time.process_time() - start

    seconds(20)
    short, long = seconds(300), seconds(3_000)
    assert long < 40 * short
