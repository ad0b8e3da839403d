"""Where does everything stand? One graphviz layout of all stages together, so nothing moves.

The forward pass runs down on the left; the backward pass runs up beside it, each adjoint level
with its variable. Edges between the two do not shape the layout.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.draw.dot_source import attributes, edge_line, node_line
from graphc.draw.drawing import DrawingError
from graphc.draw.layout import curve_of, dot_json
from graphc.errors import GraphError
from graphc.ir.provenance import BACKWARD, FORWARD, UPDATE

#: The line above a box that holds its name, in points.
HEAD = 17
_POINT = 72
_MARGIN = 16
#: The distance of neighbours across and along the direction of the edges, in points.
_ACROSS, _ALONG = 20, 26
#: How close an edge may come to the words above a box, and by how much it comes from above.
_AIR = 4


@dataclass(frozen=True)
class Item:
    """Something that has a place: the size of its box in points, and its block of the program.

    `head` and `foot` are the lines above and below the box, for names and values; `name` and
    `shape` are how far the words above it reach, from the left and from the right.
    """

    key: str
    width: float
    height: float
    phase: str = FORWARD
    head: int = HEAD
    foot: int = 0
    name: float = 0.0
    shape: float = 0.0


@dataclass(frozen=True)
class Placed:
    """Left, top, width and height of each item with its lines, each edge's path, the canvas."""

    places: Mapping[str, tuple[int, int, int, int]]
    paths: Mapping[tuple[str, str], str]
    size: tuple[int, int]


def placed(
    items: Sequence[Item],
    edges: Sequence[tuple[str, str]],
    level: Sequence[tuple[str, str]] = (),
    *,
    sideways: bool = False,
) -> Placed:
    """Return the layout of items and edges; pairs in `level` stand at one height.

    Edges run down, or to the right where it is `sideways`.

    **Raises** GraphError where `dot` is absent or fails.
    """
    by_key = {item.key: item for item in items}
    plan = _Plan(items, edges, level, sideways)
    try:
        drawn = plan.drawn()
    except DrawingError as error:
        if shutil.which("dot") is None:
            raise GraphError(error.what, got=error.got, fix=error.fix) from None
        # dot cannot level what hangs together too tightly: it then lays out plainly.
        drawn = _Plan(items, edges, (), sideways).drawn()
    return _read(drawn, by_key)


@dataclass(frozen=True)
class _Plan:
    """What dot is asked for."""

    items: Sequence[Item]
    edges: Sequence[tuple[str, str]]
    level: Sequence[tuple[str, str]]
    sideways: bool

    def drawn(self) -> dict[str, Any]:
        """Return the layout, in which edges between blocks follow the heights found without them.

        Edges that dot leaves out of account when it finds heights take long ways round.
        """
        phases = {item.key: item.phase for item in self.items}
        across = [edge for edge in self.edges if phases[edge[0]] != phases[edge[1]]]
        if not across:
            return dot_json(self._source((), {}))
        first = dot_json(self._source(across, {}))
        heights = {
            o["name"]: float(o["pos"].partition(",")[2]) for o in first["objects"] if "pos" in o
        }
        return dot_json(self._source(across, heights))

    def _source(self, across: Sequence[tuple[str, str]], heights: Mapping[str, float]) -> str:
        phases = {item.key: item.phase for item in self.items}
        lines = self._head(is_final=bool(heights) or not across)
        for phase in (FORWARD, BACKWARD, UPDATE):
            members = [item for item in self.items if item.phase == phase]
            if members:
                lines.append(f"  subgraph cluster_{phase} {{")
                lines += [node_line(item.key, _box(item)) for item in members]
                lines.append("  }")
        swinging = set(across)
        for tail, head in self.edges:
            if (tail, head) in swinging:
                lines.append(_swinging(tail, head, heights))
            elif phases[tail] == FORWARD:
                lines.append(edge_line(tail, head, {}))
            else:
                lines.append(edge_line(head, tail, {"dir": "back"}))
        lines += [f"  {{ rank=same; {a}; {b}; }}" for a, b in self.level]
        return "\n".join([*lines, "}"]) + "\n"

    def _head(self, is_final: bool) -> list[str]:
        lines_between = max((item.head + item.foot for item in self.items), default=0)
        across, along = _ACROSS, _ALONG
        if self.sideways:
            across += lines_between
        else:
            along += lines_between
        shape = {
            "rankdir": "LR" if self.sideways else "TB",
            "newrank": "true",
            "nodesep": f"{across / _POINT:.3f}",
            "ranksep": f"{along / _POINT:.3f}",
        }
        if not is_final:  # only heights are wanted: neither curves nor few crossings
            shape |= {"splines": "none", "mclimit": "0.05"}
        look = {"shape": "box", "fixedsize": "true", "label": ""}
        return ["digraph {", f"  graph{attributes(shape)};", f"  node{attributes(look)};"]


def _swinging(tail: str, head: str, heights: Mapping[str, float]) -> str:
    """Return an edge between blocks: without a say in heights, then along those that are known."""
    if not heights:
        return edge_line(tail, head, {"constraint": "false"})
    light = {"weight": "0", "minlen": "0"}
    if heights[head] <= heights[tail]:
        return edge_line(tail, head, light)
    return edge_line(head, tail, {**light, "dir": "back"})


def _box(item: Item) -> dict[str, object]:
    return {"width": f"{item.width / _POINT:.3f}", "height": f"{item.height / _POINT:.3f}"}


def _read(drawn: Mapping[str, Any], by_key: Mapping[str, Item]) -> Placed:
    """Return places and paths, with the origin at the top left."""
    objects = {item["_gvid"]: item for item in drawn.get("objects", [])}
    left, bottom, right, top = (float(word) for word in drawn["bb"].split(","))
    down = top + _MARGIN + HEAD
    places: dict[str, tuple[int, int, int, int]] = {}
    for found in objects.values():
        item = by_key.get(found["name"])
        if item is not None:
            x, y = (float(word) for word in found["pos"].split(","))
            corner = x - item.width / 2 - left + _MARGIN, down - y - item.height / 2 - item.head
            height = item.head + item.height + item.foot
            places[item.key] = round(corner[0]), round(corner[1]), round(item.width), round(height)
    paths = {}
    for edge in drawn.get("edges", []):
        tail, head = objects[edge["tail"]]["name"], objects[edge["head"]]["name"]
        points = [(x - left + _MARGIN, down - y) for x, y in curve_of(edge["pos"])]
        points = _outside(by_key[tail], places[tail], points)
        points = _outside(by_key[head], places[head], points[::-1])[::-1]
        if edge.get("dir") == "back":
            tail, head, points = head, tail, points[::-1]
        paths[tail, head] = _path(points)
    foot = max((item.foot for item in by_key.values()), default=0)
    size = round(right - left + 2 * _MARGIN), round(top - bottom + 2 * _MARGIN + HEAD + foot)
    return Placed(places, paths, size)


def _outside(
    item: Item, place: tuple[int, int, int, int], points: list[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return a curve that begins above the words over its box, where they stand on its way."""
    (x, y), (nearby_x, nearby_y), *rest = points
    left, top, width, _ = place
    is_free = left + item.name + _AIR < x < left + width - item.shape - _AIR
    is_from_above = abs(y - top - item.head) <= 2 and nearby_y < y - _AIR
    if is_free or not is_from_above:
        return points
    return [(x, y - item.head), (nearby_x, min(nearby_y, y - item.head)), *rest]


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Return an SVG path of whole numbers."""
    words = [f"{round(x)} {round(y)}" for x, y in points]
    return f"M{words[0]}C{' '.join(words[1:])}"
