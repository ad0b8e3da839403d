"""The explorer's page of graphs that hold less than others, or take far more work."""

from __future__ import annotations

from pathlib import Path

import pytest
from explored import data_of, page_text

import graphc as gc


@pytest.mark.filterwarnings("ignore:input 'mask' is not used")
@pytest.mark.parametrize("of", [None, "y"])
def test_an_input_that_nothing_reads_is_no_step(tmp_path: Path, of: str | None) -> None:
    x, mask, w = gc.input("x"), gc.input("mask", ("N",)), gc.param("w")
    graph = gc.Graph({"y": gc.sin(w * x)}, name="masked", inputs=(x, mask))
    data = data_of(page_text(tmp_path, graph, of))
    forward = [step["left"] for step in data["steps"]["rows"] if step["phase"] == "forward"]
    assert len(forward) == 4
    assert "mask" not in {facts["name"] for facts in data["nodes"].values()}


def test_a_graph_of_one_node_has_a_page(tmp_path: Path) -> None:
    data = data_of(page_text(tmp_path, gc.graph({"same": gc.input("x")})))
    assert [facts["name"] for facts in data["nodes"].values()] == ["x"]


def test_a_graph_of_much_work_has_a_page_without_numbers(tmp_path: Path) -> None:
    """Sixteen layers of this width would be multiplied for a minute, stage by stage."""
    x, weights = gc.input("x", ("N", 8192)), gc.param("W", (8192, 8192))
    h = x
    for _ in range(16):
        h = gc.tanh(h @ weights)
    graph = gc.graph({"loss": (h * h).mean()}, name="wide")
    data = data_of(page_text(tmp_path, graph, "loss", N=3))
    assert data["steps"]["rows"] == []
    assert "FLOPs" in data["steps"]["leftOut"] == data["unevaluated"]
    assert {facts["value"] for facts in data["nodes"].values()} == {""}
    assert {stage["gap"][0] for stage in data["stages"]} == {None}
    assert data["stages"][-1]["cost"][0][1] > 16 * 3 * 2 * 3 * 8192**2 - 1e9
