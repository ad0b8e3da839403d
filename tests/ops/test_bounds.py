"""What an op says of the interval that its values lie in is true of them."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from graphc.differentiate.bounds import BoundsOf
from graphc.ir.bounds import UNBOUNDED, Bounds
from graphc.ir.node import Node
from graphc.ir.op import Arg, Case
from graphc.ops import OPS
from graphc.ops.leaf import constant, input_
from graphc.run.reference import evaluate

CASES = [
    pytest.param(name, case, id=f"{name}-{i}")
    for name, op in OPS.items()
    for i, case in enumerate(op.cases)
    if not op.is_random
]


def held(arg: Arg, name: str) -> tuple[Node, Node]:
    """Return an input, and the node that holds it inside the interval that an argument names."""
    x = input_(name, arg.shape, arg.dtype)
    if not arg.dtype.startswith("float"):
        return x, x
    return x, OPS["minimum"](OPS["maximum"](x, arg.low), arg.high + arg.diagonal)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_values_lie_in_their_bounds(name: str, case: Case) -> None:
    pairs = [held(arg, f"x{i}") for i, arg in enumerate(case.args)]
    node = OPS[name](*[operand for _, operand in pairs], **case.kwargs)
    bounds = BoundsOf()(node)
    slack = 1e-12
    for seed in range(3):
        rng = np.random.default_rng(seed)
        point = {x: arg.draw(rng) for (x, _), arg in zip(pairs, case.args, strict=True)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no elements
            values = evaluate([node], point, sizes={})[node].astype(float)
        values = values[~np.isnan(values)]
        assert (values >= bounds.low - slack).all() and (values <= bounds.high + slack).all()
        assert not bounds.nonzero or (values != 0).all()
        assert bounds.pole or bounds.steep or np.isfinite(values).all()


@pytest.mark.parametrize(
    ("name", "kwargs", "expected"),
    [
        ("exp", {}, (math.exp(-1), math.exp(2))),
        ("tanh", {}, (math.tanh(-1), math.tanh(2))),
        ("abs", {}, (0, 2)),
        ("square", {}, (0, 4)),
        ("softmax", {}, (0, 1)),
        ("mean", {}, (-1, 2)),
        ("max", {}, (-1, 2)),
        ("std", {}, (0, math.inf)),
        ("sum", {}, (-math.inf, math.inf)),
        ("pad", {"widths": 1, "value": 5.0}, (-1, 5)),
        ("gather", {}, (-1, 2)),
        ("reshape", {"shape": -1}, (-1, 2)),
    ],
)
def test_bounds_are_narrow_where_they_can_be(
    name: str, kwargs: dict[str, object], expected: tuple[float, float]
) -> None:
    _, x = held(Arg((3,), low=-1.0, high=2.0), "x")
    operands = [x, constant([0, 2])] if name == "gather" else [x]
    bounds = BoundsOf()(OPS[name](*operands, **kwargs))
    assert (bounds.low, bounds.high) == pytest.approx(expected)


def test_zero_and_poles() -> None:
    x = input_("x", (3,), "float64")
    find = BoundsOf()
    assert not find(OPS["add"](OPS["exp"](x), 1.0)).may_be_zero
    assert find(OPS["exp"](x)).may_be_zero  # exp underflows
    assert find(OPS["divide"](1.0, x)).pole
    assert not find(OPS["divide"](1.0, OPS["add"](OPS["multiply"](x, x), 1.0))).pole
    assert find(OPS["multiply"](x, x)).low == 0
    assert find(x) == UNBOUNDED == Bounds()


def test_what_replaces_a_zero_is_none() -> None:
    """x where it is not 0, else c: never 0 if c is not, whatever else x may be."""
    x = input_("x", (3,), "float64")
    is_zero = OPS["equal"](x, 0.0)
    find = BoundsOf()
    assert not find(OPS["where"](is_zero, math.inf, x)).may_be_zero
    assert find(OPS["where"](is_zero, 0.0, x)).may_be_zero
    assert find(OPS["where"](is_zero, x, math.inf)).may_be_zero
    assert find(OPS["where"](OPS["equal"](x, 1.0), 2.0, x)).may_be_zero
