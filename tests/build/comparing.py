"""Compare what a function builds with what NumPy computes from the same arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.build.graphs import input
from graphc.ir.node import Node
from graphc.run.reference import evaluate


def leaf(array: np.ndarray, name: str = "x", symbolic: bool = False) -> Node:
    """Return an input that can hold the array; its dims are named where `symbolic`."""
    shape = [f"{name}_{i}" for i in range(array.ndim)] if symbolic else list(array.shape)
    return input(name, tuple(shape), array.dtype)


def value_of(node: Node, env: dict[Node, np.ndarray], **kwargs: Any) -> np.ndarray:
    return evaluate([node], env, **kwargs)[node]


def built(function: Callable[..., Any], *arrays: np.ndarray, symbolic: bool = False) -> Any:
    """Return the value (or the values) of what `function` builds over inputs of these arrays."""
    leaves = [leaf(a, f"x{i}", symbolic) for i, a in enumerate(arrays)]
    result = function(*leaves)
    env = dict(zip(leaves, arrays, strict=True))
    if isinstance(result, (list, tuple)):
        values = evaluate(result, env)
        return [values[node] for node in result]
    return value_of(result, env)


def assert_same(got: Any, wanted: Any, tolerance: float = 0.0) -> None:
    """Assert equal shape, dtype and (nearly) equal values."""
    if isinstance(wanted, (list, tuple)):
        assert len(got) == len(wanted)
        for g, w in zip(got, wanted, strict=True):
            assert_same(g, w, tolerance)
        return
    wanted = np.asarray(wanted)
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def assert_like_numpy(
    ours: Callable[..., Any],
    numpys: Callable[..., Any],
    *arrays: np.ndarray,
    tolerance: float = 0.0,
    symbolic: bool = False,
) -> None:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is nan
        wanted = numpys(*arrays)
        got = built(ours, *arrays, symbolic=symbolic)
    assert_same(got, wanted, tolerance)
