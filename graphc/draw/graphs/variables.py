"""Which nodes does a computation graph show, under which names, and what stays inside a box?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphc.draw.formula import exponent_index, formula, name_code
from graphc.draw.graphs.sliding import Sliding, slidings
from graphc.draw.numbering import numbered
from graphc.draw.silent import is_silent
from graphc.draw.typography import name_text
from graphc.ir.code import Code
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.leaf import is_fill

_LONGEST_INLINED = 36


@dataclass(frozen=True)
class Variable:
    """A node that has a rectangle: its name in the graph, its shown name, its formula."""

    node: Node
    name: str
    shown: str
    formula: str
    operands: tuple[Node, ...]
    detail: str = ""  # what the formula leaves out: 32 filters 3×3, padding 1
    sliding: Sliding | None = None


def variables(
    graph: Graph,
    compact: bool = False,
    taken: Iterable[str] = (),
    known: Mapping[Node, str] | None = None,
    opened: bool = False,
) -> dict[Node, Variable]:
    """Return the shown variables in topological order; none gets a fresh name that is `taken`.

    Inputs that nothing reads come first. `known` are names that hold whatever the graph calls those
    nodes.

    Strict: every operation has its rectangle; only silent nodes without a name and the constant in
    x² are left out. Compact: constants, and unnamed results that are used once, stand inside their
    user's formula. A convolution or a pooling is one variable, unless `opened`.
    """
    names = {**variable_names(graph, taken), **(known or {})}
    outputs = set(graph.outputs.values())
    texts: dict[Node, Code] = {}
    feeds: dict[Node, tuple[Node, ...]] = {}
    found: dict[Node, Variable] = {}
    sliding = {} if opened else slidings(graph)
    inside = {x for slide in sliding.values() for x in slide.inside}
    read = set(graph.nodes)
    unread = [node for node in graph.inputs.values() if node not in read]
    for node in [*unread, *graph.nodes]:
        if node in inside:
            continue
        labelled = node in graph.labels or node in outputs
        if is_silent(node) and not labelled:
            texts[node], feeds[node] = texts[node.inputs[0]], feeds[node.inputs[0]]
            continue
        slide = sliding.get(node)
        inputs = slide.operands if slide else node.inputs
        args = [texts[i] for i in inputs]
        text = slide.formula(args) if slide else formula(node, args, tight=compact)
        operands = tuple(dict.fromkeys(n for i in inputs for n in feeds[i]))
        if not slide and _stays_inside(graph, node, text, labelled, compact):
            texts[node], feeds[node] = text, operands
            continue
        shown = name_text(names[node]) if node in names else ""
        detail = slide.detail if slide else ""
        found[node] = Variable(node, names.get(node, ""), shown, text.text, operands, detail, slide)
        texts[node] = name_code(shown) if shown else text
        feeds[node] = (node,)
    return found


def _stays_inside(graph: Graph, node: Node, text: Code, labelled: bool, compact: bool) -> bool:
    if labelled or not graph.consumers[node]:
        return False
    users = graph.consumers[node]
    if not node.inputs and all(_is_exponent(user, node) for user in users):
        return True
    if not compact:
        return False
    if not node.inputs:
        return len(text.text) <= _LONGEST_INLINED
    return len(users) == 1 and len(text.text) <= _LONGEST_INLINED


def _is_exponent(user: Node, node: Node) -> bool:
    index = exponent_index(user)
    return index is not None and user.inputs[index] is node and user.inputs[0] is not node


def variable_names(graph: Graph, reserved: Iterable[str] = ()) -> Mapping[Node, str]:
    """Return every variable's name: the graph's labels, else v6 for what a trace calls v6.

    Inside a graph with names of its own, those `reserved`, the numbers go on behind them. A loop
    with several results is s1, since each of these has its number; a number needs no name.
    """
    names = dict(graph.labels)
    taken = {*names.values(), *reserved}
    numbering = numbered(graph)
    letter, number = numbering.letter, numbering.number
    first = max((int(name[1:]) for name in reserved if _is_numbered(name, letter)), default=-1) + 1
    loops = _numbered("s", taken)
    for node in graph.nodes:
        if node in names or is_fill(node) or is_silent(node):
            continue
        names[node] = f"{letter}{first + number[node]}" if node in number else next(loops)
    return names


def _is_numbered(name: str, letter: str) -> bool:
    return name.startswith(letter) and name[1:].isdecimal()


def _numbered(letter: str, taken: set[str]) -> Iterator[str]:
    return (name for i in itertools.count(1) if (name := f"{letter}{i}") not in taken)
