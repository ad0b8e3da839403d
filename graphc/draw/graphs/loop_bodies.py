"""How does a loop look inside a computation graph? A frame around one step of its body.

Constants of the body are the surrounding variables themselves, so their edges lead straight in.
A carry's edge from one step to the next is dashed and runs backwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphc.draw import palette
from graphc.draw.dot_source import FONT, Html, attributes, box_edge, edge_line, font
from graphc.draw.graphs.view import Box, View, view
from graphc.draw.typography import escape, name_text
from graphc.ir.dims import dim_text
from graphc.ir.node import Node
from graphc.ops.loop import Parts, Scan


@dataclass(frozen=True)
class LoopBody:
    """One loop, opened: the boxes of a step, and how they hang together with the rest.

    `entries` leads from each operand's index to the boxes that read it, `results` from each
    result's index to the box that computes it; both give keys. `back` joins a next carry to the
    carry.
    """

    key: str
    title: str
    boxes: tuple[Box, ...]
    edges: tuple[tuple[str, str], ...]
    entries: Mapping[int, tuple[str, ...]]
    results: tuple[str, ...]
    back: tuple[tuple[str, str], ...]

    def opening(self, sideways: bool) -> list[str]:
        """Return the opening of the frame; its title stands where few edges enter.

        From left to right, first states come in at the left, above the frame or below it.
        """
        items = {
            "label": Html(font(f"<B>{escape(self.title)}</B>", palette.MUTED, 12)),
            "labelloc": "t",
            "labeljust": "l" if sideways else "r",
            "fontname": FONT,
            "style": "rounded,dashed",
            "color": palette.MUTED,
            "margin": "14",
            "id": f"loop_{self.key}",
        }
        return [f"  subgraph cluster_{self.key} {{", f"    graph{attributes(items)};"]

    def inner_edges(self, sideways: bool) -> list[str]:
        """Return the edges of one step, and those that lead to the next one.

        The latter join corners, where no other edge begins or ends, around the names and shapes.
        """
        lines = [box_edge(a, b) for a, b in self.edges]
        next_step = {"style": "dashed", "class": "next", "constraint": "false"}
        next_step |= {"color": palette.VALUE, "edgetooltip": "next step"}
        corners = ("b:se", "b:ne") if sideways else ("b:ne", "b:nw")
        next_step |= dict(zip(("tailport", "headport"), corners, strict=True))
        for a, b in self.back:
            lines.append(edge_line(a, b, {"id": f"next_{a}_{b}", **next_step}))
        return lines


def opened_loops(picture: View, style: str, max_nodes: int) -> dict[int, LoopBody]:
    """Return the loops of a picture by the place of their box, as far as there is room."""
    taken = {variable.name for box in picture.boxes for variable in box.variables}
    names = {v.node: v.name for box in picture.boxes for v in box.variables if v.name}
    found: dict[int, LoopBody] = {}
    room = max_nodes - len(picture.boxes)
    for place, box in enumerate(picture.boxes):
        if box.kind == "group" or not isinstance(box.node.op, Scan):
            continue
        loop = opened(box.node, box.key, style, max_nodes, taken, names)
        room -= len(loop.boxes)
        if room < 0:
            break
        taken.update(v.name for inner in loop.boxes for v in inner.variables)
        found[place] = loop
    return found


def opened(
    node: Node, key: str, style: str, max_nodes: int, taken: set[str], names: Mapping[Node, str]
) -> LoopBody:
    """Return the picture of one step of a loop; `names` are those of the variables around it."""
    parts = Parts(node)
    body, carries = parts.body, parts.carries
    around = zip(parts.leaves.constants, parts.operands.constants, strict=True)
    known = {leaf: names[x] for leaf, x in around if x in names}
    inside = view(body.graph, style, max_nodes, None, taken, known)
    keys = [f"{key}_{box.key}" for box in inside.boxes]
    place = {leaf: i for i, leaf in enumerate(body.inputs)}
    outer = {
        at: place[box.node]
        for at, box in enumerate(inside.boxes)
        if place.get(box.node, 0) >= parts.constants_from
    }
    entries: dict[int, list[str]] = {index: [] for index in range(len(body.inputs))}
    for at, box in enumerate(inside.boxes):
        if box.node in place and at not in outer:
            entries[place[box.node]].append(keys[at])
    edges = []
    for tail, head in inside.edges:
        if tail in outer:
            entries[outer[tail]].append(keys[head])
        else:
            edges.append((keys[tail], keys[head]))
    results = tuple(keys[inside.place[_shown(inside, result)]] for result in body.results)
    back = [
        (results[i], keys[inside.place[leaf]])
        for i, leaf in enumerate(body.inputs[:carries])
        if leaf in inside.place
    ]
    boxes = tuple(
        _inner_box(box, keys[at], place.get(box.node), carries)
        for at, box in enumerate(inside.boxes)
        if at not in outer
    )
    last_first = ", last step first" if node.attrs["reverse"] else ""
    title = f"{body.name}: one step of {dim_text(node.attrs['length'])}{last_first}"
    return LoopBody(
        key,
        title,
        boxes,
        tuple(edges),
        {index: tuple(dict.fromkeys(found)) for index, found in entries.items()},
        results,
        tuple(back),
    )


def _shown(inside: View, node: Node) -> Node:
    while node not in inside.place:
        node = node.inputs[0]
    return node


def _inner_box(box: Box, key: str, operand: int | None, carries: int) -> Box:
    if operand is None:
        return replace(box, key=key, kind="operation" if box.kind == "output" else box.kind)
    role = "carry" if operand < carries else "slice"
    told = f"{box.name}: {role} of the loop"
    return replace(box, key=key, formula=role, told=told)


def result_text(item: Node) -> str:
    """Return what an item of an opened loop shows: `last h_next`, or `all h_next`."""
    (loop,), index = item.inputs, item.attrs["index"]
    name = list(loop.attrs["body"].graph.outputs)[index]
    return f"{'last' if index < loop.attrs['carries'] else 'all'} {name_text(name)}"


def outer_edges(picture: View, loops: Mapping[int, LoopBody]) -> list[str]:
    """Return the edges between an opened loop and its surroundings."""
    lines = []
    for place, loop in loops.items():
        operands = picture.boxes[place].node.inputs
        for index, operand in enumerate(operands):
            tail = picture.boxes[picture.place[_shown(picture, operand)]].key
            for head in loop.entries[index]:
                lines.append(box_edge(tail, head))
        for box in picture.boxes:
            for node in [v.node for v in box.variables]:
                if node.inputs and node.inputs[0] is picture.boxes[place].node:
                    lines.append(box_edge(loop.results[node.attrs["index"]], box.key))
    return list(dict.fromkeys(lines))
