"""No rule without a proof: each fires, keeps the value, and is an identity on its domain."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.build.namespace import FUNCTIONS
from graphc.ir.dims import evaluate_shape
from graphc.ir.graph import Graph
from graphc.ir.text.parser import parse
from graphc.rewrite.engine.examples import example_text
from graphc.rewrite.engine.rule import EXACT, Rule
from graphc.rewrite.pipeline import ALL_RULES, FAST, optimize, stabilize_forward
from graphc.run.reference import interpret

RULES = [rule for rule in ALL_RULES if rule.name not in ("merge_common", "remove_dead")]
EXACT_RULES = [rule for rule in RULES if rule.exactness == EXACT]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 1e-300, 1e300, -1e300, np.inf, -np.inf, np.nan]


def graph_of(text: str) -> Graph:
    return parse(text, FUNCTIONS)


def fired(graph: Graph) -> set[str]:
    return {firing.rule.name for record in graph.history for firing in record.firings}


def draw(graph: Graph, rng: np.random.Generator, low: float, high: float) -> dict[str, np.ndarray]:
    """Return arguments whose reals lie in [low, high], and whose indices are valid."""
    arguments = {}
    for name, node in graph.inputs.items():
        shape = evaluate_shape(node.shape, dict.fromkeys(graph.dims, 5))
        if node.dtype.kind == "b":
            arguments[name] = rng.integers(0, 2, shape).astype(bool)
        elif node.dtype.kind == "i":
            arguments[name] = rng.integers(0, 3, shape)
        else:
            arguments[name] = rng.uniform(low, high, shape).astype(node.dtype)
    return arguments


def close(got: dict[str, np.ndarray], expected: dict[str, np.ndarray], rtol: float) -> None:
    for name, value in expected.items():
        assert got[name].dtype == value.dtype
        np.testing.assert_allclose(got[name], value, rtol=rtol, atol=rtol, equal_nan=True)


def test_rules_have_distinct_names_and_reasons() -> None:
    every = dict.fromkeys((*ALL_RULES, *FAST))
    names = [rule.name for rule in every]
    assert len(set(names)) == len(names)
    assert all(rule.why and rule.before and rule.after for rule in every)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_fires_in_the_default_pipeline(rule: Rule) -> None:
    graph = graph_of(example_text(rule))
    better = optimize(graph, max(rule.level, 2))
    assert rule.name in fired(better), example_text(rule)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("low, high", [(-2.0, 2.0), (0.05, 3.0), (-1e-4, 1e-4)])
def test_keeps_the_value_and_where_it_is_nan(rule: Rule, low: float, high: float) -> None:
    graph = graph_of(example_text(rule))
    better = optimize(graph, max(rule.level, 2))
    arguments = draw(graph, np.random.default_rng(7), low, high)
    close(interpret(better, **arguments), interpret(graph, **arguments), rtol=1e-7)


@pytest.mark.parametrize("rule", EXACT_RULES, ids=lambda rule: rule.name)
def test_exact_rules_keep_every_bit_at_special_values(rule: Rule) -> None:
    graph = graph_of(example_text(rule))
    better = optimize(graph, 1)
    assert rule.name in fired(better)
    rng = np.random.default_rng(3)
    for _ in range(12):
        arguments = draw(graph, rng, -2, 2)
        for name, value in arguments.items():
            if value.dtype.kind == "f":
                with np.errstate(over="ignore"):  # 1e300 is infinite in float32
                    arguments[name] = rng.choice(SPECIAL, value.shape).astype(value.dtype)
        before, after = interpret(graph, **arguments), interpret(better, **arguments)
        for name, value in before.items():
            np.testing.assert_array_equal(after[name], value)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_level_below_keeps_the_rule_out(rule: Rule) -> None:
    graph = graph_of(example_text(rule))
    assert rule.name not in fired(optimize(graph, rule.level - 1))


@pytest.mark.parametrize("rule", [r for r in RULES if r.moves_kink], ids=lambda rule: rule.name)
def test_kinks_stay_where_they_are_until_the_graph_is_differentiated(rule: Rule) -> None:
    assert rule.name not in fired(stabilize_forward(graph_of(example_text(rule))))


def test_every_output_keeps_its_type_and_name() -> None:
    graph = graph_of("x: input(f32, N, 4)\ny = exp(log(softmax(x*1)))\noutput(y, z=x + 0)")
    better = optimize(stabilize_forward(graph))
    assert list(better.outputs) == ["y", "z"]
    assert [str(n.type) for n in better.outputs.values()] == ["f32[N, 4]", "f32[N, 4]"]
