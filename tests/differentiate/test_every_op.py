"""Every op that claims a derivative has the right one, at first and second order."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation import central_difference, evaluate, total, variable

from graphc.differentiate.gradient import grad
from graphc.differentiate.sweeps.reverse import cotangents
from graphc.ir.node import Node
from graphc.ir.op import Case
from graphc.ops import OPS
from graphc.ops.leaf import fill

CASES = [
    pytest.param(name, case, id=f"{name}-{i}")
    for name, op in OPS.items()
    for i, case in enumerate(op.cases)
    if case.differentiable and any(arg.dtype == "float64" for arg in case.args)
]


def call(name: str, case: Case, seed: int) -> tuple[Node, list[Node], dict[str, np.ndarray]]:
    """Return the op's node on fresh inputs, its float inputs, and values for all inputs."""
    rng = np.random.default_rng(seed)
    values = {f"x{i}": arg.draw(rng) for i, arg in enumerate(case.args)}
    inputs = [variable(key, value) for key, value in values.items()]
    node = OPS[name](*inputs, **case.kwargs)
    return node, [x for x in inputs if x.dtype.kind == "f"], values


@pytest.mark.parametrize(("name", "case"), CASES)
def test_first_derivative(name: str, case: Case) -> None:
    node, wrt, values = call(name, case, 1)
    loss = total(node)
    for x, derivative in zip(wrt, grad(loss, wrt), strict=True):
        key = x.attrs["name"]
        expected = central_difference(
            lambda v, key=key: float(evaluate([loss], {**values, key: v})[0]), values[key]
        )
        (actual,) = evaluate([derivative], values)
        np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=2e-7, err_msg=key)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_second_derivative(name: str, case: Case) -> None:
    node, wrt, values = call(name, case, 2)
    first = [total(g) for g in grad(total(node), wrt)]
    slope = first[0]
    for part in first[1:]:
        slope = OPS["add"](slope, part)
    second = cotangents([slope], [fill(1.0, (), slope.dtype)], wrt)
    for x, derivative in zip(wrt, second, strict=True):
        key = x.attrs["name"]
        expected = central_difference(
            lambda v, key=key: float(evaluate([slope], {**values, key: v})[0]), values[key]
        )
        actual = (
            np.zeros_like(expected) if derivative is None else evaluate([derivative], values)[0]
        )
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-6, err_msg=key)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "case"), CASES)
def test_gradient_keeps_shape_and_dtype(name: str, case: Case, dtype: str) -> None:
    inputs = [
        OPS["input"](f"x{i}", a.shape, dtype if a.dtype == "float64" else a.dtype)
        for i, a in enumerate(case.args)
    ]
    node = OPS[name](*inputs, **case.kwargs)
    wrt = [x for x in inputs if x.dtype.kind == "f"]
    for x, derivative in zip(wrt, grad(total(node), wrt), strict=True):
        assert derivative.type == x.type
