"""NumPy's own functions on nodes: same values as on arrays, or a clear refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from comparing import assert_like_numpy, leaf

from graphc.build.functions import ARRAY_FUNCTIONS
from graphc.build.graphs import input
from graphc.errors import GraphError

A = np.arange(12, dtype=np.float64).reshape(3, 4) / 7 - 0.5

CALLS: list[Callable[[Any], Any]] = [
    np.exp,
    np.tanh,
    np.sqrt,
    np.absolute,
    np.sign,
    np.floor,
    np.arctan,
    np.isnan,
    np.reciprocal,
    np.sum,
    np.mean,
    np.max,
    np.amin,
    np.argmax,
    np.cumsum,
    np.ravel,
    np.transpose,
    np.zeros_like,
    np.linalg.norm,
    lambda a: np.add(a, 1.5),
    lambda a: np.maximum(0, a),
    lambda a: np.float32(2) * a,
    lambda a: A @ a.T,
    lambda a: np.ones(4) + a,
    lambda a: np.matmul(a, a.T),
    lambda a: np.sum(a, 0),
    lambda a: np.sum(a, axis=(0, 1), keepdims=True),
    lambda a: np.sum(a, 1, None, None, True),
    lambda a: np.mean(a, axis=-1, dtype=np.float32),
    lambda a: np.std(a, axis=0, ddof=1),
    lambda a: np.linalg.norm(a, axis=1, keepdims=True),
    lambda a: np.linalg.norm(a, 1, 0),
    lambda a: np.linalg.inv(a[:, :3] + np.eye(3)),
    lambda a: np.linalg.det(a[:, :3] + np.eye(3)),
    lambda a: np.linalg.slogdet(a[:, :3] + np.eye(3))[1],
    lambda a: np.linalg.slogdet(a[:, :3] + np.eye(3)).sign,
    lambda a: np.linalg.solve(a[:, :3] + np.eye(3), b=a[:, 3]),
    lambda a: np.linalg.cholesky(a @ a.T + np.eye(3)),
    lambda a: np.linalg.cholesky(a @ a.T + np.eye(3), upper=True),
    np.sort,
    lambda a: np.sort(a, 0),
    lambda a: np.sort(a, axis=None),
    lambda a: np.argsort(a, kind="stable"),
    lambda a: np.searchsorted(a=np.arange(3.0), v=a),
    lambda a: np.where(a > 0, a, 0.0),
    lambda a: np.concatenate([a, a], axis=1),
    lambda a: np.concatenate((a, A)),
    lambda a: np.stack([a, a], 1),
    lambda a: np.split(a, 2, axis=1),
    lambda a: np.clip(a, -0.1, 0.5),
    lambda a: np.clip(a, a_min=None, a_max=0.5),
    lambda a: np.einsum("ij,kj->ik", a, a),
    lambda a: np.tensordot(a, a, axes=([0], [0])),
    lambda a: np.dot(a, a.T),
    lambda a: np.outer(a, [1.0, 2.0]),
    lambda a: np.reshape(a, (4, 3)),
    lambda a: np.moveaxis(a, 0, 1),
    lambda a: np.expand_dims(a, axis=0),
    lambda a: np.broadcast_to(a, (2, 3, 4)),
    lambda a: np.pad(a, ((1, 0), (0, 2)), constant_values=2.0),
    lambda a: np.roll(a, 1, axis=0),
    lambda a: np.take(a, [1, 0], axis=0),
    lambda a: np.take_along_axis(a, np.array([[1], [0], [2]]), axis=1),
    lambda a: np.round(a, 1),
    lambda a: np.tril(a, k=1),
    lambda a: np.full_like(a, 2),
    lambda a: np.add.reduce(a),
    lambda a: np.multiply.reduce(a, axis=1, keepdims=True),
    lambda a: np.maximum.reduce(a, axis=None),
    lambda a: np.add.accumulate(a, axis=1),
    lambda a: np.subtract.outer(a, [1.0, 2.0]),
    lambda a: np.logical_and(a > 0, a < 1) | np.invert(a > 0),
    lambda a: np.add(a, a, dtype=np.float64),
    lambda a: np.permute_dims(a, (1, 0)),
    lambda a: np.concat([a, a]),
]


@pytest.mark.parametrize("call", CALLS, ids=range(len(CALLS)))
def test_numpy_functions_build_nodes(call: Callable[[Any], Any]) -> None:
    assert_like_numpy(call, call, A, tolerance=1e-7)


METHODS: list[Callable[[Any], Any]] = [
    lambda a: a.sum(axis=1, keepdims=True),
    lambda a: a.mean(),
    lambda a: a.max(0),
    lambda a: a.min(axis=-1),
    lambda a: a.std(ddof=1),
    lambda a: a.argmax(1),
    lambda a: (a > 0).any(1),
    lambda a: (a > 0).all(),
    lambda a: a.cumsum(0),
    lambda a: a.reshape(2, -1),
    lambda a: a.reshape((6, 2)),
    lambda a: a.transpose(1, 0),
    lambda a: a.transpose(),
    lambda a: a.T.mT,
    lambda a: a.ravel(),
    lambda a: a.flatten(),
    lambda a: a[None].squeeze(0),
    lambda a: a.swapaxes(0, 1),
    lambda a: a.repeat(2, axis=1),
    lambda a: a[:, :3].trace(),
    lambda a: a.astype(np.float32),
    lambda a: a.round(1),
    lambda a: a.dot(a.T),
    lambda a: a.take([0, 1], axis=1),
    lambda a: a.clip(-0.1, 0.1),
    lambda a: a.prod(axis=0),
]


@pytest.mark.parametrize("call", METHODS, ids=range(len(METHODS)))
def test_methods_are_numpys(call: Callable[[Any], Any]) -> None:
    assert_like_numpy(call, call, A, tolerance=1e-12)


def test_facts_of_a_node_need_no_numbers() -> None:
    x = input("x", (3, 4))
    assert np.shape(x) == (3, 4) and np.ndim(x) == 2 and np.size(x) == 12
    assert np.result_type(x, np.float64) == np.float64


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (np.cbrt, "np.cbrt is not available"),
    (np.linalg.svd, r"np\.linalg\.svd is not available[\s\S]*pass an input"),
    (np.median, r"np\.median is not available[\s\S]*gc\.sort"),
    (np.linalg.trace, "not available"),  # other axes than np.trace
    (np.fft.fft, "not available"),
    (lambda x: np.add(x, 1, out=np.zeros((3, 4))), "never written into"),
    (lambda x: np.sum(x, out=np.zeros(())), "never written into"),
    (lambda x: np.add(x, 1, where=np.ones((3, 4), bool)), "never written into"),
    (lambda x: np.sum(x, where=np.ones((3, 4), bool)), "never written into"),
    (np.divide.reduce, r"np\.divide\.reduce"),
    (lambda x: np.add.at(np.zeros(3), [0], x), r"np\.add\.at"),
    (lambda x: np.pad(x, 1, mode="wrap"), "mode 'wrap'"),
    (lambda x: np.asarray(x), "has no numbers yet"),
    (lambda x: float(x), "has no numbers yet"),
    (lambda x: bool(x > 0), "no truth value"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=range(len(REFUSED)))
def test_what_graphs_do_not_have_is_refused(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        call(leaf(A))


def test_in_place_arithmetic_on_arrays_is_refused() -> None:
    total = np.zeros((3, 4))
    with pytest.raises(GraphError, match="write y = y \\+ x"):
        total += leaf(A)


def test_refusals_offer_what_does_the_same() -> None:
    with pytest.raises(GraphError, match=r"gc\.isnan"):
        np.nanmean(leaf(A))


def test_refusals_offer_what_means_the_same_and_not_what_sounds_alike() -> None:
    with pytest.raises(GraphError, match=r"fix       np\.concatenate joins along the first axis"):
        np.vstack([leaf(A), leaf(A)])
    with pytest.raises(GraphError, match=r"fix       np\.round"):
        np.rint(leaf(A))


def test_the_array_namespace_has_what_the_standard_wants() -> None:
    namespace = input("x", (3,)).__array_namespace__(api_version="2024.12")
    for name in ("exp", "sum", "matmul", "permute_dims", "concat", "astype", "pi", "float32"):
        assert hasattr(namespace, name), name
    assert namespace.exp is ARRAY_FUNCTIONS["exp"]
