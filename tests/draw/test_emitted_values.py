"""Recurrences whose loops emit more than their states: the outputs of an Elman net's own step."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from drawn_graphs import boxes, center, edges, laid_out, on_curve, rectangle, texts

import graphc as gc
from graphc.draw import Drawing
from graphc.draw.loops.recurrences import find_recurrences

ELMAN = """
x: input(f32, T, B, 3)
h0: input(f32, B, 4)
Wxh: param(f32, 3, 4)
Whh: param(f32, 4, 4)
Why: param(f32, 4, 2)
def cell(h, x_t):
    h = tanh(x_t @ Wxh + h @ Whh)
    y = h @ Why
    return h, y
h_T, ys = scan(cell, init=h0, xs=x)
output(ys)
"""

TRANSLATION = """
x: input(f32, T, B, 3)
first: input(f32, B, 4)
Wxh: param(f32, 3, 4)
Whh: param(f32, 4, 4)
Wss: param(f32, 4, 4)
Wsy: param(f32, 4, 2)
def encoder(h, x_t):
    h = tanh(x_t @ Wxh + h @ Whh)
    return h
h_T, = scan(encoder, init=first, xs=x)
def decoder(s):
    s = tanh(s @ Wss)
    y = s @ Wsy
    return s, y
s_T, ys = scan(decoder, init=h_T, length=4)
output(ys)
"""

Step = Callable[[gc.Node, gc.Node], tuple[gc.Node, ...]]


def loop_of(step: Step) -> gc.Graph:
    """Return a graph of one loop over x, whose last result leaves it as `values`."""
    x, a = gc.input("x", ("T", "N", 3)), gc.input("a", ("N", 4))
    return gc.graph({"values": gc.scan(step, init=a, xs=x)[-1]}, name="emits")


def matrices() -> tuple[gc.Node, gc.Node, gc.Node]:
    return gc.param("W", (3, 4)), gc.param("U", (4, 4)), gc.param("V", (4, 2))


def from_the_old_state() -> gc.Graph:
    W, U, V = matrices()
    return loop_of(lambda h, x_t: (gc.tanh(x_t @ W + h @ U), (h @ V).named("y")))


def from_both_states() -> gc.Graph:
    W, U, V = matrices()

    def step(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        after = gc.tanh(x_t @ W + h @ U)
        return after, (after @ V - h @ V).named("y")

    return loop_of(step)


def from_the_slice() -> gc.Graph:
    W, U, V = matrices()
    return loop_of(lambda h, x_t: (gc.tanh(h @ U), (x_t @ W @ V).named("y")))


def from_an_image() -> gc.Graph:
    (W, U, V), image = matrices(), gc.input("image", ("N", 5))
    C = gc.param("C", (5, 2))

    def step(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        h = gc.tanh(x_t @ W + h @ U)
        return h, (h @ V + image @ C).named("y")

    return loop_of(step)


def read_by_a_second_loop() -> gc.Graph:
    W, U, V = matrices()
    A, B = gc.param("A", (2, 4)), gc.param("B", (4, 4))

    def lower(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        h = gc.tanh(x_t @ W + h @ U)
        return h, (h @ V).named("y")

    def upper(s: gc.Node, y_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        s = gc.tanh(y_t @ A + s @ B)
        return s, s

    _, ys = gc.scan(lower, init=gc.input("a", ("N", 4)), xs=gc.input("x", ("T", "N", 3)))
    states = gc.scan(upper, init=gc.input("b", ("N", 4)), xs=ys)[-1]
    heads = {"z": gc.nn.dense(ys, 3, name="z"), "p": gc.nn.dense(states, 2, name="p")}
    return gc.graph(heads, name="stacked")


def masked() -> gc.Graph:
    lengths = gc.input("lengths", ("N",), "int64")
    states = gc.nn.gru(gc.input("x", ("T", "N", 3)), 4, name="gru", lengths=lengths)[0]
    return gc.graph({"y": gc.nn.dense(states, 2, name="out").named("y")})


MODELS = [
    from_the_old_state,
    from_both_states,
    from_the_slice,
    from_an_image,
    read_by_a_second_loop,
    lambda: gc.parse(ELMAN),
    lambda: gc.parse(TRANSLATION),
]


def look(picture: Drawing, key: str) -> list[str]:
    line = next(x for x in picture.source.splitlines() if f'id="{key}"' in x)
    return [re.search(rf'{name}="([^"]+)"', line)[1] for name in ("color", "style", "penwidth")]


def test_an_elman_net_has_its_outputs_above_its_states() -> None:
    picture = gc.draw.recurrence(gc.parse(ELMAN))
    found = boxes(picture)
    assert {("r0", "r1")} | {(f"s0_{t}", f"s1_{t}") for t in (1, 2, 3, 5)} <= edges(picture)
    for t in (1, 2, 3, 5):
        (sx, sy), (yx, yy) = center(found[f"s0_{t}"]), center(found[f"s1_{t}"])
        assert sx == yx and sy < yy
        assert look(picture, f"e_s0_{t}_s1_{t}") == look(picture, "e_r0_r1")
    assert {"Wxh", "Whh", "Why", "y"} <= set(texts(picture))
    assert "y is computed at each step from the state h with Why." in picture.description


def test_the_outputs_of_a_decoders_own_step_are_drawn() -> None:
    picture = gc.draw.recurrence(gc.parse(TRANSLATION))
    drawn = edges(picture)
    assert {("r1", "r2"), *[(f"s1_{t}", f"s2_{t}") for t in range(7, 11)]} <= drawn
    assert "Wsy" in texts(picture)


def test_states_in_another_form_are_drawn_once() -> None:
    for model in (masked(), gc.graph({"h": gc.nn.lstm(gc.input("x", ("T", "N", 3)), 4)[0]})):
        assert not find_recurrences(model).emitted


def test_what_is_computed_from_the_state_before_is_marked() -> None:
    picture = gc.draw.recurrence(from_the_old_state())
    assert {("s0_0", "s1_1"), ("s0_1", "s1_2")} <= edges(picture)
    assert ("s0_1", "s1_1") not in edges(picture)
    assert "V t−1" in texts(picture) and "t−1: of the state before" in " ".join(texts(picture))
    both = gc.draw.recurrence(from_both_states())
    assert {("s0_0", "s1_1"), ("s0_1", "s1_1")} <= edges(both)
    assert {"e_r0_r1", "e_r0_r1_aside"} <= set(re.findall(r'id="(e_r0_r1\w*)"', both.source))


def test_slices_that_no_state_reads_lead_to_what_reads_them() -> None:
    picture = gc.draw.recurrence(from_the_slice())
    assert ("x0_1", "s1_1") in edges(picture) and ("rx0", "r1") in edges(picture)
    assert ("x0_1", "s0_1") not in edges(picture) and ("rx0", "r0") not in edges(picture)
    assert "W, V" in texts(picture)


def test_what_only_the_outputs_read_at_each_step_leads_to_them() -> None:
    drawn = edges(gc.draw.recurrence(from_an_image()))
    readers = {head for _, head in drawn if re.fullmatch(r"s\d_\d", head)}
    assert ("rg0", "r1") in drawn and ("rg0", "r0") not in drawn
    source = gc.draw.recurrence(from_an_image()).source
    assert 'id="w1_s1_1"' in source and 'id="w0_s0_1"' not in source and "s1_1" in readers


def test_what_others_read_stands_between_them() -> None:
    picture = gc.draw.recurrence(read_by_a_second_loop())
    found = boxes(picture)
    assert {("s0_1", "s2_1"), ("s2_1", "s1_1"), ("s2_1", "y0_1")} <= edges(picture)
    heights = [center(found[key])[1] for key in ("s0_1", "s2_1", "s1_1")]
    assert heights == sorted(heights)


@pytest.mark.parametrize("model", MODELS)
def test_nothing_overlaps(model: Callable[[], gc.Graph]) -> None:
    found = boxes(gc.draw.recurrence(model()))
    shapes = {k: rectangle(v) for k, v in found.items() if not re.match(r"p\d", k)}
    for (a, p), (b, q) in itertools.combinations(shapes.items(), 2):
        apart = p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1]
        assert apart, f"{a} and {b} overlap"


def test_a_decoder_starts_from_the_encoders_last_state_alone() -> None:
    picture = gc.draw.recurrence(gc.parse(TRANSLATION))
    line = next(x for x in picture.source.splitlines() if 'id="m_r0_r1"' in x)
    assert re.sub(r"<[^>]+>", "", line.split("label=")[1]).startswith("hT → s0")


def test_a_first_state_that_is_an_input_of_that_name_is_one_circle() -> None:
    picture = gc.draw.recurrence(gc.parse(ELMAN))
    assert not [key for key in boxes(picture) if re.fullmatch(r"i\d+", key)]
    line = next(x for x in picture.source.splitlines() if 'id="s0_0"' in x)
    assert 'class="input"' in line
    other = gc.draw.recurrence(gc.parse(ELMAN.replace("h0", "first")))
    assert ("i0", "s0_0") in edges(other)


def test_all_matrices_have_their_layers_names_where_two_are_called_alike() -> None:
    hidden = gc.nn.lstm(gc.input("x", ("T", "N", 3)), 4, name="lstm")[0]
    alone = gc.draw.recurrence(gc.graph({"h": hidden}))
    assert {"W", "U"} <= set(texts(alone))
    both = gc.draw.recurrence(gc.graph({"y": gc.nn.dense(hidden, 2, name="out")}))
    assert {"lstm.W", "lstm.U", "out.W"} <= set(texts(both)) and "U" not in texts(both)


# -- cells -----------------------------------------------------------------------------------------


def two_heads() -> gc.Graph:
    W, U, V = matrices()
    A = gc.param("A", (4, 3))

    def step(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, ...]:
        h = gc.tanh(x_t @ W + h @ U)
        return h, (h @ V).named("y"), gc.sigmoid(h @ A).named("p")

    return loop_of(step)


CELLS = [*MODELS, two_heads, lambda: gc.graph({"h": gc.nn.gru(gc.input("x", ("T", "N", 3)), 4)[0]})]


def wires(picture: Drawing) -> list[tuple[str, list[tuple[float, float]]]]:
    """Return the wires' corners, and what each is fed by: the part or point that it starts at."""
    found = []
    for line in picture.source.splitlines():
        match = re.match(r'  (\w+) -> \w+ \[id="wire\d+", pos="(?:e,[-\d.,]+ )?([^"]+)"', line)
        if match:
            points = [tuple(map(float, p.split(","))) for p in match[2].split()]
            found.append((match[1], points[::3]))
    return found


def shared(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> float:
    """Return the length along which two ways of straight pieces run on top of one another."""
    total = 0.0
    for (p, q), (r, s) in itertools.product(itertools.pairwise(a), itertools.pairwise(b)):
        for along, across in ((0, 1), (1, 0)):
            level = {p[across], q[across], r[across], s[across]}
            low = max(min(p[along], q[along]), min(r[along], s[along]))
            high = min(max(p[along], q[along]), max(r[along], s[along]))
            total += max(0.0, high - low) if len(level) == 1 else 0.0
    return total


@pytest.mark.parametrize("model", CELLS)
def test_wires_of_two_parts_never_run_on_top_of_one_another(model: Callable[[], gc.Graph]) -> None:
    fed = [(x, way) for x, way in wires(gc.draw.cell(model())) if x.startswith("part")]
    assert fed
    for (a, p), (b, q) in itertools.combinations(fed, 2):
        assert a == b or shared(p, q) < 1, f"{a} and {b}"


@pytest.mark.parametrize("model", CELLS)
def test_no_wire_strikes_a_name_through(model: Callable[[], gc.Graph]) -> None:
    picture = gc.draw.cell(model())
    names = {key: box for key, box in boxes(picture).items() if key.startswith("name_")}
    points = [point for edge in laid_out(picture)["edges"] for point in on_curve(edge["pos"])]
    for key, box in names.items():
        left, low, right, high = rectangle(box)
        assert not [1 for x, y in points if left < x < right and low < y < high], key


def test_a_box_without_a_function_has_its_own_matrix() -> None:
    assert "Why·" in texts(gc.draw.cell(gc.parse(ELMAN)))
    gru = gc.draw.cell(gc.graph({"h": gc.nn.gru(gc.input("x", ("T", "N", 3)), 4)[0]}))
    assert "U·" in texts(gru) and "W·" not in texts(gru)
