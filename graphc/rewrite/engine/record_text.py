"""How does a rewrite read? The formula that a rule met, and what it made of it, as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.leaf import is_fill

#: How one node is written over its operands.
Writer: TypeAlias = "Callable[[Node, Sequence[Code]], Code]"

#: What only adapts an operand to its user.
_ADAPTERS = frozenset({OPS["broadcast_to"], OPS["cast"]})
#: How many ops of a formula are written above those that a rule matched.
_DEPTH = 6
#: Longer formulas are cut.
_LONGEST = 120


def change_text(before: Sequence[Node], after: Node) -> str:
    """Return `exp(x) * 1 → exp(x)`, in the first notation that tells the two apart.

    Formulas go down to what has a name and was not matched.
    """
    matched = set(before)
    old = new = ""
    for write in (_without_adapters, _whole):
        old, new = _written(before[0], matched, write), _written(after, {after}, write)
        if old != new:
            return f"{_cut(old)} → {_cut(new)}"
    return f"{', '.join([_cut(old)] * max(2, len(before)))} → {_cut(new)}, once"


def _written(root: Node, inside: set[Node], write: Writer) -> str:
    """Return a formula; `inside` are the nodes that are written out although they have names."""
    texts: dict[Node, Code] = {}
    stack: list[tuple[Node, int, bool]] = [(root, 0, False)]
    while stack:
        node, depth, is_ready = stack.pop()
        if is_ready:
            texts[node] = write(node, [texts[operand] for operand in node.inputs])
        elif node not in texts:
            known = _known(node, node in inside, depth)
            if known is not None:
                texts[node] = known
                continue
            stack.append((node, depth, True))
            stack += [(operand, depth + 1, False) for operand in reversed(node.inputs)]
    return texts[root].text


def _known(node: Node, is_inside: bool, depth: int) -> Code | None:
    """Return how a node is called where its formula is not written."""
    if is_fill(node):
        return Code(f"{node.attrs['value']}")
    name = node.attrs["name"] if node.op.is_leaf else node.name
    if name and not (is_inside and node.inputs):
        return Code(name)
    if not node.inputs:
        return node.op.text(node, [])
    return Code("…") if depth > _DEPTH and not is_inside else None


def _without_adapters(node: Node, args: Sequence[Code]) -> Code:
    return args[0] if node.op in _ADAPTERS else node.op.text(node, args)


def _whole(node: Node, args: Sequence[Code]) -> Code:
    return node.op.text(node, args)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
