"""Recurrences: rolled beside unrolled, h₀ shown, one look for each shared matrix, cuts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from drawn_graphs import boxes, center, edges, laid_out, on_curve, rectangle, texts

import graphc as gc
from graphc.draw import Drawing
from graphc.draw.loops.recurrences import find_recurrences
from graphc.ir.node import Node


def sequence(steps: int | str = "T") -> Node:
    return gc.input("x", (steps, "N", 3))


def many_to_many(steps: int | str = "T", **words: object) -> gc.Graph:
    hidden, *_ = gc.nn.rnn(sequence(steps), 4, name="rnn", **words)
    return gc.graph({"y": gc.nn.dense(hidden, 2, name="out").named("y")}, name="many")


def many_to_one() -> gc.Graph:
    _, last = gc.nn.gru(sequence(), 4, name="gru")
    return gc.graph({"y": gc.nn.dense(last, 2, name="out").named("y")}, name="one")


def encoder_decoder() -> gc.Graph:
    _, memory = gc.nn.rnn(sequence(), 4, name="encoder")
    hidden, _ = gc.nn.rnn(gc.input("z", ("S", "N", 2)), 4, name="decoder", initial=memory)
    return gc.graph({"y": gc.nn.dense(hidden, 2, name="out").named("y")}, name="pair")


def stacked_with_starts() -> gc.Graph:
    a, b = gc.input("a", ("N", 4)), gc.input("b", ("N", 4))
    hidden, _ = gc.nn.rnn(sequence(), 4, name="lower", initial=a)
    return gc.graph({"y": gc.nn.rnn(hidden, 4, name="upper", initial=b)[0]}, name="stacked")


def best_path() -> gc.Graph:
    """Two loops that start from one slice of their input, and one that runs back over both."""
    e = gc.input("e", ("T", 4))

    def best(score: gc.Node, e_t: gc.Node) -> tuple[gc.Node, gc.Node]:
        return gc.max(score[:, None] + e_t, axis=0), gc.argmax(score[:, None] + e_t, axis=0)

    def back(tag: gc.Node, pointers: gc.Node) -> tuple[gc.Node, gc.Node]:
        return pointers[tag], pointers[tag]

    (total,) = gc.scan(lambda a, e_t: gc.logsumexp(a) + e_t, init=e[0], xs=e[1:])
    score, pointers = gc.scan(best, init=e[0], xs=e[1:])
    _, path = gc.scan(back, init=gc.argmax(score), xs=pointers, reverse=True)
    return gc.graph({"total": total, "path": path}, name="path")


def decoder_of_ones_own() -> gc.Graph:
    """A decoder that reads what it said before: its state is computed by four matrices."""
    memory = gc.nn.rnn(sequence(), 4, name="encoder")[1]
    table, out = gc.param("embedding", (9, 4)), gc.param("decoder.output", (4, 9))
    W, U = gc.param("decoder.weight", (4, 4)), gc.param("decoder.recurrent_weight", (4, 4))

    def say(h: gc.Node, word: gc.Node) -> tuple[gc.Node, ...]:
        h = gc.tanh(table[word] @ W + h @ U)
        word = gc.argmax(h @ out, axis=1)
        return h, word, word

    first = gc.zeros(("N",), "int64")
    return gc.graph({"said": gc.scan(say, init=(memory, first), length=5)[2]}, name="decoder")


def look(picture: Drawing, key: str) -> tuple[str, ...]:
    """Return colour, dash and width of an edge."""
    line = next(x for x in picture.source.splitlines() if f'id="{key}"' in x)
    return tuple(
        re.search(rf'{name}="([^"]+)"', line)[1] for name in ("color", "style", "penwidth")
    )


def columns(picture: Drawing, stem: str) -> list[str]:
    found = boxes(picture)
    return sorted((k for k in found if k.startswith(stem)), key=lambda k: center(found[k])[0])


def test_each_step_has_its_slice_its_state_and_its_output() -> None:
    picture = gc.draw.recurrence(many_to_many(4))
    assert [len(columns(picture, stem)) for stem in ("x0_", "s0_", "y0_")] == [4, 5, 4]
    drawn = edges(picture)
    for t in range(1, 5):
        assert {(f"x0_{t}", f"s0_{t}"), (f"s0_{t - 1}", f"s0_{t}"), (f"s0_{t}", f"y0_{t}")} <= drawn
    assert {("rx0", "r0"), ("r0", "r0"), ("r0", "ry0")} <= drawn


def test_long_loops_show_the_first_steps_and_the_last() -> None:
    shown = texts(gc.draw.recurrence(many_to_many(), steps=2))
    assert "···" in shown and "T" in shown and "3" not in shown
    assert "3" in texts(gc.draw.recurrence(many_to_many(), steps=3))
    assert "40" in texts(gc.draw.recurrence(many_to_many(40)))


def test_edges_that_share_a_matrix_share_their_look_and_others_differ() -> None:
    picture = gc.draw.recurrence(many_to_many(4))
    rolled = [look(picture, key) for key in ("e_rx0_r0", "e_r0_r0", "e_r0_ry0")]
    assert len(set(rolled)) == 3
    for t in range(1, 5):
        keys = (f"e_x0_{t}_s0_{t}", f"e_s0_{t - 1}_s0_{t}", f"e_s0_{t}_y0_{t}")
        assert [look(picture, key) for key in keys] == rolled
    assert {"rnn.W", "rnn.U", "out.W"} <= set(texts(picture))


def test_sixteen_matrices_have_sixteen_looks() -> None:
    graph = many_to_many(2, layers=6)
    picture = gc.draw.recurrence(graph)
    keys = [f"e_r{i}_r{i}" for i in range(6)] + [f"e_r{i}_r{i + 1}" for i in range(5)]
    assert len({look(picture, key) for key in keys}) == 11


def test_eight_matrices_differ_in_colour_or_dash_and_not_in_width_alone() -> None:
    picture = gc.draw.recurrence(many_to_many(2, layers=4))
    keys = [f"e_r{i}_r{i}" for i in range(4)] + [f"e_r{i}_r{i + 1}" for i in range(3)]
    keys.append("e_rx0_r0")
    assert len({look(picture, key)[:2] for key in keys}) == 8


def test_the_state_before_the_first_step_stands_in_front() -> None:
    picture = gc.draw.recurrence(many_to_many(3))
    found = boxes(picture)
    states = columns(picture, "s0_")
    assert states[0] == "s0_0"
    assert len({center(found[key])[1] for key in states}) == 1
    assert all(center(found[f"x0_{t}"])[1] < center(found[f"s0_{t}"])[1] for t in (1, 2, 3))


def test_many_to_one_reads_the_last_state_only() -> None:
    picture = gc.draw.recurrence(many_to_one())
    assert len(columns(picture, "y0_")) == 1
    (loop,) = find_recurrences(many_to_one()).loops
    assert (loop.from_below, loop.from_before) == (("gru.W",), ("gru.U",))


def test_one_to_many_has_no_slices_and_begins_with_its_input() -> None:
    seed, w = gc.input("image", ("N", 4)), gc.param("w", (4, 4))
    _, states = gc.scan(lambda h: (gc.tanh(h @ w),) * 2, init=seed, length=3)
    graph = gc.graph({"y": gc.nn.dense(states, 2, name="out").named("y")}, name="caption")
    picture = gc.draw.recurrence(graph)
    assert not columns(picture, "x0_")
    assert ("i0", "s0_0") in edges(picture) and len(columns(picture, "y0_")) == 3


def test_a_decoder_begins_where_the_encoder_ends() -> None:
    picture = gc.draw.recurrence(encoder_decoder())
    first, second = find_recurrences(encoder_decoder()).loops
    assert second.before == (0,) and not first.before
    found = boxes(picture)
    encoder, decoder = columns(picture, "s0_"), columns(picture, "s1_")
    assert (encoder[-1], decoder[0]) in edges(picture)
    assert center(found[encoder[-1]])[0] < center(found[decoder[0]])[0]


def test_both_directions_read_the_same_slices() -> None:
    hidden, *_ = gc.nn.bidirectional(gc.nn.rnn, sequence(3), 4, name="both")
    graph = gc.graph({"y": gc.nn.dense(hidden, 2, name="out").named("y")})
    picture = gc.draw.recurrence(graph)
    drawn = edges(picture)
    assert {("x0_1", "s0_1"), ("x0_1", "s1_1"), ("s0_1", "s0_2"), ("s1_2", "s1_1")} <= drawn
    assert ("s1_4", "s1_3") in drawn  # the state before the first step is on the right


def test_truncation_cuts_the_edges_between_steps() -> None:
    picture = gc.draw.recurrence(many_to_many(4), truncate=2)
    assert [key for key in boxes(picture) if re.fullmatch(r"cut\d+_\d+", key)] == ["cut0_2"]
    assert "cut" in texts(picture)
    assert "cut" not in texts(gc.draw.recurrence(many_to_many(4)))


@pytest.mark.parametrize(
    "make",
    [
        many_to_many,
        many_to_one,
        encoder_decoder,
        stacked_with_starts,
        best_path,
        decoder_of_ones_own,
    ],
)
def test_nothing_overlaps(make: object) -> None:
    found = boxes(gc.draw.recurrence(make()))
    shapes = {k: rectangle(v) for k, v in found.items() if not k.startswith("p")}
    for (a, p), (b, q) in itertools.combinations(shapes.items(), 2):
        apart = p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1]
        assert apart, f"{a} and {b} overlap"


def test_an_input_that_two_loops_start_from_stands_there_once() -> None:
    found = boxes(gc.draw.recurrence(best_path()))
    starts = [key for key in found if re.fullmatch(r"i\d+", key)]
    assert starts == ["i0"]
    assert {("i0", "s0_0"), ("i0", "s1_0")} <= edges(gc.draw.recurrence(best_path()))


def test_a_picture_without_matrices_has_no_words_on_them() -> None:
    assert not any("matrix" in text for text in texts(gc.draw.recurrence(best_path())))
    assert any("matrix" in text for text in texts(gc.draw.recurrence(many_to_one())))


def test_the_same_graph_gives_the_same_picture() -> None:
    assert (
        gc.draw.recurrence(encoder_decoder()).source == gc.draw.recurrence(encoder_decoder()).source
    )


def test_a_graph_without_a_loop_is_refused() -> None:
    x = gc.input("x", (3,))
    with pytest.raises(gc.GraphError, match="no loop found"):
        gc.draw.recurrence(gc.graph({"y": x * 2}))
    with pytest.raises(gc.GraphError, match="at least one step"):
        gc.draw.recurrence(many_to_one(), steps=0)
    with pytest.raises(gc.GraphError, match="two cuts"):
        gc.draw.recurrence(many_to_one(), truncate=0)


def test_hostile_names_and_empty_loops_are_drawn() -> None:
    x = gc.input('<x & "y">', ("T", "N", 3))
    hidden, _ = gc.nn.rnn(x, 4, name="rnn")
    hostile = gc.graph({"y": gc.nn.dense(hidden, 2, name="out")}, name='<&"')
    assert "h" in texts(gc.draw.recurrence(hostile))
    empty = gc.draw.recurrence(many_to_many(0))
    assert columns(empty, "s0_") == ["s0_0"] and not columns(empty, "y0_")


def test_the_number_of_a_step_belongs_to_all_names_in_a_circle() -> None:
    states = gc.nn.lstm(sequence(), 3, name="lstm")[0]
    picture = gc.draw.recurrence(gc.graph({"y": gc.nn.dense(states, 2, name="out")}))
    assert {"(h,c)", "x"} <= set(texts(picture)) and "h,c" not in texts(picture)


def both_directions() -> gc.Graph:
    hidden, _ = gc.nn.bidirectional(gc.nn.rnn, sequence(), 4, name="both")
    return gc.graph({"y": gc.nn.dense(hidden, 2, name="out").named("y")}, name="tagger")


@pytest.mark.parametrize("model", [both_directions, encoder_decoder, stacked_with_starts])
def test_no_wire_runs_through_the_name_of_a_matrix(model: Callable[[], gc.Graph]) -> None:
    picture = gc.draw.recurrence(model())
    points = [point for edge in laid_out(picture)["edges"] for point in on_curve(edge["pos"])]
    names = {key: box for key, box in boxes(picture).items() if key.startswith("m_")}
    assert names
    for key, box in names.items():
        left, low, right, high = rectangle(box)
        assert not [1 for x, y in points if left < x < right and low + 3 < y < high - 3], key


def test_the_caption_counts_the_matrices_of_an_edge() -> None:
    x, u, v, w = gc.input("x", ("T", 3)), *(gc.param(name, (3, 3)) for name in "UVW")

    def step(h: gc.Node, x_t: gc.Node) -> gc.Node:
        z = gc.sigmoid(x_t @ w + h @ u)
        return z * h + (1 - z) * gc.tanh(h @ v)

    (last,) = gc.scan(lambda h, x_t: (step(h, x_t),), init=gc.zeros((3,)), xs=x)
    one = "edges of one colour and dash share one matrix"
    assert one in texts(gc.draw.recurrence(many_to_many()))
    assert one.replace("one matrix", "their matrices") in texts(
        gc.draw.recurrence(gc.graph({"y": last}))
    )


def test_the_caption_says_what_short_names_stand_for() -> None:
    image, words = gc.input("image", ("N", 4)), gc.input("words", ("T", "N", 3))
    hidden, _ = gc.nn.rnn(words, 4, name="rnn", initial=image)
    graph = gc.graph({"scores": gc.nn.dense(hidden, 2, name="out").named("scores")})
    caption = texts(gc.draw.recurrence(graph))[-1]
    assert caption.endswith("w: words;  i: image;  s: scores")
    assert ":" not in texts(gc.draw.recurrence(many_to_many()))[-1]


def test_a_loop_that_runs_back_begins_behind_the_last_step() -> None:
    assert "T+1" in texts(gc.draw.recurrence(both_directions()))
    hidden, _ = gc.nn.rnn(sequence(3), 4, name="rnn", reverse=True)
    numbers = texts(gc.draw.recurrence(gc.graph({"y": gc.nn.dense(hidden, 2, name="out")})))
    assert "4" in numbers and "0" not in numbers


@pytest.mark.parametrize("parts", [1, 2])
def test_a_loop_may_have_more_steps_than_the_one_below(parts: int) -> None:
    def stack(xs: gc.Node) -> gc.Node:
        return gc.scan(lambda h, v: (gc.tanh(h + v),) * 2, init=gc.zeros((3,)), xs=xs)[1]

    x = gc.input("x", (2, 3))
    below = [stack(x[:1]), x[1:], x] if parts == 1 else [stack(x[:1]), stack(x[1:])]
    drawing = gc.draw.recurrence(gc.graph({"y": gc.sum(stack(gc.concat(below)))}))
    assert "<svg" in drawing.svg()


def carrying(*names: str) -> gc.Graph:
    """A loop that carries states of these names, which start from inputs of any name."""
    init = tuple(gc.input(f"of_{name}", (3,)) for name in names)
    with_names = ", ".join(names)
    step = eval(f"lambda {with_names}: ({with_names}, {names[0]})")
    return gc.graph({"y": gc.scan(step, init=init, length=3)[-1]}, name="carrying")


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        (("h", "c", "n"), ["(h,c,n)"]),
        (("h", "c", "ctx"), ["(h,c,", "ctx)"]),
        (("hidden", "cell", "mean", "m2"), ["(h,c,", "m,m₂)"]),
        (tuple("abcdefgh"), ["(a,b,", "c,d,e,f,", "g,h)"]),
    ],
)
def test_all_states_that_fit_stand_in_the_circle(names: tuple[str, ...], lines: list[str]) -> None:
    picture = gc.draw.recurrence(carrying(*names))
    shown = texts(picture)
    at = shown.index(lines[0])
    assert shown[at : at + len(lines)] == lines
    assert any("h: hidden" in text for text in shown) == ("hidden" in names)


def test_states_that_fit_into_no_circle_are_told_below_it() -> None:
    picture = gc.draw.recurrence(carrying(*[f"s{i}" for i in range(14)]))
    caption = next(text for text in texts(picture) if "s₁₃" in text)
    assert "…: s₀, s₁, s₂, s₃, s₄, …, s₁₃" in caption


def test_names_in_one_circle_differ() -> None:
    assert "(he,ha)" in texts(gc.draw.recurrence(carrying("heat", "hate")))
