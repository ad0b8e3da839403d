"""What is the code of each stage? Lines with their colours, and the ids of what each computes."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.draw.explorer.lineage import Stage
from graphc.emit import traced_function
from graphc.emit.lines.sources import Line
from graphc.ir.node import Node
from graphc.plan import plan
from graphc.rewrite.lower import lower

#: A piece of a line: the kind of its token ("" for what has no colour), and its text.
Piece = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Listing:
    """The lines of a function, for each of them the ids of the nodes in it, and their variables."""

    lines: tuple[tuple[Piece, ...], ...]
    ids: tuple[tuple[str, ...], ...]
    variables: Mapping[str, str]


def listing(stage: Stage, ids: Mapping[Node, str], gradient_of: str | None) -> Listing:
    """Return the readable code of a stage as it stands, and which nodes each line computes."""
    became: dict[Node, Node] = {}
    program = plan(lower(stage.graph, became), derived=gradient_of)
    lines, places = traced_function(program, gradient_of=gradient_of)
    owners = _owners(stage, became)
    found: list[dict[str, None]] = [{} for _ in lines]
    for node in reversed(stage.graph.nodes):
        own = sorted({place for part in owners[node] for place in places.get(part, ())})
        if not own:  # what lowering left out stands where it was read
            users = (found_in for user in stage.graph.consumers[node] for found_in in owners[user])
            own = sorted({place for part in users for place in places.get(part, ())})
        for place in own:
            found[place][ids[node]] = None
    keys = {became.get(node, node): key for node, key in ids.items()}
    return Listing(
        tuple(highlighted(lines)),
        tuple(tuple(reversed(list(line))) for line in found),
        _variables(lines, keys),
    )


def _variables(lines: Sequence[str], keys: Mapping[Node, str]) -> dict[str, str]:
    """Return the variable of each id that has a line of its own."""
    variables: dict[str, str] = {}
    for line in lines:
        if isinstance(line, Line) and line.node in keys:
            name, equals, _ = line.strip().partition(" = ")
            if equals and name.isidentifier():
                variables.setdefault(keys[line.node], name)
    return variables


def _owners(stage: Stage, became: Mapping[Node, Node]) -> dict[Node, list[Node]]:
    """Return, for each node of a stage, the nodes that it was lowered to."""
    claimed = {became.get(node, node) for node in stage.graph.nodes}
    owners: dict[Node, list[Node]] = {}
    for node in stage.graph.nodes:
        pending, owned = [became.get(node, node)], []
        while pending:
            part = pending.pop()
            owned.append(part)
            for operand in part.inputs:
                if operand not in claimed:
                    claimed.add(operand)
                    pending.append(operand)
        owners[node] = owned
    return owners


# -- colours -------------------------------------------------------------------------------------


def highlighted(lines: list[str]) -> list[tuple[Piece, ...]]:
    """Return each line as pieces with their kinds: k keyword, d name that is defined, s, n, c."""
    marks: list[list[tuple[int, int, str]]] = [[] for _ in lines]
    previous = ""
    source = "".join(f"{line}\n" for line in lines)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = _kind(token, previous)
        if token.type not in (tokenize.NL, tokenize.COMMENT):
            previous = token.string
        if kind:
            _mark(marks, token, kind, lines)
    return [_pieces(line, found) for line, found in zip(lines, marks, strict=True)]


_KINDS = {tokenize.STRING: "s", tokenize.NUMBER: "n", tokenize.COMMENT: "c"}
_KINDS.update(
    {getattr(tokenize, name): "s" for name in dir(tokenize) if name.startswith("FSTRING_")}
)


def _kind(token: tokenize.TokenInfo, previous: str) -> str:
    if token.type == tokenize.NAME:
        if keyword.iskeyword(token.string):
            return "k"
        return "d" if previous in ("def", "class") else ""
    return _KINDS.get(token.type, "")


def _mark(
    marks: list[list[tuple[int, int, str]]], token: tokenize.TokenInfo, kind: str, lines: list[str]
) -> None:
    """Note a token in each line that it spans."""
    (first, start), (last, end) = token.start, token.end
    for number in range(first, last + 1):
        left = start if number == first else 0
        right = end if number == last else len(lines[number - 1])
        if right > left:
            marks[number - 1].append((left, right, kind))


def _pieces(line: str, marks: list[tuple[int, int, str]]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    at = 0
    for left, right, kind in marks:
        if left > at:
            pieces.append(("", line[at:left]))
        pieces.append((kind, line[left:right]))
        at = right
    if at < len(line):
        pieces.append(("", line[at:]))
    return tuple(pieces)
