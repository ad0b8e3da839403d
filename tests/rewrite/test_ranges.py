"""What an op says of the range of its values is true of them, infinities and NaN among them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node
from graphc.ir.op import Arg, Case
from graphc.ir.ranges import Range
from graphc.ops import OPS
from graphc.ops.leaf import input_
from graphc.rewrite.engine.facts import Facts
from graphc.run.reference import evaluate

CASES = [
    pytest.param(name, case, id=f"{name}-{i}")
    for name, op in OPS.items()
    for i, case in enumerate(op.cases)
    if not op.is_random
]
#: Numbers in whose neighbourhood functions turn, are cut or overflow.
EDGES = np.array(
    [-np.inf, -1e300, -800.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 800.0, 1e300, np.inf]
)


def drawn(arg: Arg, rng: np.random.Generator) -> np.ndarray:
    """Return an array of all edges or some neighbours; what is no float is as the case has it."""
    if not arg.dtype.startswith("float"):
        return arg.draw(rng)
    start, stop = np.sort(rng.choice(len(EDGES) + 1, 2, replace=False))
    return rng.choice(EDGES if rng.random() < 0.2 else EDGES[start:stop], arg.shape)


def range_of_array(array: np.ndarray) -> Range:
    return Range(float(array.min()), float(array.max()), nan=False) if array.size else Range()


@pytest.mark.parametrize(("name", "case"), CASES)
def test_values_lie_in_their_range(name: str, case: Case) -> None:
    inputs: list[Node] = [input_(f"x{i}", a.shape, a.dtype) for i, a in enumerate(case.args)]
    node = OPS[name](*inputs, **case.kwargs)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        point = {x: drawn(arg, rng) for x, arg in zip(inputs, case.args, strict=True)}
        facts = Facts()
        facts.range.known |= {x: range_of_array(array) for x, array in point.items()}
        found = facts.range(node)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no elements
            try:
                values = evaluate([node], point, sizes={})[node].astype(float)
            except np.linalg.LinAlgError:
                continue  # a matrix without an answer has no values either
        assert found.nan or not np.isnan(values).any()
        numbers = values[~np.isnan(values)]
        slack = 1e-12 * np.abs(numbers[np.isfinite(numbers)]).max(initial=1.0)
        assert (numbers >= found.low - slack).all() and (numbers <= found.high + slack).all()


def test_a_mean_of_both_infinities_is_not_taken_for_a_number() -> None:
    x = gc.input("x", ("N",), dtype="float64")
    mean = gc.mean(gc.where(x > 0, np.inf, -np.inf))
    graph = gc.graph({"y": gc.tanh(mean) * 0.0})
    with np.errstate(invalid="ignore"):
        assert np.isnan(gc.compile(graph)(x=[1.0, -1.0])["y"])


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize(
    ("function", "number"),
    [
        (gc.abs, gc.dim("N") - 5),
        (gc.relu, gc.dim("N") / 2 - 4),
        (lambda x: gc.maximum(x, 1.0), 1 / gc.dim("N")),
    ],
)
def test_numbers_made_from_dims_may_be_negative_or_small(
    function: Callable[[Node], Node], number: Any, style: str
) -> None:
    x = gc.input("x", ("N",))
    graph = gc.graph({"y": function(x * 0 + number)})
    got = gc.compile(graph, style=style)(x=np.zeros(3))["y"]
    np.testing.assert_array_equal(got, gc.interpret(graph, x=np.zeros(3))["y"])
