"""`gc.grad` of nodes is of the stable form, as every other derivative is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

BINARY: dict[str, Callable[[Node, Node], Node]] = {
    "log of sigmoid": lambda z, y: (
        -(y * gc.log(1 / (1 + gc.exp(-z))) + (1 - y) * gc.log(1 - 1 / (1 + gc.exp(-z))))
    ),
    "softplus typed out": lambda z, y: gc.log(1 + gc.exp(z)) - y * z,
    "signed": lambda z, y: gc.log(1 + gc.exp(-(2 * y - 1) * z)),
}


@pytest.mark.parametrize("level", [2, 3])
@pytest.mark.parametrize("name", BINARY)
def test_textbook_cross_entropy_at_large_logits(name: str, level: int) -> None:
    z, y = gc.input("z", ("N",)), gc.input("y", ("N",))
    (dz,) = gc.grad(gc.sum(BINARY[name](z, y)), [z])
    found = gc.compile(gc.graph({"dz": dz}), optimize=level)(
        z=np.array([-1e4, -200, 0, 200, 1e4]), y=np.array([1.0, 0, 1, 0, 1])
    )
    np.testing.assert_allclose(found["dz"], [-1, 0, -0.5, 1, 0], atol=1e-30)


def test_textbook_softmax_by_parameters_and_by_what_lies_between() -> None:
    x, y = gc.input("x", ("N", 4)), gc.input("y", ("N",), dtype="int64")
    W, b = gc.param("W", (4, 3)), gc.param("b", (3,))
    z = x @ W + b
    p = gc.exp(z) / gc.exp(z).sum(axis=1, keepdims=True)
    loss = -gc.log(gc.take_along_axis(p, y[:, None], axis=1)).mean()
    dW, db, dz = gc.grad(loss, [W, b, z])
    state = {"W": np.ones((4, 3), np.float32) * [[100, 0, -100]], "b": np.zeros(3)}
    state = {name: value.astype(np.float32) for name, value in state.items()}
    f = gc.compile(gc.graph({"loss": loss, "dW": dW, "db": db, "dz": dz}))
    found = f(state, x=np.ones((2, 4)), y=[2, 0])
    np.testing.assert_array_equal(found["dz"], [[0.5, 0, -0.5], [0, 0, 0]])
    np.testing.assert_array_equal(found["db"], [0.5, 0, -0.5])
    np.testing.assert_array_equal(found["dW"], np.tile([0.5, 0, -0.5], (4, 1)))


def test_derivatives_of_derivatives_keep_their_digits() -> None:
    x = gc.input("x", (), dtype="float64")
    first = gc.grad(gc.log(1 + gc.exp(x)), [x])[0]
    second = gc.grad(first, [x])[0]
    third = gc.grad(second, [x])[0]
    f = gc.compile(gc.graph({"second": second, "third": third}))
    small = np.exp(-40.0)
    for at, sign in ((40.0, -1), (-40.0, 1)):
        found = f(x=at)
        assert found["second"] == pytest.approx(small, rel=1e-12)
        assert found["third"] == pytest.approx(sign * small, rel=1e-12)


def test_as_written_it_is_the_chain_rule_of_the_formula() -> None:
    x = gc.input("x", (), dtype="float64")
    y = gc.log(1 + gc.exp(x))
    stable, written = gc.grad(y, [x])[0], gc.grad(y, [x], stabilize=False)[0]
    ops = {node.op.name for node in gc.graph({"d": written}).nodes}
    assert "divide" in ops and "sigmoid" not in ops
    for node, expected in ((stable, 1.0), (written, np.nan)):
        with np.errstate(over="ignore", invalid="ignore"):
            assert gc.interpret(gc.graph({"d": node}), x=1e4)["d"] == pytest.approx(
                expected, nan_ok=True
            )


def test_a_value_in_between_is_derived_by_as_it_stands() -> None:
    x = gc.input("x", (3,), dtype="float64")
    e = gc.exp(x)
    total = gc.sum(e)
    by_total, by_e, by_x = gc.grad(gc.log(total), [total, e, x])
    f = gc.compile(gc.graph({"total": by_total, "e": by_e, "x": by_x}))
    at = np.array([0.0, 1.0, 2.0])
    found = f(x=at)
    whole = np.exp(at).sum()
    np.testing.assert_allclose(found["total"], 1 / whole, rtol=1e-14)
    np.testing.assert_allclose(found["e"], np.full(3, 1 / whole), rtol=1e-14)
    np.testing.assert_allclose(found["x"], np.exp(at) / whole, rtol=1e-14)


def test_the_second_derivative_of_what_is_linear_is_zero() -> None:
    x, a = gc.input("x", (3,), "float64"), gc.input("a", (3,), "float64")
    (slope,) = gc.grad(gc.sum(a * x), [x])
    (curvature,) = gc.grad(gc.sum(slope), [x])  # which `x` has no part in any more
    assert not gc.interpret(gc.graph({"y": curvature}))["y"].any()


def test_derivatives_of_any_order_of_a_polynomial() -> None:
    """From the third on they are numbers, and so are theirs."""
    x = gc.input("x", (), "float64")
    values, node = [], x**2
    for _ in range(5):
        (node,) = gc.grad(node, [x])
        values.append(float(gc.interpret(gc.graph({"d": node, "x": x + 0}), x=0.0)["d"]))
    assert values == [0, 2, 0, 0, 0]
