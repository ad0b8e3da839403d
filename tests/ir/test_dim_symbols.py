"""The symbol of a dim: SymPy's in all that SymPy does, and graphc's words for a missing number."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gc

N = gc.dim("N")
PLAIN = sympy.Symbol("N", integer=True, positive=True)
X = gc.input("x", ("N", 3))

NUMBERS: list[tuple[Callable[[], Any], str]] = [
    (lambda: range(X.shape[0]), "gc.arange(N)"),
    (lambda: [0] * X.shape[0], "gc.zeros(N)"),
    (lambda: [1, 2][X.shape[0]], "gc.arange(N)"),
    (lambda: np.zeros(X.shape), "gc.zeros(N)"),
    (lambda: int(X.shape[0]), "gc.scan"),
    (lambda: float(X.shape[0]), "gc.sqrt(N)"),
    (lambda: math.sqrt(X.shape[0]), "gc.sqrt(N)"),
    (lambda: np.log(X.shape[0]), "gc.log(N)"),
]


@pytest.mark.parametrize(("call", "fix"), NUMBERS)
def test_a_dim_that_is_to_be_a_number_says_that_it_has_none(
    call: Callable[[], Any], fix: str
) -> None:
    with pytest.raises(gc.GraphError, match="the dim N has no number yet") as told:
        call()
    assert isinstance(told.value, TypeError)  # as Python's own, which SymPy and NumPy expect
    assert told.value.where is not None and "test_dim_symbols.py" in told.value.where
    assert fix in (told.value.fix or "")


def test_the_root_of_a_dim_is_a_weak_number() -> None:
    y = X / np.sqrt(X.shape[0])
    assert y.dtype == np.float32
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    graph = gc.graph({"y": y})
    assert gc.parse(str(graph)) == graph
    np.testing.assert_allclose(gc.compile(graph)(x=x)["y"], x / np.sqrt(2), rtol=1e-6)


def test_a_dim_is_equal_to_the_symbol_of_sympy() -> None:
    assert N == PLAIN and PLAIN == N and hash(N) == hash(PLAIN) and len({N, PLAIN}) == 1
    assert 2 * N == 2 * PLAIN and hash(N**2) == hash(PLAIN**2) and N - PLAIN == 0
    assert N != 4 and sympy.Symbol("N") != N and gc.dim("M") != N
    assert (2 * N + 1).subs(PLAIN, 3) == (2 * PLAIN + 1).subs(N, 3) == 7
    assert gc.graph({"y": X.sum()}).cost().flops.subs({PLAIN: 4}).is_Integer
    assert sympy.srepr(N) == sympy.srepr(PLAIN) and str(N + 1) == "N + 1"


def test_a_dim_travels() -> None:
    for again in (pickle.loads(pickle.dumps(2 * N)), copy.deepcopy(2 * N)):
        assert again == 2 * N
        assert again.free_symbols == {N}
    with pytest.raises(gc.GraphError):
        int(pickle.loads(pickle.dumps(N)))
