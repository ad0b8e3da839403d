"""Graphs as values: what is equal, what a variant keeps, who is warned."""

from __future__ import annotations

import ast
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import graphc as gc
from graphc.errors import GraphWarning
from graphc.ir.graph import Graph, with_own_names
from graphc.ir.node import Node, rebuilt
from graphc.ir.walk import topological

GRAPH = """
x: input(f32, N, 3)
W: param(f32, 3)
h = tanh(x * W)
y = h + 1
output(y)
"""


@pytest.fixture
def impatient() -> Iterator[None]:
    """Let threads take turns so often that what they share, they share badly."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


# -- warnings ------------------------------------------------------------------------------------


def with_idle_input() -> Graph:
    x, idle = gc.input("x", ("lambda", 3)), gc.input("idle", (2,))
    return Graph({"y": gc.tanh(x * gc.param("W", (3,)))}, inputs=[x, idle], warns=False)


QUIET: dict[str, Callable[[Graph], object]] = {
    "with_outputs": lambda g: g.with_outputs(g.outputs),
    "mapped": lambda g: g.mapped({}, name="other"),
    "text": str,
    "astype": lambda g: g.astype("float64"),
    "tangent": lambda g: g.tangent("W"),
    "pickled": lambda g: g.__reduce__()[0](*g.__reduce__()[1:][0]),
    "renamed nodes": with_own_names,
}


@pytest.mark.parametrize("call", QUIET.values(), ids=QUIET)
def test_a_graph_made_from_a_graph_does_not_warn_again(call: Callable[[Graph], object]) -> None:
    graph = with_idle_input()
    with warnings.catch_warnings():
        warnings.simplefilter("error", GraphWarning)
        call(graph)


def filters_stay(call: Callable[[], object]) -> bool:
    """Say whether four threads that call it again and again leave the filters of warnings."""
    call()  # imports what it needs, which may set filters of its own
    before = list(warnings.filters)

    def work() -> None:
        for _ in range(40):
            call()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = list(warnings.filters)
    warnings.filters[:] = before  # so that no other test suffers
    return after == before


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("call", QUIET.values(), ids=QUIET)
def test_threads_leave_the_filters_of_warnings_alone(call: Callable[[Graph], object]) -> None:
    graph = with_idle_input()
    assert filters_stay(lambda: call(graph))


def test_threads_that_read_texts_leave_the_filters_of_warnings_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two that mute Python's warning of "\\d" at the same time would leave it muted for good."""
    text = '"""A \\d."""\nx: input(f32, 3)\ny = x + 1\noutput(y)\n'
    parse, before = ast.parse, list(warnings.filters)
    first_is_in, second_is_in, first_is_done = (threading.Event() for _ in range(3))

    def slow(source: str, *args: Any, **named: Any) -> Any:
        if source.startswith('"""A'):
            is_first = threading.current_thread() is first
            (first_is_in if is_first else second_is_in).set()
            (second_is_in if is_first else first_is_done).wait(0.3)
        return parse(source, *args, **named)

    def read_first() -> None:
        gc.parse(text)
        first_is_done.set()

    monkeypatch.setattr(ast, "parse", slow)
    first, second = (
        threading.Thread(target=read_first),
        threading.Thread(target=gc.parse, args=[text]),
    )
    first.start()
    first_is_in.wait(5)
    second.start()
    first.join()
    second.join()
    monkeypatch.undo()
    after = list(warnings.filters)
    warnings.filters[:] = before  # so that no other test suffers
    assert after == before


def test_unread_leaves_are_warned_of_at_their_lines() -> None:
    x, idle, w = gc.input("x", (3,)), gc.input("idle", (2,)), gc.param("w", (2,))
    with pytest.warns(GraphWarning) as told:
        Graph({"y": x + 1}, inputs=[x, idle], params=[w])
    assert [str(warning.message) for warning in told] == [
        "parameter 'w' is not used",
        "input 'idle' is not used",
    ]
    assert {warning.filename for warning in told} == {__file__}


# -- equality ------------------------------------------------------------------------------------


def graph_of(*lines: str) -> Graph:
    text = "\n".join(["x: input(f32, 2)", "p: input(f32, 2)", *lines, "output(y)"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GraphWarning)
        return gc.parse(text + "\n")


@pytest.mark.parametrize(
    "one, other",
    [
        ("W: param(f32, 3)", "W: param(f32, 4)"),
        ("W: param(f32, 3)", "W: param(f64, 3)"),
        ("W: param(f32, 3)", "W: param(f32, 3, init=ones())"),
        ("W: param(f32, 3)", "W: param(f32, 3, trainable=False)"),
        ("W: param(f32, 3)", "V: param(f32, 3)"),
        ("W: param(f32, 3)", "W: input(f32, 3)"),
        ("W: input(f32, 3)", "W: input(f32, 4)"),
        ("W: input(f32, 3)", "V: input(f32, 3)"),
    ],
)
def test_graphs_of_other_unread_leaves_differ(one: str, other: str) -> None:
    line = "y = x + 1"
    assert graph_of(one, line) == graph_of(one, line)
    assert graph_of(one, line) != graph_of(other, line)


@pytest.mark.parametrize(
    "one, other, are_equal",
    [
        ("y = x - p", "z = x - p\ny = z * 1", False),
        ("y = x - p", "y = p - x", False),
        ("h = x - p\ny = exp(h)", "k = x - p\ny = exp(k)", True),
        ("y = (x + 2) * (x + 2)", "h = x + 2\ny = h * h", False),
        ("y = exp(x + 2) * exp(p + 2)", "y = exp(x + 2) * exp(p + 3)", False),
        ("y = x * 0.0", "y = x * -0.0", False),
    ],
)
def test_equal_is_what_computes_the_same(one: str, other: str, are_equal: bool) -> None:
    assert (graph_of(one) == graph_of(other)) is are_equal
    if are_equal:
        assert hash(graph_of(one)) == hash(graph_of(other))


def test_of_draws_only_their_order_counts() -> None:
    def two(swapped: bool) -> Graph:
        x = gc.input("x", (3,))
        a, b = gc.nn.dropout(x, 0.5), gc.nn.dropout(x, 0.5)
        return gc.graph({"y": b - a if swapped else a - b})

    assert two(False) == two(False)
    assert two(False) != two(True)


def test_bodies_are_equal_whatever_their_inputs_are_called() -> None:
    def loop(name: str, factor: float) -> Graph:
        text = f"""
x: input(f32, T, 3)
def step({name}, v):
    r = {name} * {factor} + v
    return r, r
last, all = scan(step, init=zeros(3), xs=x)
output(last, all)
"""
        return gc.parse(text)

    assert loop("h", 2.0) == loop("state", 2.0)
    assert loop("h", 2.0) != loop("h", 3.0)


# -- over other nodes ----------------------------------------------------------------------------


def doubled(graph: Graph) -> dict[Node, Node]:
    """Return a copy of each node of a graph, leaves too."""
    new: dict[Node, Node] = {}
    for node in topological([*graph.inputs.values(), *graph.params.values(), *graph.roots()]):
        again = rebuilt(node, tuple([new[x] for x in node.inputs]))
        new[node] = Node(again.op, again.inputs, again.attrs, again.type, again.provenance)
    return new


def test_a_graph_over_other_nodes_keeps_all_that_is_not_a_node() -> None:
    x, idle, W = gc.input("x", ("N", 3)), gc.input("idle", (2,)), gc.param("W", (3,))
    h = gc.tanh(x * W)
    graph = Graph(
        {"y": h + 1},
        updates={"W": W * 0.5},
        name="model",
        doc="A model.",
        inputs=[idle, x],
        names={h: "hidden"},
        history=("a pass",),
        warns=False,
    )
    new = doubled(graph)
    again = graph.mapped(new)
    assert again == graph and not {*again.nodes} & {*graph.nodes}
    assert (again.name, again.doc, again.history) == ("model", "A model.", ("a pass",))
    assert list(again.inputs) == ["idle", "x"] and again.inputs["idle"] is new[idle]
    assert dict(again.names) == {new[h]: "hidden"}
    assert list(again.labels.values()) == list(graph.labels.values())


def test_parts_that_are_given_stand_in_place_of_the_graphs_own() -> None:
    graph = gc.parse(GRAPH)
    other = graph.mapped({}, name="other", history=("a pass",))
    assert (other.name, other.history, other.outputs) == ("other", ("a pass",), graph.outputs)
    assert list(graph.mapped({}, outputs={"h": graph.find("h")}).outputs) == ["h"]


def test_names_of_nodes_that_are_gone_are_gone() -> None:
    x = gc.input("x", (3,))
    h = gc.tanh(x)
    k = gc.exp(h)
    graph = Graph({"y": k}, names={h: "h", k: "k"})
    other = x + 1
    assert dict(graph.mapped({k: other}).names) == {other: "k"}
    assert dict(graph.with_outputs({"h": h}).names) == {h: "h"}
    assert dict(with_own_names(graph).names) == {}  # they stand on the nodes
    assert list(with_own_names(graph).labels.values()) == ["x", "h", "k"]


def test_a_parameter_that_is_read_no_more_goes_and_one_that_never_was_stays() -> None:
    x, read, idle, written = gc.input("x", (3,)), *[gc.param(n, (3,)) for n in "abc"]
    graph = Graph(
        {"y": x * read, "z": x + 1},
        updates={"c": x},
        params=[written, idle, read],
        warns=False,
    )
    assert list(graph.params) == ["c", "b", "a"]
    assert list(graph.with_outputs({"z": graph.outputs["z"]}).params) == ["c", "b"]
    assert list(graph.with_outputs({"y": graph.outputs["y"]}, graph.updates).params) == [*"cba"]
    assert list(graph.mapped({graph.outputs["y"]: x}).params) == ["c", "b"]
    assert list(graph.with_outputs({"z": graph.outputs["z"]}).inputs) == ["x"]


def test_a_graph_with_other_outputs_is_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = gc.parse(GRAPH)
    walks: list[int] = []

    def counted(roots: list[Node]) -> list[Node]:
        walks.append(1)
        return topological(roots)

    monkeypatch.setattr("graphc.ir.graph.topological", counted)
    graph.with_outputs(graph.outputs)
    assert len(walks) == 1
