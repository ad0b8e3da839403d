"""Which variables share one box, and what does it say? By scope, depth or callback."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TypeAlias

from graphc.draw.dim_formula import shape_formula
from graphc.draw.formula import formula, name_code
from graphc.draw.graphs.variables import Variable
from graphc.draw.silent import is_silent
from graphc.draw.typography import listed, name_text
from graphc.errors import GraphError
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.ops import OPS

#: None: by scope where the graph is too large for a page. False: never. True: top scopes. An int:
#: scopes of that depth. Names: these scopes. A function: node -> name of its box, or None. What
#: draws steps of its own gives a mapping, of which nothing is folded.
Collapse: TypeAlias = (
    "bool | int | str | Iterable[str] | Mapping[Node, str] | Callable[[Node], str | None] | None"
)

#: The box of all that is left out.
MIDDLE = "⋮"
#: How many variables stay visible at each end when the middle of a huge graph is left out.
_ENDS = 12
#: A picture of more boxes is too large for a page, and one of fewer tells too little.
_LEGIBLE, _FEWEST = 30, 4
_FEWEST_FOLDED = 3


@dataclass(frozen=True)
class Grouping:
    """The box of each variable (None: its own), how often a folded box repeats, and a remark."""

    group_of: Mapping[Node, str | None]
    repeats: Mapping[str, int]
    remark: str = ""


def group(found: Mapping[Node, Variable], collapse: Collapse, max_nodes: int) -> Grouping:
    """Return which variables share a box."""
    if max_nodes < 1:
        raise GraphError("max_nodes must be at least 1", got=max_nodes)
    if collapse is None:
        return _automatic(found, max_nodes)
    if isinstance(collapse, Mapping):
        return Grouping({node: collapse.get(node) for node in found}, {})
    if collapse is False:
        return Grouping(dict.fromkeys(found), {})
    return _folded(found, _grouped(found, _rule(collapse)))


def _rule(collapse: Collapse) -> Callable[[Node], str | None]:
    if callable(collapse):
        return collapse
    if isinstance(collapse, (bool, int)):
        depth = int(collapse)
        return lambda node: dict(enumerate(_scopes(node), 1)).get(depth)
    wanted = {collapse} if isinstance(collapse, str) else set(collapse or ())
    return lambda node: next((s for s in _scopes(node) if s in wanted), None)


def _scopes(node: Node) -> list[str]:
    """Return the scopes that a node stands in, from the outermost to its own."""
    scope = node.provenance.scope
    return list(accumulate(scope.split("/"), "{}/{}".format)) if scope else []


def _innermost(node: Node, depth: int) -> str | None:
    """Return the scope that a node stands in, cut off at a depth."""
    return next(iter(_scopes(node)[:depth][-1:]), None)


def _grouped(
    found: Mapping[Node, Variable], rule: Callable[[Node], str | None]
) -> dict[Node, str | None]:
    return {node: None if node.op is OPS["input"] else rule(node) for node in found}


def _automatic(found: Mapping[Node, Variable], max_nodes: int) -> Grouping:
    """Collapse the deepest scopes that make the graph legible; leave out the middle of a huge one.

    Where no scopes do, as many as do best.
    """
    limit = min(max_nodes, _LEGIBLE)
    if len(found) <= limit:
        return Grouping(dict.fromkeys(found), {})
    depths = (n.provenance.scope.count("/") + 1 for n in found if n.provenance.scope)
    deepest = min(max(depths, default=0), 12)
    best = Grouping(dict.fromkeys(found), {})
    for depth in range(deepest, 0, -1):
        rule = _of_several(found, partial(_innermost, depth=depth))
        whole = _in_order(found, _grouped(found, rule))
        coarser = Grouping(whole, {})
        if _count(coarser) > limit:
            coarser = _folded(found, whole)
        if _count(coarser) < _FEWEST and len(found) <= max_nodes:
            break
        best = coarser
        if _count(best) <= limit:
            break
    if _count(best) > max_nodes:
        return _without_middle(best, max_nodes)
    hidden = sum(name is not None for name in best.group_of.values())
    told = f"{hidden:,} of {len(found):,} variables collapsed by scope: collapse=False opens all"
    return Grouping(best.group_of, best.repeats, told if hidden else "")


def _in_order(
    found: Mapping[Node, Variable], group_of: Mapping[Node, str | None]
) -> dict[Node, str | None]:
    """Return the groups without those that read each other in a circle."""
    names = {node: node if name is None else name for node, name in group_of.items()}
    reads: dict[object, set[object]] = {name: set() for name in names.values()}
    read_by: dict[object, set[object]] = {name: set() for name in names.values()}
    for node, variable in found.items():
        for operand in {names[x] for x in variable.operands} - {names[node]}:
            reads[names[node]].add(operand)
            read_by[operand].add(names[node])
    circular = _left(_left(set(reads), reads, read_by), read_by, reads)
    return {node: None if name in circular else name for node, name in group_of.items()}


def _left(
    names: set[object], before: Mapping[object, set[object]], after: Mapping[object, set[object]]
) -> set[object]:
    """Return what is left when again and again those go that have none of the others before."""
    missing = {name: len(before[name] & names) for name in names}
    ready = [name for name, count in missing.items() if not count]
    left = set(names)
    while ready:
        name = ready.pop()
        left.remove(name)
        for follower in after[name] & left:
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    return left


def _of_several(
    found: Mapping[Node, Variable], rule: Callable[[Node], str | None]
) -> Callable[[Node], str | None]:
    """Return the rule without groups of a single operation that reads no parameter of its own."""
    size = Counter(rule(node) for node in found if node.op is not OPS["input"])
    return lambda node: name if size[name := rule(node)] > 1 else None


def _count(grouping: Grouping) -> int:
    own = sum(name is None for name in grouping.group_of.values())
    return own + len({name for name in grouping.group_of.values() if name is not None})


def _folded(found: Mapping[Node, Variable], group_of: Mapping[Node, str | None]) -> Grouping:
    """Fold runs of consecutive groups with the same structure into one box."""
    members: dict[str, list[Node]] = {}
    for node, name in group_of.items():
        if name is not None:
            members.setdefault(name, []).append(node)
    runs: list[list[str]] = []
    previous = None
    for name, nodes in members.items():
        signature = (re.sub(r"\d+", "#", name), _structure(found, nodes))
        if signature == previous:
            runs[-1].append(name)
        else:
            runs.append([name])
        previous = signature
    renamed: dict[str, str] = {}
    repeats: dict[str, int] = {}
    for run in runs:
        folded = len(run) >= _FEWEST_FOLDED
        for name in run:
            renamed[name] = f"{run[0]} … {run[-1]}" if folded else name
        if folded:
            repeats[renamed[run[0]]] = len(run)
    return Grouping(
        {node: None if name is None else renamed[name] for node, name in group_of.items()}, repeats
    )


def _structure(found: Mapping[Node, Variable], nodes: Sequence[Node]) -> tuple[object, ...]:
    """Return what makes two groups look the same: ops, types and wiring inside."""
    place = {node: i for i, node in enumerate(nodes)}
    return tuple(
        (node.op.name, str(node.type), tuple(place.get(o, -1) for o in found[node].operands))
        for node in nodes
    )


def _without_middle(grouping: Grouping, max_nodes: int) -> Grouping:
    """Keep the first and last boxes of the topological order; the middle becomes one box.

    Whatever lies between the two ends of a topological order has no path that leaves it and
    comes back, so the picture stays acyclic.
    """
    ends = max(1, min(_ENDS, (max_nodes - 1) // 2))
    boxes: dict[object, None] = {}
    for node, name in grouping.group_of.items():
        boxes.setdefault(node if name is None else name)
    order = list(boxes)
    middle = set(order[ends : len(order) - ends])
    group_of = {
        node: MIDDLE if (node if name is None else name) in middle else name
        for node, name in grouping.group_of.items()
    }
    hidden = sum(name == MIDDLE for name in group_of.values())
    remark = f"{hidden:,} of {len(group_of):,} variables left out at {MIDDLE}"
    return Grouping(group_of, grouping.repeats, remark)


# -- what a box of several says ------------------------------------------------------------------

#: What can be read in a box.
_LONGEST = 66
_MOST_WORDS = 3
#: Families of ops that do not tell what a layer is.
_PLAIN = ("movement", "leaf", "contraction")


def composed(
    inside: Sequence[Variable], result: Node, scope: str, found: Mapping[Node, Variable]
) -> str:
    """Return `relu(x ⋆ W + b)` for the variables of a scope; nothing where that is too long.

    Parameters are called without the name of the scope.
    """
    texts: dict[Node, Code] = {}
    for variable in inside:
        node = variable.node
        if node.op.is_leaf:
            texts[node] = name_code(leaf_name(variable, scope))
            continue
        slide = variable.sliding
        args = [_text(x, texts, found) for x in (slide.operands if slide else node.inputs)]
        if sum(len(arg.text) for arg in args) > _LONGEST:
            return ""
        texts[node] = slide.formula(args) if slide else formula(node, args)
        if node is result:
            break
    shown = texts[result].text
    return shown if len(shown) <= _LONGEST else ""


def _text(node: Node, texts: Mapping[Node, Code], found: Mapping[Node, Variable]) -> Code:
    """Return an operand's formula inside the box, else the name of the variable."""
    while node not in texts and node not in found and is_silent(node):
        node = node.inputs[0]
    if node in texts:
        return texts[node]
    if node in found:
        return name_code(found[node].shown or found[node].formula)
    return formula(node, [])


def summary(inside: Sequence[Variable], scope: str, is_told: bool) -> str:
    """Return what a formula leaves out: how filters slide, or what weights there are.

    Where there is no formula, some of what is computed.
    """
    if not is_told:
        words = dict.fromkeys(
            v.node.op.name.replace("_", " ")
            for v in inside
            if v.node.op.family not in _PLAIN and v.formula.startswith(f"{v.node.op.name}(")
        )
        return listed(list(words), _MOST_WORDS)
    details = [variable.detail for variable in inside if variable.detail]
    weights = [v for v in inside if v.node.op.is_leaf and v.node.ndim > 1]
    return ", ".join(details) or ", ".join(
        f"{leaf_name(v, scope)} {shape_formula(v.node.shape)}" for v in weights
    )


def leaf_name(variable: Variable, scope: str) -> str:
    """Return what a parameter is called inside its scope: `W` of `conv1.W`."""
    name = variable.name
    for start in (scope, scope.replace("/", "."), scope.rpartition("/")[2]):
        if start and name.startswith(f"{start}.") and len(name) > len(start) + 1:
            return name_text(name[len(start) + 1 :])
    return name_text(name)
