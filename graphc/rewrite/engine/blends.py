"""Is `1 - z` no more than one part's share, as in `(1 - z)*a + z*b`? Then it may lose digits.

`sigmoid(-x)` keeps the digits of `1 - z` where z = sigmoid(x) is nearly 1. Logarithms and quotients
need them. A sum with the other part, of values of either sign, is as good without: it errs by a
rounding of its parts, as it does anyway where they cancel. An exponential would be for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD
from graphc.ops.leaf import full, is_fill
from graphc.ops.loop import item
from graphc.ops.reduction.spread import core
from graphc.rewrite.engine.factors import PRODUCTS, factors_of
from graphc.rewrite.engine.facts import Facts

#: Ops by which the relative error of a small value counts; that of a divisor does, too.
_READ_DIGITS = frozenset(["log", "log2", "log10", "sqrt", "power", "logaddexp"])
#: Ops, beside movement, of which a value is a factor or a term.
_KEEP_PART = frozenset(["multiply", "divide", "negative", "add", "subtract"])
_SIGNED_PRODUCTS = (*PRODUCTS, "negative")
#: How many values are followed to their readers.
_LONGEST_LOOK = 64


class Blends:
    """The shares of blends in the graph that a pass begins with."""

    def __init__(self, graph: Graph, facts: Facts) -> None:
        self.facts = facts
        self._users = graph.consumers
        self._roots = frozenset(graph.roots())
        #: A node that the pass made -> those that it stands for.
        self._before: dict[Node, list[Node]] = {}

    def becomes(self, old: Node, new: Node) -> None:
        """Note that a node stands for another from now on."""
        self._before.setdefault(new, []).append(old)

    def is_share(self, node: Node) -> bool:
        """Say whether all that the model reads of `1 - z` is its part of sums with that of z."""
        olds, stack = {node}, [node]
        while stack:
            fresh = [x for x in self._before.get(stack.pop(), ()) if x not in olds]
            stack += fresh
            olds.update(fresh)
        first = [x for x in olds if x in self._users]
        return bool(first) and all(map(self._is_share, first))

    def _is_share(self, node: Node) -> bool:
        others = [x for x in node.inputs if x.op is not full]
        if len(others) != 1 or node.op.name != "subtract":
            return False
        blends: list[Node] = []
        stack, seen = [node], {node}
        while stack:
            value = stack.pop()
            if value in self._roots or len(seen) > _LONGEST_LOOK:
                return False
            for reader in self._readers(value):
                if self._is_blend(reader, value, others[0]):
                    blends.append(reader)
                elif _divides(value, reader) or not _is_part(reader):
                    return False
                elif reader not in seen:
                    stack.append(reader)
                    seen.add(reader)
        return bool(blends) and not self._are_read_by_digits(blends)

    def _readers(self, value: Node) -> list[Node]:
        """Return the users of a value in the model, not in its derivatives."""
        users = self._users[value]
        return [
            x for x in users if x.provenance.phase == FORWARD and not x.provenance.is_derivative
        ]

    def _is_blend(self, total: Node, value: Node, other: Node) -> bool:
        """Say whether a sum adds z's part to a value, and one of them may have either sign."""
        if total.op.name not in ("add", "subtract"):
            return False
        a, b = total.inputs
        whole = core(other)
        mine, others = (self._factors(x, whole) for x in ((a, b) if a is value else (b, a)))
        if not any(self.facts.same(x, whole) for x in others):
            return False
        return any(self.facts.range(x).low < 0 and not _is_given(x) for x in [*mine, *others])

    def _factors(self, term: Node, whole: Node) -> list[Node]:
        """Return what multiplies in a term, behind views; `whole` is not looked into."""
        factors = factors_of(term, _SIGNED_PRODUCTS, True, lambda x: self.facts.same(x, whole))
        return [core(x) for x, divides in factors if not divides and not is_fill(x, -1)]

    def _are_read_by_digits(self, blends: Iterable[Node]) -> bool:
        """Say whether a logarithm, a root or a divisor is what sums are part of."""
        stack = list(blends)
        seen = set(stack)
        while stack and len(seen) <= _LONGEST_LOOK:
            value = stack.pop()
            for reader in self._readers(value):
                if reader.op.name in _READ_DIGITS or _divides(value, reader):
                    return True
                is_total = reader.op.name in ("sum", "mean")
                if (is_total or _is_part(reader)) and reader not in seen:
                    stack.append(reader)
                    seen.add(reader)
        return bool(stack)


def _divides(value: Node, reader: Node) -> bool:
    return reader.op.name == "divide" and reader.inputs[1] is value


def _is_part(reader: Node) -> bool:
    """Say whether a node is a sum, a product or a view of what it reads."""
    return reader.op.name in _KEEP_PART or (
        reader.op.family == "movement" and len(reader.inputs) == 1
    )


def _is_given(value: Node) -> bool:
    """Say whether nothing is known of how a value was computed: it may well be positive."""
    return value.op.is_leaf or value.op is item
