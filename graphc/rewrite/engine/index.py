"""Which rules to try at a node: those that fit its op and its operands' ops.

The index of some rules is made once, and knows what fits for every kind of node that it has met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TypeAlias

from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.rewrite.engine.pattern import Applied, fits, read_pattern, variants
from graphc.rewrite.engine.rule import Rule

#: A node's op, and those of its operands.
Kind: TypeAlias = "tuple[Op, ...]"
#: Kinds that an index remembers: several times as many as real networks have.
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule to try at a node: one of its patterns, or its function."""

    rule: Rule
    pattern: Applied | None = None


class RuleIndex:
    """Rules in order, to be found by kinds of nodes; `at(kind)` gives the candidates."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self._rooted = cache(self._find_rooted)
        self.at = lru_cache(_REMEMBERED)(self._find)

    def _find_rooted(self, op: Op) -> tuple[Candidate, ...]:
        """Return what may fit a node of the op, whatever its operands are."""
        found: list[Candidate] = []
        for rule in self.rules:
            if rule.apply is None:
                patterns = [p for p in patterns_of(rule) if p.op == op.name]
                found += [Candidate(rule, pattern) for pattern in patterns]
            elif op.name in rule.roots or rule.family in ("*", op.family):
                found.append(Candidate(rule))
        return tuple(found)

    def _find(self, kind: Kind) -> tuple[Candidate, ...]:
        operands = [op.name for op in kind[1:]]
        return tuple([c for c in self._rooted(kind[0]) if _suits(c, operands)])


@cache
def indexed(rules: tuple[Rule, ...]) -> RuleIndex:
    """Return the index of the rules; the same one whenever they are asked for."""
    return RuleIndex(rules)


def kind_of(node: Node) -> Kind:
    return node.op, *[operand.op for operand in node.inputs]


@cache
def patterns_of(rule: Rule) -> tuple[Applied, ...]:
    """Return the patterns of a rule of formulas, one for each order of commutative operands."""
    return tuple(p for p in variants(read_pattern(rule.before)) if isinstance(p, Applied))


def _suits(candidate: Candidate, operands: Sequence[str]) -> bool:
    if candidate.pattern is not None:
        return fits(candidate.pattern, operands)
    rule = candidate.rule
    below = [name in rule.operands for name in operands]
    if not rule.operands:
        return True
    return bool(below) and (all(below) if rule.all_operands else any(below))
