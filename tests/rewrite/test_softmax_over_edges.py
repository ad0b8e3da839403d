"""Softmax over the edges that meet in a node, typed by hand, is as stable as along an axis."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

TO = np.array([0, 2, 0, 1, 2, 2])
#: No edge meets node 3.
NODES = 4
EXTREMES = [
    [0.3, -1.2, 0.5, 2.0, 1.1, -0.4],
    [100.0, -200.0, 99.0, 1e4, -201.0, -199.5],
    [-1e4, 88.0, -1e4, -500.0, 89.0, 90.0],
    [-np.inf, 3.0, 1.0, 0.0, -np.inf, 2.0],
]
Messages = Callable[[Node, Node, Node], Node]


def total_at(to: Node, values: Node) -> Node:
    return gc.scatter_add(gc.zeros((gc.dim("N"), *values.shape[1:])), values, to)


def shares_first(e: Node, h: Node, to: Node) -> Node:
    x = gc.exp(e)
    return (x / total_at(to, x)[to])[:, None] * h


def message_first(e: Node, h: Node, to: Node) -> Node:
    x = gc.exp(e)
    return x[:, None] * h / total_at(to, x)[to][:, None]


def two_heads(e: Node, h: Node, to: Node) -> Node:
    x = gc.exp(gc.stack([e, -e], axis=1))
    return (x / total_at(to, x)[to])[:, :1] * h


WAYS = [shares_first, message_first, two_heads]


def model(messages: Messages) -> gc.Graph:
    e, h, to = gc.input("e", ("E",)), gc.input("h", ("E", 2)), gc.input("to", ("E",), "int64")
    nodes = gc.input("nodes", ("N", 2))
    out = total_at(to, messages(e, h, to)) * nodes
    return gc.graph({"out": out, "loss": gc.sum(out)})


def expected(e: np.ndarray, h: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    out, slope = np.zeros((NODES, 2)), np.zeros(len(e))
    for i in range(NODES):
        here = i == TO
        if here.any():
            share = np.exp(e[here] - e[here].max())
            share /= share.sum()
            out[i] = share @ h[here] * nodes[i]
            gain = h[here] @ nodes[i]
            slope[here] = share * (gain - share @ gain)
    return out, slope


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("way", WAYS)
def test_far_out_it_is_exact(way: Messages, style: str) -> None:
    f = gc.compile(model(way), gradient_of="loss", wrt=["e"], style=style)
    rng = np.random.default_rng(0)
    h, nodes = rng.normal(size=(6, 2)), rng.normal(size=(NODES, 2))
    for at in EXTREMES:
        e = np.float32(at)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = f(e=e, h=np.float32(h), to=TO, nodes=np.float32(nodes))
        out, slope = expected(e.astype(float), h, nodes)
        np.testing.assert_allclose(found["out"], out, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found["d_loss_d_e"], slope, rtol=1e-4, atol=1e-6)


def fires(y: Node) -> bool:
    better = gc.optimize(gc.graph({"y": y}))
    return "softmax_over_edges" in {f.rule.name for r in better.history for f in r.firings}


def test_only_what_is_read_where_it_was_added_is_shifted_and_once() -> None:
    e, to, other = gc.input("e", ("E",)), *(gc.input(n, ("E",), "int64") for n in ("i", "j"))
    x = gc.exp(e)
    assert fires(x / total_at(to, x)[to])
    assert not fires(x / total_at(to, x)[other])
    assert not fires(x / total_at(to, gc.softplus(e))[to])
    largest = gc.scatter_max(gc.full((gc.dim("N"),), -np.inf), e, to)
    x = gc.exp(e - largest[to])
    assert not fires(x / total_at(to, x)[to])
