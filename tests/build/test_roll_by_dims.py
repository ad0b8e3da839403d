"""Rolling by a number of rows that is made from named dims."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.dims import evaluate

N = gc.dim("N")


@pytest.mark.parametrize("shift", [N // 2, N + 3, -(2 * N), N - 1])
def test_rows_leave_at_one_end_and_enter_at_the_other(shift: Any) -> None:
    rolled = gc.compile(gc.graph({"y": gc.roll(gc.input("x", (N, 2)), shift, axis=0)}))
    for size in (1, 4, 5):
        x = np.arange(2.0 * size, dtype=np.float32).reshape(size, 2)
        wanted = np.roll(x, evaluate(shift, {"N": size}), axis=0)
        np.testing.assert_array_equal(rolled(x=x)["y"], wanted)
