"""Explorer pages that the tests read: the models, and the data inside a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import graphc as gc

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

Data = dict[str, Any]


def lenet() -> gc.Graph:
    """Two convolutions with pooling, three dense layers: LeNet's shape on small images."""
    x, y = gc.input("x", ("N", 1, 12, 12)), gc.input("y", ("N",), dtype="int64")
    h = gc.nn.max_pool2d(gc.nn.conv2d(x, 4, 3, padding=1, activation=gc.relu, name="conv1"), 2)
    h = gc.nn.max_pool2d(gc.nn.conv2d(h, 6, 3, padding=1, activation=gc.relu, name="conv2"), 2)
    h = h.reshape((h.shape[0], -1))
    h = gc.nn.dense(h, 20, activation=gc.relu, name="dense1")
    z = gc.nn.dense(h, 10, name="dense2")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()}, name="lenet")


def lstm() -> gc.Graph:
    """A sequence classifier whose LSTM is a loop."""
    x, y = gc.input("x", (5, "N", 4)), gc.input("y", ("N",), dtype="int64")
    hs = gc.nn.lstm(x, 6, name="lstm")[0]
    z = gc.nn.dense(hs[-1], 3, name="out")
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()}, name="lstm_classifier")


def deep(layers: int) -> gc.Graph:
    """Many layers, each in a scope of its own."""
    h = gc.input("x", ("N", 4))
    for i in range(layers):
        h = gc.nn.dense(h, 4, activation=gc.tanh, name=f"layer{i + 1}")
    return gc.graph({"loss": (h * h).mean()}, name="deep")


def chain(length: int) -> gc.Graph:
    """A chain without scopes."""
    y = gc.input("x", dtype="float64")
    for _ in range(length):
        y = gc.sin(y)
    return gc.graph({"y": y}, name="chain")


def example(name: str) -> gc.Graph:
    return gc.load(EXAMPLES / f"{name}.graph")


def page_text(folder: Path, graph: gc.Graph, of: str | None = None, **at: Any) -> str:
    path = gc.explore(graph, folder / "page.html", gradient_of=of, at=at or None)
    return path.read_text(encoding="utf-8")


def data_of(text: str) -> Data:
    """Return the data of a page."""
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    data: Data = json.loads(found)
    return data


def present(data: Data, stage: int) -> dict[str, Data]:
    """Return what a stage shows of each node that is in it."""
    found = {}
    for key, node in data["nodes"].items():
        for first, end, facts in node["spans"]:
            if first <= stage < end:
                found[key] = facts
    return found


def code(data: Data, stage: int) -> list[tuple[str, list[str]]]:
    """Return the lines of a stage's code, and the ids in each."""
    lines = data["codes"][data["stages"][stage]["code"]]
    return [("".join(text for _, text in data["lines"][line]), ids) for line, ids in lines]


def paths_up(data: Data, key: str) -> Iterator[tuple[str, str]]:
    """Yield each picture that holds a node, and what stands for the node there."""
    item = key
    while True:
        above = data["parent"].get(item, "")
        yield above, item
        if not above:
            return
        item = above
