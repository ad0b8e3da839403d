"""Several directions through a loop at once give what its unrolled steps do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc

STEPS = 4
ROWS = np.linspace(-1, 1, STEPS * 3).reshape(STEPS, 3)


def recurrent(unroll: bool, reverse: bool) -> gc.Graph:
    """Return a loop with carries that w reaches at once, later and never, and with a count."""
    x = gc.input("x", (STEPS, 3), dtype="float64")
    w = gc.param("w", (3,), dtype="float64", init=gc.init.constant(0.3))

    def cell(
        h: gc.Node, late: gc.Node, still: gc.Node, row: gc.Node, tilted: gc.Node
    ) -> tuple[gc.Node, ...]:
        h_next = gc.tanh(h + row * w)
        return h_next, late + h * still, still * 0.5, h_next * row, tilted * late, row

    zeros, ones = gc.zeros((3,), "float64"), gc.ones((3,), "float64")
    found = gc.scan(
        cell, init=(zeros, zeros, ones), xs=(x, gc.sin(x * w)), unroll=unroll, reverse=reverse
    )
    names = ("h", "late", "still", "products", "tilts", "rows")
    outputs = {name: node * 1.0 for name, node in zip(names, found, strict=True)}
    loss = gc.sum(found[0] ** 2) + gc.sum(found[1] * found[2]) + gc.sum(found[4])
    return gc.graph({**outputs, "loss": loss})


def nested(unroll: bool, reverse: bool) -> gc.Graph:
    """Return a loop in a loop, the inner one over an outer value that w reaches."""
    x = gc.input("x", (STEPS, 3), dtype="float64")
    w = gc.param("w", (3,), dtype="float64", init=gc.init.constant(0.3))

    def outer(total: gc.Node, row: gc.Node) -> tuple[gc.Node, ...]:
        inner = gc.scan(lambda h, v: (h * w + v * row,), init=total, xs=x, unroll=unroll)
        return (gc.tanh(inner[0]), inner[0])

    h, hs = gc.scan(outer, init=gc.zeros((3,), "float64"), xs=x, unroll=unroll, reverse=reverse)
    return gc.graph({"h": h * 1.0, "products": hs * 1.0, "loss": gc.sum(h * hs)})


def unread(unroll: bool, reverse: bool) -> gc.Graph:
    """Return a loop in a loop that stacks what its adjoint needs and the outer body leaves."""
    x = gc.input("x", (STEPS, 3), dtype="float64")
    w = gc.param("w", (3,), dtype="float64", init=gc.init.constant(0.3))

    def inner(h: gc.Node, v: gc.Node) -> tuple[gc.Node, ...]:
        h_next = gc.tanh(h * w + v)
        return h_next, h_next

    def outer(total: gc.Node, row: gc.Node) -> tuple[gc.Node, ...]:
        last, _ = gc.scan(inner, init=total, xs=x * row, unroll=unroll, reverse=reverse)
        return last * w, last

    h, hs = gc.scan(outer, init=gc.zeros((3,), "float64"), xs=x, unroll=unroll, reverse=reverse)
    return gc.graph({"h": h * 1.0, "products": hs * 1.0, "loss": gc.sum(h * hs)})


def value(graph: gc.Graph, output: str) -> np.ndarray:
    return gc.interpret(graph, graph.init(), x=ROWS)[output]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("model", [recurrent, nested, unread])
def test_a_hessian_is_that_of_the_unrolled_steps(
    model: Callable[[bool, bool], gc.Graph], reverse: bool
) -> None:
    loop, steps = [model(unroll, reverse).hessian("loss", wrt="w") for unroll in (False, True)]
    expected = value(steps, "d2_loss_d_w_d_w")
    assert np.any(expected)
    np.testing.assert_allclose(value(loop, "d2_loss_d_w_d_w"), expected, rtol=1e-12, atol=1e-14)
    for level in (0, 2):
        compiled = gc.compile(loop, optimize=level)
        found = compiled(compiled.init(), x=ROWS)["d2_loss_d_w_d_w"]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("model", "of"),
    [(recurrent, of) for of in ("h", "late", "still", "products", "tilts", "rows")]
    + [(nested, of) for of in ("h", "products")],
)
def test_a_jacobian_is_that_of_the_unrolled_steps(
    model: Callable[[bool, bool], gc.Graph], of: str, reverse: bool
) -> None:
    loop, steps = [model(unroll, reverse).jacobian(of, wrt="w") for unroll in (False, True)]
    expected = value(steps, f"d_{of}_d_w")
    assert np.any(expected) == (of not in ("still", "rows"))
    np.testing.assert_allclose(value(loop, f"d_{of}_d_w"), expected, rtol=1e-12, atol=1e-14)


def test_a_named_number_of_directions_goes_through_a_loop() -> None:
    graph = recurrent(unroll=False, reverse=False)
    many = graph.tangent("w", directions="K")
    seeds = np.array([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [1, 1, 1]])
    found = gc.compile(many)(graph.init(), x=ROWS, w_dot=seeds)["loss_dot"]
    one = gc.compile(graph.tangent("w"))
    expected = [one(graph.init(), x=ROWS, w_dot=seed)["loss_dot"] for seed in seeds]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
