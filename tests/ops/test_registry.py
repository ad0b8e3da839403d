"""One test over the whole registry: a new op is tested by the cases in its definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.differentiate.gradient import grad
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Case, Op
from graphc.ops import OPS
from graphc.ops.elementwise.algebras import NODES
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.run.reference import evaluate

CASES = [
    pytest.param(op, case, id=f"{op.name}-{number}")
    for op in OPS.values()
    for number, case in enumerate(op.cases)
]
LEAVES = {"input", "param"}
#: Loops take a body, which no case can write down: see tests/build/test_scan.py.
LOOPS = {"scan", "item"}

#: NumPy functions of an op's name whose arguments come in another form.
NUMPY_CALLS = {
    "einsum": lambda arrays, kwargs: np.einsum(kwargs["spec"], *arrays),
    "concat": lambda arrays, kwargs: np.concat(arrays, **kwargs),
    "pad": lambda arrays, kwargs: np.pad(
        arrays[0], kwargs["widths"], constant_values=kwargs.get("value", 0)
    ),
    # NumPy 2.0 calls the argument `newshape`.
    "reshape": lambda arrays, kwargs: np.reshape(arrays[0], kwargs["shape"]),
}


@dataclass(frozen=True)
class Call:
    """A case made real: argument nodes x0, x1, …, their arrays, and the node of the call."""

    inputs: list[Node]
    arrays: list[np.ndarray]
    node: Node

    @property
    def values(self) -> dict[str, np.ndarray]:
        return {f"x{i}": array for i, array in enumerate(self.arrays)}

    def at(self, arrays: Sequence[np.ndarray], nodes: Sequence[Node]) -> list[np.ndarray]:
        """Return the reference values of nodes where the arguments are `arrays`."""
        values = evaluate(nodes, dict(zip(self.inputs, arrays, strict=True)))
        return [values[node] for node in nodes]

    def smooth(self) -> list[int]:
        """Return the positions of the arguments that a derivative may be taken in."""
        return [i for i, x in enumerate(self.inputs) if x.dtype.kind == "f"]


def call(op: Op, case: Case, dtype: str = "float64") -> Call:
    rng = np.random.default_rng(7)
    arrays = [arg.draw(rng) for arg in case.args]
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    inputs = [gc.input(f"x{i}", a.shape, a.dtype.name) for i, a in enumerate(arrays)]
    return Call(inputs, arrays, op(*inputs, **case.kwargs))


def graph_of(made: Call) -> Graph:
    return gc.graph({"y": made.node}, name="case")


def draws(op: Op) -> dict[str, Any]:
    return {"rng": np.random.default_rng(3)} if op.is_random else {}


def test_every_op_has_cases() -> None:
    assert {name for name, op in OPS.items() if not op.cases} == LEAVES | LOOPS


@pytest.mark.parametrize(("op", "case"), CASES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
def test_inferred_type_is_the_reference_values_type(op: Op, case: Case, dtype: str) -> None:
    made = call(op, case, dtype)
    value = gc.interpret(graph_of(made), **made.values, **draws(op))["y"]
    assert made.node.op is op or made.node is made.inputs[0]  # a cast to the dtype it has already
    assert np.shape(value) == made.node.shape
    assert np.asarray(value).dtype == made.node.dtype


@pytest.mark.parametrize(
    ("op", "case"),
    [c for c in CASES if hasattr(np, c.values[0].name)],
)
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
def test_value_is_numpys(op: Op, case: Case) -> None:
    made = call(op, case)
    if op.name in NUMPY_CALLS:
        expected = NUMPY_CALLS[op.name](made.arrays, case.kwargs)
    elif case.args:
        expected = getattr(np, op.name)(*made.arrays, **case.kwargs)
    else:
        expected = getattr(np, op.name)(*case.kwargs.values())
    (value,) = made.at(made.arrays, [made.node])
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    assert value.shape == np.shape(expected)
    if case.args:  # without arguments graphc's default is float32
        assert value.dtype == np.asarray(expected).dtype


@pytest.mark.parametrize(
    ("op", "case"),
    [c for c in CASES if isinstance(c.values[0], Pointwise) and c.values[0].name != "cast"],
)
def test_formula_and_numpy_form_agree(op: Pointwise, case: Case) -> None:
    """What SymPy derives is what NumPy computes: formula and lowering are one function."""
    made = call(op, case)
    by_formula = evaluate_formula(op.formula, dict(zip(op.args, made.inputs, strict=True)), NODES)
    value, expected = made.at(made.arrays, [made.node, by_formula])
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)


def states_a_definition(op: Op) -> bool:
    """Say whether an op is made of others in another way than it is lowered."""
    return type(op).expand is not Op.expand or type(op).textbook is not Op.textbook


@pytest.mark.parametrize(("op", "case"), [c for c in CASES if states_a_definition(c.values[0])])
def test_definitions_have_the_ops_value(op: Op, case: Case) -> None:
    """What derivatives go through, and what exact arithmetic takes, is the op."""
    made = call(op, case)
    forms = [made.node.op.expand(made.node), made.node.op.textbook(made.node)]
    value, *others = made.at(
        made.arrays, [made.node, *[form for form in forms if form is not None]]
    )
    assert others
    for other in others:
        np.testing.assert_allclose(other, value, rtol=1e-12)
        assert other.shape == value.shape


@pytest.mark.parametrize(("op", "case"), CASES)
def test_text_round_trip(op: Op, case: Case) -> None:
    graph = graph_of(call(op, case))
    again = gc.parse(str(graph))
    assert again == graph
    assert str(again) == str(graph)


@pytest.mark.parametrize(("op", "case"), CASES)
@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
def test_emitted_code_computes_the_reference(op: Op, case: Case, style: str) -> None:
    made = call(op, case)
    graph = graph_of(made)
    expected = gc.interpret(graph, **made.values, **draws(op))["y"]
    function = gc.compile(graph, style=style)
    for _ in range(2):  # the second call meets the buffers of the first
        got = function(**made.values, **draws(op))["y"]
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
        assert np.asarray(got).dtype == made.node.dtype
        assert np.shape(got) == made.node.shape


def slope(made: Call, target: Node, index: int) -> np.ndarray:
    """Return the central differences of a scalar node in argument `index`."""
    step = 1e-6
    base = made.arrays[index]
    result = np.zeros_like(base)
    for place in np.ndindex(base.shape):
        ends = []
        for sign in (1, -1):
            moved = [a.copy() for a in made.arrays]
            moved[index][place] += sign * step
            ends.append(float(made.at(moved, [target])[0]))
        result[place] = (ends[0] - ends[1]) / (2 * step)
    return result


def weighted_sum(node: Node, seed: int) -> Node:
    """Return a scalar that reads every element with a weight of its own."""
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, node.shape)
    return gc.sum(node * gc.constant(weights, dtype="float64"))


SMOOTH = [c for c in CASES if c.values[1].differentiable and c.values[1].args]


@pytest.mark.parametrize(("op", "case"), SMOOTH)
def test_first_and_second_derivative_equal_finite_differences(op: Op, case: Case) -> None:
    made = call(op, case)
    scalar = weighted_sum(made.node, 1)
    smooth = made.smooth()
    wrt = [made.inputs[i] for i in smooth]
    first = grad(scalar, wrt)
    for i, derivative in zip(smooth, made.at(made.arrays, first), strict=True):
        expected = slope(made, scalar, i)
        np.testing.assert_allclose(derivative, expected, rtol=1e-6, atol=1e-7)
        assert derivative.shape == made.inputs[i].shape

    # The squares make the sum depend on every argument, also where the op is linear.
    again = gc.full((), 0.0, dtype="float64")
    for k, (x, derivative) in enumerate(zip(wrt, first, strict=True)):
        again = again + weighted_sum(derivative, 2 + k) + gc.sum(x * x)
    second = grad(again, wrt)
    for i, derivative in zip(smooth, made.at(made.arrays, second), strict=True):
        np.testing.assert_allclose(derivative, slope(made, again, i), rtol=1e-6, atol=1e-6)
