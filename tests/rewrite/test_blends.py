"""`1 - z` beside z's own part stays as it is written; elsewhere it becomes `sigmoid(-x)`."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

Blend = Callable[[Node, Node, Node], Node]

BLENDS: dict[str, Blend] = {
    "of states": lambda z, a, b: (1 - z) * gc.tanh(a) + z * b,
    "the other way round": lambda z, a, b: z * gc.sin(a) + (1 - z) * b,
    "a difference": lambda z, a, b: z * a - (1 - z) * gc.tanh(b),
    "with a third term": lambda z, a, b: (1 - z) * gc.tanh(a) + b + z * b,
    "scaled": lambda z, a, b: 2 * (-(1 - z) * gc.tanh(a)) + 3 * b * z,
}
KEPT: dict[str, Blend] = {
    "densities": lambda z, a, b: gc.log((1 - z) * gc.exp(a) + z * gc.exp(b)),
    "their sum": lambda z, a, b: (1 - z) * gc.exp(a) + z * gc.exp(b),
    "given densities": lambda z, a, b: gc.log((1 - z) * a + z * b),
    "a logarithm further on": lambda z, a, b: gc.log(gc.sum((1 - z) * gc.sin(a) + z * b)),
    "a divisor": lambda z, a, b: a / ((1 - z) * gc.sin(a) + z * b),
    "another reader": lambda z, a, b: (lambda s: gc.sin(s) + s * gc.tanh(a) + z * b)(1 - z),
    "no other part": lambda z, a, b: (1 - z) * gc.tanh(a) + b,
}


def graph_of(blend: Blend) -> gc.Graph:
    x, a, b = (gc.input(name, (4,), dtype="float64") for name in "xab")
    return gc.graph({"y": blend(gc.sigmoid(x), a, b)})


def differences_to_numbers(graph: gc.Graph) -> int:
    """Return how many differences of a value and a number there are."""
    differences = [x for x in gc.optimize(graph).nodes if x.op.name == "subtract"]
    return sum("full" in (x.inputs[0].op.name, x.inputs[1].op.name) for x in differences)


@pytest.mark.parametrize("blend", BLENDS.values(), ids=list(BLENDS))
def test_a_share_of_a_blend_needs_no_exponential(blend: Blend) -> None:
    graph = graph_of(blend)
    assert differences_to_numbers(graph) == 1
    gradient = gc.compile(
        gc.graph({"y": gc.sum(graph.outputs["y"])}), gradient_of="y", wrt=["x", "a", "b"]
    )
    assert gradient.source.partition("def check")[0].count("np.exp(") == 1


@pytest.mark.parametrize("blend", KEPT.values(), ids=list(KEPT))
def test_other_differences_keep_their_digits(blend: Blend) -> None:
    assert differences_to_numbers(graph_of(blend)) == 0


def test_a_step_of_a_loop_has_one_exponential_for_its_gate() -> None:
    xs, h0 = gc.input("xs", ("T", 5)), gc.zeros((5,))
    W = gc.param("W", (5, 5))

    def step(h: Node, x: Node) -> Node:
        z = 1 / (1 + gc.exp(-(x + h @ W)))
        return (1 - z) * gc.tanh(h @ W - x) + z * h

    (h,) = gc.scan(step, h0, xs)
    for style in ("readable", "fast"):
        made = gc.compile(gc.graph({"loss": gc.sum(h)}), gradient_of="loss", style=style)
        code = made.source.partition("def check")[0]
        assert code.count("np.exp(") == 1
        assert "1 - z_steps" not in code and "subtract(one, z_steps" not in code


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_blend_errs_by_roundings_of_its_parts(kind: str) -> None:
    """However far out the gate, and with derivatives in proportion to what is shared out."""
    x, a, b = (gc.input(name, ("N",), dtype=kind) for name in "xab")
    z = gc.sigmoid(x)
    y = (1 - z) * gc.tanh(a) + z * b
    made = gc.compile(gc.graph({"total": gc.sum(y), "y": y}), gradient_of="total")
    rng = np.random.default_rng(0)
    point = {
        "x": np.concatenate([rng.normal(0, 3, 200), rng.uniform(-120, 120, 200)]).astype(kind),
        "a": rng.normal(size=400).astype(kind),
        "b": (rng.normal(size=400) * 10.0 ** rng.integers(-6, 3, 400)).astype(kind),
    }
    got = made(**point)
    eps = float(np.finfo(kind).eps)
    with mpmath.workdps(60):
        for i in range(400):
            u, v, w = (mpmath.mpf(float(point[name][i])) for name in "xab")
            share = 1 / (1 + mpmath.exp(-u))
            n, slope = mpmath.tanh(v), share * (1 - share)
            blended = (1 - share) * n + share * w
            scale = abs(n) + abs(w)
            assert abs(float(got["y"][i]) - blended) <= 4 * eps * scale
            assert abs(float(got["d_total_d_a"][i]) - (1 - share) * (1 - n**2)) <= 4 * eps
            assert abs(float(got["d_total_d_b"][i]) - share) <= 4 * eps
            assert abs(float(got["d_total_d_x"][i]) - slope * (w - n)) <= 4 * eps * scale
