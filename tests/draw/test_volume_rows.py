"""Ways beside the main one through a ConvNet, and groups of channels, have rows of their own."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from drawn_graphs import boxes, center, edges, laid_out, on_curve, rectangle, texts

import graphc as gc
from graphc.draw import Drawing


def conv(x: gc.Node, size: int, kernel: int = 3, **options: int) -> gc.Node:
    return gc.nn.conv2d(x, size, kernel, padding=kernel // 2, **options)


def image(name: str = "x") -> gc.Node:
    return gc.input(name, ("N", 4, 8, 8))


def inception() -> gc.Graph:
    x = image()
    ways = [conv(x, 4, 1), conv(conv(x, 4, 1), 8), conv(conv(x, 2, 1), 4, 5)]
    return gc.graph({"y": conv(gc.concat(ways, axis=1), 2)}, name="inception")


def two_streams() -> gc.Graph:
    filters = [gc.param(f"W{i}", (6, 4, 3, 3)) for i in range(2)]
    inputs = [image("rgb"), image("flow")]
    ways = [
        gc.nn.max_pool2d(gc.nn.conv2d(x, 6, weight=W, padding=1, use_bias=False), 2)
        for x, W in zip(inputs, filters, strict=True)
    ]
    joined = gc.reshape(gc.concat(ways, axis=1), ("N", 192))
    return gc.graph({"y": gc.nn.dense(joined, 2)}, name="two_streams")


def towers() -> gc.Graph:
    """AlexNet: groups on two cards, which meet in the third layer alone."""
    h = gc.nn.max_pool2d(conv(image(), 8), 2)
    h = gc.nn.max_pool2d(conv(h, 12, groups=2), 2)
    h = conv(conv(h, 12), 8, groups=2)
    return gc.graph({"y": gc.nn.dense(gc.reshape(h, ("N", 32)), 2)}, name="towers")


def rows_of(picture: Drawing) -> dict[float, list[str]]:
    """Return the volumes in each row, from the uppermost one down, from left to right."""
    shapes = {key: box for key, box in boxes(picture).items() if key.startswith("shape")}
    found: dict[float, list[str]] = {}
    for key in sorted(shapes, key=lambda key: center(shapes[key])[0]):
        found.setdefault(-center(shapes[key])[1], []).append(key.removeprefix("shape"))
    return dict(sorted(found.items()))


def test_the_ways_of_an_inception_module_are_rows() -> None:
    picture = gc.draw.volumes(inception())
    assert list(rows_of(picture).values()) == [
        ["0", "1", "2", "3", "4"],
        ["b0_0"],
        ["b1_0", "b1_1"],
    ]
    assert {("v0", "b0_0"), ("b0_0", "v3"), ("v0", "b1_0"), ("b1_1", "v3")} <= edges(picture)
    shown = texts(picture)
    assert shown.count("4 @ 8×8") == 4 and "conv 5×5" in shown and "2 @ 8×8" in shown


def test_a_second_input_begins_a_row() -> None:
    picture = gc.draw.volumes(two_streams())
    assert list(rows_of(picture).values()) == [["0", "1", "2", "3", "4"], ["b0_0", "b0_1", "b0_2"]]
    assert texts(picture).count("4 @ 8×8") == 2
    assert {("b0_0", "b0_1"), ("b0_2", "v3")} <= edges(picture)


def test_groups_of_channels_are_two_towers() -> None:
    picture = gc.draw.volumes(towers())
    tower = [f"{i}_row1" for i in range(1, 7)]
    assert list(rows_of(picture).values()) == [[str(i) for i in range(8)], tower]
    shown = texts(picture)
    assert shown.count("4 @ 8×8") == 3 and shown.count("6 @ 4×4") == 2  # an image of 4 channels
    drawn = edges(picture)
    assert {("v2", "v3"), ("v2_row1", "v3_row1")} <= drawn
    assert not {("v2", "v3_row1"), ("v2_row1", "v3")} & drawn
    meeting = set(itertools.product(("v4", "v4_row1"), ("v5", "v5_row1")))
    assert meeting <= drawn
    assert ("v6_row1", "v7") in drawn


def test_groups_that_a_page_has_no_rows_for_are_told() -> None:
    graph = gc.graph({"y": conv(conv(image(), 4, groups=4), 2)}, name="depthwise")
    picture = gc.draw.volumes(graph)
    assert len(rows_of(picture)) == 1
    assert "4 groups" in texts(picture)


@pytest.mark.parametrize("build", [inception, two_streams, towers])
def test_no_line_runs_through_words_or_volumes(build: Callable[[], gc.Graph]) -> None:
    picture = gc.draw.volumes(build())
    found = boxes(picture)
    fixed = {k: rectangle(v) for k, v in found.items() if k.startswith(("step", "shape", "v", "b"))}
    for edge in laid_out(picture)["edges"]:
        for x, y in on_curve(edge["pos"]):
            for key, (left, low, right, high) in fixed.items():
                inside = left + 1 < x < right - 1 and low + 1 < y < high - 1
                assert not inside, (edge["id"], key)


def test_rows_of_a_table_are_an_image_of_words() -> None:
    words = gc.input("words", ("N", 20), "int64")
    rows = gc.transpose(gc.nn.embedding(words, 100, 6, name="embed"), (0, 2, 1))
    ways = [gc.nn.conv1d(rows, 3, k, name=f"k{k}").max(axis=2) for k in (2, 3)]
    graph = gc.graph({"y": gc.nn.dense(gc.concat(ways, axis=1), 2, name="out")}, name="text")
    picture = gc.draw.volumes(graph)
    assert list(rows_of(picture).values()) == [["0", "1", "2", "3", "4"], ["b0_0", "b0_1"]]
    assert {"6 @ 20", "3 @ 19", "3 @ 18"} <= set(texts(picture))
    assert picture.description.startswith("embedding: 6 @ 20.")


def test_a_loop_behind_a_convnet_is_a_volume() -> None:
    features = gc.nn.dense(gc.reshape(conv(image(), 2), ("N", 128)), 6, name="features")
    words = gc.input("words", ("T", "N", 3))
    hidden, _ = gc.nn.rnn(words, 6, name="rnn", initial=features)
    graph = gc.graph({"y": gc.nn.dense(hidden, 5, name="out")}, name="captions")
    shown = texts(gc.draw.volumes(graph))
    assert [text for text in shown if text in ("dense", "loop")] == ["dense", "loop", "dense"]
    assert [text for text in shown if text.isdigit()] == ["6", "6", "5"]
