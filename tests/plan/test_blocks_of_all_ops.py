"""Every pointwise op and its derivative are right in blocks, whether NumPy writes into arrays."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise

UNARY = sorted(n for n, op in OPS.items() if isinstance(op, Pointwise) and len(op.args) == 1)
#: Derivatives that are 0 leave too few calls for blocks.
STEPS = {"ceil", "floor", "round", "sign", "stop_gradient", "trunc"}


def wave(y: gc.Node) -> gc.Node:
    return gc.sin(gc.tanh(y * 0.5) + gc.cos(y)) * y


@pytest.mark.parametrize("is_long", [False, True])
@pytest.mark.parametrize("name", [n for n in UNARY if n != "cast"])
def test_values_and_derivatives_in_blocks(name: str, is_long: bool) -> None:
    op = OPS[name]
    assert isinstance(op, Pointwise)
    x = gc.input("x", ("N", 3), dtype="float64")
    y = op(x)
    if y.dtype.kind != "f":
        pytest.skip("a truth value has no derivative")
    graph = gc.graph({"loss": gc.sum(wave(y) if is_long else y)})
    point = np.random.default_rng(0).uniform(*op.domain[0], (7, 3))
    f = gc.compile(graph, gradient_of="loss", wrt=["x"], style="fast")
    assert "in_blocks(" in f.source or not is_long or name in STEPS
    found = f(x=point)  # first: memory that nobody fills must not hold the right answer
    expected = gc.interpret(graph.gradient("loss", wrt=["x"]), x=point)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-9, atol=1e-12)
