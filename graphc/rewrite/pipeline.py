"""The passes in order, and what each level of optimization runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.rewrite.adjoints import ADJOINTS
from graphc.rewrite.arithmetic import ARITHMETIC
from graphc.rewrite.contractions import CONTRACTIONS
from graphc.rewrite.early_movement import MOVES_BEFORE_ARITHMETIC
from graphc.rewrite.engine import rewrite
from graphc.rewrite.fold_constants import FOLD
from graphc.rewrite.logarithms import LOGARITHM_MOVES
from graphc.rewrite.lower import EXACT_SHIFT, LOWER
from graphc.rewrite.merge_common import MERGE, merge_common
from graphc.rewrite.movement import MOVEMENT
from graphc.rewrite.reductions import REDUCTIONS
from graphc.rewrite.remove_dead import DEAD, remove_dead
from graphc.rewrite.rule import Firing, PassRecord, Rule
from graphc.rewrite.softmax import SOFTMAX
from graphc.rewrite.specialize import SPECIALIZE
from graphc.rewrite.stable_formulas import STABLE_FORMULAS

Whole: TypeAlias = Callable[[Graph], tuple[Graph, tuple[Firing, ...]]]

SIMPLIFY = (*ARITHMETIC, *MOVEMENT, *REDUCTIONS, *ADJOINTS)
STABILIZE = (*LOGARITHM_MOVES, *STABLE_FORMULAS, *SOFTMAX, *MOVES_BEFORE_ARITHMETIC)


@dataclass(frozen=True)
class Pass:
    """One step of the pipeline: rules to a fixpoint, or a function of the whole graph.

    `helpers` keep the normal form meanwhile; a pass with nothing but helpers establishes it.
    """

    name: str
    title: str
    rules: tuple[Rule, ...] = ()
    helpers: tuple[Rule, ...] = ()
    whole: Whole | None = None
    level: int = 1

    def apply(
        self, graph: Graph, allowed: Callable[[Rule], bool], normal: set[Node]
    ) -> tuple[Graph, tuple[Firing, ...]]:
        """Return the rewritten graph and the firings, by the rules that are allowed.

        `normal` holds the nodes known to be in normal form; a firing elsewhere may change that.
        """
        if self.whole is not None:
            return self.whole(graph)
        rules, helpers = (
            [rule for rule in group if allowed(rule)] for group in (self.rules, self.helpers)
        )
        following, firings = rewrite(graph, rules, helpers, normal)
        if firings:
            normal.clear()
        return following, firings


SIMPLIFY_PASS = Pass(
    "simplify", "Remove what does nothing; bring the rest to normal form", helpers=SIMPLIFY
)
STABILIZE_PASS = Pass(
    "stabilize",
    "Replace expressions that overflow, underflow or cancel",
    STABILIZE,
    SIMPLIFY,
    level=2,
)
FOLD_PASS = Pass("fold", "Compute what no input changes", FOLD, SIMPLIFY)
MERGE_PASS = Pass("merge common", "Compute equal expressions once", (MERGE,), whole=merge_common)
CONTRACT_PASS = Pass(
    "contractions", "Make products and sums one contraction", CONTRACTIONS, SIMPLIFY, level=2
)
SPECIALIZE_PASS = Pass("specialize", "Choose the cheapest op for each value", SPECIALIZE, level=1)
LOWER_PASS = Pass("lower", "Write composite ops in ops that NumPy has", (LOWER, EXACT_SHIFT))
DEAD_PASS = Pass("remove dead", "Drop what changes nothing", (DEAD,), whole=remove_dead)

#: What runs on the forward graph before it is differentiated.
FORWARD_PASSES = (SIMPLIFY_PASS, MERGE_PASS, STABILIZE_PASS, MERGE_PASS)

#: What runs on the whole graph.
PASSES = (
    SIMPLIFY_PASS,
    STABILIZE_PASS,
    FOLD_PASS,
    MERGE_PASS,
    CONTRACT_PASS,
    SPECIALIZE_PASS,
    LOWER_PASS,
    MERGE_PASS,
    SIMPLIFY_PASS,
    FOLD_PASS,
    MERGE_PASS,
    DEAD_PASS,
)

#: Every rule once, in the order in which they come into play.
ALL_RULES: tuple[Rule, ...] = tuple(
    dict.fromkeys(rule for step in PASSES for rule in (*step.rules, *step.helpers))
)


def optimize(graph: Graph, level: int = 2) -> Graph:
    """Return a better graph of the same meaning; `.history` says what each pass did and why.

    Level 0 changes nothing; 1 keeps every bit (up to the sign of a zero); 2, the default, also
    stabilizes and reassociates; 3 also assumes that no infinity or NaN is met.
    """
    return _run(graph, PASSES, level)


def stabilize_forward(graph: Graph, level: int = 2) -> Graph:
    """Return the form that is differentiated: the gradient of a stable form is stable."""
    return _run(graph, FORWARD_PASSES, level)


def _run(graph: Graph, passes: Sequence[Pass], level: int) -> Graph:
    if level not in (0, 1, 2, 3):
        raise GraphError("no such optimization level", got=repr(level), expected="0, 1, 2 or 3")
    if level == 0:
        return graph

    def allowed(rule: Rule) -> bool:
        return rule.level <= level and not (rule.moves_kink and passes is FORWARD_PASSES)

    records = list(graph.history)
    current = graph
    normal: set[Node] = set()
    for step in passes:
        if step.level > level:
            continue
        following, firings = step.apply(current, allowed, normal)
        records.append(PassRecord(step.name, step.title, current, following, firings))
        current = following
    return current.with_outputs(current.outputs, current.updates, history=tuple(records))
