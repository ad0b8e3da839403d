"""What almost looks like a rule's example keeps its value, whichever rules then hold.

A rule's conditions say where it does not hold. Who forgets one writes a wrong number for a graph
that differs from the example by a number, an operator, an axis, or a value that is read twice.
"""

from __future__ import annotations

import numpy as np
import pytest
from near_misses import near_misses
from test_rules import SPECIAL, draw, fired, graph_of

from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.rewrite.engine.examples import example_text
from graphc.rewrite.engine.rule import Rule
from graphc.rewrite.pipeline import FAST_PASSES, optimize
from graphc.run.reference import interpret

RULES = [
    rule
    for rule in dict.fromkeys(r for step in FAST_PASSES for r in (*step.rules, *step.helpers))
    if rule.apply is None or rule.example
]
#: An input that an example reads is unused where another one stands in its place.
pytestmark = pytest.mark.filterwarnings("ignore::graphc.errors.GraphWarning")
#: NumPy's power is off by an ulp where a product is exact.
ROUNDED = {"power_two"}


def graphs(rule: Rule) -> list[Graph]:
    """Return the near misses that are graphs at all."""
    found = []
    for text in dict.fromkeys(near_misses(example_text(rule))):
        try:
            found.append(graph_of(text))
        except GraphError:
            continue
    return found


def values(graph: Graph, arguments: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """Return the values by the reference; None: an index is none of the array's."""
    try:
        return interpret(graph, **arguments)
    except GraphError:
        return None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_near_misses_keep_their_value(rule: Rule) -> None:
    for graph in graphs(rule):
        better = [optimize(graph, 2, style) for style in ("readable", "fast")]
        for low, high in ((-2.0, 2.0), (0.05, 3.0)):
            arguments = draw(graph, np.random.default_rng(7), low, high)
            before = values(graph, arguments)
            for following in better if before is not None else ():
                after = interpret(following, **arguments)
                for name, value in (before or {}).items():
                    near = 1e-3 if value.dtype == np.float32 else 1e-7
                    # What overflows or cancels as it stands may be a number afterwards.
                    got = np.where(np.isfinite(value), after[name], value)
                    assert got.dtype == value.dtype
                    np.testing.assert_allclose(got, value, near, near, err_msg=str(graph))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_near_misses_keep_every_bit_at_level_1(rule: Rule) -> None:
    rng = np.random.default_rng(3)
    for graph in graphs(rule):
        better = optimize(graph, 1)
        for _ in range(6 if fired(better) - ROUNDED == fired(better) else 0):
            arguments = draw(graph, rng, -2, 2)
            for name, value in arguments.items():
                if value.dtype.kind == "f":
                    with np.errstate(over="ignore"):  # 1e300 is infinite in float32
                        arguments[name] = rng.choice(SPECIAL, value.shape).astype(value.dtype)
            before = values(graph, arguments)
            after = interpret(better, **arguments) if before is not None else {}
            for name, value in (before or {}).items():
                np.testing.assert_array_equal(after[name], value, str(graph))
