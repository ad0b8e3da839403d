"""Attention, a memory, an image: what each step of a recurrence reads whole, is drawn."""

from __future__ import annotations

import re

import pytest
from drawn_graphs import boxes, center, edges, texts

import graphc as gc
from graphc.draw import Drawing
from graphc.draw.loops.cell_parts import cell_of
from graphc.draw.loops.recurrences import find_recurrences
from graphc.ir.node import Node


def x_and_z() -> tuple[Node, Node]:
    return gc.input("x", ("T", "N", 3)), gc.input("z", ("S", "N", 3))


def output(read: Node) -> gc.Graph:
    return gc.graph({"y": gc.nn.dense(read, 2, name="out").named("y")}, name="read")


def attention(by_matrix: bool = False) -> gc.Graph:
    """Each step of the decoder looks at all states of the encoder."""
    x, z = x_and_z()
    states, last = gc.nn.rnn(x, 4, name="enc")
    W, U, A = gc.param("W_z", (3, 4)), gc.param("W_c", (8, 4)), gc.param("W_a", (4, 4))

    def step(h: Node, z_t: Node) -> tuple[Node, Node]:
        asked = h @ A if by_matrix else h
        weights = gc.softmax(gc.einsum("tnh,nh->tn", states, asked), axis=0)
        context = gc.einsum("tn,tnh->nh", weights, states)
        h = gc.tanh(z_t @ W + gc.concat([h, context], axis=1) @ U)
        return h, h

    return output(gc.scan(step, init=last, xs=z)[1])


def after_the_decoder() -> gc.Graph:
    x, z = x_and_z()
    states, last = gc.nn.gru(x, 4, name="enc")
    decoded, _ = gc.nn.gru(z, 4, name="dec", initial=last)
    weights = gc.softmax(gc.einsum("snh,tnh->snt", decoded, states), axis=2)
    context = gc.einsum("snt,tnh->snh", weights, states)
    return output(gc.concat([decoded, context], axis=2))


def told_of_an_image(steps: int | str = "T") -> gc.Graph:
    x, image = gc.input("x", (steps, "N", 3)), gc.input("image", ("N", 6))
    W, U, C = gc.param("W", (3, 4)), gc.param("U", (4, 4)), gc.param("C", (6, 4))
    first = gc.input("first", ("N", 4))
    _, states = gc.scan(
        lambda h, x_t: (gc.tanh(x_t @ W + h @ U + image @ C),) * 2, init=first, xs=x
    )
    return output(states)


def two_encoders() -> gc.Graph:
    x, z = x_and_z()
    ends = [gc.nn.rnn(s, 4, name=f"enc{i}")[1] for i, s in enumerate((x, z))]
    return output(gc.concat(ends, axis=1))


def ways(picture: Drawing, key: str) -> set[tuple[str, str]]:
    """Return which circles feed the line of a key, and which read it."""
    found = set()
    for line in picture.source.splitlines():
        match = re.search(rf'id="{key}_([a-z]+\d+(?:_\d+)?)"', line)
        if match:
            found.add((match[1], "feeds" if "arrowhead" in line else "reads"))
    return found


@pytest.mark.parametrize("by_matrix", [False, True])
def test_each_step_reads_all_states_of_the_encoder(by_matrix: bool) -> None:
    graph = attention(by_matrix)
    loop = find_recurrences(graph).loops[1]
    assert (loop.before, loop.whole) == ((0,), {0: True})
    assert set(loop.from_before) == {"W_c", *(["W_a"] if by_matrix else [])}
    assert loop.from_whole == ("W_c",)
    picture = gc.draw.recurrence(graph)
    fed, read = (1, 2, 3, 5), (7, 8, 9, 11)
    expected = {(f"s0_{t}", "feeds") for t in fed} | {(f"s1_{t}", "reads") for t in read}
    assert ways(picture, "w1") == expected
    assert "first, and at each step" in " ".join(texts(picture))


def test_the_line_between_passes_no_circle() -> None:
    found = boxes(gc.draw.recurrence(attention()))
    circles = {k: center(box) for k, box in found.items() if re.fullmatch(r"[sxy]\d_\d+", k)}
    height = next(y for k, (_, y) in circles.items() if k == "s1_7") + 0.44 * 88
    assert all(abs(y - height) > 22 for _, y in circles.values())


def test_attention_after_the_decoder_feeds_the_outputs() -> None:
    picture = gc.draw.recurrence(after_the_decoder())
    assert {("s0_1", "feeds"), ("s0_5", "feeds"), ("y0_7", "reads")} <= ways(picture, "b0")
    assert {("s1_7", "y0_7"), ("s1_11", "y0_11")} <= edges(picture)


def test_what_is_given_to_every_step_is_a_circle_with_its_matrix() -> None:
    graph = told_of_an_image()
    loop = find_recurrences(graph).loops[0]
    assert (loop.given, loop.from_whole, loop.from_below) == (("image",), ("C",), ("W",))
    picture = gc.draw.recurrence(graph)
    assert ("rg0", "r0") in edges(picture)
    assert ("g0", "feeds") in ways(picture, "w0")
    assert "reads image at each step" in picture.description


def test_two_encoders_meet_in_one_output() -> None:
    picture = gc.draw.recurrence(two_encoders())
    assert ways(picture, "b0") == {("s0_5", "feeds"), ("y0_11", "reads")}
    assert ("s1_11", "y0_11") in edges(picture)


@pytest.mark.parametrize("steps", [6, "T"])
def test_the_last_of_all_states_is_one_and_their_mean_reads_all(steps: int | str) -> None:
    states, _ = gc.nn.rnn(gc.input("x", (steps, "N", 3)), 4, name="rnn")
    (last,) = find_recurrences(output(states[-1])).readings
    assert (last.loops, last.each_step) == ({0: False}, False)
    (mean,) = find_recurrences(output(states.mean(axis=0))).readings
    assert (mean.loops, mean.each_step) == ({0: True}, False)
    (each,) = find_recurrences(output(states)).readings
    assert (each.loops, each.each_step) == ({0: True}, True)
    picture = gc.draw.recurrence(output(states.mean(axis=0)))
    assert ways(picture, "b0") >= {("s0_1", "feeds"), ("s0_2", "feeds"), ("y0_5", "reads")}


def test_a_loop_without_steps_is_drawn_with_what_it_would_read() -> None:
    assert "g0" in boxes(gc.draw.recurrence(told_of_an_image(0)))


def test_a_cell_shows_what_every_step_reads() -> None:
    graph = told_of_an_image()
    loop = find_recurrences(graph).loops[0].node
    cell = cell_of(loop, graph.labels)
    assert [cell.name(leaf) for leaf in cell.slices] == ["x_t", "image"]
    assert "image" in texts(gc.draw.cell(graph))


def test_a_state_is_not_named_twice_in_its_cell() -> None:
    x, U = gc.input("x", ("T", 4)), gc.param("U", (4, 4))

    def step(h: Node, x_t: Node) -> tuple[Node, Node]:
        h = (0.5 * h + gc.tanh(x_t @ U)).named("h")
        return h, h

    first = gc.input("h0", (4,))
    picture = gc.draw.cell(gc.graph({"h": gc.scan(step, init=first, xs=x)[1]}))
    assert not [text for text in texts(picture) if text.startswith("h₂")]
