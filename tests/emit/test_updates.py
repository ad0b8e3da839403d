"""Updates in place: who reads the old value, who shows the memory, who owns what is returned."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from stepping import STYLES, assert_steps_agree, compiled

import graphc as gc
from graphc.compile import emit
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE, phase
from graphc.ops import OPS
from graphc.ops.leaf import fill, full, input_, param, zeros_like
from graphc.ops.regular_arrays import arange, eye

W, V = param("W", (3, 3), "float64"), param("V", (3, 3), "float64")
STATE = {
    "W": np.arange(9.0).reshape(3, 3),
    "V": np.arange(9.0).reshape(3, 3) + 20,
    "n": np.array([1, 2, 3], np.int32),
    "v": np.ones(3),
}
FLOAT = np.dtype(np.float64)


def doubled(x: Node) -> Node:
    return OPS["multiply"](x, 2.0)


def rolled(x: Node) -> Node:
    parts = [OPS["slice"](x, [slice(1, None)]), OPS["slice"](x, [slice(0, 1)])]
    return OPS["concat"](*parts, axis=0)


def rows_moved(x: Node) -> Node:
    return OPS["scatter_add"](zeros_like(x), x, gc.constant(np.array([2, 0, 0])))


def cast_after_the_count(outputs: dict[str, Node]) -> Graph:
    n, v = param("n", (3,), "int32"), param("v", (3,), "float64")
    next_n, old = OPS["add"](n, 1), OPS["cast"](n, "float64")
    scaled = OPS["multiply"](OPS["cast"](next_n, "float64"), v)
    next_v = OPS["subtract"](OPS["multiply"](old, scaled), v)
    return Graph(outputs, updates={"v": next_v, "n": next_n})


def largest_row(x: Node) -> Node:
    return OPS["gather"](x, OPS["argmax"](OPS["slice"](x, [slice(0, 1)])))


TOTAL = {"total": OPS["sum"](OPS["add"](W, V))}
GRAPHS: dict[str, Callable[[], Graph]] = {
    "another's old value": lambda: Graph(TOTAL, updates={"W": doubled(W), "V": W}),
    "swap": lambda: Graph(TOTAL, updates={"W": V, "V": W}),
    "swap, one turned": lambda: Graph(TOTAL, updates={"W": OPS["transpose"](V), "V": W}),
    "its own transpose": lambda: Graph(TOTAL, updates={"W": OPS["transpose"](W)}),
    "itself": lambda: Graph(TOTAL, updates={"W": W, "V": doubled(V)}),
    "a constant": lambda: Graph(TOTAL, updates={"W": eye(3, dtype="float64"), "V": zeros_like(V)}),
    "only written": lambda: Graph({"t": OPS["sum"](V)}, updates={"W": doubled(V)}, params=[W]),
    "rolled": lambda: Graph(TOTAL, updates={"W": rolled(W)}),
    "rows added to rows": lambda: Graph(TOTAL, updates={"W": rows_moved(W)}),
    "old value shown": lambda: Graph(
        {"old": W, "turned": OPS["transpose"](W), "again": W}, updates={"W": doubled(W)}
    ),
    "an integer that is cast later": lambda: cast_after_the_count(TOTAL),
    "row at a computed place": lambda: Graph({"row": largest_row(W)}, updates={"W": doubled(W)}),
    "einsum that only turns": lambda: Graph(
        {"turned": OPS["einsum"]("ij->ji", W), "diagonal": OPS["einsum"]("ii->i", W)},
        updates={"W": doubled(W)},
    ),
}


@pytest.mark.filterwarnings("ignore::graphc.errors.GraphWarning")
@pytest.mark.parametrize("block", ["forward", UPDATE])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", GRAPHS)
def test_updates_read_old_values(name: str, style: str, block: str) -> None:
    with phase(block):
        graph = GRAPHS[name]()
    state = {key: STATE[key] for key in graph.params}
    assert_steps_agree(graph, state, [{}, {}], style=style)


@pytest.mark.parametrize("style", STYLES)
def test_outputs_are_arrays_of_their_owner(style: str) -> None:
    x = input_("x", (3,), "float64")
    numbers, square = arange(5), OPS["sin"](x)
    outputs = {
        "numbers": numbers,
        "tail": OPS["slice"](numbers, [slice(1, None)]),
        "spread": OPS["broadcast_to"](square, (2, 3)),
        "square": square,
        "again": square,
        "turned": OPS["slice"](square, [slice(None, None, -1)]),
        "x": x,
        "true": full((), True),
    }
    for _ in range(2):  # each output in turn is spoilt by its owner
        assert_steps_agree(Graph(outputs), {}, [{"x": np.ones(3)}] * 2, style=style)
        outputs = dict(reversed(outputs.items()))


@pytest.mark.parametrize("style", STYLES)
def test_two_sums_on_one_base_of_zeros_stay_apart(style: str) -> None:
    v, i = input_("v", (2, 3), "float64"), input_("i", (2,), "int64")
    zeros = fill(0, (3, 3), FLOAT)
    once, twice = (OPS["scatter_add"](zeros, OPS["multiply"](v, f), i) for f in (1.0, 2.0))
    graph = Graph({"once": once, "total": OPS["sum"](twice), "zeros": zeros})
    inputs = {"v": np.arange(6.0).reshape(2, 3), "i": np.array([2, 2])}
    assert_steps_agree(graph, {}, [inputs, inputs], style=style)


@pytest.mark.parametrize("style", STYLES)
def test_gradients_keep_their_values_while_the_step_goes_on(style: str) -> None:
    w, x = gc.param("w", (3,), dtype="float64"), gc.input("x", (3,), dtype="float64")
    graph = gc.graph({"loss": gc.sum(w * w) / 2 + gc.sum(w * x)}, name="quadratic")
    plain = gc.graph({"loss": gc.sum(w * x)}, name="linear")
    for model in (graph, plain):
        step = gc.compile(model, minimize="loss", optimizer="sgd(0.5)", style=style)
        state, inputs, seen = {"w": np.arange(3.0)}, np.ones(3), {}
        step.function(state, inputs, gradients=seen)
        expected = np.arange(3.0) + 1 if model is graph else np.ones(3)
        np.testing.assert_array_equal(seen["w"], expected)
        seen["w"][...] = 7
        np.testing.assert_array_equal(inputs, np.ones(3))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("op", "a", "b"),
    [("power", -8.0, 1 / 3), ("remainder", -7.0, 0.0), ("divide", 1.0, 0.0), ("divide", 0.0, 0.0)],
)
def test_numbers_follow_numpy_where_python_differs(style: str, op: str, a: float, b: float) -> None:
    graph = Graph({"y": OPS[op](fill(a, (), FLOAT), fill(b, (), FLOAT))})
    assert_steps_agree(graph, {}, [{}], style=style)


@pytest.mark.parametrize("style", STYLES)
def test_an_empty_batch_divides_by_its_size(style: str) -> None:
    rows = gc.dim("N")
    x = input_("x", (rows,), "float64")
    share = OPS["divide"](1.0, full((), rows, "float64"))
    graph = Graph({"y": OPS["multiply"](x, share), "share": share})
    assert_steps_agree(graph, {}, [{"x": np.ones(0)}, {"x": np.ones(2)}], style=style)


@pytest.mark.parametrize("style", STYLES)
def test_arithmetic_on_numbers_does_not_grow_without_bound(style: str) -> None:
    x = fill(1.0, (), FLOAT)
    for _ in range(200):
        x = OPS["multiply"](OPS["add"](x, x), 0.5)
    assert len(emit(Graph({"x": x}), style=style)) < 40_000
    assert_steps_agree(Graph({"x": x}), {}, [{}], style=style)


@pytest.mark.parametrize("name", ["point", "evaluate", "outputs", "norm", "seed", "state"])
def test_the_check_of_a_module_sees_the_function_under_any_name(name: str) -> None:
    w = gc.param("w", (3,), dtype="float64")
    graph = gc.graph({"loss": gc.sum(w * gc.sin(w + 1))}, name=name)
    gc.compile(graph, gradient_of="loss", style="readable").module.check()


def test_the_check_of_a_module_gets_past_a_kink() -> None:
    """A step of 1e-2 crosses the kink at 0 and finds half the slope; a smaller one does not."""
    w = gc.param("w", (1,), dtype="float64", init=0.005)
    graph = gc.graph({"loss": gc.sum(gc.relu(w) * 3)})
    gc.compile(graph, gradient_of="loss").module.check()


def chain_of_updates(count: int) -> Graph:
    """Return `count` parameters; all are read by one row, and each next value reads that row."""
    params = [param(f"p{i}", (2,), "float64") for i in range(count)]
    row = OPS["concat"](*[doubled(p) for p in params])
    with phase(UPDATE):
        updates = {
            f"p{i}": OPS["subtract"](p, OPS["slice"](row, [slice(2 * i, 2 * i + 2)]))
            for i, p in enumerate(params)
        }
    return Graph({"total": OPS["sum"](row)}, updates=updates)


@pytest.mark.parametrize("style", STYLES)
def test_thousands_of_updates_take_linear_time(style: str) -> None:
    def seconds(count: int) -> float:
        graph = chain_of_updates(count)
        start = time.process_time()
        emit(graph, style=style)
        return time.process_time() - start

    seconds(100)
    assert seconds(4000) < 20 * seconds(500) + 1  # 8 where linear, 64 where quadratic


@pytest.mark.parametrize("style", STYLES)
def test_hostile_names_of_everything(style: str) -> None:
    names = ["lambda", "np", "state", "x y", "x_y", "rng", "workspace", 'a"b', "step", "W\n"]
    params = [param(name, (2,), "float64") for name in names]
    x = input_("gradients", (2,), "float64")
    total: Node = x
    for p in params:
        total = OPS["add"](total, p).named("x y")
    graph = Graph({"np": total}, updates={p.attrs["name"]: OPS["add"](p, total) for p in params})
    state = {name: np.ones(2) * i for i, name in enumerate(names)}
    assert compiled(graph, style)
    assert_steps_agree(graph, state, [{"gradients": np.ones(2)}] * 2, style=style)
