"""The derivation card of one node: its local derivative, the chain rule, the resulting adjoint.

local derivative  ∂h1/∂z1 = h1·(1 − h1)
arrives           ∂loss/∂h1 = ∂loss/∂z2·∂z2/∂h1
adjoint           d_h1: f32[N, 128] = d_z2 @ W2.T
sends             ∂loss/∂z1 = ∂loss/∂h1·∂h1/∂z1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, overload

from graphc.differentiate.formulas.derive import Derivation
from graphc.differentiate.formulas.derive import derive as derive_op
from graphc.draw.traces.card_lines import CardWriter, Line
from graphc.draw.traces.op_card import asked_op, typical_node
from graphc.draw.traces.pieces import Phrase, words
from graphc.draw.traces.scene import scalar_output
from graphc.draw.traces.table import Column, Table, Tabular
from graphc.errors import GraphError
from graphc.ir.graph import Graph, with_own_names
from graphc.ir.node import Node
from graphc.ops.elementwise.pointwise import Pointwise


@dataclass(frozen=True, eq=False)
class Card(Tabular):
    """How the derivative passes through one node; `str()` is a table, `.format(…)` another one."""

    title: Phrase
    lines: tuple[Line, ...]

    def part(self, name: str) -> tuple[str, ...]:
        """Return the formulas of one part: "local derivative", "arrives", "adjoint", "sends"."""
        return tuple(line.text for line in self.lines if line.part == name)

    def table(self) -> Table:
        """Return the lines as cells; each part is named once."""
        columns = [Column("part", is_words=True), Column("formula"), Column("why", is_words=True)]
        rows: list[list[Phrase]] = []
        for part, lines in groupby(self.lines, lambda line: line.part):
            for place, line in enumerate(lines):
                rows.append([[words("" if place else part)], line.formula, [line.reason]])
        return Table(self.title, [], columns, rows)


@overload
def derive(what: str, name: str | None = None) -> Derivation | Card: ...
@overload
def derive(
    what: Graph | Node,
    name: str | None = None,
    *,
    of: str | None = None,
    at: Mapping[str, Any] | None = None,
) -> Card: ...
def derive(
    what: str | Graph | Node,
    name: str | None = None,
    *,
    of: str | None = None,
    at: Mapping[str, Any] | None = None,
) -> Derivation | Card:
    """Return the derivation of an op's derivative, or the card of one node of a graph.

    - `derive("divide", "b")`: an op by its name, step by step; `name` is the argument to derive
      by, the first one unless said. An op without a formula of its elements, such as softmax, has
      a card: what a small motion of its operands does, and for vectors the Jacobian.
    - `derive(graph, "h1", of="loss")`: a node of a graph: its local derivatives, what arrives from
      its users by the chain rule, the node of its adjoint, and what it sends to its operands. `of`
      is the first float scalar unless said; `at` puts numbers in.
    - `derive(node)`: a node by itself, that is its local derivatives.

    >>> print(derive("tanh").result)
    1 - y**2

    **Raises** GraphError for an unknown op or node, an op through which no derivative flows, and a
    node that is no float.
    """
    if isinstance(what, str):
        if of is not None or at is not None:
            raise GraphError(
                "an op by itself has no output to derive, and no point",
                fix='gc.derive(graph, "h1", of="loss") derives through a node of a graph',
            )
        op = asked_op(what)
        if name is None and not isinstance(op, Pointwise):
            return _card(
                CardWriter(with_own_names(Graph({"y": typical_node(op)})), "y", None), None
            )
        return derive_op(what, name)
    if isinstance(what, Node):
        label = name or what.name or "y"
        return _card(CardWriter(with_own_names(Graph({label: what})), label, None), None)
    if not isinstance(what, Graph):
        raise GraphError(
            "nothing to derive",
            got=f"{what!r} of type {type(what).__name__}",
            expected="the name of an op, a graph and the name of a node in it, or a node",
        )
    if name is None:
        raise GraphError(
            "which node of the graph?",
            expected=", ".join(dict.fromkeys(what.labels.values())),
            fix=f'gc.derive(graph, "{next(iter(what.outputs))}")',
        )
    graph = with_own_names(what)
    target = graph.labels[scalar_output(graph, of)]
    return _card(CardWriter(graph, name, target), at)


def _card(writer: CardWriter, at: Mapping[str, Any] | None) -> Card:
    return Card(writer.title(), tuple(writer.lines(at)))
