"""The explorer's page of graphs that hold less than others: inputs that nothing reads, one node."""

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
