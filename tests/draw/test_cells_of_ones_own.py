"""Cells that are no layers: whatever a body computes is drawn, and can be read."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from drawn_graphs import boxes, rectangle, texts

import graphc as gc
from graphc.draw.loops.cell_parts import cell_of


def runge_kutta() -> gc.Graph:
    y0, W, V = gc.input("y0", ("N", 2)), gc.param("W", (2, 8)), gc.param("V", (8, 2))

    def step(y: gc.Node) -> gc.Node:
        slopes = [gc.tanh(y @ W) @ V]
        for share in (0.05, 0.05, 0.1):
            slopes.append(gc.tanh((y + share * slopes[-1]) @ W) @ V)
        a, b, c, d = slopes
        return y + 0.1 / 6 * (a + 2 * b + 2 * c + d)

    return gc.graph({"y": gc.scan(step, init=y0, length=10)[0]})


def kalman_filter() -> gc.Graph:
    y, noise = gc.input("y", ("T",)), gc.param("noise", ())
    F = gc.constant(np.array([[1, 1], [0, 1]], "float32"))

    def step(m: gc.Node, P: gc.Node, y_t: gc.Node) -> tuple[gc.Node, ...]:
        m, P = F @ m, F @ P @ F.T + gc.eye(2)
        S = P[0, 0] + gc.exp(noise)
        K, e = P[:, 0] / S, y_t - m[0]
        return m + K * e, P - gc.outer(K, K) * S, gc.log(S), gc.square(e) / S

    *_, a, b = gc.scan(step, init=(gc.zeros(2), gc.eye(2)), xs=y)
    return gc.graph({"loss": gc.sum(a + b)})


def elimination() -> gc.Graph:
    A, r, n = gc.input("A", (5, 5)), gc.input("r", (5,)), gc.arange(5)

    def step(A: gc.Node, r: gc.Node, j: gc.Node) -> tuple[gc.Node, ...]:
        column = gc.where(n > j, A[:, j] / A[j, j], 0)
        pivot = gc.log(A[j, j]).named("log_pivot")
        return A - gc.outer(column, A[j]), r - column * r[j], pivot, gc.square(r[j])

    *_, a, b = gc.scan(step, init=(A, r), xs=n)
    return gc.graph({"loss": gc.sum(a + b)})


def memory() -> gc.Graph:
    x, U = gc.input("x", ("T", "N", 4)), gc.param("U", (4, 4))
    V, W = gc.param("V", (4, 6)), gc.param("W", (4, 6))

    def step(memory: gc.Node, weights: gc.Node, x_t: gc.Node) -> tuple[gc.Node, ...]:
        h = gc.tanh(x_t @ U)
        weights = gc.sigmoid(h @ W) * weights + gc.softmax(h @ V)
        memory = memory + weights[:, :, None] * h[:, None, :]
        read = gc.einsum("nm,nmd->nd", weights, memory)
        return memory, weights, read @ U

    N = gc.dim("N")
    *_, reads = gc.scan(step, init=(gc.zeros((N, 6, 4)), gc.ones((N, 6))), xs=x)
    return gc.graph({"reads": reads})


def alternation() -> gc.Graph:
    """The first carry's next value stands on the way of the second one."""
    C, N = gc.input("C", ("N", "N")), gc.dim("N")

    def step(f: gc.Node, g: gc.Node) -> tuple[gc.Node, gc.Node]:
        f = -gc.logsumexp(g - C - gc.log(gc.constant(np.float32(3))), axis=1)
        return f, -gc.logsumexp(f[:, None] - C, axis=0)

    return gc.graph({"f": gc.scan(step, init=(gc.zeros(N), gc.zeros(N)), length=5)[0]})


def chain_of_tags() -> gc.Graph:
    e, A = gc.input("e", ("T", 4)), gc.param("A", (4, 4))
    (last,) = gc.scan(lambda a, e_t: gc.logsumexp(a[:, None] + A, axis=0) + e_t, e[0], e[1:])
    return gc.graph({"a": last})


def two_linear_states() -> gc.Graph:
    z, A, B = gc.input("z", ("T", 2)), gc.param("A", (2, 2)), gc.param("B", (2, 2))
    m, q = gc.scan(
        lambda m, q, z_t: (m @ A + gc.tanh(q @ B), q @ B + z_t),
        init=(gc.zeros((2,)), gc.zeros((2,))),
        xs=z,
    )
    return gc.graph({"m": m, "q": q})


CELLS = {
    f.__name__: f
    for f in (
        runge_kutta,
        kalman_filter,
        elimination,
        memory,
        alternation,
        chain_of_tags,
        two_linear_states,
    )
}
each_cell = pytest.mark.parametrize("name", CELLS)


def placed_parts(picture: gc.draw.Drawing) -> dict[str, tuple[float, ...]]:
    """Return the rectangles of the parts in the coordinates of the wires."""
    found = {}
    for key, rest in re.findall(r"^  (part\d+) \[(.*)\];$", picture.source, re.MULTILINE):
        x, y = map(float, re.search(r'pos="([^"!]*)', rest)[1].split(","))
        w, h = (36 * float(re.search(rf'{n}="([^"]*)', rest)[1]) for n in ("width", "height"))
        found[key] = (x - w, y - h, x + w, y + h)
    return found


@each_cell
def test_no_wire_runs_through_a_foreign_part(name: str) -> None:
    picture = gc.draw.cell(CELLS[name]())
    parts, wires = placed_parts(picture), 0
    for a, b, way in re.findall(
        r'^  (\w+) -> (\w+) \[.*pos="(?:e,\S+ )?([^"]*)"', picture.source, re.MULTILINE
    ):
        wires += 1
        knots = [tuple(map(float, point.split(","))) for point in way.split()][::3]
        for (x1, y1), (x2, y2) in itertools.pairwise(knots):
            for key, (left, low, right, high) in parts.items():
                is_beside = max(x1, x2) <= left + 1 or min(x1, x2) >= right - 1
                is_above = max(y1, y2) <= low + 1 or min(y1, y2) >= high - 1
                assert key in (a, b) or is_beside or is_above, f"{a} -> {b} through {key}"
    assert parts and wires >= len(parts)


@each_cell
def test_boxes_and_words_never_overlap(name: str) -> None:
    found = boxes(gc.draw.cell(CELLS[name]()))
    shapes = {k: rectangle(v) for k, v in found.items() if k != "cell" and not k[1:].isdigit()}
    for (a, p), (b, q) in itertools.combinations(shapes.items(), 2):
        apart = p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1]
        assert apart, f"{a} and {b} overlap"


@each_cell
def test_no_two_arrows_arrive_at_the_same_point(name: str) -> None:
    tips = re.findall(r'pos="e,([-\d.]+,[-\d.]+) ', gc.draw.cell(CELLS[name]()).source)
    assert tips and len(set(tips)) == len(tips)


def test_a_row_of_a_table_is_a_product_with_the_index_that_picks_it() -> None:
    seen, table = gc.input("seen", ("T",), "int64"), gc.param("table", (5, 3))
    (last,) = gc.scan(lambda h, o: (gc.tanh(h + table[o]),), init=gc.zeros((3,)), xs=seen)
    graph = gc.graph({"y": last})
    cell = cell_of(next(n for n in graph.nodes if n.op.name == "scan"))
    (part,) = cell.parts.values()
    assert (part.kind, [cell.name(s) for s in part.sources]) == ("gate", ["o"])


def test_negative_numbers_have_true_minus_signs() -> None:
    x = gc.input("x", ("T", 3))
    _, seen = gc.scan(lambda h, x_t: (h + x_t, -0.5 * gc.exp(h)), init=gc.zeros((3,)), xs=x)
    assert "−0.5 ·" in labels(gc.graph({"y": seen}))


def labels(graph: gc.Graph) -> list[str]:
    loop = next(node for node in graph.nodes if node.op.name == "scan")
    return [part.label for part in cell_of(loop).parts.values()]


def test_a_label_holds_numbers_and_weights_but_no_arrays_of_constants() -> None:
    assert labels(chain_of_tags()) == ["+ A", "logsumexp", "+"]
    assert labels(kalman_filter())[:4] == ["·", "·", "·", "+"]
    assert "> j" not in labels(elimination()) and ">" in labels(elimination())
    assert labels(alternation())[:2] == ["− C", "−"]  # log(3) is not the 3 that it is made of


def test_an_element_that_is_picked_by_data_is_a_part() -> None:
    assert labels(elimination()).count("gather") == 8


def test_what_a_loop_inside_the_body_gives_is_no_product_with_weights() -> None:
    x = gc.input("x", ("T", 5))

    def row(before: gc.Node, x_t: gc.Node) -> gc.Node:
        _, sums = gc.scan(lambda s, v: (s + v, s), init=gc.zeros(()), xs=before[1:] + x_t)
        return gc.concat([gc.zeros((1,)), sums])

    graph = gc.graph({"y": gc.scan(row, init=gc.zeros(6), xs=x)[0]})
    assert labels(graph) == ["+", "scan"]


def test_emitted_values_have_their_own_names_and_the_caption_says_what_is_there() -> None:
    shown = texts(gc.draw.cell(elimination()))
    assert {"log_pivot", "output", "round: without weights"} <= set(shown)
    shown = [text.replace("\xa0", " ") for text in texts(gc.draw.cell(runge_kutta()))]
    assert "yellow: with weights;  round: unit by unit" in shown


def test_a_loop_inside_a_step_is_yellow_where_it_has_weights() -> None:
    x, W = gc.input("x", ("T", 5, 2)), gc.param("W", (2, 2))

    def step(c: gc.Node, row: gc.Node) -> tuple[gc.Node, ...]:
        return gc.scan(lambda d, e: (gc.tanh(d @ W + e),), init=c, xs=row)

    graph = gc.graph({"y": gc.scan(step, init=gc.zeros((2,)), xs=x)[0]})
    (part,) = cell_of(next(n for n in graph.nodes if n.op.name == "scan")).parts.values()
    assert (part.kind, part.label) == ("gate", "scan")
    assert "yellow: with weights" in texts(gc.draw.cell(graph))


def test_the_caption_names_only_the_shapes_that_are_there() -> None:
    rnn = gc.graph({"h": gc.nn.rnn(gc.input("x", ("T", "N", 3)), 4)[0]})
    caption = next(t for t in texts(gc.draw.cell(rnn)) if "yellow" in t)
    assert caption == "yellow: with weights"


def test_gates_are_called_by_the_variables_of_the_step() -> None:
    x, W, U = gc.input("x", ("T", "N", 3)), gc.param("W", (3, 4)), gc.param("U", (4, 4))
    V = gc.param("V", (4, 4))

    def step(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        z = gc.sigmoid(x_t @ W + h @ U)
        h_tilde = gc.tanh(x_t @ W + h @ V)
        h = (1 - z) * h + z * h_tilde
        return h, h

    _, states = gc.scan(step, init=gc.zeros(("N", 4)), xs=x)
    picture = gc.draw.cell(gc.graph({"h": states}), highlight="z")
    assert "▸ z" in texts(picture)
