"""Run one model here and in PyTorch from the same numbers; compare the value and all gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e .[torch]")

#: How far two correct computations in a dtype may be apart.
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
DTYPES = list(TOLERANCE)
STYLES = ("readable", "fast")

Arrays = dict[str, np.ndarray]


def as_dtype(arrays: Mapping[str, np.ndarray], dtype: str) -> Arrays:
    """Return the arrays with all floats in one dtype."""
    return {k: a.astype(dtype) if a.dtype.kind == "f" else a for k, a in arrays.items()}


def assert_close(got: Any, wanted: Any, dtype: str, what: str = "") -> None:
    """Assert equality up to the tolerance, relative to the largest magnitude but not below 1."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape, what
    assert got.dtype == np.dtype(dtype), what
    scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=scale * TOLERANCE[dtype], err_msg=what)


def symbolic(array: np.ndarray) -> tuple[Any, ...]:
    """Return the array's shape with its first axis named N."""
    return ("N", *array.shape[1:]) if array.ndim else ()


def of_ours(
    build: Callable[..., Node], inputs: Arrays, state: Arrays, style: str = "fast"
) -> tuple[Arrays, Arrays]:
    """Return (outputs, state after the call) of `build`, with the gradients of Σ weights*y.

    The floats of `inputs` and the trainable parameters get a gradient each, `d_loss_d_<name>`.
    """
    graph = weighted(build, inputs)
    floats = [name for name, array in inputs.items() if array.dtype.kind == "f"]
    wrt = [*floats, *graph.trainable]
    after = {name: array.copy() for name, array in state.items()}
    f = gc.compile(graph, gradient_of="loss", wrt=wrt, style=style)
    given = {**inputs, "weights": weights_like(graph, inputs)}
    call = (after,) if graph.params else ()
    return f(*call, **given), after


def weighted(build: Callable[..., Node], inputs: Arrays) -> gc.Graph:
    """Return the graph of y = build(inputs) and loss = Σ weights*y."""
    leaves = {k: gc.input(k, symbolic(a), a.dtype) for k, a in inputs.items()}
    y = build(**leaves)
    weights = gc.input("weights", y.shape, y.dtype)
    return gc.graph({"y": y, "loss": gc.sum(weights * y)})


def weights_like(graph: gc.Graph, inputs: Arrays) -> np.ndarray:
    """Return the weights of the sum that is derived: random, so that no gradient hides."""
    n = next((len(a) for a in inputs.values() if a.ndim), 1)
    node = graph.inputs["weights"]
    shape = [dim if isinstance(dim, int) else n for dim in node.shape]
    return np.random.default_rng(99).normal(size=shape).astype(node.dtype)


def of_torch(
    function: Callable[..., Any], inputs: Arrays, params: Arrays
) -> tuple[np.ndarray, Arrays]:
    """Return the value of `function(**inputs, **params)` and the gradients of Σ weights*y."""
    leaves = {k: torch.tensor(a) for k, a in {**inputs, **params}.items()}
    floats = {k: leaf.requires_grad_() for k, leaf in leaves.items() if leaf.is_floating_point()}
    y = function(**leaves)
    numbers = np.random.default_rng(99).normal(size=tuple(y.shape))
    (y * torch.tensor(numbers).to(y.dtype)).sum().backward()
    zeros = {k: torch.zeros_like(leaf) for k, leaf in floats.items()}
    grads = {k: zeros[k] if leaf.grad is None else leaf.grad for k, leaf in floats.items()}
    return y.detach().numpy(), {k: g.numpy() for k, g in grads.items()}


def assert_equal(
    build: Callable[..., Node],
    function: Callable[..., Any],
    inputs: Arrays,
    params: Arrays | None = None,
    dtype: str = "float64",
    rename: Mapping[str, str] | None = None,
) -> None:
    """Assert that both give the same value and gradients, in every style of emitted code.

    `params` are the state here and keyword arguments there, under the names of `rename`.
    """
    inputs, state = as_dtype(inputs, dtype), as_dtype(params or {}, dtype)
    names = {k: k for k in [*inputs, *state]} | dict(rename or {})
    keywords = {names[k]: a for k, a in state.items()}
    value, grads = of_torch(function, inputs, keywords)
    for style in STYLES:
        outputs, _ = of_ours(build, inputs, state, style)
        assert_close(outputs["y"], value, dtype, f"{style}: value")
        for key, got in outputs.items():
            if key.startswith("d_loss_d_"):
                name = key.removeprefix("d_loss_d_")
                assert_close(got, grads[names[name]], dtype, f"{style}: {key}")


def normal(rng: np.random.Generator, *shape: int, scale: float = 0.5) -> np.ndarray:
    return scale * rng.normal(size=shape)


def weights(rng: np.random.Generator, **shapes: tuple[int, ...]) -> Arrays:
    """Return weights by name, drawn in this order."""
    return {name: normal(rng, *shape) for name, shape in shapes.items()}


def params(arrays: Arrays, like: Node) -> list[Node]:
    """Return the parameters that hold these arrays, in the dtype of a node."""
    return [gc.param(name, array.shape, like.dtype) for name, array in arrays.items()]
