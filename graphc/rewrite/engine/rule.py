"""A rule, its firing and a pass's record: what a rewrite says about itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.rewrite.engine.record_text import change_text

if TYPE_CHECKING:
    from graphc.rewrite.engine.facts import Facts

#: The value keeps its bits (up to the sign of a zero); its rounding may change; it may change
#: where the original meets infinities or NaN.
EXACT, REASSOCIATES, ASSUMES_FINITE = "exact", "reassociates", "assumes_finite"

#: The optimization level from which rules of an exactness are used.
LEVELS = {EXACT: 1, REASSOCIATES: 2, ASSUMES_FINITE: 3}

#: How many places a printed record names for one rule.
_MOST_SHOWN = 6

Structural: TypeAlias = "Callable[[Node, Facts], Node | None]"


@dataclass(frozen=True, eq=False)
class Rule:
    """One rewrite, stated over real numbers with its condition.

    A rule of formulas is a row: `before` and `after` are expressions in the names of ops. Names
    in them stand for any node, except `c`, `c1`, `c2`, which stand for numeric constants; numbers
    match uniform constants. `when` is a condition in facts (see `graphc.rewrite.engine.condition`).

    A structural rule computes its result by `apply`, tried at nodes of `roots` (or of `family`)
    that have an operand among `operands` (or `all_operands` there); its `before` and `after` are
    shown to readers. That of a pass over the whole graph has `by_whole_pass` there.

    `spares_shared` keeps the rule from firing where a node it would replace has other users,
    `spares_blends` where it is `1 - z` in `(1 - z)*a + z*b` and the like (see
    `graphc.rewrite.engine.blends`), `forward_only` from derivatives of both modes, and `moves_kink`
    from graphs that are yet to be differentiated, because the derivative declared at a kink would
    change. `example` serves tests and documentation: for a row, what to put for a name
    (`x=exp(u)`); for a structural rule, a graph as text.
    """

    name: str
    before: str
    after: str
    why: str
    when: str = ""
    exactness: str = EXACT
    apply: Structural | None = None
    roots: tuple[str, ...] = ()
    family: str = ""
    operands: tuple[str, ...] = ()
    all_operands: bool = False
    spares_shared: bool = False
    spares_blends: bool = False
    forward_only: bool = False
    moves_kink: bool = False
    example: str = ""

    @property
    def level(self) -> int:
        return LEVELS[self.exactness]

    @property
    def formula(self) -> str:
        """The rule as one line: `log(1 + x) → log1p(x)`."""
        condition = f"  where {self.when}" if self.when else ""
        return f"{self.before} → {self.after}{condition}"

    def __repr__(self) -> str:
        return f"<rule {self.name}: {self.formula}>"


#: A rule after which values may be rounded otherwise, as of most sums and products.
rounding = partial(Rule, exactness=REASSOCIATES)


def by_whole_pass(node: Node, facts: Facts) -> None:
    """Stand for `apply` in the rule of a pass that sees the whole graph, and fires it by itself."""


@dataclass(frozen=True, eq=False)
class Firing:
    """One use of a rule: the nodes that it replaced (the root first), and what stands there now."""

    rule: Rule
    before: tuple[Node, ...]
    after: Node

    @property
    def formula(self) -> str:
        return self.rule.formula

    @property
    def why(self) -> str:
        return self.rule.why

    @property
    def change(self) -> str:
        """What happened here: `exp(x) * 1 → exp(x)`."""
        return change_text(self.before, self.after)

    def __str__(self) -> str:
        return "\n".join([*_rule_lines(self.rule), f"  here  {self.change}"])

    def __repr__(self) -> str:
        return f"<{self.rule.name}: {self.before[0]!r} → {self.after!r}>"


@dataclass(frozen=True, eq=False)
class PassRecord:
    """What one pass did: the graphs before and after, and every firing in order.

    `became` gives, for each node before that is no longer there, the node in its place. That one
    is missing from the graph after where nothing needs it any more.
    """

    name: str
    title: str
    before: Graph
    graph: Graph
    firings: tuple[Firing, ...]
    became: Mapping[Node, Node] = field(default_factory=dict)

    @property
    def nodes_before(self) -> int:
        return len(self.before.nodes)

    @property
    def nodes_after(self) -> int:
        return len(self.graph.nodes)

    def counts(self) -> dict[str, int]:
        """Return how often each rule fired, in order of first firing."""
        return dict(Counter(firing.rule.name for firing in self.firings))

    @property
    def is_idle(self) -> bool:
        """Whether the pass left the graph as it was."""
        return not self.firings and self.graph is self.before

    def __str__(self) -> str:
        """Return the pass, and under each rule that fired what it did, the first few times."""
        lines = [
            f"{self.name}: {self.title}; {self.nodes_before} → {self.nodes_after} nodes, "
            f"{len(self.firings)} firing{'s' * (len(self.firings) != 1)}"
        ]
        by_rule: dict[Rule, list[Firing]] = {}
        for firing in self.firings:
            by_rule.setdefault(firing.rule, []).append(firing)
        for rule, firings in by_rule.items():
            changes = Counter(firing.change for firing in firings)
            shown = list(changes.items())[:_MOST_SHOWN]
            lines += [f"  {line}" for line in _rule_lines(rule)]
            lines += [
                f"    here  {change}" + (f"  ({n} times)" if n > 1 else "") for change, n in shown
            ]
            hidden = len(changes) - len(shown)
            lines += [f"    …     and {hidden} more"] if hidden else []
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"<{self.name}: {self.nodes_before} → {self.nodes_after} nodes, "
            f"{len(self.firings)} firings>"
        )


class History(tuple[PassRecord, ...]):
    """What each pass did, in order; printed, it tells the passes that did something."""

    __slots__ = ()

    def __str__(self) -> str:
        active = [record for record in self if not record.is_idle]
        told = [str(record) for record in active]
        busy = {record.name for record in active}
        idle = dict.fromkeys(record.name for record in self if record.name not in busy)
        rest = [f"without effect: {', '.join(idle)}"] if idle else []
        return "\n\n".join([*told, *rest]) or "no pass has run"


def _rule_lines(rule: Rule) -> list[str]:
    """Return a rule's name and formula, and why it holds or helps."""
    return [f"{rule.name}: {rule.formula}", f"  why   {rule.why}"]
