"""Which pictures stand on the page? The boxes of all stages, grouped and laid out, as data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from graphc.draw.explorer.layout import Item, Placed, placed
from graphc.draw.explorer.lineage import Lineage, labels_of
from graphc.draw.explorer.views import Member, Tree, sights, tree_of
from graphc.draw.formula import formula, name_code
from graphc.draw.graphs.view import kind_of, leaving_names
from graphc.draw.silent import is_silent
from graphc.draw.typography import shortened, text_width
from graphc.ir.code import Code
from graphc.ir.dims import shape_text
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD
from graphc.ops import OPS
from graphc.ops.leaf import is_fill

FORMULA_SIZE, NAME_SIZE, NOTE_SIZE = 13, 13, 11
#: Height of a box, and of the lines under it that hold its value and its adjoint.
_HEIGHT, _NOTES = 30, 32
_LEAST = 52
#: The first letter of what stands at the rim of a picture: a stub of a box or of a group.
RIM = "r"


def pictures_of(
    found: Lineage, names: Mapping[str, str], stages: Sequence[Boxes]
) -> dict[str, Any]:
    """Return the pictures by the group that they open, "" first, and the groups themselves."""
    widths: dict[str, float] = {}  # in which each id fits in all stages, in order of appearance
    shapes: dict[str, str] = {}
    edges: dict[tuple[str, str], None] = {}
    for stage in stages:
        for key, box in stage.boxes.items():
            widths[key] = max(_width(names[key], box.formula, box.shape), widths.get(key, 0))
            shapes[key] = box.shape
            edges |= dict.fromkeys((read, key) for read in box.reads)
    phases, scopes = _places(found)
    tree = tree_of([Member(key, phases[key], scopes[key]) for key in widths])
    album = _Album(names, phases, shapes, widths, tree)
    level = _level(names, phases, widths)
    wanted: dict[str, Callable[[], Placed]] = {}
    for picture, sight in sights(edges, tree).items():
        inside = [key for key, above in tree.parent.items() if above == picture]
        items = [*map(album.item, inside), *map(album.stub, sight.rim)]
        key_here = {key: RIM + key if key in sight.rim else key for key in (*inside, *sight.rim)}
        ends = [(key_here[a], key_here[b]) for a, b in sight.edges]
        pairs = [(a, b) for a, b in level if tree.parent[a] == tree.parent[b] == picture]
        wanted[picture] = partial(placed, items, ends, pairs)
    # Each layout is a process of its own, so threads that wait for them keep all cores busy.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        layouts = pool.map(lambda lay_out: lay_out(), wanted.values())
        pictures = {picture: _data(found) for picture, found in zip(wanted, layouts, strict=True)}
    groups = {
        key: {"title": album.called(key), "phase": group.phase, "members": group.members}
        for key, group in tree.groups.items()
    }
    parents = {key: above for key, above in tree.parent.items() if above}
    return {"pictures": pictures, "groups": groups, "parent": parents}


@dataclass(frozen=True, eq=False)
class _Album:
    """What is known of each node that some picture shows, and of the groups that hold them."""

    names: Mapping[str, str]
    phases: Mapping[str, str]
    shapes: Mapping[str, str]
    widths: Mapping[str, float]
    tree: Tree

    def called(self, key: str) -> str:
        """Return a name; a group is called by its scope, or the first and the last of a run."""
        group = self.tree.groups.get(key)
        if group is None:
            return self.names[key]
        first, last = group.members[0], group.members[-1]
        return group.title or f"{self.names[first]} … {self.names[last]}"

    def phase(self, key: str) -> str:
        group = self.tree.groups.get(key)
        return self.phases[key] if group is None else group.phase

    def item(self, key: str) -> Item:
        called, shape = self.called(key), self.shapes.get(key, "")
        width = self.widths[key] if key in self.widths else _width(called, "1,000 nodes", "")
        name, reach = text_width(called, NAME_SIZE), text_width(shape, NOTE_SIZE)
        return Item(key, width, _HEIGHT, self.phase(key), name=name, shape=reach)

    def stub(self, key: str) -> Item:
        """Return what stands at the rim of a picture."""
        return Item(RIM + key, _width(self.called(key), "", ""), 26, self.phase(key), 0)


def steps_picture(boxes: Boxes, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the picture of one stage alone, with room for values and adjoints."""
    items = [
        Item(key, max(_width(names[key], box.formula, box.shape), 84), _HEIGHT, foot=_NOTES)
        for key, box in boxes.boxes.items()
    ]
    edges = [(read, key) for key, box in boxes.boxes.items() for read in box.reads]
    return _data(placed(items, edges, sideways=True))


def _data(layout: Placed) -> dict[str, Any]:
    return {
        "items": dict(layout.places),
        "paths": {f"{tail}>{head}": path for (tail, head), path in layout.paths.items()},
        "size": list(layout.size),
    }


def _width(name: str, formula: str, shape: str) -> float:
    head = text_width(name, NAME_SIZE) + 10 + (text_width(shape, NOTE_SIZE) + 18 if shape else 0)
    return max(_LEAST, head, text_width(formula, FORMULA_SIZE) + 20)


def _places(found: Lineage) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return the block and the scope of each id, as they are in its last stage."""
    phases: dict[str, str] = {}
    scopes: dict[str, tuple[str, ...]] = {}
    for known in found.ids:
        for node, key in known.items():
            phases[key] = node.provenance.phase
            scope = "" if node.op is OPS["input"] else node.provenance.scope
            scopes[key] = tuple(scope.split("/")) if scope else ()
    return phases, scopes


def _level(
    names: Mapping[str, str], phases: Mapping[str, str], shown: Mapping[str, object]
) -> list[tuple[str, str]]:
    """Return each named variable with its adjoint: they stand at one height."""
    forward = {names[key]: key for key in shown if phases[key] == FORWARD}
    pairs = []
    for key in shown:
        if phases[key] == BACKWARD and names[key].startswith("d_"):
            variable = forward.pop(names[key].removeprefix("d_"), None)
            if variable is not None:
                pairs.append((variable, key))
    return pairs


# -- boxes ---------------------------------------------------------------------------------------

#: A longer formula is cut: the box names the op, and the code shows all of it.
LONGEST = 42


@dataclass(frozen=True)
class Box:
    """A node of a picture: what kind it is, what it says, and the ids of what it reads."""

    kind: str  # input, parameter, constant, operation, output
    formula: str
    shape: str
    reads: tuple[str, ...]
    leaves_as: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of one stage by id, and the id of the box that stands for each node."""

    boxes: Mapping[str, Box]
    host: Mapping[str, str]


def boxes_of(graph: Graph, ids: Mapping[Node, str], names: Mapping[str, str]) -> Boxes:
    """Return what a stage shows, operands before users."""
    labels = labels_of(graph)
    leaving = leaving_names(graph)
    texts: dict[Node, Code] = {}
    reads: dict[Node, tuple[str, ...]] = {}
    boxes: dict[str, Box] = {}
    for node in graph.nodes:
        is_kept = node in labels or node in leaving
        if is_silent(node) and not is_kept:
            texts[node], reads[node] = texts[node.inputs[0]], reads[node.inputs[0]]
            continue
        text = formula(node, [texts[i] for i in node.inputs], tight=True)
        if is_fill(node) and not is_kept:
            texts[node], reads[node] = text, ()
            continue
        key = ids[node]
        operands = dict.fromkeys(k for i in node.inputs for k in reads[i])
        shown = shortened(text.text, LONGEST)
        shape = shape_text(node.shape) if node.shape else ""
        out = tuple(leaving.get(node, ()))
        boxes[key] = Box(kind_of(node, leaving), shown, shape, tuple(operands), out)
        texts[node], reads[node] = name_code(names[key]), (key,)
    return Boxes(boxes, _hosts(graph, ids, boxes))


def _hosts(graph: Graph, ids: Mapping[Node, str], boxes: Mapping[str, Box]) -> dict[str, str]:
    """Return the box of each node: its own, or that of the first node that reads it."""
    host: dict[str, str] = {}
    for node in reversed(graph.nodes):
        key = ids[node]
        host[key] = key if key in boxes else host[ids[graph.consumers[node][0]]]
    return host
