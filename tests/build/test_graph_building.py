"""Leaves, graphs with the caller's names, graphs from functions, and a graph's variants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.build import functions as gf
from graphc.build import nn
from graphc.build.from_function import from_function
from graphc.build.graphs import (
    astype,
    dim,
    for_inference,
    for_training,
    graph,
    input,
    param,
)
from graphc.build.init import initial_state
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ops import OPS
from graphc.run.reference import interpret


def labels(g: Graph) -> set[str]:
    return set(g.labels.values())


def test_inner_nodes_take_the_callers_variable_names() -> None:
    x = input("x", ("N", 3))
    h = gf.tanh(x)
    again = h  # the first variable that holds a node names it
    y = again * 2
    g = graph(y)
    assert list(g.outputs) == ["y"]
    assert labels(g) == {"x", "h", "y"}
    assert h.name is None  # nodes never change


MODULE_LEVEL = gf.exp(input("a", (2,)))


def test_module_variables_name_nodes_too() -> None:
    out = MODULE_LEVEL + 1
    assert labels(graph({"result": out})) == {"a", "MODULE_LEVEL", "out"}


def test_outputs_may_be_one_several_or_a_mapping() -> None:
    x = input("x", (3,))
    loss, p = x.sum(), x * 2
    assert list(graph(loss).outputs) == ["loss"]
    assert list(graph(loss, p).outputs) == ["loss", "p"]
    assert list(graph([p, loss]).outputs) == ["p", "loss"]
    assert list(graph({"b": p, "a": loss}).outputs) == ["b", "a"]
    assert list(graph(x + 1, x + 2).outputs) == ["out", "out_2"]
    assert list(graph(x.sum().named("total")).outputs) == ["total"]
    with pytest.raises(GraphError, match="at least one output"):
        graph({})


def test_names_do_not_depend_on_what_else_the_caller_holds() -> None:
    def build(clutter: bool) -> Graph:
        x = input("x", (3,))
        if clutter:
            other = x * 5  # noqa: F841  # held, and read by nobody
        h = x + 1
        return graph({"y": h * 2}, name="g")

    assert list(build(True).labels.values()) == list(build(False).labels.values())


def test_updates_and_doc() -> None:
    w = param("w", (2,))
    g = graph({"y": w * 2}, updates={"w": w + 1}, doc="Counts.", name="count")
    assert (g.doc, g.name, list(g.updates)) == ("Counts.", "count", ["w"])


MISTAKES: list[tuple[Any, str]] = [
    (lambda: input("", (3,)), "non-empty string"),
    (lambda: input("x", (-3,)), "negative"),
    (lambda: input("x", (2.5,)), "not a dimension"),
    (lambda: input("x", (-1, 3)), r"fix +a size that each call fixes has a name, such as 'N'"),
    (lambda: input("x", (None, 3)), r"None of type[\s\S]*fixes has a name, such as 'N'"),
    (lambda: param("w", np.ones((2, 2))), r"gc\.param\(name, W\.shape, init=W\)"),
    (lambda: input("x", ("a b",)), "identifier"),
    (lambda: dim("2N"), "identifier"),
    (lambda: dim(3), "a string"),
    (lambda: param("w", (2,), init="zeros"), "not an initializer"),
    (lambda: param("w", (2,), init=[1.0, 2.0, 3.0]), "another shape"),
    (lambda: graph({"y": input("x", (2,)) + input("x", (2,))}), "two inputs are called"),
]


@pytest.mark.parametrize("call, message", MISTAKES, ids=[row[1] for row in MISTAKES])
def test_mistakes_are_told(call: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        call()


# -- from functions ------------------------------------------------------------------------------


def two_layers(x: Any, w: Any) -> Any:
    """Two layers in plain NumPy."""
    h = np.tanh(x @ w)
    return {"h": h, "total": h.sum(axis=1)}


def test_from_function_runs_plain_numpy() -> None:
    g = from_function(two_layers, x=("N", 3), w=((3, 2), "float64"))
    assert (g.name, g.doc) == ("two_layers", "Two layers in plain NumPy.")
    x, w = np.ones((4, 3), np.float32), np.eye(3, 2)
    got = interpret(g, x=x, w=w)
    wanted = two_layers(x, w)
    for key, value in wanted.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-6)


def test_from_function_calls_functions_without_names_of_arguments() -> None:
    g = from_function(np.arctan2, y=(), x=())
    assert (g.name, g.doc, list(g.inputs)) == ("arctan2", "", ["y", "x"])
    np.testing.assert_allclose(interpret(g, y=1, x=-1)["out"], 3 * np.pi / 4, rtol=1e-6)


def test_from_function_takes_any_kind_of_result() -> None:
    assert list(from_function(lambda x: x + 1, x=3).outputs) == ["out"]
    assert list(from_function(lambda x: (x + 1, x), x=3, name="f").outputs) == ["out", "x"]
    assert from_function(lambda x: x + 1, x=3).name == "graph"
    with pytest.raises(GraphError, match="is not a node"):
        from_function(lambda x: None, x=3)
    with pytest.raises(GraphError, match="has no numbers yet"):
        from_function(lambda x: x * float(x), x=())


# -- variants ------------------------------------------------------------------------------------


def model() -> Graph:
    x, y = input("x", ("N", 4)), input("y", ("N",), "int64")
    h = nn.dropout(nn.dense(x, 5, activation="relu"), 0.4)
    z = nn.dense(h + gf.constant([0.5] * 5), 3)
    loss = nn.softmax_cross_entropy(z, y).mean()
    return graph(loss, z, name="model")


def test_astype_converts_leaves_constants_and_casts() -> None:
    g = model()
    wide = astype(g, "float64")
    floats = {node.dtype.name for node in wide.nodes if node.dtype.kind == "f"}
    assert floats == {"float64"}
    assert wide.inputs["y"].dtype == np.int64
    assert labels(wide) == labels(g)
    assert astype(wide, "float32") == g
    with pytest.raises(GraphError, match="computes in floats"):
        astype(g, "int32")


def test_astype_drops_casts_that_change_nothing() -> None:
    x = input("x", (3,))
    g = graph({"y": gf.cast(x, "float64") * 2})
    assert [n.op.name for n in astype(g, "float64").nodes if n.op.name == "cast"] == []


def test_a_prediction_needs_no_labels() -> None:
    x, y = gc.input("x", ("N", 3)), gc.input("y", ("N",), dtype="int64")
    z = gc.nn.dense(gc.nn.dropout(x, 0.5), 2, name="out")
    model = gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean(), "p": gc.softmax(z)})
    assert [*model.for_inference().inputs] == ["x", "y"]
    assert [*model.for_inference("p").inputs] == ["x"]
    step = gc.compile(model, minimize="loss", optimizer="adam")
    state, X = step.init(0), np.ones((4, 3), np.float32)
    predict = step.for_inference("p")
    assert predict is step.for_inference("p") and not predict.draws
    wanted = step.for_inference()(state, x=X, y=np.zeros(4, int))["p"]
    np.testing.assert_array_equal(predict(state, x=X)["p"], wanted)
    with pytest.raises(gc.GraphError, match="no node is called 'q'"):
        step.for_inference("q")
    assert {"for_inference", "gradient", "hessian", "outputs"} <= {*dir(model)}


def test_inference_drops_nothing_and_training_comes_back() -> None:
    g = model()
    used = for_inference(g)
    state = initial_state(g)
    data = {"x": np.ones((6, 4), np.float32), "y": np.zeros(6, np.int64)}
    first, second = (interpret(used, state, **data)["z"] for _ in range(2))  # needs no rng
    np.testing.assert_array_equal(first, second)
    trained = [interpret(g, state, rng=np.random.default_rng(s), **data)["z"] for s in (0, 1)]
    assert not np.array_equal(*trained)
    assert for_training(used) == g
    assert for_training(g) == g and for_inference(used) == used
    assert labels(used) == labels(g)


def test_a_mask_that_is_used_otherwise_becomes_ones() -> None:
    x = input("x", (3,))
    mask = gf.sqrt(OPS["dropout_mask"]((3,), rate=0.5))
    g = for_inference(graph({"y": x + mask}))
    np.testing.assert_array_equal(interpret(g, x=np.zeros(3, np.float32))["y"], 1)


def test_an_output_needs_a_name() -> None:
    with pytest.raises(GraphError, match="an output needs a name"):
        graph({"": OPS["tanh"](input("x", (3,)))})


def test_a_parameter_that_nothing_reads_has_zeros_for_its_gradient() -> None:
    text = "x: input(f32, 3)\nw: param(f32, 3)\nu: param(f32, 4)\nl = sum((x*w)**2)\noutput(l)"
    with pytest.warns(gc.GraphWarning, match="parameter 'u' is not used"):
        graph = gc.parse(text)
    at = {"x": np.ones(3, np.float32)}
    state = {"w": np.ones(3, np.float32), "u": np.ones(4, np.float32)}
    for wrt in (None, ["u", "w"], "u"):
        got = gc.compile(graph, gradient_of="l", wrt=wrt)(state, **at)
        np.testing.assert_array_equal(got["d_l_d_u"], np.zeros(4))
    assert [*graph.gradient("l").params] == ["w", "u"]
    assert not gc.interpret(graph.hvp("l", wrt="u"), state, **at, u_v=np.ones(4))[
        "d2_l_d_u_v"
    ].any()
    step = gc.compile(graph, minimize="l", optimizer="adam(0.1)")
    kept = step.init(0) | {"u": np.ones(4, np.float32)}
    step(kept, **at)
    np.testing.assert_array_equal(kept["u"], np.ones(4))
