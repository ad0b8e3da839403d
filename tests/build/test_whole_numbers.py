"""How many: what a call counts by is a whole number, NumPy's too, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError

X = gc.input("x", ("N", 4, 6))
S = gc.input("s", (5, "N", 4))


def _layer(kind: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda layers: kind(S, 3, layers=layers)[1].type


CALLS: dict[str, Callable[[Any], Any]] = {
    "diff": lambda n: gc.diff(X, n=n).type,
    "split": lambda n: [part.type for part in gc.split(X, n, axis=1)],
    "tensordot": lambda n: gc.tensordot(S, X, n).type if n == 1 else gc.tensordot(X, X, n).type,
    "group_norm": lambda n: gc.nn.group_norm(X, n).type,
    "rnn": _layer(gc.nn.rnn),
    "lstm": _layer(gc.nn.lstm),
    "gru": _layer(gc.nn.gru),
    "bidirectional": lambda layers: gc.nn.bidirectional(gc.nn.gru, S, 3, layers=layers)[1].type,
}


@pytest.mark.parametrize("name", [name for name in CALLS if name != "tensordot"])
def test_a_count_of_numpys_is_as_good_as_pythons(name: str) -> None:
    assert CALLS[name](np.int64(2)) == CALLS[name](2)


def test_a_count_of_axes_may_be_numpys() -> None:
    a, b = gc.input("a", ("N", 3, 4)), gc.input("b", (4, 2))
    assert gc.tensordot(a, b, np.int64(1)).type == gc.tensordot(a, b, 1).type


@pytest.mark.parametrize("name", [*CALLS])
@pytest.mark.parametrize("count", [-1, 2.7, "2", True, None], ids=repr)
def test_what_counts_nothing_is_one_clear_error(name: str, count: Any) -> None:
    with pytest.raises(GraphError, match=name) as error:
        CALLS[name](count)
    assert str(count) in str(error.value)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "bidirectional"])
def test_a_stack_has_at_least_one_layer(name: str) -> None:
    with pytest.raises(GraphError, match=rf"layers of {name} .*at least 1[\s\S]*layers=0"):
        CALLS[name](0)


def test_no_difference_is_the_array_itself() -> None:
    assert gc.diff(X, n=0) is X


@pytest.mark.parametrize(
    "axes, words",
    [
        ((1, 2, 3), "pairs"),
        (([1, 2], [1]), "pairs"),
        (([1, 1], [1, 1]), "twice"),
        (1.5, "tensordot"),
        ("ab", "tensordot"),
    ],
)
def test_axes_that_are_none_are_one_clear_error(axes: Any, words: str) -> None:
    with pytest.raises(GraphError, match=words):
        gc.tensordot(X, X, axes)
    assert gc.tensordot(X, X, np.array([[1], [1]])).type == gc.tensordot(X, X, ([1], [1])).type
