"""What does one firing of a rule say? The formula that it met here, and what it made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from graphc.draw.explorer.lineage import Stage
from graphc.draw.formula import formula, name_code
from graphc.draw.silent import is_silent
from graphc.draw.typography import shortened
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.rewrite.engine.rule import Firing, Rule
from graphc.rewrite.simplify.merge_common import MERGE

#: How one node is written over its operands.
Writer: TypeAlias = "Callable[[Node, Sequence[Code]], Code]"

#: Longer formulas are cut; the code beside the picture shows all.
_LONGEST = 140


@dataclass(frozen=True)
class Told:
    """A firing over the names of the picture: matched ids of the stage before, the id it made."""

    rule: Rule
    before: str
    after: str
    matched: tuple[str, ...]
    made: str


class Teller:
    """Tells the firings of one stage in the names of its nodes."""

    def __init__(
        self,
        stage: Stage,
        known: Mapping[Node, str],
        ids: Mapping[Node, str],
        names: Mapping[str, str],
    ) -> None:
        self._names = names
        # Nodes that are rebuilt over new operands in between keep their order of making.
        self._known = {node.provenance.order: key for node, key in known.items()}
        self._ids = {node.provenance.order: key for node, key in ids.items()}
        self._newest = max(self._known, default=-1)
        self._next = {f.before[0].provenance.order: f.after for f in stage.firings}
        self._last = {f.after.provenance.order: f.before[0] for f in stage.firings}
        self._became = {n.provenance.order: new for n, new in stage.became.items()}

    def tell(self, firing: Firing) -> Told:
        made = self._final(firing.after)
        keys = tuple(dict.fromkeys(filter(None, map(self._first, firing.before))))
        if firing.rule is MERGE and keys:
            before, after = self._twins(firing, keys)
        else:
            before, after = self._formulas(firing)
        before, after = shortened(before, _LONGEST), shortened(after, _LONGEST)
        return Told(firing.rule, before, after, keys, made)

    def _first(self, node: Node) -> str:
        """Return the id of what an earlier firing of this stage made a node of."""
        for _ in range(len(self._last) + 1):
            order = node.provenance.order
            if order in self._known or order not in self._last:
                return self._known.get(order, "")
            node = self._last[order]
        return ""

    def _final(self, node: Node) -> str:
        """Return the id of what a firing made, as it is called when the stage is done."""
        for _ in range(len(self._next) + 1):
            order = node.provenance.order
            if order in self._ids:
                return self._ids[order]
            following = self._next.get(order, self._became.get(order))
            if following is None or following is node:
                break
            node = following
        return ""

    def _twins(self, firing: Firing, keys: Sequence[str]) -> tuple[str, str]:
        """Return `v1 = exp(z), v4 = exp(z)` and the name that stays."""
        text = self._written(firing.after, {firing.after}, _mathematics)
        names = [self._names[key] for key in keys]
        kept = self._names.get(self._ids.get(firing.after.provenance.order, ""), names[0])
        return ", ".join(f"{name} = {text}" for name in names), f"{kept} = {text}"

    def _formulas(self, firing: Firing) -> tuple[str, str]:
        """Return the formulas before and after, in the first notation that tells them apart."""
        old, new = firing.before[0], firing.after
        is_known = new.provenance.order <= self._newest and new is not old
        before, after = set(firing.before), set() if is_known else {new}
        pair = ("", "")
        for write in (_mathematics, formula, _text_form):
            pair = self._written(old, before, write), self._written(new, after, write)
            if pair[0] != pair[1]:
                break
        return pair

    def _written(self, root: Node, inside: set[Node], write: Writer) -> str:
        """Return a formula down to the nodes that have a name and are not `inside`."""

        def is_named(node: Node) -> bool:
            is_outside = node.provenance.order in self._known and node not in inside
            return is_outside and self._has_box(node)

        texts: dict[Node, Code] = {}
        for node in topological([root], is_named):
            if is_named(node):
                texts[node] = name_code(self._names[self._known[node.provenance.order]])
            else:
                texts[node] = write(node, [texts[operand] for operand in node.inputs])
        return texts[root].text

    @staticmethod
    def _has_box(node: Node) -> bool:
        return bool(node.inputs or node.op.is_leaf) and not (is_silent(node) and not node.name)


def _mathematics(node: Node, args: Sequence[Code]) -> Code:
    """Write a node as mathematics does, which leaves broadcasts and casts out."""
    return args[0] if is_silent(node) else formula(node, args)


def _text_form(node: Node, args: Sequence[Code]) -> Code:
    return node.op.text(node, args) if node.inputs else formula(node, args)
