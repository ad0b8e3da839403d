"""Cells: drawn from a loop's body; gates, pointwise operations, wires, the highlighted gate."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from drawn_graphs import boxes, center, edges, rectangle, texts

import graphc as gc
from graphc.draw.loops.cell_parts import Cell, cell_of


def layer(kind: str) -> gc.Graph:
    x = gc.input("x", ("T", "N", 3))
    layers = {
        "lstm": lambda: gc.nn.lstm(x, 4, name="cell"),
        "peephole": lambda: gc.nn.lstm(x, 4, name="cell", peepholes=True),
        "coupled": lambda: gc.nn.lstm(x, 4, name="cell", coupled=True),
        "gru": lambda: gc.nn.gru(x, 4, name="cell"),
        "textbook gru": lambda: gc.nn.gru(x, 4, name="cell", form="textbook"),
        "rnn": lambda: gc.nn.rnn(x, 4, name="cell"),
        "pre-activation rnn": lambda: gc.nn.rnn(x, 4, name="cell", pre_activation=True),
    }
    return gc.graph({"y": layers[kind]()[0]}, name="model")


#: What draws a cell; `graphc.draw.cell` is the function that users call.
SCENE = sys.modules["graphc.draw.loops.cell"]._Scene  # type: ignore[attr-defined]
KINDS = ["lstm", "peephole", "coupled", "gru", "textbook gru", "rnn", "pre-activation rnn"]


def parts(kind: str) -> Cell:
    return cell_of(next(n for n in layer(kind).nodes if n.op.name == "scan"))


def reads(kind: str, gate: str) -> tuple[list[str], list[str]]:
    """Return what a gate reads through matrices, and what it reads unit by unit."""
    cell = parts(kind)
    part = next(p for p in cell.parts.values() if p.name == gate)

    def names(nodes: object) -> list[str]:
        return [
            cell.parts[n].name or cell.parts[n].label if n in cell.parts else cell.name(n)
            for n in nodes
        ]

    return names(part.sources), names(part.peeks)


SHAPES = {
    "lstm": {"gate σ": 3, "gate tanh": 1, "pointwise ×": 3, "pointwise +": 1, "pointwise tanh": 1},
    "coupled": {
        "gate σ": 2,
        "gate tanh": 1,
        "pointwise ×": 3,
        "pointwise +": 1,
        "pointwise tanh": 1,
        "pointwise 1 −": 1,
    },
    "textbook gru": {
        "gate σ": 2,
        "gate tanh": 1,
        "pointwise ×": 3,
        "pointwise +": 1,
        "pointwise 1 −": 1,
    },
    "rnn": {"gate tanh": 1},
}
SHAPES["peephole"] = SHAPES["lstm"]
SHAPES["gru"] = SHAPES["textbook gru"] | {"linear U·": 1}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_cell_has_the_gates_and_operations_of_its_formulas(kind: str) -> None:
    found = parts(kind).parts.values()
    assert Counter(f"{part.kind} {part.label}" for part in found) == SHAPES[kind]


def test_gates_read_what_the_formulas_say() -> None:
    assert reads("lstm", "f") == (["x_t", "h"], [])
    assert reads("peephole", "f") == (["x_t", "h"], ["c"])
    assert reads("peephole", "o") == (["x_t", "h"], ["c"])
    assert reads("textbook gru", "n") == (["x_t", "×"], [])
    assert reads("gru", "n") == (["x_t"], ["×"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_wire_between_two_parts_is_drawn(kind: str) -> None:
    cell = parts(kind)
    picture = gc.draw.cell(layer(kind))
    key = {node: f"part{i}" for i, node in enumerate(cell.parts)}
    wanted = {
        (key[s], key[node])
        for node, part in cell.parts.items()
        for s in part.sources
        if s in cell.parts and part.kind == "pointwise"
    }
    drawn = {(a, b) for a, b in edges(picture) if a in key.values() and b in key.values()}
    tapped = {(a, b) for a, b in wanted - drawn}  # these begin at a junction on the top line
    line = [k for k in key.values() if f"{k} -> p" in picture.source or k in dict(drawn)]
    assert all(a in line for a, _ in tapped)
    assert drawn >= wanted - tapped and len(tapped) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_and_words_of_a_cell_never_overlap(kind: str) -> None:
    found = boxes(gc.draw.cell(layer(kind)))
    shapes = {k: rectangle(v) for k, v in found.items() if k != "cell" and not k[1:].isdigit()}
    for (a, p), (b, q) in itertools.combinations(shapes.items(), 2):
        apart = p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1]
        assert apart, f"{a} and {b} overlap"


@pytest.mark.parametrize("kind", KINDS)
def test_all_parts_stand_inside_the_frame(kind: str) -> None:
    found = boxes(gc.draw.cell(layer(kind)))
    left, low, right, high = rectangle(found["cell"])
    for key, item in found.items():
        if key.startswith("part"):
            a, b, c, d = rectangle(item)
            assert left < a and low < b and c < right and d < high


def test_the_state_runs_along_the_top_of_an_lstm() -> None:
    picture = gc.draw.cell(layer("lstm"))
    found = boxes(picture)
    line = center(found["in_top"])[1]
    on_top = [k for k in found if k.startswith("part") and center(found[k])[1] == line]
    assert len(on_top) == 2
    assert {"cₜ₋₁", "cₜ", "hₜ₋₁", "hₜ", "xₜ"} <= set(texts(picture))


def test_a_gate_is_highlighted_by_mark_width_and_color() -> None:
    plain, marked = gc.draw.cell(layer("lstm")), gc.draw.cell(layer("lstm"), highlight="f")
    assert 'class="highlight"' not in plain.source
    lines = [x for x in marked.source.splitlines() if 'class="highlight"' in x]
    assert len(lines) == 3  # the gate, the wire into it and the wire out of it
    assert all('penwidth="3"' in line for line in lines)
    assert "▸ f" in texts(marked)


def test_an_unknown_gate_or_loop_is_refused() -> None:
    with pytest.raises(gc.GraphError, match="no part called 'forget'"):
        gc.draw.cell(layer("lstm"), highlight="forget")
    with pytest.raises(gc.GraphError, match="no such loop"):
        gc.draw.cell(layer("lstm"), loop=1)


def test_a_cell_of_ones_own_is_drawn_too() -> None:
    x, w = gc.input("x", ("T", 3)), gc.param("w", (3, 3))

    def step(s: gc.ir.node.Node, x_t: gc.ir.node.Node) -> tuple[object, object]:
        after = 0.9 * s + gc.sigmoid(x_t @ w).named("g") * x_t
        return after, after

    _, states = gc.scan(step, init=gc.zeros((3,)), xs=x)
    picture = gc.draw.cell(gc.graph({"y": states}), highlight="g")
    assert "▸ g" in texts(picture) and "sₜ₋₁" in texts(picture)


def test_each_leaf_of_a_masked_cell_has_a_line_of_its_own() -> None:
    x, lengths = gc.input("x", ("T", "N", 3)), gc.input("n", ("N",), "int64")
    picture = gc.draw.cell(gc.graph({"y": gc.nn.lstm(x, 4, lengths=lengths)[0]}))
    found = boxes(picture)
    assert center(found["in_top"])[1] > center(found["in0"])[1]
    assert {"cₜ₋₁", "hₜ₋₁", "xₜ", "mask_t", "output"} <= set(texts(picture))
    assert center(found["out0"])[1] != center(found["out1"])[1]


def test_long_names_of_functions_fit_into_their_boxes() -> None:
    x, w = gc.input("x", ("T", 3)), gc.param("w", (3, 3))
    _, states = gc.scan(lambda s, x_t: (gc.hard_sigmoid(x_t @ w + s @ w),) * 2, gc.zeros((3,)), x)
    assert "cell" in boxes(gc.draw.cell(gc.graph({"y": states})))  # dot complains where it does not


def test_a_loop_without_parts_is_an_empty_cell() -> None:
    x = gc.input("x", ("T",))
    (kept,) = gc.scan(lambda s, x_t: (s,), init=0.0, xs=x)
    picture = gc.draw.cell(gc.graph({"y": kept}))
    assert not any(key.startswith("part") for key in boxes(picture))


@pytest.mark.parametrize("kind", ["recurrence", "cell"])
def test_the_command_draws_loops(kind: str, tmp_path: Path) -> None:
    model, picture = tmp_path / "m.graph", tmp_path / "m.svg"
    model.write_text('x: input(f32, T, N, 3)\nh, last, c = lstm(x, 4, name="lstm")\noutput(h)\n')
    words = [sys.executable, "-m", "graphc", "draw", str(model), "-o", str(picture), "--kind", kind]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "<svg" in picture.read_text(encoding="utf-8")


def minimal_gated_unit() -> gc.Graph:
    """f = σ(…), candidate = tanh(W·x + U·(f∘h)), h' = (1 − f)∘h + f∘candidate."""
    x, h0 = gc.input("x", ("T", "N", 3)), gc.input("h0", ("N", 4))
    W, V = gc.param("W", (3, 4)), gc.param("V", (3, 4))
    R, U = gc.param("R", (4, 4)), gc.param("U", (4, 4))

    def step(h: gc.Node, xt: gc.Node) -> tuple[gc.Node, gc.Node]:
        f = gc.sigmoid(xt @ W + h @ R).named("f")
        candidate = gc.tanh(xt @ V + (f * h) @ U).named("candidate")
        after = (1 - f) * h + f * candidate
        return after, after

    return gc.graph({"y": gc.scan(step, init=h0, xs=x)[1]})


@pytest.mark.parametrize("kind", [*KINDS, "minimal"])
def test_no_two_arrows_arrive_at_the_same_point(kind: str) -> None:
    graph = minimal_gated_unit() if kind == "minimal" else layer(kind)
    tips = re.findall(r'pos="e,([-\d.]+,[-\d.]+) ', gc.draw.cell(graph).source)
    assert tips and len(set(tips)) == len(tips)


def test_two_wires_up_one_column_enter_at_different_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that skips the functions of itself: d*cos(sin(d))."""
    ends: list[tuple[object, tuple[float, float]]] = []
    draw = SCENE._wire

    def recorded(scene: object, points: list, **words: object) -> None:
        if words.get("head") is not None:
            ends.append((words["head"], points[-1]))
        draw(scene, points, **words)

    monkeypatch.setattr(SCENE, "_wire", recorded)
    x, W = gc.input("x", ("T", "N", 2)), gc.param("W", (2, 2))

    def step(c: gc.Node, x_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        d = gc.tanh(c @ W + x_t).named("d")
        return d * gc.cos(gc.sin(d)), d

    c, _ = gc.scan(step, gc.zeros((gc.dim("N"), 2)), x)
    gc.draw.cell(gc.graph({"loss": gc.sum(c)}))
    assert len({*ends}) == len(ends)
    product = next(node for node, _ in ends if node.op.name == "multiply")
    (ax, ay), (bx, by) = (end for node, end in ends if node is product)
    assert abs(ax - bx) > 5 and abs(ay - by) > 5  # from below, and from the side
