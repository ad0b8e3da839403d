"""The reference interpreter: every op, named dims, draws, updates, and where a NaN begins."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Case, Op
from graphc.ir.types import TensorType
from graphc.ops import OPS
from graphc.run.reference import evaluate, interpret

CASES = [
    pytest.param(op, case, id=f"{op.name}-{i}")
    for op in OPS.values()
    for i, case in enumerate(op.cases)
]


@pytest.mark.parametrize(("op", "case"), CASES)
@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
def test_every_op_keeps_its_own_type_rule(op: Op, case: Case) -> None:
    leaves = [OPS["input"](f"a{i}", arg.shape, arg.dtype) for i, arg in enumerate(case.args)]
    node = op(*leaves, **case.kwargs)
    assert isinstance(node, Node)
    rng = np.random.default_rng(0)
    env = {leaf: arg.draw(rng) for leaf, arg in zip(leaves, case.args, strict=True)}
    value = evaluate([node], env, rng=rng)[node]  # evaluate checks shape and dtype
    assert value.shape == node.shape and value.dtype == node.dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_symbolic_shapes_give_what_fixed_shapes_give(dtype: str) -> None:
    def graph(rows: object) -> Graph:
        x = OPS["input"]("x", (rows, 6), dtype)
        flat = OPS["reshape"](x, -1)
        back = OPS["slice"](OPS["reshape"](flat, (-1, 3)), [slice(None, None, -1), slice(1, None)])
        padded = OPS["pad"](back, ((1, 2), (0, 1)))
        counted = OPS["divide"](OPS["sum"](padded, axis=0), OPS["full"]((), x.shape[0], dtype))
        ones = OPS["broadcast_to"](OPS["reshape"](counted, (1, 3)), (x.shape[0], 3))
        return Graph({"y": ones, "i": OPS["arange"](x.shape[0])})

    x = np.arange(24.0).reshape(4, 6).astype(dtype)
    symbolic, fixed = interpret(graph("N"), x=x), interpret(graph(4), x=x)
    for name in fixed:
        np.testing.assert_array_equal(symbolic[name], fixed[name])
        assert symbolic[name].dtype == fixed[name].dtype


def test_a_chain_of_100_000_nodes_is_no_deeper_than_a_short_one() -> None:
    node = x = OPS["input"]("x", ())
    for _ in range(100_000):
        node = OPS["negative"](node)
    assert interpret(Graph({"y": node}), x=1.5)["y"] == 1.5
    assert x.name == "x"


def test_inner_nodes_may_be_given() -> None:
    x = OPS["input"]("x", (2,))
    inner = OPS["log"](x)
    outer = OPS["exp"](inner)
    values = evaluate([outer], {inner: np.zeros(2, "f4")})
    np.testing.assert_array_equal(values[outer], [1, 1])
    assert x not in values


def test_a_missing_leaf_and_a_free_dim_are_errors() -> None:
    x = OPS["input"]("x", (2,))
    with pytest.raises(GraphError, match="input 'x' has no value"):
        evaluate([OPS["exp"](x)], {})
    free = Graph({"y": OPS["full"](("M",), 1.0)})
    with pytest.raises(GraphError, match="no argument of this call fixes the dim M"):
        interpret(free)


def test_a_reference_that_breaks_its_type_rule_is_found_out() -> None:
    class Wrong(Op):
        def infer(self, inputs: tuple[TensorType, ...], attrs: object) -> TensorType:
            return inputs[0]

        def reference(self, arrays: object, attrs: object, result: object) -> np.ndarray:
            return np.zeros((1, 2, 3))

    node = Wrong("wrong", "").make([OPS["input"]("x", (2,))])
    with pytest.raises(GraphError, match="breaks its own type rule"):
        evaluate([node], {node.inputs[0]: np.zeros(2, "f4")})


# -- draws -----------------------------------------------------------------------------------


def test_draws_come_in_the_order_in_which_they_were_written() -> None:
    first, second = OPS["random_normal"]((3,)), OPS["random_uniform"]((2,))
    graph = Graph({"second": second, "first": first})  # evaluated in the other order
    drawn = interpret(graph, rng=np.random.default_rng(1))
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(drawn["first"], rng.standard_normal(3, dtype="f4"))
    np.testing.assert_array_equal(drawn["second"], rng.random(2, dtype="f4"))


def test_a_graph_that_draws_needs_a_generator() -> None:
    with pytest.raises(GraphError, match="needs a generator") as error:
        interpret(Graph({"y": OPS["random_normal"]((3,))}))
    assert "rng=np.random.default_rng(0)" in str(error.value)


@pytest.mark.parametrize("name", ["rng", "check_finite"])
def test_an_input_may_be_called_as_an_option_is(name: str) -> None:
    graph = Graph({"y": OPS["exp"](OPS["input"](name, ()))})
    assert interpret(graph, **{name: 0.0})["y"] == 1  # an input here


# -- updates and aliasing --------------------------------------------------------------------


def test_updates_are_written_after_everything_is_computed() -> None:
    a, b = OPS["param"]("a", (2,)), OPS["param"]("b", (2,))
    swap = Graph({"a_was": a}, updates={"a": b, "b": a})
    state = {"a": np.array([1, 2], "f4"), "b": np.array([3, 4], "f4")}
    arrays = dict(state)
    outputs = interpret(swap, state)
    np.testing.assert_array_equal(state["a"], [3, 4])
    np.testing.assert_array_equal(state["b"], [1, 2])
    np.testing.assert_array_equal(outputs["a_was"], [1, 2])
    assert state["a"] is arrays["a"] and state["b"] is arrays["b"]


def test_outputs_are_nobody_elses_memory() -> None:
    x = OPS["input"]("x", (2, 2))
    graph = Graph({"same": x, "turned": OPS["transpose"](x), "fixed": OPS["constant"]([1.0, 2.0])})
    given = np.ones((2, 2), "f4")
    outputs = interpret(graph, x=given)
    for value in outputs.values():
        value += 1
    np.testing.assert_array_equal(given, 1)
    np.testing.assert_array_equal(interpret(graph, x=given)["fixed"], [1, 2])


# -- where a NaN begins ----------------------------------------------------------------------


def chain() -> Graph:
    x = OPS["input"]("x", (2, 2))
    ratio = OPS["divide"](x, OPS["subtract"](x, 1.0)).named("ratio")
    z = OPS["subtract"](ratio, ratio).named("z")
    return Graph({"y": OPS["sum"](z)}, name="chain")


def test_check_finite_names_the_first_node_and_the_place() -> None:
    with pytest.raises(GraphError) as error:
        interpret(chain(), x=[[2, 3], [1, 5]], check_finite=True)
    text = str(error.value)
    assert "the first infinity appears in ratio = x / " in text
    assert "1 of 4 values, the first at [1, 0]" in text and "x = 1" in text
    assert np.isnan(interpret(chain(), x=[[2, 3], [1, 5]])["y"])


def test_check_finite_tells_the_ranges_of_what_is_not_read_element_by_element() -> None:
    """The element of an operand at the place of the result has no part in a matrix product."""
    x, w = OPS["input"]("x", (2, 2)), OPS["input"]("w", (2, 2))
    graph = Graph({"y": OPS["einsum"](x, w, spec="ij,jk->ik").named("y")})
    with pytest.raises(GraphError) as error, np.errstate(all="ignore"):
        interpret(graph, x=[[1, 2], [3e30, 4]], w=[[5e30, -6], [7, 8]], check_finite=True)
    text = str(error.value)
    assert "the first at [1, 0]" in text
    assert "x = float32[2, 2] from 1 to 3e+30, w = float32[2, 2] from -6 to 5e+30" in text


def test_check_finite_blames_the_data_first() -> None:
    with pytest.raises(GraphError, match="input 'x' holds NaN"):
        interpret(chain(), x=[[2, 3], [np.nan, 5]], check_finite=True)


def test_masks_are_not_a_fault() -> None:
    x = OPS["input"]("x", (3,))
    masked = OPS["where"](OPS["greater"](x, 0.0), x, -np.inf)
    graph = Graph({"p": OPS["softmax"](masked)})
    p = interpret(graph, x=[1, -1, 1], check_finite=True)["p"]
    np.testing.assert_allclose(p, [0.5, 0, 0.5])


@pytest.mark.parametrize("words", [{"padding": 1}, {"ceil_mode": True}])
def test_the_edge_around_a_pooled_image_is_not_a_fault(words: dict[str, Any]) -> None:
    x = gc.input("x", ("N", 1, 5, 5))
    graph = gc.graph({"y": gc.sum(gc.nn.max_pool2d(x, 2, **words))})
    for call in (partial(interpret, graph), gc.compile(graph, gradient_of="y", wrt=["x"])):
        assert np.isfinite(call(x=np.ones((1, 1, 5, 5)), check_finite=True)["y"])
        with pytest.raises(GraphError, match="input 'x' holds infinity"):
            call(x=np.full((1, 1, 5, 5), np.inf), check_finite=True)
