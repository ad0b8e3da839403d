"""Normalization written out by hand is what the layers do, with their collected derivative."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node


def _two_pass(x: Node, axis: int) -> Node:
    d = x - x.mean(axis=axis, keepdims=True)
    return d / gc.sqrt((d**2).mean(axis=axis, keepdims=True) + 1e-5)


def _of_squares(x: Node, axis: int) -> Node:
    m = x.mean(axis=axis, keepdims=True)
    return (x - m) * ((x * x).mean(axis=axis, keepdims=True) - m**2 + 1e-5) ** -0.5


def _scaled(x: Node, axis: int) -> Node:
    gain = gc.full((1, 5) if axis == 0 else (4, 1), 3.0, dtype="float64")
    m, v = x.mean(axis=axis, keepdims=True), x.var(axis=axis, keepdims=True)
    return gain / gc.sqrt(v + 1e-5) * (x - m)


HANDS: dict[str, Callable[[Node, int], Node]] = {
    "two passes": _two_pass,
    "mean of squares": _of_squares,
    "scaled first": _scaled,
    "a power": lambda x, a: (
        (x - x.mean(axis=a, keepdims=True)) / (x.var(axis=a, keepdims=True) + 1e-5) ** 0.5
    ),
}


NEAR_MISSES: dict[str, Callable[[Node], Node]] = {
    "another axis": lambda x: (x - x.mean(axis=0)) / gc.sqrt(x.var(axis=1, keepdims=True) + 1.0),
    "another array": lambda x: (x - x.mean(axis=0)) / gc.sqrt(gc.sin(x).var(axis=0) + 1.0),
    "another mean": lambda x: (x - gc.sin(x).mean(axis=0)) / gc.sqrt(x.var(axis=0) + 1.0),
    "n - 1": lambda x: (x - x.mean(axis=0)) / gc.sqrt(x.var(axis=0, ddof=1) + 1.0),
    "no eps": lambda x: (x - x.mean(axis=0)) / gc.sqrt(x.var(axis=0)),
    "below 0": lambda x: (x - x.mean(axis=0)) / gc.sqrt(x.var(axis=0) - 0.01),
    "not centred": lambda x: x / gc.sqrt(x.var(axis=0) + 1.0),
    "other squares": lambda x: x / gc.sqrt((gc.sin(x) ** 2).mean(axis=0) + 1.0),
    "times the spread": lambda x: (x - x.mean(axis=0)) * gc.sqrt(x.var(axis=0) + 1.0),
}


def fired(graph: gc.Graph) -> list[str]:
    return [f.rule.name for record in gc.optimize(graph).history for f in record.firings]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("hand", HANDS.values(), ids=list(HANDS))
def test_what_is_typed_by_hand_is_the_op(hand: Callable[[Node, int], Node], axis: int) -> None:
    x, w = gc.input("x", (4, 5), dtype="float64"), gc.input("w", (4, 5), dtype="float64")
    graph = gc.graph({"loss": gc.sum(hand(x, axis) * w)})
    assert fired(graph).count("normal_value") == 1
    rng = np.random.default_rng(0)
    point = {name: rng.normal(size=(4, 5)) for name in "xw"}
    for style in ("readable", "fast"):
        made = gc.compile(graph, gradient_of="loss", wrt=["x"], style=style)
        plain = gc.compile(graph, gradient_of="loss", wrt=["x"], optimize=0)
        got, expected = made(**point), plain(**point)
        for name in ("loss", "d_loss_d_x"):
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-10, atol=1e-12)
        assert made.source.partition("def check")[0].count("np.sqrt(") == 1


@pytest.mark.parametrize("hand", NEAR_MISSES.values(), ids=list(NEAR_MISSES))
def test_what_only_looks_like_it_stays(hand: Callable[[Node], Node]) -> None:
    graph = gc.graph({"y": hand(gc.input("x", (4, 5), dtype="float64"))})
    assert "normal_value" not in fired(graph)


def test_its_steps_are_called_after_what_is_made_normal() -> None:
    r, g = gc.input("r", ("N", 8)), gc.param("g", (8,))
    loss = gc.sum(gc.sin(_two_pass(r, 1) * g))
    source = gc.compile(gc.graph({"loss": loss}), gradient_of="loss", style="readable").source
    for name in ("r_mean", "r_centred", "r_variance", "r_spread", "r_normal"):
        assert f"    {name} = " in source


def test_the_gradient_of_a_layer_norm_by_hand_is_that_of_the_layer() -> None:
    """As many statements, and the same digits where the mean is large and the variance small."""
    x = gc.input("x", ("N", 16), dtype="float64")
    g, b = (gc.param(name, (16,), init=gc.init.ones(), dtype="float64") for name in "gb")
    w = gc.input("w", ("N", 16), dtype="float64")
    layer = gc.nn.layer_norm(x, weight=g, bias=b)
    sources, found = [], []
    rng = np.random.default_rng(1)
    point = {"x": 1e3 + 1e-2 * rng.normal(size=(3, 16)), "w": rng.normal(size=(3, 16))}
    for y in (_two_pass(x, 1) * g + b, layer):
        made = gc.compile(
            gc.graph({"loss": gc.sum(y * w)}), gradient_of="loss", wrt=["x", "g", "b"], style="fast"
        )
        sources.append(made.source.partition("# forward")[2].partition("def check")[0])
        found.append(made(made.init(seed=0), **point))
    assert sources[0].count("\n") <= sources[1].count("\n")
    with mpmath.workdps(40):
        for i in range(3):
            row, cotangent = ([mpmath.mpf(v) for v in point[name][i]] for name in "xw")
            mean = sum(row) / 16
            spread = mpmath.sqrt(sum((v - mean) ** 2 for v in row) / 16 + mpmath.mpf(1e-5))
            y = [(v - mean) / spread for v in row]
            along = sum(a * c for a, c in zip(y, cotangent, strict=True)) / 16
            level = sum(cotangent) / 16
            right = [
                float((c - level - a * along) / spread) for a, c in zip(y, cotangent, strict=True)
            ]
            for values in found:
                np.testing.assert_allclose(values["d_loss_d_x"][i], right, rtol=1e-8)
