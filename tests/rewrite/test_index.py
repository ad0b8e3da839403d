"""The index finds, for a kind of node, the rules that may fit there, in their order."""

from __future__ import annotations

import pytest

from graphc.ops import OPS
from graphc.rewrite.engine.index import indexed, patterns_of
from graphc.rewrite.engine.pattern import Applied
from graphc.rewrite.engine.rule import Rule
from graphc.rewrite.pipeline import ALL_RULES

INDEX = indexed(ALL_RULES)


@pytest.mark.parametrize("rule", [r for r in ALL_RULES if r.apply is None], ids=lambda r: r.name)
def test_every_pattern_is_found_where_it_may_match(rule: Rule) -> None:
    for pattern in patterns_of(rule):
        below = [p.op if isinstance(p, Applied) else "full" for p in pattern.operands]
        found = INDEX.at((OPS[pattern.op], *[OPS[name] for name in below]))
        assert any(c.rule is rule and c.pattern is pattern for c in found)


def test_candidates_keep_the_order_of_the_rules() -> None:
    found = [c.rule for c in INDEX.at((OPS["multiply"], OPS["full"], OPS["exp"]))]
    assert len(found) > 5
    assert found == sorted(found, key=ALL_RULES.index)


def test_operands_that_no_rule_names_are_not_looked_at() -> None:
    def apply(node: object, facts: object) -> None:
        raise AssertionError("tried")

    one = Rule("one", "", "", "", apply=apply, roots=("add",), operands=("exp", "log"))
    all_ = Rule(
        "all", "", "", "", apply=apply, roots=("add",), operands=("exp",), all_operands=True
    )
    add, exp, log, sin = (OPS[name] for name in ("add", "exp", "log", "sin"))

    def names(*kind: object) -> list[str]:
        return [c.rule.name for c in indexed((one, all_)).at(kind)]

    assert names(add, exp, exp) == ["one", "all"]
    assert names(add, exp, sin) == names(add, log, log) == ["one"]
    assert names(add, sin, sin) == names(add) == names(exp, exp) == []
    assert indexed((one, all_)) is indexed((one, all_))
