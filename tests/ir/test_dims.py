"""What may stand in a shape: whole numbers, names and expressions of dims, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.ir.dims import as_dim, dim_text

N = gc.dim("N")


@pytest.mark.parametrize(
    "value, text", [(3, "3"), (np.int64(3), "3"), ("N", "N"), (N, "N"), (2 * N + 1, "2*N + 1")]
)
def test_dims(value: object, text: str) -> None:
    assert dim_text(as_dim(value)) == text


TRUTHS: dict[str, Callable[[], object]] = {
    "input": lambda: gc.input("x", (True, 3)),
    "param": lambda: gc.param("W", True),
    "of NumPy": lambda: gc.input("x", (np.True_, 3)),
    "layer": lambda: gc.nn.dense(gc.input("x", ("N", 3)), True),
    "reshape": lambda: gc.reshape(gc.input("x", ("N", 3)), (False, -1)),
    "comparison": lambda: gc.input("x", (N > 2, 3)),
    "comparisons": lambda: gc.input("x", ((N > 2) & (N < 5), 3)),
}


@pytest.mark.parametrize("call", TRUTHS.values(), ids=TRUTHS)
def test_a_truth_value_is_no_dim(call: Callable[[], object]) -> None:
    with pytest.raises(
        GraphError, match=r"not a dimension\n +where .*\n +got +.*(True|False|N).* of type"
    ):
        call()
