"""What does a picture of a graph consist of? Boxes and edges, before anything is laid out."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.draw.dim_formula import dim_code
from graphc.draw.graphs.groups import MIDDLE, Collapse, Grouping, composed, group, summary
from graphc.draw.graphs.variables import Variable, variables
from graphc.draw.typography import listed, name_text
from graphc.errors import GraphError, did_you_mean
from graphc.ir.code import PRODUCT
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.loop import Scan

STYLES = ("strict", "compact")
#: How many results of a group its box names.
_MOST_RESULTS = 3


@dataclass(frozen=True)
class Box:
    """One rectangle: a variable, or several that were collapsed."""

    key: str  # the DOT name and the id in the SVG
    kind: str  # input, parameter, constant, operation, output, group
    name: str
    formula: str
    told: str  # one sentence in plain text
    variables: tuple[Variable, ...]
    detail: str = ""  # a second line, in small letters
    results: tuple[Variable, ...] = ()  # of a group, what other boxes read

    @property
    def node(self) -> Node:
        """The variable's node; of a group, its result's, else the last one."""
        return (self.results or self.variables)[-1].node

    @property
    def holds_leaves(self) -> bool:
        """Say whether this is a group of parameters only."""
        return self.kind == "group" and all(v.node.op.is_leaf for v in self.variables)


@dataclass(frozen=True)
class View:
    """Boxes in topological order, edges between their places, and a remark for the caption."""

    boxes: tuple[Box, ...]
    edges: tuple[tuple[int, int], ...]
    place: Mapping[Node, int]
    remark: str

    @property
    def depth(self) -> int:
        """The number of boxes on the longest path."""
        level = [1] * len(self.boxes)
        for tail, head in sorted(self.edges):
            if tail < head:
                level[head] = max(level[head], level[tail] + 1)
        return max(level, default=0)

    def description(self) -> str:
        """Return the picture in words, operands before users."""
        return " ".join(f"{box.told}." for box in self.boxes)


def view(
    graph: Graph,
    style: str,
    max_nodes: int,
    collapse: Collapse,
    taken: Iterable[str] = (),
    known: Mapping[Node, str] | None = None,
) -> View:
    """Return the boxes and edges of a graph's picture.

    Fresh names are none of those `taken`; `known` are names that some nodes have already.
    """
    _check_style(style)
    found = variables(
        graph, compact=style == "compact", taken=taken, known=known, opened=collapse is False
    )
    leaving = leaving_names(graph)
    for node in graph.updates.values():
        if node in found and node not in graph.labels:
            found[node] = replace(found[node], shown="")  # `W ←` says enough
    grouping = group(found, collapse, max_nodes)
    members: dict[object, list[Variable]] = {}
    for node, variable in found.items():
        shared = grouping.group_of[node]
        members.setdefault(node if shared is None else shared, []).append(variable)
    place = {v.node: at for at, inside in enumerate(members.values()) for v in inside}
    read = {x for node, v in found.items() for x in v.operands if place[x] != place[node]}
    read.update(graph.outputs.values())
    keys: dict[str, int] = {}
    boxes: list[Box] = []
    for identity, inside in members.items():
        if isinstance(identity, str):
            results = [v for v in inside if v.node in read]
            called = [_name(v, leaving) for v in results]
            boxes.append(_group_box(identity, inside, results, called, found, grouping, keys))
        else:
            boxes.append(_variable_box(inside[0], leaving, keys))
    edges = dict.fromkeys(
        (place[operand], place[node])
        for node, variable in found.items()
        for operand in variable.operands
        if place[operand] != place[node]
    )
    return View(tuple(boxes), tuple(edges), place, grouping.remark)


def _check_style(style: str) -> None:
    if style not in STYLES:
        raise GraphError(
            "unknown style of a computation graph",
            got=repr(style),
            expected=" or ".join(map(repr, STYLES)),
            fix=did_you_mean(style, STYLES),
        )


def leaving_names(graph: Graph) -> dict[Node, list[str]]:
    """Return the names under which nodes leave the graph: as outputs, or as next values `W ←`."""
    names: dict[Node, list[str]] = {}
    for name, node in graph.outputs.items():
        names.setdefault(node, []).append(name_text(name))
    for name, node in graph.updates.items():
        names.setdefault(node, []).append(f"{name_text(name)} ←")
    return names


def kind_of(node: Node, leaving: Container[Node]) -> str:
    """Return what a node is to a picture, by those that leave the graph."""
    if node.op.is_leaf:
        return "input" if node.op is OPS["input"] else "parameter"
    if not node.inputs:
        return "constant"
    return "output" if node in leaving else "operation"


def _variable_box(
    variable: Variable, leaving: Mapping[Node, Sequence[str]], keys: dict[str, int]
) -> Box:
    node = variable.node
    kind = kind_of(node, leaving)
    if node.op.is_leaf:
        told = f"{variable.name}: {kind} {node.type}"
    elif kind == "constant":
        told = f"{variable.name} = {variable.formula}" if variable.name else ""
        told = told or f"constant {variable.formula}"
    else:
        told = f"{variable.name} = {variable.formula}"
        told += f" ({variable.detail})" if variable.detail else ""
    prefix = "c" if kind == "constant" and not variable.name else "n"
    key = _key(f"{prefix}_{variable.name or variable.formula}", keys)
    name = _name(variable, leaving)
    return Box(key, kind, name, variable.formula, told, (variable,), detail=variable.detail)


def _name(variable: Variable, leaving: Mapping[Node, Sequence[str]]) -> str:
    """Return a variable's name; one that leaves the graph under another name shows both."""
    others = [shown for shown in leaving.get(variable.node, ()) if shown != variable.shown]
    return " = ".join([*filter(None, [variable.shown]), *others])


def _group_box(
    name: str,
    inside: list[Variable],
    results: Sequence[Variable],
    called: Sequence[str],
    found: Mapping[Node, Variable],
    grouping: Grouping,
    keys: dict[str, int],
) -> Box:
    """Return the box of a group: `h = relu(x ⋆ W + b)`, or by what names others read its results.

    `called` are the names of its `results`.
    """
    count = f"{len(inside):,} variables" if len(inside) > 1 else inside[0].formula
    if all(v.node.op.is_leaf for v in inside):
        count, called = listed([v.shown for v in inside], _MOST_RESULTS), ()
        results = ()
    loops = [v.node for v in inside if isinstance(v.node.op, Scan)]
    if loops:
        count = ", ".join(_loop_words(node) for node in loops)
    repeats = grouping.repeats.get(name)
    shown, detail = _without_parent(name), ""
    if repeats:
        first = re.sub(r"[_\W]*\d+$", "", name.split(" … ")[0])
        shown = f"{first or name} ×{repeats}"
    told = f"{shown}: {count} collapsed"
    names = listed([x for x in called if x not in ("", shown)], _MOST_RESULTS)
    formula = f"{count} → {names}" if names else count
    if len(results) == 1 and not repeats and name != MIDDLE and not loops:
        text = composed(inside, results[0].node, name, found)
        detail = summary(inside, name, bool(text))
        if text:
            formula = f"{called[0]} = {text}" if called[0] else text
            told += f", {formula}"
    kept = {v.detail for v in inside if v.detail} if repeats else set()
    detail = kept.pop() if len(kept) == 1 else detail
    key = _key(f"g_{name}", keys)
    return Box(key, "group", shown, formula, told, tuple(inside), detail, tuple(results))


def _loop_words(loop: Node) -> str:
    """Return what a loop in a group does: `gru_step × T`."""
    return f"{loop.attrs['body'].name} × {dim_code(loop.attrs['length']).within(PRODUCT)}"


def _without_parent(scope: str) -> str:
    """Return the name of a scope that repeats its parent's: `attn.query` of `attn/attn.query`."""
    outer, _, inner = scope.rpartition("/")
    return inner if outer and inner.startswith(f"{outer.rpartition('/')[2]}.") else scope


def _key(wanted: str, taken: dict[str, int]) -> str:
    """Return a DOT identifier made from a name, unique among those taken."""
    plain = re.sub(r"[^0-9A-Za-z_]", lambda m: f"_{ord(m[0]):x}_", wanted)[:60]
    number = taken.get(plain, 0) + 1
    taken[plain] = number
    if number == 1:
        return plain
    again = f"{plain}__{number}"
    taken.setdefault(again, 1)
    return again
