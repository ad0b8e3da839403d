"""Which node holds the adjoint of a variable? Its line in the text form of the derived graph."""

from __future__ import annotations

import re

from graphc.differentiate.reverse import cotangents
from graphc.ir.graph import Graph
from graphc.ops.leaf import fill

_STATEMENT = re.compile(r"^ *((\w+): [^=\n]+ = .*)$", re.MULTILINE)
_WORD = re.compile(r"[^\W\d]\w*")


def adjoint_lines(graph: Graph, of: str, name: str) -> list[str]:
    """Return `d_h1: f32[N, 128] = …` after what it needs that has no name of the user's.

    An adjoint that is that of another node too is written `d_u1 = d_u`; where no derivative of the
    target reaches the node there is no line.
    """
    target = graph.find(of)
    (adjoint,) = cotangents([target], [fill(1.0, (), target.dtype)], [graph.find(name)])
    if adjoint is None:
        return []
    called = f"d_{name}"
    derived = graph.with_outputs({**graph.outputs, called: adjoint})
    text = str(derived)
    statements = {found[2]: found[1] for found in _STATEMENT.finditer(text)}
    if called not in statements:
        listed = re.search(rf"\b{re.escape(called)}=([^,()]+)", text.rpartition("output(")[2])
        return [f"{called} = {listed[1]}"] if listed else []
    known = {*derived.labels.values(), *graph.labels.values()} - {called}
    wanted, pending = {called}, [called]
    while pending:
        for word in _WORD.findall(statements[pending.pop()].partition(" = ")[2]):
            if word in statements and word not in known and word not in wanted:
                wanted.add(word)
                pending.append(word)
    return [line for word, line in statements.items() if word in wanted]
