"""Random loops: the interpreter, every level and both styles agree, in values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

UNARY = (gc.tanh, gc.sin, gc.square, lambda x: 0.5 * x, lambda x: x + 1.0)
BINARY = (gc.add, gc.multiply, gc.subtract, gc.maximum)


def random_loop(seed: int) -> tuple[gc.Graph, dict[str, np.ndarray]]:
    """Return a graph with one or two loops over bodies of random arithmetic, and its arguments."""
    rng = np.random.default_rng(seed)
    steps: Any = [gc.dim("T"), 1, 3, gc.dim("T")][rng.integers(4)]
    count = 3 if not isinstance(steps, int) else steps
    width = 2
    W = gc.input("W", (width, width), dtype="float64")
    k = gc.input("k", (width,), dtype="float64")
    sequences = [
        gc.input(f"x{i}", (steps, width), dtype="float64") for i in range(rng.integers(1, 3))
    ]
    starts = [gc.input(f"s{i}", (width,), dtype="float64") for i in range(rng.integers(1, 4))]

    def body(*arguments: Node) -> tuple[Node, ...]:
        pool = [*arguments, k]
        for _ in range(int(rng.integers(2, 9))):
            a, b = (pool[rng.integers(len(pool))] for _ in range(2))
            kind = rng.integers(4)
            if kind == 0:
                pool.append(UNARY[rng.integers(len(UNARY))](a))
            elif kind == 1:
                pool.append(gc.tanh(a @ W))
            else:
                pool.append(BINARY[rng.integers(len(BINARY))](a, b))
        results = []
        for carry in arguments[: len(starts)]:
            kind = rng.integers(5)
            if kind == 0:
                results.append(arguments[rng.integers(len(arguments))])  # a swap, or unchanged
            elif kind == 1:
                results.append(carry + pool[-1])
            else:
                results.append(gc.tanh(pool[rng.integers(len(pool))]))
        for _ in range(int(rng.integers(0, 4))):
            both = [*pool, *results]
            results.append(both[rng.integers(len(both))])
        return tuple(results)

    reverse = bool(rng.integers(2))
    results = gc.scan(body, tuple(starts), tuple(sequences), reverse=reverse)
    total = sum((gc.sum(gc.sin(r)) for r in results), gc.sum(W) * 0.1 + gc.sum(k))
    outputs = {"total": total, **{f"r{i}": r for i, r in enumerate(results[:3])}}
    total = total + sum(0.01 * gc.sum(leaf) for leaf in [*sequences, *starts])
    graph = gc.graph({**outputs, "loss": total}, name="loops")
    values = {
        name: rng.normal(size=[count if not isinstance(d, int) else d for d in node.shape])
        for name, node in graph.inputs.items()
    }
    return graph, values


@pytest.mark.parametrize("seed", range(60))
def test_random_loops_have_one_value(seed: int) -> None:
    graph, values = random_loop(seed)
    assert gc.parse(str(graph)) == graph
    with_gradient = graph.gradient("loss")
    assert gc.parse(str(with_gradient)) == with_gradient
    expected = gc.interpret(with_gradient, **values)
    level = seed % 4
    for style in ("readable", "fast"):
        function = gc.compile(graph, gradient_of="loss", optimize=level, style=style)
        for _ in range(2):  # the second call meets the kept buffers
            got = function(**{name: value.copy() for name, value in values.items()})
            for name, value in expected.items():
                np.testing.assert_allclose(got[name], value, 1e-9, 1e-9, err_msg=f"{name} {style}")


@pytest.mark.parametrize("seed", range(60, 75))
def test_gradients_of_random_loops_are_their_differences(seed: int) -> None:
    graph, values = random_loop(seed)
    assert gc.check_gradient(graph, of="loss", at=values).max_error < 1e-5


@pytest.mark.parametrize("seed", range(75, 85))
def test_forward_mode_agrees_with_reverse_mode(seed: int) -> None:
    graph, values = random_loop(seed)
    rng = np.random.default_rng(seed)
    direction = {f"{name}_dot": rng.normal(size=value.shape) for name, value in values.items()}
    tangent = gc.compile(graph.tangent(wrt=list(values)))(**values, **direction)["loss_dot"]
    gradient = gc.compile(graph, gradient_of="loss")(**values)
    expected = sum(np.sum(gradient[f"d_loss_d_{n}"] * direction[f"{n}_dot"]) for n in values)
    np.testing.assert_allclose(tangent, expected, 1e-9, 1e-9)


@pytest.mark.parametrize("seed", range(85, 90))
def test_second_derivatives_of_random_loops(seed: int) -> None:
    graph, values = random_loop(seed)
    rng = np.random.default_rng(seed)
    v = rng.normal(size=values["W"].shape)
    product = gc.compile(graph.hvp("loss", wrt="W"))(**values, W_v=v)
    name = next(n for n in product if n.startswith("d2_"))
    slope = gc.compile(graph, gradient_of="loss", wrt=["W"])
    h = 1e-6
    above, below = (
        slope(**{**values, "W": values["W"] + s * h * v})["d_loss_d_W"] for s in (1, -1)
    )
    np.testing.assert_allclose(product[name], (above - below) / (2 * h), 1e-5, 1e-6)
