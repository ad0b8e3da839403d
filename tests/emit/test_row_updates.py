"""Updates of rows: written into the table's own memory, and only when nobody reads it any more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stepping import STYLES, assert_steps_agree

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE, phase
from graphc.ops import OPS
from graphc.ops.leaf import input_, param, zeros_like

W, V = param("W", (5, 2), "float64"), param("V", (5, 2), "float64")
X = input_("x", ("N", 2), "float64")
I = input_("i", ("N",), "int64")  # noqa: E741  # row numbers, as in W[I]
J = input_("j", ("N",), "int64")
STATE = {"W": np.arange(10.0).reshape(5, 2), "V": np.arange(10.0).reshape(5, 2) + 20}
CALLS = [
    {"x": np.ones((3, 2)), "i": np.array([1, 1, -5]), "j": np.array([0, 4, 1])},
    {"x": np.arange(8.0).reshape(4, 2), "i": np.array([2, 3, 2, -1]), "j": np.array([2, 2, 0, 4])},
    {"x": np.zeros((0, 2)), "i": np.zeros(0, np.int64), "j": np.zeros(0, np.int64)},
]


def added(base: Node, values: Node, rows: Node = I) -> Node:
    return OPS["scatter_add"](base, values, rows)


def put(base: Node, values: Node, rows: Node = I) -> Node:
    return OPS["put_rows"](base, values, rows)


def rows(base: Node, indices: Node = I) -> Node:
    return OPS["gather"](base, indices)


def moved(base: Node) -> Node:
    """Return a table with rows of its own, read before and after a write."""
    once = added(base, X)
    return added(once, rows(once, J), J)


def read_in_between(base: Node) -> Node:
    once = added(base, X)
    return added(once, rows(base, J), J)


def lazy_mean(table: Node, slot: Node) -> dict[str, Node]:
    total = OPS["sum_by_row"](X, I, 5)
    mean = rows(slot) * 0.9 + total * 0.1
    return {"W": put(table, rows(table) - mean), "V": put(slot, mean)}


TOTAL = {"total": OPS["sum"](OPS["add"](W, V))}
GRAPHS: dict[str, Callable[[], Graph]] = {
    "one write": lambda: Graph(TOTAL, updates={"W": added(W, X)}),
    "three writes": lambda: Graph(
        TOTAL, updates={"W": added(added(added(W, X), X * 2.0, J), rows(V), J)}
    ),
    "a put over a sum": lambda: Graph(TOTAL, updates={"W": put(added(W, X), X, J)}),
    "the rows of the next value": lambda: Graph(TOTAL, updates={"W": moved(W)}),
    "the rows of the old value": lambda: Graph(TOTAL, updates={"W": read_in_between(W)}),
    "rows of the other": lambda: Graph(
        TOTAL, updates={"W": added(W, rows(V)), "V": added(V, rows(W, J), J)}
    ),
    "the first of two writes is an output": lambda: Graph(
        {"first": (first := added(W, X))}, updates={"W": added(first, X, J), "V": V * 2.0}
    ),
    "a write that both read": lambda: Graph(
        TOTAL, updates={"W": added(once := added(W, X), X, J), "V": put(once, X, J)}
    ),
    "onto something else": lambda: Graph(TOTAL, updates={"W": added(V, X), "V": added(W * 0.5, X)}),
    "onto what it is multiplied with": lambda: Graph(
        TOTAL, updates={"W": added(W * 0.5, rows(W) * 3.0)}
    ),
    "onto zeros": lambda: Graph(TOTAL, updates={"W": added(added(zeros_like(W), X), X, J)}),
    "a view of itself": lambda: Graph(
        {"n": OPS["sum"](X)},
        updates={"W": OPS["put_rows"](W, OPS["slice"](W, [slice(0, 3)]), OPS["arange"](2, 5))},
    ),
    "the old table is shown": lambda: Graph(
        {"old": OPS["transpose"](W)}, updates={"W": put(W, X * 2.0)}
    ),
    "lazy": lambda: Graph(TOTAL, updates=lazy_mean(W, V)),
}


@pytest.mark.filterwarnings("ignore::graphc.errors.GraphWarning")
@pytest.mark.parametrize("block", ["forward", UPDATE])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", GRAPHS)
def test_rows_are_updated_as_the_reference_does(name: str, style: str, block: str) -> None:
    with phase(block):
        graph = GRAPHS[name]()
    state = {key: STATE[key] for key in graph.params}
    calls = [{key: call[key] for key in graph.inputs} for call in CALLS]
    assert_steps_agree(graph, state, calls, style=style)


@pytest.mark.parametrize("style", STYLES)
def test_a_chain_of_writes_goes_into_the_table_itself(style: str) -> None:
    with phase(UPDATE):
        graph = GRAPHS["three writes"]()
    source = gc.emit(graph, style=style)
    assert "copy" not in source
    assert "(5, 2)" not in source.partition("def step")[2].partition("# update")[2]


# -- gradients on demand -------------------------------------------------------------------------


def tables() -> Graph:
    """Return a model with a small table, read in two ways, and a weight."""
    ids = gc.input("ids", ("N", 2), dtype="int64")
    table = gc.param("table", (5, 2), "float64", init=gc.init.normal())
    weight = gc.param("weight", (2,), "float64", init=gc.init.ones())
    first, second = gc.take(table, ids[:, 0], axis=0), gc.take(table, ids[:, 1], axis=0)
    loss = gc.mean((first * second) @ weight)
    return gc.graph({"loss": loss}, name="tables")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", [0, 1, 2])
def test_asking_for_gradients_changes_nothing_else(style: str, level: int) -> None:
    graph = tables()
    step = gc.compile(graph, minimize="loss", optimizer="sgd(0.5)", style=style, optimize=level)
    ids = np.array([[0, 1], [1, 1], [4, -1]])
    wanted = gc.compile(graph, gradient_of="loss")
    asked, silent = step.init(seed=3), step.init(seed=3)
    for _ in range(2):
        expected = wanted(asked, ids=ids)
        gradients: dict[str, np.ndarray] = {}
        one = step.function(asked, ids, gradients=gradients)
        other = step.function(silent, ids)
        np.testing.assert_array_equal(one["loss"], other["loss"])
        for name in asked:
            np.testing.assert_array_equal(asked[name], silent[name])
            np.testing.assert_allclose(gradients[name], expected[f"d_loss_d_{name}"], rtol=1e-12)


def test_only_who_asks_pays_for_a_tables_gradient() -> None:
    step = gc.compile(tables(), minimize="loss", optimizer="sgd(0.5)", style="readable")
    before, condition, after = step.source.partition("    if gradients is not None:\n")
    inside, _, update = after.partition("    # update")
    assert condition
    assert "np.zeros((5, 2)" in inside
    assert "np.zeros((5, 2)" not in before.partition("def step")[2] + update.partition("def ")[0]
