"""What stands beside a node: NumPy's float64 is no weak number, and is told where it widens."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphWarning

X = gc.input("x", (3,))
LOG = np.log(2 * np.pi)


@pytest.mark.parametrize(
    "build",
    [
        lambda: 0.5 * LOG + X,
        lambda: X / LOG,
        lambda: np.sqrt(2) * X,
        lambda: gc.maximum(X, np.float64(0)),
        lambda: gc.where(X > 0, X, LOG),
        lambda: gc.clip(X, -1.0, LOG),
        lambda: X * np.array(0.5),
    ],
)
def test_a_float64_number_beside_float32_is_told(build: Callable[[], Any]) -> None:
    with pytest.warns(GraphWarning, match=r"to stay in float32, make it Python's: float\(…\)") as w:
        y = build()
    assert y.dtype == np.float64 and "test_operands.py" in str(w[0].message)


def test_a_float64_array_beside_float32_is_told() -> None:
    with pytest.warns(GraphWarning, match="array of NumPy's gives float64.*astype") as found:
        assert (X + np.ones(3)).dtype == np.float64
    assert found[0].filename == __file__


def test_what_widens_nothing_is_not_told() -> None:
    z = gc.input("z", (3,), "float64")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (X + float(LOG)).dtype == (X + np.float32(2)).dtype == np.float32
        assert (z + LOG).dtype == (z * X * LOG).dtype == np.float64
        assert (X > LOG).dtype == bool  # a comparison computes nothing in float64


def test_the_results_of_a_loop_are_no_operand_and_how_to_take_one_is_said() -> None:
    sequence = gc.input("sequence", ("T", 3))
    results = gc.scan(lambda h, x: h + x, init=gc.zeros(3), xs=sequence)
    with pytest.raises(gc.GraphError, match="a tuple of 1 value") as told:
        gc.tanh(results)
    assert told.value.fix == "unpack it: write x, = …, or take x[0]"
    assert "test_operands.py" in str(told.value.where)
    with pytest.raises(gc.GraphError, match="a list of 2 values") as told:
        gc.tanh([X, X])
    assert told.value.fix == "take one of them, x[0], or join them: gc.stack(x), gc.concat(x)"


@pytest.mark.parametrize(
    ("dtype", "number", "fix"),
    [("int32", 10**10, "cast the other operand to int64"), ("int64", -(10**22), "make it a float")],
)
def test_an_integer_that_its_type_cannot_hold_is_an_error(
    dtype: str, number: int, fix: str
) -> None:
    x = gc.input("x", ("N",), dtype=dtype)
    with pytest.raises(gc.GraphError, match=f"does not fit {dtype}(.|\n)*{number}(.|\n)*{fix}"):
        x + number
    with pytest.raises(gc.GraphError, match=f"<text>:2:5: a number does not fit {dtype}"):
        gc.parse(f"x: input({dtype.replace('int', 'i')}, N)\ny = x * {number}\noutput(y)")


def test_what_is_computed_from_a_mask_of_numbers_takes_the_dtype_of_what_it_meets() -> None:
    x, mask = gc.input("x", ("N", 4)), gc.input("mask", ("N", 4), dtype="bool")
    m = gc.where(mask, 1.0, 0.0)
    met = [m * x, (1 - m) * x, m.sum(axis=1, keepdims=True) * x, m[:, :1] * x, gc.exp(m) * x]
    assert [y.dtype.name for y in met] == ["float32"] * 5
    mean = gc.graph({"y": (x * m).sum() / m.sum()})
    at = {"x": np.arange(8.0).reshape(2, 4), "mask": np.arange(8).reshape(2, 4) % 3 == 0}
    got = gc.compile(mean)(**at)["y"]
    assert got.dtype == np.float32 and got == 3
    with pytest.warns(gc.GraphWarning, match="int64 gives float64"):
        counted = gc.where(mask, 1, 0).sum() * x
    wide = (gc.full((4,), 2.0, dtype="float64") + 1) * x
    assert [y.dtype.name for y in (m, counted, wide)] == ["float64"] * 3


def test_the_sum_of_python_begins_with_its_first_node() -> None:
    weights = [gc.param(name, (3,)) for name in "uvw"]
    total = gc.graph({"total": sum(gc.sum(w**2) for w in weights)})
    assert "total: f32 = sum(u**2) + sum(v**2) + sum(w**2)" in str(total)
    flag = gc.input("flag", (), "bool")
    assert (0 + flag).dtype == np.int64
    assert gc.graph({"y": 0.0 + weights[0]}).outputs["y"].op.name == "add"
