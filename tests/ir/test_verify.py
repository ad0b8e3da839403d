"""The verifier accepts every graph that is built, and shows where a broken one is broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.verify import verify
from graphc.ops import OPS

CASES = [(name, case) for name, op in OPS.items() for case in op.cases]


def forced(node: Node, **changes: object) -> Node:
    """Return a node with fields that no constructor would accept."""
    fields = {name: getattr(node, name) for name in ("op", "inputs", "attrs", "type", "provenance")}
    return Node(**{**fields, **changes})


def fault(graph: Graph) -> str:
    with pytest.raises(GraphError) as caught:
        verify(graph)
    return str(caught.value)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_built_graphs_are_sound(name: str, case: object) -> None:
    arguments = case.args
    inputs = [OPS["input"](f"x{i}", a.shape, a.dtype) for i, a in enumerate(arguments)]
    verify(Graph({"y": OPS[name](*inputs, **case.kwargs)}))


def test_a_long_graph_is_checked_without_recursion() -> None:
    node = OPS["input"]("x", (2,))
    for _ in range(20_000):
        node = OPS["tanh"](node)
    verify(Graph({"y": node}))


X = OPS["input"]("x", ("N", 4))
W = OPS["param"]("W", (4, 3))


def test_a_wrong_type_is_shown_in_its_neighbourhood() -> None:
    z = OPS["einsum"]("ij,jk->ik", X, W).named("z")
    wrong = forced(z, type=X.type)
    graph = Graph({"p": OPS["exp"](wrong).named("p")})
    told = fault(graph)
    assert told.startswith(
        "verify: einsum of these operands has another type\n"
        "    x: f32[N, 4] = input()\n"
        "    W: f32[4, 3] = param()\n"
        "  > z: f32[N, 4] = einsum(x, W)\n"
        "    p: f32[N, 4] = exp(z)\n"
        "  where     test_verify.py:"
    )
    assert "got       f32[N, 4]\n  expected  f32[N, 3]" in told


def updated(value: Node) -> Graph:
    return Graph({"y": OPS["sum"](W)}, updates={"W": value})


def with_shuffled_nodes() -> Graph:
    graph = Graph({"y": OPS["tanh"](OPS["exp"](X))})
    object.__setattr__(graph, "nodes", tuple(reversed(graph.nodes)))
    return graph


def with_another_input() -> Graph:
    graph = Graph({"y": OPS["tanh"](X)})
    object.__setattr__(graph, "inputs", {"x": OPS["input"]("x", ("N", 4))})
    return graph


NOISE = OPS["random_normal"]((2,))
BROKEN: dict[str, Callable[[], Graph]] = {
    "the shapes do not broadcast": lambda: Graph(
        {"y": forced(OPS["add"](X, X), inputs=(X, OPS["sum"](X)))}
    ),
    "an operand comes after its user": with_shuffled_nodes,
    "a second input is called 'x'": with_another_input,
    "the next value of 'W' has another type": lambda: updated(OPS["sum"](W, axis=0)),
    "two random draws have one number": lambda: Graph(
        {"y": OPS["add"](NOISE, forced(NOISE)), "z": NOISE}
    ),
    "an output needs a name": lambda: Graph({"": X}),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_named(what: str) -> None:
    assert what in fault(BROKEN[what]())


def test_a_draw_that_is_read_under_two_names_says_what_to_do() -> None:
    assert "name it where it is made" in fault(Graph({"y": OPS["add"](NOISE, NOISE.named("n"))}))


def test_an_operand_that_is_no_node() -> None:
    graph = Graph({"y": OPS["tanh"](X)})
    object.__setattr__(graph.outputs["y"], "inputs", (3.0,))
    assert "an operand is not a node" in fault(graph)
