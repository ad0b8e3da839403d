"""The reverse trace: `v̄1 = v̄3·∂v3/∂v1 + v̄4·∂v4/∂v1`, `v̄3·v0 + v̄4·cos(v1)`, and the numbers.

Rows stand from the inputs to the output, as in the forward trace, and are filled from the last one
up. Version A visits each variable once and sums over its consumers. Version B visits each consumer
once and increments the adjoints of its operands, which start at 0.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby

import numpy as np

from graphc.draw.numbering import Use
from graphc.draw.traces.chain import Link, added, sent_back, stand_in
from graphc.draw.traces.pieces import derivative, quantity, words
from graphc.draw.traces.scene import Row, Scene, Slot
from graphc.ir.node import Node
from graphc.ir.walk import reached
from graphc.ops import OPS

#: How many consumers of one variable are written out.
_MOST_TERMS = 6


@dataclass(frozen=True, eq=False)
class Term:
    """What one consumer sends to a variable: the chain, the local form, and the value."""

    chain: Node
    local: Node
    slots: Mapping[Node, Slot]
    value: np.ndarray


@dataclass(frozen=True, eq=False)
class Sending:
    """What a consumer sends through each of its uses, and how its formulas are shown."""

    above: Slot
    slots: Mapping[Node, Slot]
    links: Mapping[Use, Link]


class _Adjoints:
    """The adjoints of one output's variables, as far as they are known."""

    def __init__(self, scene: Scene, of: Node, nodes: Iterable[Node]) -> None:
        self.scene, self.of = scene, of
        needed = scene.numbering.needed_for(of)
        self.nodes = [n for n in nodes if n in needed and n.dtype.kind == "f"]
        self.value: dict[Node, np.ndarray] = {}
        self.outward: dict[Node, list[Use]] = {}  # the uses of all operands, by consumer
        sources: dict[Node, list[Node]] = {}
        for source, uses in scene.numbering.uses.items():
            for use in uses:
                self.outward.setdefault(use.consumer, []).append(use)
                sources.setdefault(use.consumer, []).append(source)
        #: The variables that the derivative of the output reaches.
        self.reached = reached([of], lambda node: sources.get(node, ()))
        self._sendings: dict[Node, Sending] = {}

    def consumers(self, node: Node) -> list[tuple[Node, list[Use]]]:
        """Return a variable's uses by consumer, where the consumer's adjoint is not nothing."""
        uses = self.scene.numbering.uses.get(node, [])
        live = [use for use in uses if use.consumer in self.reached]
        groups = [list(group) for _, group in groupby(live, lambda u: self.scene.place(u.consumer))]
        return [(group[0].consumer, group) for group in groups]

    def sending(self, consumer: Node) -> Sending:
        """Return what a consumer sends; its own adjoint must be complete."""
        if consumer not in self._sendings:
            scene, uses, value = self.scene, self.outward[consumer], self.value[consumer]
            seed = stand_in("adjoint", consumer)
            above = Slot(scene.adjoint(consumer), quantity(value))
            links = sent_back(consumer, uses, seed, value, scene.point)
            slots = {seed: above} | scene.operands(consumer) | scene.slots({consumer: consumer})
            slots |= scene.slots(links[0].stand_ins)
            by_use = dict(zip(uses, links, strict=True))
            self._sendings[consumer] = Sending(above, slots, by_use)
        return self._sendings[consumer]

    def term(self, node: Node, consumer: Node, uses: Sequence[Use]) -> Term:
        sending = self.sending(consumer)
        chain, slots = self._chain(node, consumer, sending.above)
        links = [sending.links[use] for use in uses]
        local = reduce(added, [link.root for link in links])
        total = np.zeros_like(self.scene.value(node))
        for link in links:
            total = total + link.value
        return Term(chain, local, {**sending.slots, **slots}, total)

    def _chain(self, node: Node, consumer: Node, above: Slot) -> tuple[Node, dict[Node, Slot]]:
        """Return `v̄3·∂v3/∂v0` over stand-ins."""
        partial = derivative(self.scene.variable(consumer), self.scene.variable(node))
        first, second = (OPS["input"](name, (), "float64") for name in ("adjoint", "partial"))
        slots = {first: above, second: Slot(partial, partial)}
        return OPS["multiply"](first, second), slots

    def seed_row(self, step: int) -> Row:
        """Return the row of the output itself, ∂y/∂y = 1."""
        scene, of = self.scene, self.of
        self.value[of] = np.ones_like(scene.value(of))
        left, label = scene.adjoint(of), scene.label(of)
        own = label or scene.variable(of)
        formula = derivative(own, own)
        return Row(left, "=", formula, None, None, self.value[of], "seed", label, step, of)

    def zero_row(self, node: Node, step: int | None) -> Row:
        """Return the row of a variable that no derivative reaches."""
        value = self.value[node] = np.zeros_like(self.scene.value(node))
        left, label = self.scene.adjoint(node), self.scene.label(node)
        zero = quantity(np.zeros(()))
        return Row(left, "=", zero, None, None, value, "constant", label, step, node)


# -- version A ---------------------------------------------------------------------------------


def sums_over_consumers(scene: Scene, nodes: Iterable[Node], of: Node) -> list[Row]:
    """Return one row for each variable: its adjoint as a sum over its consumers."""
    adjoints = _Adjoints(scene, of, nodes)
    rows: list[Row] = []
    for step, node in enumerate(reversed(adjoints.nodes), 1):
        consumers = adjoints.consumers(node)
        if node is of:
            rows.append(adjoints.seed_row(step))
        elif consumers:
            rows.append(_sum_row(adjoints, node, consumers, step))
        else:
            rows.append(adjoints.zero_row(node, step))
    return rows[::-1]


def _sum_row(
    adjoints: _Adjoints, node: Node, consumers: Sequence[tuple[Node, list[Use]]], step: int
) -> Row:
    terms = [adjoints.term(node, consumer, uses) for consumer, uses in consumers]
    total = adjoints.value[node] = reduce(operator.add, [term.value for term in terms])
    shown, slots = _shortened(terms)
    chain, local = reduce(added, [t.chain for t in shown]), reduce(added, [t.local for t in shown])
    return Row(
        adjoints.scene.adjoint(node),
        "=",
        adjoints.scene.symbolic(chain, slots),
        adjoints.scene.symbolic(local, slots),
        adjoints.scene.substituted(local, slots),
        total,
        "chain" if len(terms) == 1 else "chain, sum",
        adjoints.scene.label(node),
        step,
        node,
    )


def _shortened(terms: Sequence[Term]) -> tuple[list[Term], dict[Node, Slot]]:
    """Return the terms that are written out, the middle of many replaced by a count."""
    slots = {key: slot for term in terms for key, slot in term.slots.items()}
    if len(terms) <= _MOST_TERMS:
        return list(terms), slots
    hidden = len(terms) - _MOST_TERMS
    gap = stand_in("gap", terms[0].local)
    more = words(f"… {hidden:,} more …")
    slots[gap] = Slot(more, more)
    scalar = OPS["input"]("gap", (), "float64")
    slots[scalar] = slots[gap]
    middle = Term(scalar, gap, {}, terms[0].value)
    return [*terms[: _MOST_TERMS - 1], middle, terms[-1]], slots


# -- version B ---------------------------------------------------------------------------------


def increments(scene: Scene, nodes: Iterable[Node], of: Node) -> list[Row]:
    """Return one row for each increment, in the order from the inputs to the output.

    Each consumer, from the output down, increments the adjoints of its operands.
    """
    adjoints = _Adjoints(scene, of, nodes)
    receivers: dict[Node, list[tuple[Node, list[Use]]]] = {}
    for node in adjoints.nodes:
        for consumer, uses in adjoints.consumers(node) if node is not of else ():
            receivers.setdefault(consumer, []).append((node, uses))
    for node in adjoints.nodes:
        adjoints.value[node] = np.zeros_like(scene.value(node))
    rows = [adjoints.seed_row(1)]
    for consumer in reversed(adjoints.nodes):
        for node, uses in receivers.get(consumer, ()):
            rows.append(_increment_row(adjoints, node, consumer, uses, len(rows) + 1))
    return rows[::-1]


def _increment_row(
    adjoints: _Adjoints, node: Node, consumer: Node, uses: Sequence[Use], step: int
) -> Row:
    term = adjoints.term(node, consumer, uses)
    before = stand_in("before", term.local)
    slots = dict(term.slots)
    # `+=` says what the adjoint was before, so that is never written.
    slots[before] = Slot(words(""), quantity(adjoints.value[node]))
    adjoints.value[node] = adjoints.value[node] + term.value
    return Row(
        adjoints.scene.adjoint(node),
        "+=",
        adjoints.scene.symbolic(term.chain, slots),
        adjoints.scene.symbolic(term.local, slots),
        adjoints.scene.substituted(added(before, term.local), slots),
        adjoints.value[node],
        "chain",
        adjoints.scene.label(node),
        step,
        node,
        consumer,
    )
