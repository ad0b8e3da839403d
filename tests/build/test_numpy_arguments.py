"""Numbers that NumPy computed, as settings of layers and ops: they mean what Python's mean."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc

F, I = np.float64, np.int64  # noqa: E741  # what they are called where arrays are typed


def x() -> gc.Node:
    return gc.input("x", ("N", 4))


def images() -> gc.Node:
    return gc.input("images", ("N", 4, 6, 6))


#: The call with NumPy's numbers, and the same with Python's.
PAIRS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "var": (lambda: gc.var(x(), axis=1, correction=I(1)), lambda: gc.var(x(), axis=1, ddof=1)),
    "std": (lambda: gc.std(x(), axis=1, ddof=I(1)), lambda: gc.std(x(), axis=1, ddof=1)),
    "leaky_relu": (lambda: gc.leaky_relu(x(), F(0.1)), lambda: gc.leaky_relu(x(), 0.1)),
    "elu": (lambda: gc.elu(x(), F(0.5)), lambda: gc.elu(x(), 0.5)),
    "l1": (lambda: gc.nn.l1(x(), F(0.1)), lambda: gc.nn.l1(x(), 0.1)),
    "l2": (lambda: gc.nn.l2(x(), F(0.1)), lambda: gc.nn.l2(x(), 0.1)),
    "huber": (
        lambda: gc.nn.huber(x(), 0.0, delta=np.float32(1.5)),
        lambda: gc.nn.huber(x(), 0.0, delta=1.5),
    ),
    "dropout": (lambda: gc.nn.dropout(x(), F(0.5)), lambda: gc.nn.dropout(x(), 0.5)),
    "layer_norm": (
        lambda: gc.nn.layer_norm(x(), eps=np.float32(0.5), affine=False),
        lambda: gc.nn.layer_norm(x(), eps=0.5, affine=False),
    ),
    "batch_norm": (
        lambda: gc.nn.batch_norm(x(), eps=F(1e-3), momentum=F(0.2), name="n"),
        lambda: gc.nn.batch_norm(x(), eps=1e-3, momentum=0.2, name="n"),
    ),
    "local_response_norm": (
        lambda: gc.nn.local_response_norm(images(), I(3), alpha=F(0.5)),
        lambda: gc.nn.local_response_norm(images(), 3, alpha=0.5),
    ),
    "max_pool2d": (
        lambda: gc.nn.max_pool2d(images(), np.array([3, 3]), stride=I(2)),
        lambda: gc.nn.max_pool2d(images(), (3, 3), stride=2),
    ),
    "input": (lambda: 2 * gc.input("q", np.array([2, 3])), lambda: 2 * gc.input("q", (2, 3))),
    "reshape": (
        lambda: images().reshape(np.array([-1, 144])),
        lambda: images().reshape((-1, 144)),
    ),
    "zeros": (lambda: x()[0] + gc.zeros(np.array([3, 4])), lambda: x()[0] + gc.zeros((3, 4))),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_setting_of_numpys_means_what_pythons_means(name: str) -> None:
    of_numpy, of_python = PAIRS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        g = gc.graph({"y": of_numpy()})
    assert g == gc.graph({"y": of_python()})
    assert g.outputs["y"].dtype == np.float32
    assert gc.parse(str(g)) == g
    gc.compile(g)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "dropout": (lambda: gc.nn.dropout(x(), "a"), "dropout: the rate is the share"),
    "random_bernoulli": (lambda: gc.random_bernoulli(0.5, (3,)), "p of random_bernoulli must be"),
    "random_normal": (lambda: gc.random_normal((3,), scale="a"), "scale of random_normal must be"),
    "var": (lambda: gc.var(x(), ddof="a"), "var: ddof is a number"),
    "full": (lambda: gc.full((3,), "a"), "full takes a number, or a dim"),
    "bias": (lambda: gc.nn.dense(x(), 3, bias=False), r"bias is no node[\s\S]*use_bias=False"),
    "weight": (lambda: gc.nn.dense(x(), 3, weight=np.ones((4, 3))), "weight is no node"),
    "activation": (lambda: gc.nn.dense(x(), 3, activation=3), "an activation is a function"),
    "penalty": (lambda: gc.nn.l2(3), "a penalty is of one or several nodes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_setting_that_is_none_is_refused(name: str) -> None:
    made, message = WRONG[name]
    with pytest.raises(gc.GraphError, match=message):
        made()
