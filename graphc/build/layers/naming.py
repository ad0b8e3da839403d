"""Default names of layers: `dense`, `dense_2`, … counted from the input that a layer reads.

The count belongs to the data that flows through a model, not to the process: building the same
model twice gives the same names twice.
"""

from __future__ import annotations

import weakref
from collections import Counter
from contextlib import AbstractContextManager, nullcontext

from graphc.ir.node import Node
from graphc.ir.provenance import scope
from graphc.ops.registry import OPS


class _Family:
    """How many layers of each kind stem from one input."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()


class _Families:
    """Node -> family, by identity, forgotten with the node.

    Nodes compare by building a comparison, so a WeakKeyDictionary cannot hold them.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[Node], _Family]] = {}

    def get(self, node: Node) -> _Family | None:
        entry = self._entries.get(id(node))
        return entry[1] if entry is not None and entry[0]() is node else None

    def put(self, node: Node, family: _Family) -> None:
        key, entries = id(node), self._entries

        def forget(dead: weakref.ref[Node]) -> None:
            if key in entries and entries[key][0] is dead:
                del entries[key]

        entries[key] = (weakref.ref(node, forget), family)


_families = _Families()


def _family_of(node: Node) -> _Family:
    """Return the family of the leaf that is reached through first operands, parameters aside."""
    at = node
    while True:
        family = _families.get(at)
        if family is not None:
            return family
        if not at.inputs:
            family = _Family()
            _families.put(at, family)
            return family
        data = [operand for operand in at.inputs if operand.op is not OPS["param"]]
        at = (data or at.inputs)[0]


def layer_name(kind: str, name: str | None, x: Node) -> str:
    """Return the given name, or the next free default for a layer that reads `x`."""
    family = _family_of(x)
    if name is not None:
        family.counts[name] += 1
        return name
    while True:
        family.counts[kind] += 1
        count = family.counts[kind]
        candidate = kind if count == 1 else f"{kind}_{count}"
        if count == 1 or not family.counts[candidate]:
            return candidate


def remember(x: Node, result: Node, label: str = "") -> Node:
    """Return what a layer makes of `x`, under the name of the layer unless it has one.

    It stems from the same input as `x`, which is recorded, so the next walk stops here.
    """
    if not result.name and result.inputs and result.provenance.layer == label:
        result = result.named(label)
    _families.put(result, _family_of(x))
    return result


def scope_named(name: str | None) -> AbstractContextManager[object]:
    """Return the scope of a layer without parameters, which has one only where it has a name."""
    return scope(name) if name else nullcontext()
