"""`grad` and `gradient`: what users call, and what they are told when it cannot be done."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from evaluation import evaluate, variable

from graphc.differentiate.gradient import grad, gradient
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import OPS


def model() -> Graph:
    x, index = OPS["input"]("x", ("N", 3)), OPS["input"]("i", ("N",), "int64")
    W, c = OPS["param"]("W", (3,)), OPS["param"]("c", (3,), trainable=False)
    h = OPS["tanh"](x * W + c).named("h")
    return Graph({"loss": OPS["mean"](h), "h": h, "i": index})


def test_outputs_are_added_under_their_names() -> None:
    graph = gradient(model(), "loss")
    assert list(graph.outputs) == ["loss", "h", "i", "d_loss_d_W"]
    assert graph.outputs["d_loss_d_W"].shape == (3,)
    assert list(graph.inputs) == ["x", "i"]


def test_an_output_of_the_user_is_not_replaced() -> None:
    graph = model()
    graph = graph.with_outputs({**graph.outputs, "d_loss_d_W": graph.outputs["h"] * 2})
    with pytest.raises(GraphError, match="has an output 'd_loss_d_W' already"):
        gradient(graph, "loss")


def test_a_derived_graph_may_be_derived_again() -> None:
    graph = gradient(gradient(model(), "loss"), "loss", ["W", "c"])
    assert list(graph.outputs) == ["loss", "h", "i", "d_loss_d_W", "d_loss_d_c"]


def test_any_node_may_be_named() -> None:
    graph = gradient(model(), "loss", ["x", "h", "c"])
    assert [n.shape for n in graph.outputs.values()][3:] == [
        graph.inputs["x"].shape,
        graph.outputs["h"].shape,
        (3,),
    ]


def test_a_graph_without_parameters_is_derived_by_its_float_inputs() -> None:
    x, i = OPS["input"]("x", (3,)), OPS["input"]("i", (2,), "int64")
    graph = gradient(Graph({"y": OPS["sum"](OPS["gather"](x, i))}), "y")
    assert list(graph.outputs) == ["y", "d_y_d_x"]


def test_an_input_that_is_not_used_gets_zeros_of_its_shape() -> None:
    x, unused = OPS["input"]("x", (3,)), OPS["input"]("u", ("N", 2))
    graph = gradient(Graph({"y": OPS["sum"](x), "u": unused}), "y", ["u"])
    assert graph.outputs["d_y_d_u"].type == unused.type
    assert graph.outputs["d_y_d_u"].attrs["value"] == 0


def test_zeros_where_only_a_cut_path_leads_there() -> None:
    x = variable("x", np.array([1.5]))
    (derivative,) = evaluate(grad(OPS["sum"](OPS["floor"](x)), [x]), {"x": np.array([1.5])})
    np.testing.assert_array_equal(derivative, [0.0])


def test_the_derivative_of_a_constant_derivative_is_zero() -> None:
    x = variable("x", np.array([1.5]))
    (slope,) = grad(OPS["sum"](3.0 * x), [x])
    (curvature,) = grad(OPS["sum"](slope), [x])
    np.testing.assert_array_equal(evaluate([curvature], {"x": np.array([1.5])})[0], [0.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(dtype: str) -> None:
    x = OPS["input"]("x", (3,), dtype)
    y = OPS["input"]("y", (3,), "float64" if dtype == "float32" else "float32")
    for node in grad(OPS["sum"](OPS["sigmoid"](x) * OPS["gelu"](y)), [x, y]):
        assert node.dtype in (x.dtype, y.dtype)
    dx, dy = grad(OPS["sum"](OPS["sigmoid"](x) * OPS["gelu"](y)), [x, y])
    assert (dx.dtype, dy.dtype) == (x.dtype, y.dtype)


def scalar(x: Node) -> Node:
    return OPS["sum"](x)


X = OPS["input"]("x", (3,))
INDEX = OPS["input"]("i", (3,), "int64")
ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: grad(X, [X]), "only a single number has a gradient"),
    (lambda: grad(scalar(INDEX), [INDEX]), "only a float has a gradient"),
    (lambda: grad(scalar(X), [INDEX]), "no derivative by an integer"),
    (lambda: grad(scalar(X), [OPS["input"]("z", ())]), "does not depend on z"),
    (lambda: grad(scalar(X), ["x"]), "a derivative is taken by a node"),
    (lambda: grad("loss", [X]), "a node is derived"),
    (lambda: gradient(model(), "los"), "did you mean 'loss'"),
    (lambda: gradient(model(), "h"), "only a single number has a gradient"),
    (lambda: gradient(model(), "loss", ["i"]), "no derivative by an integer"),
    (lambda: gradient(model(), "loss", ["V"]), "no node is called 'V'"),
    (lambda: gradient(Graph({"y": scalar(INDEX * 1.0)}), "y"), "nothing to derive"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), ERRORS, ids=[message for _, message in ERRORS])
def test_errors_say_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        call()
