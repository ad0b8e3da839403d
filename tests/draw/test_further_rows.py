"""Long pictures: they go on in further rows, so that a page holds them and can be read."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from drawn_graphs import boxes, center, edges, laid_out, on_curve, rectangle

import graphc as gc
from graphc.draw.drawing import Drawing

EXAMPLES = Path(__file__).parents[2] / "examples"


def chain(count: int) -> gc.Graph:
    h = gc.input("x", ("N", 8))
    for k in range(count):
        h = gc.tanh(h).named(f"h{k}")
    return gc.graph({"loss": (h**2).sum()}, name="chain")


def skips(count: int) -> gc.Graph:
    h = gc.input("x", ("N", 8))
    for k in range(count):
        h = (h + gc.sin(gc.cos(gc.tanh(h)))).named(f"h{k}")
    return gc.graph({"y": h}, name="skips")


def extent(drawing: Drawing) -> tuple[float, float]:
    left, low, right, high = map(float, laid_out(drawing)["bb"].split(","))
    return right - left, high - low


@pytest.mark.parametrize("direction", [None, "LR", "TB"])
def test_a_long_chain_is_cut_into_rows_that_fill_a_page(direction: str | None) -> None:
    width, height = extent(gc.draw.computation_graph(chain(24), direction=direction))
    assert 1.0 < width / height < 4.0
    assert width < 1500


def test_a_short_picture_is_one_row() -> None:
    found = boxes(gc.draw.computation_graph(chain(5)))
    heights = [center(box)[1] for box in found.values()]
    assert max(heights) - min(heights) < 9


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("graph", [chain(24), skips(9)], ids=["chain", "skips"])
def test_boxes_stand_apart_and_edges_join_them(graph: gc.Graph, direction: str) -> None:
    drawing = gc.draw.computation_graph(graph, direction=direction)
    found = {key: rectangle(box) for key, box in boxes(drawing).items()}
    for (_, a), (_, b) in combinations(found.items(), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    drawn = laid_out(drawing)
    names = [item["name"] for item in drawn["objects"]]
    for edge in drawn["edges"]:
        points = on_curve(edge["pos"])
        for at, end in ((0, "tail"), (-1, "head")):
            left, low, right, high = found[names[edge[end]]]
            x, y = points[at]
            assert left - 10 <= x <= right + 10 and low - 10 <= y <= high + 10


def test_rows_keep_the_order_of_the_graph() -> None:
    found = boxes(gc.draw.computation_graph(chain(24), direction="LR"))
    order = [center(box) for box in found.values()]
    for (x, y), (x2, y2) in pairwise(order):
        assert (x2 > x and abs(y2 - y) < 9) or (x2 < x and y2 < y - 60)


def test_a_row_ends_where_one_value_is_handed_on() -> None:
    drawing = gc.draw.computation_graph(skips(9), direction="LR")
    level = {key: center(box)[1] for key, box in boxes(drawing).items()}
    assert len(edges(drawing)) == 45
    assert drawing.engine == "neato"
    down = [(a, b) for a, b in edges(drawing) if level[b] < level[a] - 100]
    assert down and all(re.fullmatch(r"n_h\d", a) for a, _ in down)


def test_both_halves_of_backpropagation_have_rows() -> None:
    drawing = gc.draw.backprop(chain(24))
    width, height = extent(drawing)
    assert 0.8 < width / height < 3.0
    found = boxes(drawing)
    for k in range(24):
        assert abs(center(found[f"n_h{k}"])[0] - center(found[f"d_n_h{k}"])[0]) < 1


def test_a_convolutional_network_can_be_read_on_a_slide() -> None:
    width, height = extent(gc.draw.computation_graph(gc.load(EXAMPLES / "lenet.graph")))
    assert width <= 1300 and height <= 600


def test_without_dot_a_long_picture_is_one_row_that_can_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    drawing = gc.draw.computation_graph(chain(24))
    assert drawing.engine == "dot"
    assert drawing.save(tmp_path / "chain.dot").read_text("utf-8") == drawing.source
