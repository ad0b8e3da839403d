"""Costs: counted by hand for small graphs, symbolic in the dims, linear in the nodes."""

from __future__ import annotations

import dataclasses
import time

import pytest

from graphc.errors import GraphError
from graphc.ir.dims import as_dim
from graphc.ir.graph import Graph
from graphc.ir.provenance import BACKWARD, phase, scope
from graphc.ops import OPS
from graphc.plan.amounts import amount, largest
from graphc.plan.cost import cost


def dense_graph(rows: object = "N") -> Graph:
    """x [N, 3] @ W [3, 4] + b, tanh, @ V [4, 2]: the lecture's 3-4-2 network."""
    x = OPS["input"]("x", (rows, 3))
    W, b = OPS["param"]("W", (3, 4)), OPS["param"]("b", (4,))
    V, c = OPS["param"]("V", (4, 2)), OPS["param"]("c", (2,))
    with scope("hidden"):
        z = OPS["add"](OPS["einsum"](x, W, spec="ij,jk->ik"), b)
        h = OPS["tanh"](z)
    with scope("out"):
        y = OPS["add"](OPS["einsum"](h, V, spec="ij,jk->ik"), c)
    with phase(BACKWARD):
        d_V = OPS["einsum"](h, y, spec="ij,ik->jk")
    return Graph({"y": y, "d_V": d_V}, name="dense")


def test_totals_counted_by_hand() -> None:
    found, N = cost(dense_graph()), as_dim("N")
    products = 2 * 3 * 4 * N + 2 * 4 * 2 * N + 2 * 4 * 2 * N
    assert found.flops == products + 4 * N + 2 * N + 15 * 4 * N
    assert found.parameters == 3 * 4 + 4 + 4 * 2 + 2 == 26
    assert found.parameter_bytes == 4 * 26


def test_bytes_count_operands_and_results_once() -> None:
    x = OPS["input"]("x", ("N", 3))
    b = OPS["param"]("b", (3,))
    N = as_dim("N")
    # x is read, b is read as it is stored (not broadcast), the sum is written.
    assert cost(Graph({"y": OPS["add"](x, b)})).bytes == 4 * (3 * N + 3 + 3 * N)
    # The constant is a number in the code, a transpose is a view: neither moves anything.
    assert cost(Graph({"y": OPS["multiply"](x, 2.0)})).bytes == 4 * (3 * N + 3 * N)
    assert cost(Graph({"y": OPS["transpose"](x)})).bytes == 0


def test_phases_scopes_and_ops_add_up() -> None:
    found, N = cost(dense_graph()), as_dim("N")
    for groups in (found.by_node, found.by_phase, found.by_scope, found.by_op):
        assert sum(work.flops for work in groups.values()) == found.flops
        assert (sum(work.bytes for work in groups.values()) - found.bytes).expand() == 0
    assert list(found.by_phase) == ["forward", "backward"]
    assert found.by_phase["backward"].flops == 16 * N
    assert found.by_scope["hidden"].flops == (24 + 4 + 60) * N


def test_peak_follows_lifetimes() -> None:
    x = OPS["input"]("x", (100,))
    node = x
    for _ in range(10):
        node = OPS["exp"](node)
    # x stays with the caller; of the chain, an operand and its result live at once.
    assert cost(Graph({"y": node})).peak_bytes == 4 * 300
    # Kept as an output, every value stays.
    a = OPS["exp"](x)
    b = OPS["exp"](a)
    assert cost(Graph({"a": a, "b": b, "c": OPS["exp"](b)})).peak_bytes == 4 * 400
    # A view keeps the memory alive that it shows.
    view = OPS["slice"](a, [slice(0, 1)])
    graph = Graph({"view": view, "y": OPS["exp"](OPS["exp"](x))})
    assert cost(graph).peak_bytes == 4 * 400


def test_a_graph_that_computes_nothing_holds_what_it_is_given() -> None:
    x = OPS["input"]("x", ("N", 3))
    assert str(cost(Graph({"y": x})).peak_bytes) == "12*N"


def test_peak_is_a_maximum_where_dims_decide() -> None:
    n, m = OPS["input"]("n", ("N",)), OPS["input"]("m", ("M",))
    tall = OPS["sum"](OPS["exp"](OPS["exp"](n)))
    wide = OPS["sum"](OPS["exp"](OPS["exp"](m)))
    peak = cost(Graph({"y": OPS["add"](tall, wide)})).peak_bytes
    N, M = as_dim("N"), as_dim("M")
    for sizes in ({N: 1000, M: 1}, {N: 1, M: 1000}, {N: 500, M: 500}):
        base = 4 * (sizes[N] + sizes[M])
        assert int(peak.subs(sizes)) in range(base + 8 * max(sizes.values()), base + 8 * 1000 + 9)


def test_sizes_may_be_fixed() -> None:
    symbolic, fixed = cost(dense_graph()).at(N=128), cost(dense_graph(128))
    for name in ("flops", "bytes", "peak_bytes", "parameters"):
        assert getattr(symbolic, name) == getattr(fixed, name)
    assert str(symbolic) == str(fixed)
    with pytest.raises(GraphError, match="a dim called 'n'"):
        cost(dense_graph()).at(n=3)


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_dim_has_a_positive_whole_size(size: float) -> None:
    with pytest.raises(GraphError, match="a dim has no such size: N"):
        cost(dense_graph()).at(N=size)  # type: ignore[arg-type]


def test_sizes_of_a_large_maximum_are_fixed_at_once() -> None:
    N, T = as_dim("N"), as_dim("T")
    terms = [i * N * T + (40 - i) * T**2 + 7 * i * (N // 3) for i in range(1, 40)]
    peak = largest(map(amount, terms))
    found = dataclasses.replace(cost(dense_graph()), peak_bytes=peak + N)
    started = time.process_time()
    assert found.at(N=30, T=5).peak_bytes == 39 * 150 + 25 + 7 * 39 * 10 + 30
    part = found.at(N=30).peak_bytes
    assert part.subs({T: 5}) == found.at(N=30, T=5).peak_bytes
    assert part.free_symbols == {T}
    assert time.process_time() - started < 3


def test_it_prints_a_table() -> None:
    lines = str(cost(dense_graph())).splitlines()
    assert lines[0] == "cost of dense"
    assert lines[1] == "  parameters       26  (104 bytes)"
    assert lines[2] == "  FLOPs            122*N"
    assert any(line.split()[:2] == ["hidden", "88*N"] for line in lines)


def test_convolution_sizes_keep_their_floors() -> None:
    x = OPS["input"]("x", ("H",))
    y = OPS["exp"](OPS["slice"](x, [slice(None, None, 2)]))
    found = cost(Graph({"y": y}))
    assert found.at(H=9).flops == 10 * 5


def test_it_is_linear_in_the_nodes() -> None:
    def seconds(length: int) -> float:
        node = OPS["input"]("x", ("N",))
        for _ in range(length):
            node = OPS["tanh"](node)
        graph = Graph({"y": node})
        started = time.process_time()
        assert cost(graph).flops == 15 * length * as_dim("N")
        return time.process_time() - started

    seconds(100)
    short, long = (min(seconds(length) for _ in range(3)) for length in (500, 4000))
    assert long < 8 * 3 * short  # 8 where linear, 64 where quadratic
