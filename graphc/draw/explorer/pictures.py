"""Which pictures stand on the page? The boxes of all stages, grouped and laid out, as data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from graphc.draw.explorer.boxes import Boxes
from graphc.draw.explorer.layout import Item, Placed, placed
from graphc.draw.explorer.lineage import Lineage
from graphc.draw.explorer.views import Member, Tree, sights, tree_of
from graphc.draw.typography import text_width
from graphc.ir.provenance import BACKWARD, FORWARD
from graphc.ops import OPS

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
    widths = _widths(names, stages)
    phases, scopes = _places(found)
    shapes = {key: box.shape for stage in stages for key, box in stage.boxes.items()}
    members = [Member(key, phases[key], scopes[key]) for key in widths]
    tree = tree_of(members)
    edges = _edges(stages)
    level = _level(names, phases, widths)
    wanted: dict[str, Callable[[], Placed]] = {}
    for picture, sight in sights(edges, tree).items():
        inside = [key for key, above in tree.parent.items() if above == picture]
        items = [_item(key, widths, phases, tree, names, shapes) for key in inside]
        rim = [
            Item(
                RIM + key,
                _width(_called(key, tree, names), "", ""),
                26,
                _phase(key, phases, tree),
                0,
            )
            for key in sight.rim
        ]
        outside = set(sight.rim)
        ends = [
            (RIM + a if a in outside else a, RIM + b if b in outside else b) for a, b in sight.edges
        ]
        here = set(inside)
        pairs = [(a, b) for a, b in level if a in here and b in here]
        wanted[picture] = partial(placed, [*items, *rim], ends, pairs)
    # Each layout is a process of its own, so threads that wait for them keep all cores busy.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        layouts = pool.map(lambda lay_out: lay_out(), wanted.values())
        pictures = {picture: _data(found) for picture, found in zip(wanted, layouts, strict=True)}
    return {"pictures": pictures, "groups": _groups(tree, names), "parent": _parents(tree)}


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


# -- sizes ---------------------------------------------------------------------------------------


def _widths(names: Mapping[str, str], stages: Sequence[Boxes]) -> dict[str, float]:
    """Return the width in which each id fits in all stages; ids in order of first appearance."""
    widths: dict[str, float] = {}
    for stage in stages:
        for key, box in stage.boxes.items():
            width = _width(names[key], box.formula, box.shape)
            widths[key] = max(width, widths.get(key, 0))
    return widths


def _width(name: str, formula: str, shape: str) -> float:
    head = text_width(name, NAME_SIZE) + 10 + (text_width(shape, NOTE_SIZE) + 18 if shape else 0)
    return max(_LEAST, head, text_width(formula, FORMULA_SIZE) + 20)


def _item(
    key: str,
    widths: Mapping[str, float],
    phases: Mapping[str, str],
    tree: Tree,
    names: Mapping[str, str],
    shapes: Mapping[str, str],
) -> Item:
    called = _called(key, tree, names)
    width = widths[key] if key in widths else _width(called, "1,000 nodes", "")
    reach = text_width(called, NAME_SIZE), text_width(shapes.get(key, ""), NOTE_SIZE)
    return Item(key, width, _HEIGHT, _phase(key, phases, tree), name=reach[0], shape=reach[1])


# -- what holds for all stages -------------------------------------------------------------------


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


def _edges(stages: Sequence[Boxes]) -> list[tuple[str, str]]:
    return list(
        dict.fromkeys(
            (read, key)
            for stage in stages
            for key, box in stage.boxes.items()
            for read in box.reads
        )
    )


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


def _title(tree: Tree, key: str, names: Mapping[str, str]) -> str:
    """Return what a group is called: its scope, or the first and the last of a run."""
    group = tree.groups[key]
    return group.title or f"{names[group.members[0]]} … {names[group.members[-1]]}"


def _called(key: str, tree: Tree, names: Mapping[str, str]) -> str:
    return _title(tree, key, names) if key in tree.groups else names[key]


def _phase(key: str, phases: Mapping[str, str], tree: Tree) -> str:
    return tree.groups[key].phase if key in tree.groups else phases[key]


def _groups(tree: Tree, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        key: {"title": _title(tree, key, names), "phase": group.phase, "members": group.members}
        for key, group in tree.groups.items()
    }


def _parents(tree: Tree) -> dict[str, str]:
    return {key: above for key, above in tree.parent.items() if above}
