"""Random graphs: reference = optimized at every level = emitted in both styles, with gradients.

Graphs of several flavours: shared subexpressions, broadcasts, reductions, movement,
contractions, selections and the textbook forms that rewriting looks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc as gc
from graphc.ir.dims import broadcast_shapes
from graphc.ir.graph import Graph
from graphc.ir.node import Node

Draw = Callable[[st.SearchStrategy[Any]], Any]
Pool = list[Node]
Step = Callable[[Draw, Pool], Node]

SIZES = {"N": 3}
LEVELS = (0, 1, 2, 3)
STYLES = ("readable", "fast")


# -- choosing operands ---------------------------------------------------------------------------


def one_of(draw: Draw, pool: Pool, suits: Callable[[Node], bool] = lambda node: True) -> Node:
    """Return a node of the pool that suits; recent ones are as likely as all others together."""
    candidates = [node for node in pool if suits(node)]
    return draw(st.sampled_from([*candidates[-2:], *candidates]))


def pair(draw: Draw, pool: Pool) -> tuple[Node, Node]:
    """Return two nodes that broadcast; often the same node twice."""
    a = one_of(draw, pool)
    b = one_of(draw, pool, lambda node: broadcast_shapes(a.shape, node.shape) is not None)
    return (a, b) if draw(st.booleans()) else (b, a)


def with_axis(draw: Draw, pool: Pool) -> tuple[Node, int]:
    x = one_of(draw, pool, lambda node: node.ndim > 0)
    return x, draw(st.integers(-x.ndim, x.ndim - 1))


# -- steps: each returns a new node whose values stay moderate -------------------------------------

UNARY: dict[str, Callable[[Node], Node]] = {
    "tanh": gc.tanh,
    "sin": gc.sin,
    "relu": gc.relu,
    "abs": gc.abs,
    "negative": lambda x: -x,
    "sigmoid": gc.sigmoid,
    "softplus": gc.softplus,
    "gelu": gc.gelu,
    "exp": lambda x: gc.exp(gc.tanh(x)),
    "square": lambda x: gc.square(gc.cos(x)),
    "cube": lambda x: gc.sin(x) ** 3,
    "root": lambda x: gc.sqrt(1 + x**2),
    "log1p": lambda x: gc.log(1 + gc.abs(x)),
    "logistic": lambda x: 1 / (1 + gc.exp(-x)),
    "log_logistic": lambda x: gc.log(1 / (1 + gc.exp(-gc.sin(x)))),
    "log_1_exp": lambda x: gc.log(1 + gc.exp(gc.sin(x))),
    "expm1": lambda x: gc.exp(gc.sin(x)) - 1,
    "doubled": lambda x: x * 2 - x / 4 + x,
    "self_product": lambda x: gc.tanh(x) * gc.tanh(x),
    "erf": gc.erf,
}
BINARY: dict[str, Callable[[Node, Node], Node]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * gc.tanh(b),
    "divide": lambda a, b: a / (1 + b * b),
    "maximum": gc.maximum,
    "minimum": gc.minimum,
    "logaddexp": gc.logaddexp,
    "power": lambda a, b: (gc.sigmoid(a) + 0.5) ** gc.tanh(b),
    "where": lambda a, b: gc.where(a > b, gc.sin(a), b),
    "guarded_log": lambda a, b: gc.where(a > 0, gc.log(gc.where(a > 0, a, 1.0)), b),
}
REDUCTIONS: dict[str, Callable[..., Node]] = {
    "sum": gc.sum,
    "mean": gc.mean,
    "max": gc.max,
    "min": gc.min,
    "logsumexp": gc.logsumexp,
    "var": gc.var,
    "prod": lambda x, axis, keepdims: gc.prod(gc.sigmoid(x) + 0.5, axis=axis, keepdims=keepdims),
    "written": lambda x, axis, keepdims: gc.log(
        gc.sum(gc.exp(gc.sin(x)), axis=axis, keepdims=keepdims)
    ),
}
ALONG: dict[str, Callable[[Node, int], Node]] = {
    "softmax": lambda x, axis: gc.softmax(x, axis=axis),
    "log_softmax": lambda x, axis: gc.log_softmax(x, axis=axis),
    "written_softmax": lambda x, axis: (
        gc.exp(gc.sin(x)) / gc.sum(gc.exp(gc.sin(x)), axis=axis, keepdims=True)
    ),
    "normalized": lambda x, axis: x - gc.mean(x, axis=axis, keepdims=True),
    "cumsum": lambda x, axis: gc.cumsum(x, axis=axis),
    "flip": lambda x, axis: gc.flip(x, axis=axis),
    "concat": lambda x, axis: gc.concat([gc.sin(x), x], axis=axis),
    "first": lambda x, axis: gc.take(x, np.array([0, 0, -1]), axis=axis),
}
MOVEMENT: dict[str, Callable[[Node], Node]] = {
    "transpose": lambda x: x.T,
    "ravel": lambda x: gc.reshape(x, -1),
    "column": lambda x: gc.reshape(x, (-1, 1)),
    "reversed": lambda x: x[::-1],
    "tail": lambda x: x[1:],
    "strided": lambda x: x[..., ::2],
    "new_axis": lambda x: x[None],
    "pad": lambda x: gc.pad(x, 1),
    "stack": lambda x: gc.stack([x, gc.tanh(x)], axis=0),
    "row": lambda x: x[0],
}


def unary(draw: Draw, pool: Pool) -> Node:
    return UNARY[draw(st.sampled_from(sorted(UNARY)))](one_of(draw, pool))


def binary(draw: Draw, pool: Pool) -> Node:
    return BINARY[draw(st.sampled_from(sorted(BINARY)))](*pair(draw, pool))


def reduction(draw: Draw, pool: Pool) -> Node:
    x, axis = with_axis(draw, pool)
    function = REDUCTIONS[draw(st.sampled_from(sorted(REDUCTIONS)))]
    every = draw(st.sampled_from([False, False, True]))
    return function(x, axis=None if every else axis, keepdims=draw(st.booleans()))


def along(draw: Draw, pool: Pool) -> Node:
    x, axis = with_axis(draw, pool)
    return ALONG[draw(st.sampled_from(sorted(ALONG)))](x, axis)


def movement(draw: Draw, pool: Pool) -> Node:
    x = one_of(draw, pool, lambda node: 0 < node.ndim < 3)
    return MOVEMENT[draw(st.sampled_from(sorted(MOVEMENT)))](x)


def contraction(draw: Draw, pool: Pool) -> Node:
    a = gc.tanh(one_of(draw, pool, lambda node: node.ndim == 2))
    matching = [n for n in pool if n.ndim in (1, 2) and n.shape[0] == a.shape[1]]
    b = draw(st.sampled_from([*matching, a.T]))
    if b.ndim == 1 or draw(st.booleans()):
        return a @ b
    return draw(
        st.sampled_from(
            [
                gc.einsum("ij,jk->ki", a, b),
                gc.einsum("ij,jk->i", a, b),
                gc.sum(a[:, :, None] * b[None, :, :], axis=1),
            ]
        )
    )


FLAVOURS: dict[str, list[Step]] = {
    "pointwise": [unary, unary, binary],
    "reductions": [unary, binary, reduction, along],
    "movement": [unary, binary, movement, movement, along],
    "contractions": [unary, binary, contraction, reduction],
    "mixed": [unary, binary, reduction, along, movement, contraction],
}


@st.composite
def graphs(draw: Draw, flavour: str) -> Graph:
    rows = draw(st.sampled_from([3, gc.dim("N")]))
    inputs = [
        gc.input("x", (rows, 4), dtype="float64"),
        gc.input("v", (4,), dtype="float64"),
        gc.input("s", (), dtype="float64"),
        gc.input("W", (4, 2), dtype="float64"),
    ]
    pool = list(inputs)
    for _ in range(draw(st.integers(2, 10))):
        pool.append(draw(st.sampled_from(FLAVOURS[flavour]))(draw, pool))
    value = pool[-1]
    loss = gc.mean(value) + gc.mean(gc.sin(pool[-2]))
    for x in inputs:  # every input counts, so that every gradient is asked for
        loss = loss + 0.1 * gc.mean(gc.sin(x))
    return gc.graph({"loss": loss, "value": value}, name="random")


def values_of(graph: Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    return {
        name: rng.uniform(-1.5, 1.5, [d if isinstance(d, int) else SIZES["N"] for d in node.shape])
        for name, node in graph.inputs.items()
    }


def assert_equal(
    got: Mapping[str, Any], expected: Mapping[str, Any], told: str, rtol: float = 1e-9
) -> None:
    assert list(got) == list(expected), told
    for name, value in expected.items():
        assert np.shape(got[name]) == np.shape(value), f"{told}: {name}"
        assert np.asarray(got[name]).dtype == np.asarray(value).dtype, f"{told}: {name}"
        np.testing.assert_allclose(
            got[name], value, rtol=rtol, atol=rtol, err_msg=f"{told}: {name}"
        )


#: An example is compiled at four levels in two styles: thirty a flavour take a minute and a half.
SETTINGS = settings(max_examples=30, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("flavour", sorted(FLAVOURS))
@SETTINGS
@given(data=st.data())
def test_every_form_of_a_graph_has_the_same_values(flavour: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(flavour))
    at = values_of(graph)
    derived = graph.gradient("loss", wrt=list(graph.inputs))
    expected = gc.interpret(derived, **at)

    assert gc.parse(str(derived)) == derived
    for level in LEVELS:
        optimized = gc.optimize(derived, level=level)
        assert_equal(gc.interpret(optimized, **at), expected, f"level {level}")
        for style in STYLES:
            function = gc.compile(
                graph, gradient_of="loss", wrt=list(graph.inputs), optimize=level, style=style
            )
            for call in ("first", "second"):
                assert_equal(function(**at), expected, f"level {level}, {style}, {call} call")


@pytest.mark.parametrize("flavour", sorted(FLAVOURS))
@SETTINGS
@given(data=st.data())
def test_gradient_is_the_slope_in_a_random_direction(flavour: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(flavour))
    at = values_of(graph)
    gradient = gc.interpret(graph.gradient("loss", wrt=list(graph.inputs)), **at)
    rng = np.random.default_rng(5)
    direction = {name: rng.normal(size=value.shape) for name, value in at.items()}
    ends = [
        gc.interpret(graph, **{k: v + sign * 1e-6 * direction[k] for k, v in at.items()})["loss"]
        for sign in (1, -1)
    ]
    slope = float(ends[0] - ends[1]) / 2e-6
    along = sum(float((gradient[f"d_loss_d_{k}"] * v).sum()) for k, v in direction.items())
    assert along == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("flavour", sorted(FLAVOURS))
@SETTINGS
@given(data=st.data())
def test_float32_stays_float32(flavour: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(flavour)).astype("float32")
    at = {name: value.astype(np.float32) for name, value in values_of(graph).items()}
    derived = graph.gradient("loss", wrt=list(graph.inputs))
    assert {node.dtype.name for node in derived.nodes if node.dtype.kind == "f"} == {"float32"}
    expected = gc.interpret(derived, **at)
    for style in STYLES:
        function = gc.compile(graph, gradient_of="loss", wrt=list(graph.inputs), style=style)
        assert_equal(function(**at), expected, style, rtol=2e-3)
