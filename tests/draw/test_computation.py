"""The computation graph: one rectangle per variable, names outside, plain edges."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from drawn_graphs import (
    COS_SIN,
    boxes,
    cos_sin,
    digits,
    edges,
    laid_out,
    rectangle,
    texts,
)

import graphc as gc
from graphc.draw.graphs.view import view
from graphc.draw.values import evaluated

ROOT = Path(__file__).parents[2]


def test_the_lecture_graph_is_drawn_as_in_the_lecture(golden: Callable[[str, str], None]) -> None:
    golden("cos_sin.dot", gc.draw.computation_graph(cos_sin()).source)


def test_one_rectangle_per_variable_and_constant() -> None:
    picture = gc.draw.computation_graph(cos_sin())
    assert list(boxes(picture)) == ["n_x", "n_t", "n_u1", "c_3", "n_u2", "n_u", "n_J"]
    assert edges(picture) == {
        ("n_x", "n_t"),
        ("n_t", "n_u1"),
        ("c_3", "n_u2"),
        ("n_t", "n_u2"),
        ("n_u1", "n_u"),
        ("n_u2", "n_u"),
        ("n_u", "n_J"),
    }
    assert texts(picture).count("3 · t") == 1


@pytest.mark.filterwarnings("ignore:input 'mask' is not used")
def test_an_input_that_nothing_reads_is_shown() -> None:
    x, mask = gc.input("x"), gc.input("mask", ("N",))
    graph = gc.Graph({"y": gc.sin(x)}, name="masked", inputs=(x, mask))
    numbers = {"x": 0.5, "mask": np.ones(3)}
    for style in ("strict", "compact"):
        picture = gc.draw.computation_graph(graph, numbers, style)
        assert set(boxes(picture)) == {"n_x", "n_mask", "n_y"}
        assert edges(picture) == {("n_x", "n_y")}


def test_edges_carry_no_text() -> None:
    for edge in laid_out(gc.draw.computation_graph(digits()))["edges"]:
        drawn = [key for key in edge if "_draw_" in key]
        assert not {"label", "xlabel", "headlabel", "taillabel"} & edge.keys()
        assert not any("ldraw" in key for key in drawn)


def test_names_stand_above_their_boxes_and_functions_inside() -> None:
    svg = ElementTree.fromstring(gc.draw.computation_graph(cos_sin()).svg())
    group = next(g for g in svg.iter() if g.get("id") == "n_u1")
    shown = {str(t.text): float(t.get("y", "0")) for t in group.iter() if t.tag.endswith("text")}
    outline = next(p for p in group.iter() if p.tag.endswith("polygon") and p.get("stroke"))
    heights = [float(p.split(",")[1]) for p in str(outline.get("points")).split()]
    assert shown["u₁"] < min(heights)
    assert min(heights) < shown["sin t"] < max(heights)


def test_parameters_inputs_and_shapes_are_present() -> None:
    picture = gc.draw.computation_graph(digits())
    assert {"n_x", "n_y", "n_W1", "n_b1", "n_W2", "n_b2"} <= set(boxes(picture))
    shown = texts(picture)
    assert shown.count("parameter") == 4 and shown.count("input") == 2
    assert "[N, 128]" in shown and "x · W₁" in shown
    assert not any("broadcast" in text or "reshape" in text for text in shown)


def test_broadcasts_and_casts_are_not_drawn_but_what_feeds_them_is() -> None:
    x = gc.input("x", ("N", 3))
    b = gc.param("b", (3,), dtype="float64")
    picture = gc.draw.computation_graph(gc.graph({"y": x + b}))
    assert edges(picture) == {("n_x", "n_y"), ("n_b", "n_y")}


def test_compact_writes_unnamed_single_uses_into_their_user() -> None:
    picture = gc.draw.computation_graph(cos_sin(), style="compact")
    assert "c_3" not in boxes(picture)
    graph = gc.parse("x: input(f64)\ny = sin(x + 1) * exp(2*x)\noutput(y)")
    shown = texts(gc.draw.computation_graph(graph, style="compact"))
    assert "sin (x + 1) · exp(2x)" in shown
    with pytest.raises(gc.GraphError, match="did you mean 'compact'"):
        gc.draw.computation_graph(graph, style="compac")


def test_unnamed_variables_are_numbered_and_never_take_a_users_name() -> None:
    graph = gc.parse("v1: input(f64)\ny = exp(sin(cos(v1)))\noutput(y)")
    assert list(boxes(gc.draw.computation_graph(graph))) == ["n_v1", "n_u1", "n_u2", "n_y"]


def test_pictures_and_traces_call_what_has_no_name_by_one_number() -> None:
    x, y = gc.input("x", (1, 2)), gc.input("y", (1, 1))
    h = gc.nn.dense(x, 2, activation=gc.tanh, name="hidden")
    states, last = gc.nn.rnn(h[None], 2, name="rnn")
    p = gc.nn.dense(last + states[0], 1, name="out")
    graph = gc.graph({"loss": gc.nn.binary_cross_entropy(gc.sigmoid(p), y).mean()})
    point = {"x": [[1.0, 2.0]], "y": [[1.0]]}
    traced = {row.variable: row.value for row in gc.trace(graph, at=point).rows}
    drawn = view(graph, "strict", 150, False).boxes
    unnamed = [b for b in drawn if b.node not in graph.labels and b.name.startswith("v")]
    assert len(unnamed) > 8
    values = evaluated(graph, point, [box.node for box in unnamed]).arrays
    for box in unnamed:
        assert np.array_equal(traced[box.variables[0].name], values[box.node]), box.told


def test_an_output_under_a_second_name_shows_both() -> None:
    x = gc.input("x")
    y = gc.exp(x).named("y")
    shown = texts(gc.draw.computation_graph(gc.graph({"y": y, "z": y})))
    assert "y = z" in shown


# -- values --------------------------------------------------------------------------------------


def test_values_equal_evaluation_to_four_digits() -> None:
    shown = texts(gc.draw.computation_graph(cos_sin(), {"x": 0.5}))
    values = gc.interpret(
        gc.parse(COS_SIN.replace("output(J)", "output(x, t, u1, u2, u, J)")), x=0.5
    )
    expected = {f"▸ {float(value):.4g}" for value in values.values()}
    assert {t for t in shown if t.startswith("▸")} == expected | {"▸ value"}
    assert "▸ 0.9974" in expected
    assert "at x = 0.5" in shown


def test_arrays_show_what_numpy_says() -> None:
    graph = digits()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 64)).astype("f4"), rng.integers(0, 10, 8)
    shown = texts(gc.draw.computation_graph(graph, {"x": x, "y": y}))
    norm = f"‖·‖ {np.linalg.norm(x.astype(float)):.4g}"
    assert "▸ 8×64" in shown and norm in shown
    assert "at N = 8, initial parameters" in shown


@pytest.mark.parametrize(
    ("values", "message"),
    [({"x1": 1.0}, "did you mean 'x'"), ({}, "no value for x"), ({"x": [1.0]}, "x")],
)
def test_a_wrong_point_is_one_clear_error(values: dict[str, object], message: str) -> None:
    with pytest.raises(gc.GraphError, match=message):
        gc.draw.computation_graph(cos_sin(), values)


# -- large graphs --------------------------------------------------------------------------------


def layers(count: int) -> gc.Graph:
    h = gc.input("x", ("N", 8))
    for i in range(count):
        h = gc.nn.dense(h, 8, activation="relu", name=f"layer{i}")
    return gc.graph({"y": gc.sum(h)})


def test_scopes_collapse_and_identical_blocks_fold() -> None:
    picture = gc.draw.computation_graph(layers(12), collapse=True)
    assert len(boxes(picture)) == 3
    assert "layer ×12" in texts(picture)
    two = gc.draw.computation_graph(layers(2), collapse=["layer0"])
    assert "layer0" in texts(two) and "n_layer1_2e_W" in boxes(two)


def test_boundary_edges_of_a_collapsed_box_are_the_originals() -> None:
    h = x = gc.input("x", ("N", 5))
    for i, size in enumerate((4, 3, 2)):
        h = gc.nn.dense(h, size, activation="relu", name=f"part{i}")
    graph = gc.graph({"y": gc.sum(h) + gc.sum(x)})
    whole, folded = (view(graph, "strict", 150, choice) for choice in (False, ["part0", "part1"]))
    box_of = [folded.boxes[folded.place[box.node]].key for box in whole.boxes]
    expected = {(box_of[a], box_of[b]) for a, b in whole.edges if box_of[a] != box_of[b]}
    picture = gc.draw.computation_graph(graph, collapse=["part0", "part1"])
    assert edges(picture) == expected
    assert {("n_x", "g_part0"), ("g_part0", "g_part1")} < expected


def test_a_chain_of_ten_thousand_is_cut_in_the_middle_and_says_so() -> None:
    h = gc.input("x")
    for _ in range(10_000):
        h = gc.sin(h)
    picture = gc.draw.computation_graph(gc.graph({"y": h}))
    assert 10 < len(boxes(picture)) < 40
    assert any("variables left out at ⋮" in text for text in texts(picture))


def test_above_the_limit_scopes_collapse_and_the_caption_says_so() -> None:
    picture = gc.draw.computation_graph(layers(100), max_nodes=50)
    assert any("collapsed by scope" in text for text in texts(picture))
    assert len(boxes(picture)) <= 50


# -- names ---------------------------------------------------------------------------------------

ODD = [
    "<b>",
    "a & b",
    'say "hi"',
    "α→β",
    "line\nbreak",
    "back\\slash",
    "a;b]",
    "-->",
    "\x00",
    "{|}",
]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_data(name: str) -> None:
    x = gc.input(name)
    graph = gc.graph({"y": gc.exp(x)}, name=name)
    for picture in (
        gc.draw.computation_graph(graph, {name: 0.0}),
        gc.draw.computation_graph(graph, style="compact"),
        gc.draw.backprop(graph, of="y"),
    ):
        root = ElementTree.fromstring(picture.svg())
        assert len([g for g in root.iter() if g.get("class", "").startswith("node")]) >= 2
    shown = texts(gc.draw.computation_graph(graph))
    assert len(shown) == 4


def test_names_that_differ_only_in_odd_letters_stay_two_boxes() -> None:
    a, b = gc.input("a b"), gc.input("a_b")
    c = gc.input("a_20_b")
    assert len(boxes(gc.draw.computation_graph(gc.graph({"y": a + b + c})))) == 5


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/draw')\n"
        "import graphc as gc\n"
        "from drawn_graphs import cos_sin, digits, two_layers\n"
        "for p in (gc.draw.computation_graph(digits()), gc.draw.network(two_layers()),\n"
        "          gc.draw.backprop(cos_sin(), 'J', {'x': 0.5})):\n"
        "    print(p.source, p.svg())\n"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(runs) == 1 and len(runs.pop()) > 10_000


def test_the_next_value_of_a_parameter_is_marked() -> None:
    graph = gc.compile(digits(), minimize="loss", optimizer=gc.optim.sgd(0.1)).graph
    shown = texts(gc.draw.computation_graph(graph))
    assert "W₁ ←" in shown


def test_numbers_need_no_name_and_arrays_get_one() -> None:
    x = gc.input("x", (5,))
    graph = gc.graph({"y": 2 * x + gc.constant([1.0, 2.0, 3.0, 4.0, 5.0], "float32")})
    shown = texts(gc.draw.computation_graph(graph))
    assert {"v₁", "constant 5", "2 · x", "v₂ + v₁"} <= set(shown)


def test_a_crowd_of_edges_into_one_box_has_room_to_bend() -> None:
    def model(count: int) -> gc.Graph:
        return gc.graph({"y": gc.stack([gc.param(f"p{i}") for i in range(count)]).sum()})

    def gap(count: int) -> float:
        found = boxes(gc.draw.computation_graph(model(count)))
        (_, _, right, _), (left, _, _, _) = map(rectangle, (found["n_p0"], found[f"n_v{count}"]))
        return left - right

    assert gap(12) > 2 * gap(3)


def test_a_group_tells_by_what_name_others_read_its_result() -> None:
    h = gc.input("x", ("N", 3))
    with gc.scope("first"):
        h = gc.tanh(h @ gc.param("W", (3, 4))).named("h")
    with gc.scope("second"):
        y = gc.tanh(h @ gc.param("V", (4, 2))).named("z")
    with gc.scope("third"):
        norm = gc.nn.batch_norm(y, name="norm")
    graph = gc.graph({"y": gc.exp(norm) + y, "probability": y}, name="groups")
    shown = texts(gc.draw.computation_graph(graph, collapse=True))
    assert {"h = tanh(x · W)", "z = probability = tanh(h · V)"} <= set(shown)
    assert "[2]" not in shown  # the running means are no result


def dense_layers(count: int) -> gc.Graph:
    h = gc.input("x", ("N", 8))
    for k in range(count):
        h = gc.nn.dense(h, 8 + k, activation=gc.tanh, name=f"layer{k}")
    return gc.graph({"y": h}, name="layers")


def test_a_graph_that_fills_no_page_has_a_rectangle_for_each_variable() -> None:
    assert not any(box.kind == "group" for box in view(dense_layers(5), "strict", 150, None).boxes)


def test_a_larger_graph_has_a_box_for_each_layer_and_says_how_to_open_it() -> None:
    graph = dense_layers(6)
    picture = view(graph, "strict", 150, None)
    assert [box.name for box in picture.boxes] == ["x", *[f"layer{k}" for k in range(6)]]
    assert picture.boxes[1].formula == "layer₀ = tanh(x · W + b)"
    assert picture.boxes[1].detail == "W [8, 8]"
    assert "30 of 31 variables collapsed by scope: collapse=False opens all" in picture.remark
    assert len(view(graph, "strict", 150, False).boxes) == 31


def test_layers_that_read_each_other_in_turn_share_no_boxes() -> None:
    u, v = gc.input("u", (3,)), gc.input("v", (3,))
    for _ in range(9):
        with gc.scope("left"):
            u = u + gc.tanh(v)
        with gc.scope("right"):
            v = v + gc.sin(u)
    picture = view(gc.graph({"u": u, "v": v}), "strict", 150, None)
    assert all(tail < head for tail, head in picture.edges)
    assert len(picture.boxes) == 38


def test_a_group_of_one_shows_what_it_computes() -> None:
    x = gc.input("x")
    with gc.scope("outer"):
        u = gc.sin(x)
    shown = texts(gc.draw.computation_graph(gc.graph({"y": u + 1}), collapse=True))
    assert "u = sin x" in shown


def test_a_collapsed_loop_says_what_it_repeats() -> None:
    x = gc.input("x", ("T", "N", 3))
    graph = gc.graph({"y": gc.nn.gru(x, 4, name="gru")[0]}, name="recurrent")
    shown = texts(gc.draw.computation_graph(graph, collapse=True))
    assert "gru_step × T → y" in shown
