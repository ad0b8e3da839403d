"""The engine and the whole-graph passes: fixpoints, records, names, phases, size, determinism."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
import pytest

from graphc.build.namespace import FUNCTIONS
from graphc.differentiate.gradient import gradient
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Case, Op
from graphc.ir.provenance import BACKWARD, FORWARD, phase
from graphc.ir.text.parser import parse
from graphc.ir.text.printer import graph_text
from graphc.ops import OPS
from graphc.ops.leaf import fill
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.fixpoint import Memory, rewrite
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.engine.rule import Firing, Rule
from graphc.rewrite.lower import lower
from graphc.rewrite.pipeline import (
    FAST_PASSES,
    FORWARD_PASSES,
    PASSES,
    Pass,
    optimize,
    run_passes,
    stabilize_forward,
)
from graphc.rewrite.simplify.merge_common import merge_common
from graphc.rewrite.simplify.remove_dead import remove_dead
from graphc.run.reference import interpret

MLP = """
x: input(f32, N, 64)
y: input(i64, N)
W1: param(f32, 64, 128)
b1: param(f32, 128)
W2: param(f32, 128, 10)
b2: param(f32, 10)
z1 = x @ W1 + b1
h1 = relu(z1)
z2 = h1 @ W2 + b2
p = exp(z2)/sum(exp(z2), axis=1, keepdims=True)
loss = -mean(log(take_along_axis(p, y[:, None], axis=1)))
output(loss, p)
"""


def graph_of(text: str) -> Graph:
    return parse(text, FUNCTIONS)


def op_names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes if node.inputs]


# -- the digits classifier ---------------------------------------------------------------------


def array_ops(graph: Graph, kind: str) -> list[str]:
    """Return the ops that touch an array, in one phase: no views, no broadcasts, no scalars."""
    free = ("reshape", "transpose", "broadcast_to", "cast")
    return [
        node.op.name
        for node in graph.nodes
        if node.inputs
        and node.op.name not in free
        and node.provenance.phase == kind
        and (node.shape or any(operand.shape for operand in node.inputs))
    ]


def test_the_digits_classifier_has_the_operations_of_the_step_by_hand() -> None:
    stable = stabilize_forward(graph_of(MLP))
    better = optimize(gradient(stable, "loss"))
    dense = ["einsum", "add", "maximum", "einsum", "add"]
    softmax = ["max", "subtract", "exp", "sum", "divide"]
    loss = ["log", "gather", "subtract", "add", "mean"]
    assert sorted(array_ops(better, FORWARD)) == sorted(dense + softmax + loss)
    d_z2 = ["divide", "scatter_add"]
    d_layers = ["einsum", "sum", "einsum", "greater", "multiply", "einsum", "sum"]
    assert sorted(array_ops(better, BACKWARD)) == sorted(d_z2 + d_layers)


def test_the_users_names_survive() -> None:
    stable = stabilize_forward(graph_of(MLP))
    better = optimize(gradient(stable, "loss"))
    kept = set(better.labels.values())
    assert {"z1", "h1", "z2", "p", "loss", "W1", "b1", "x", "y"} <= kept
    assert better.find("p").op.name == "divide"


# -- records -----------------------------------------------------------------------------------


def test_history_tells_every_firing_with_its_nodes_and_reason() -> None:
    better = optimize(graph_of("x: input(f64, 3)\ny = log(1 + x)*1\noutput(y)"))
    firings = [firing for record in better.history for firing in record.firings]
    assert [firing.rule.name for firing in firings] == ["multiply_one", "log_one_plus"]
    last = firings[-1]
    assert [node.op.name for node in last.before] == ["log", "add"]
    assert last.after.op.name == "log1p" and last.formula == "log(1 + x) → log1p(x)" and last.why
    record = better.history[0]
    assert (record.name, record.nodes_before, record.nodes_after) == ("simplify", 6, 4)
    assert record.graph == better.history[1].before
    assert "multiply_one: x*1 → x" in str(better.history)


def test_passes_before_and_after_differentiation_share_one_history() -> None:
    stable = stabilize_forward(graph_of(MLP))
    better = optimize(gradient(stable, "loss"))
    names = [record.name for record in better.history]
    assert names[:4] == [record.name for record in stable.history]
    assert names[-1] == "remove dead"


def test_levels() -> None:
    graph = graph_of("x: input(f64, 3)\ny = log(1 + x)*1 + 2*x*0\noutput(y)")
    assert optimize(graph, 0) is graph
    assert "log" in op_names(optimize(graph, 1))
    assert op_names(optimize(graph, 3)) == ["log1p"]
    with pytest.raises(GraphError, match="no such optimization level"):
        optimize(graph, 4)


# -- the engine --------------------------------------------------------------------------------


def test_rules_that_undo_each_other_are_found() -> None:
    rules = (
        Rule("forth", "exp(x)", "sin(x)", "a test"),
        Rule("back", "sin(x)", "exp(x)", "a test"),
    )
    with pytest.raises(GraphError, match="undo each other"):
        rewrite(graph_of("x: input(f64, 3)\ny = exp(x)\noutput(y)"), rules)


def test_a_rule_that_grows_forever_is_found() -> None:
    rules = (Rule("grow", "exp(x)", "exp(x + 1)", "a test"),)
    with pytest.raises(GraphError, match="undo each other"):
        rewrite(graph_of("x: input(f64, 3)\ny = exp(x)\noutput(y)"), rules)


def test_a_rule_that_changes_the_type_is_found() -> None:
    rules = (Rule("wrong", "exp(x)", "x > 0", "a test"),)
    with pytest.raises(GraphError, match="changes the type"):
        rewrite(graph_of("x: input(f64, 3)\ny = exp(x)\noutput(y)"), rules)


def test_repeated_names_match_equal_expressions_only() -> None:
    rules = (Rule("same", "x - x", "0*x", "a test"),)
    text = "x: input(f64, 3)\nz: input(f64, 3)\ny = exp(x) - exp({})\noutput(y, z)"
    assert rewrite(graph_of(text.format("x")), rules)[1]
    assert not rewrite(graph_of(text.format("z")), rules)[1]


def test_shared_nodes_are_spared() -> None:
    rules = (Rule("open", "exp(x + y)", "exp(x)*exp(y)", "a test", spares_shared=True),)
    text = "x: input(f64, 3)\ns = x + sin(x)\ny = exp(s)\noutput(y{})"
    assert rewrite(graph_of(text.format("")), rules)[1]
    assert not rewrite(graph_of(text.format(", s")), rules)[1]


def test_a_node_in_normal_form_is_tried_again_when_what_it_rests_on_is_shared_no_more() -> None:
    tried: list[Node] = []

    def look(node: Node, facts: Facts) -> None:
        tried.append(node)

    helpers = (
        Rule("open", "exp(x + y)", "exp(x)*exp(y)", "a test", spares_shared=True),
        Rule("look", "sin(x)", "sin(x)", "a test", apply=look, roots=("sin",)),
    )
    forget = (Rule("forget", "tanh(x)", "1 + 0*x", "a test", apply=_one, roots=("tanh",)),)
    graph = graph_of("x: input(f64, 3)\ns = x + sin(x)\noutput(y=exp(s), z=tanh(s))")
    memory = Memory()
    graph, firings = rewrite(graph, (), helpers, memory)
    assert not firings and len(tried) == 1
    graph, firings = rewrite(graph, forget, helpers, memory)
    assert [firing.rule.name for firing in firings] == ["forget"]
    graph, firings = rewrite(graph, (), helpers, memory)
    assert [firing.rule.name for firing in firings] == ["open"]
    assert len(tried) == 1  # sin(x) rests on nothing that changed


@pytest.mark.parametrize("passes", [FORWARD_PASSES, PASSES, FAST_PASSES])
def test_what_is_normal_to_one_pass_is_so_to_those_behind_it(passes: Sequence[Pass]) -> None:
    keeping = [frozenset(step.helpers) for step in passes if step.helpers]
    assert all(later <= earlier for earlier, later in itertools.pairwise(keeping))


def test_a_pass_does_not_look_again_at_a_graph_that_it_left_alone() -> None:
    seen: list[Graph] = []

    def look(graph: Graph, became: dict[Node, Node]) -> tuple[Graph, tuple[Firing, ...]]:
        seen.append(graph)
        return graph, ()

    forget = Rule("forget", "tanh(x)", "1 + 0*x", "a test", apply=_one, roots=("tanh",))
    looks, forgets = Pass("look", "", whole=look), Pass("forget", "", (forget,))
    graph = graph_of("x: input(f64, 3)\ny = sin(x)\noutput(y, z=tanh(x))")
    done = run_passes(graph, (looks, looks, forgets, looks, forgets, looks), level=2)
    assert [id(g) for g in seen] == [id(graph), id(done.history[2].graph)]
    assert [len(record.firings) for record in done.history] == [0, 0, 1, 0, 0, 0]


def _one(node: Node, facts: Facts) -> Node:
    return fill(1, node.shape, node.dtype)


def test_replacements_keep_name_scope_phase_and_origin() -> None:
    x = OPS["input"]("x", (3,))
    with phase(BACKWARD):
        old = OPS["log"](OPS["add"](1, x)).named("adjoint")
    graph, _ = rewrite(Graph({"y": old}), (Rule("r", "log(1 + x)", "log1p(x)", "a test"),))
    new = graph.outputs["y"].provenance
    assert (new.name, new.phase) == ("adjoint", BACKWARD)
    assert (new.scope, new.origin) == (old.provenance.scope, old.provenance.origin)


@pytest.mark.parametrize("shape", ["chain", "sum", "fan-out", "nested choice"])
def test_work_grows_linearly(shape: str) -> None:
    x: Node = OPS["input"]("x", (3,))
    node = x
    if shape == "chain":
        for _ in range(20_000):
            node = OPS["negative"](OPS["sin"](node))
    elif shape == "sum":
        for i in range(4_000):
            node = OPS["add"](node, OPS["sin"](OPS["multiply"](x, float(i + 2))))
    elif shape == "fan-out":
        parts = [OPS["sin"](OPS["add"](x, float(i + 1))) for i in range(4_000)]
        node = OPS["concat"](*parts)
    else:
        mask = OPS["greater"](x, 0)
        node = OPS["exp"](x)
        for i in range(1_000):  # each level reads the one below twice
            node = OPS["where"](mask, OPS["multiply"](node, 2.0 + i), node)
        node = OPS["log"](node)
    graph = Graph({"y": node})
    start = time.process_time()
    better = optimize(stabilize_forward(graph))
    assert time.process_time() - start < 30
    assert len(better.nodes) < 8 * len(graph.nodes)


def test_two_processes_with_other_hash_seeds_agree() -> None:
    program = (
        "from graphc.ir.text.parser import parse\n"
        "from graphc.ir.text.printer import graph_text\n"
        "from graphc.build.namespace import FUNCTIONS\n"
        "from graphc.differentiate.gradient import gradient\n"
        "from graphc.rewrite.pipeline import optimize, stabilize_forward\n"
        f"g = stabilize_forward(parse({MLP!r}, FUNCTIONS))\n"
        "o = optimize(gradient(g, 'loss'))\n"
        "print(graph_text(o)); print(o.history)\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


# -- merging, folding, lowering, removing ------------------------------------------------------


def merged(graph: Graph) -> tuple[Graph, tuple[Firing, ...]]:
    return merge_common(graph, {}, ValueNumbers())


def test_merge_keeps_random_draws_apart() -> None:
    a, b = (OPS["random_normal"](shape=(3,), dtype="float64") for _ in range(2))
    graph, firings = merged(Graph({"y": OPS["add"](OPS["exp"](a), OPS["exp"](b))}))
    assert not firings and op_names(graph).count("exp") == 2


def test_merge_takes_the_first_name_and_the_earliest_phase() -> None:
    x = OPS["input"]("x", (3,))
    with phase(BACKWARD):
        again = OPS["exp"](x)
    graph, firings = merged(Graph({"a": again, "b": OPS["exp"](x).named("e")}))
    one = graph.outputs["a"]
    assert one is graph.outputs["b"] and len(firings) == 1
    assert (one.name, one.provenance.phase) == ("e", FORWARD)


def test_merge_tells_zeros_of_either_sign_apart() -> None:
    x = OPS["input"]("x", (3,))
    ends = {"a": OPS["divide"](x, 0.0), "b": OPS["divide"](x, -0.0)}
    assert len(set(merged(Graph(ends))[0].outputs.values())) == 2


def test_folding_leaves_errors_and_infinities_where_they_happen() -> None:
    text = "x: input(f64, 2)\ny = x*{}\noutput(y)"
    for constant in ("exp(full((2,), 1000.0))", "log(full((2,), -1.0))"):
        better = optimize(graph_of(text.format(constant)))
        assert any(name in ("exp", "log") for name in op_names(better))
    late = "x: input(f64, 2)\ny = x*gather(constant([1.0, 2.0]), constant([0, 5]))\noutput(y)"
    better = optimize(graph_of(late))
    with pytest.raises(GraphError, match="out of range"):
        interpret(better, x=np.ones(2))


@pytest.mark.parametrize(
    "formula",
    [
        "take_along_axis(x, i, axis=1)*0",
        "gather(x, i)**0",
        "gather(x, i) - gather(x, i)",
        "where(True, 1.0, gather(x, i))",
        "where(False, gather(x, i), 1.0)",
        "where(x[0] > 0, where(x[0] > 0, 1.0, gather(x, i)), 2.0)",
        "where(x[0] > 2, 1.0, where(x[0] > 2, gather(x, i), 2.0))",
        "where(gather(x, i) > 0, 1.0, 2.0)*0",
        "where(gather(x, i) > 0, 1.0, 2.0) - where(gather(x, i) > 0, 1.0, 2.0)",
    ],
)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_an_index_out_of_range_is_never_hidden(formula: str, level: int) -> None:
    graph = graph_of(f"x: input(f64, 2, 2)\ni: input(i64, 2, 1)\ny = {formula}\noutput(y)")
    with pytest.raises(GraphError, match="out of range"):
        interpret(optimize(graph, level), x=np.ones((2, 2)), i=np.array([[5], [0]]))


INDEXING = [
    pytest.param(op, case, id=op.name)
    for op in OPS.values()
    for case in op.cases[:1]
    if type(op).indexed_dims is not Op.indexed_dims
]


@pytest.mark.parametrize(("op", "case"), INDEXING)
def test_every_op_that_indexes_may_fail(op: Op, case: Case) -> None:
    leaves = [OPS["input"](f"x{i}", a.shape, a.dtype) for i, a in enumerate(case.args)]
    node = op(*leaves, **case.kwargs)
    assert not Facts().cannot_fail(node)
    assert not Facts().cannot_fail(OPS["negative"](node))
    assert Facts().cannot_fail(OPS["negative"](leaves[0]))


def test_lower_leaves_only_ops_with_a_numpy_form() -> None:
    text = "x: input(f32, 3, 4)\ny = gelu(softmax(x)) + var(silu(x)) + logsumexp(x)\noutput(y)"
    lowered = lower(graph_of(text))
    assert all(node.op.lower(node) is None for node in lowered.nodes)
    arguments = {"x": np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)}
    expected = interpret(graph_of(text), **arguments)["y"]
    np.testing.assert_allclose(interpret(lowered, **arguments)["y"], expected, rtol=1e-5)


def test_an_update_that_changes_nothing_is_removed() -> None:
    W, b = (OPS["param"](name, (3,)) for name in "Wb")
    y = OPS["add"](W, b)
    graph = Graph({"y": y}, updates={"W": W, "b": y})
    better, firings = remove_dead(graph, {})
    assert list(better.updates) == ["b"] and len(firings) == 1


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_empty_batches(rows: int) -> None:
    graph = graph_of(
        "x: input(f64, N, 3)\ny = sum(exp(x), axis=0) + sum(broadcast_to(sum(x), (3,)))\n"
        "p = exp(x)/sum(exp(x), axis=1, keepdims=True)\noutput(y, p)"
    )
    x = np.ones((rows, 3))
    before, after = interpret(graph, x=x), interpret(optimize(graph), x=x)
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value)


def test_optimizing_twice_changes_nothing_more() -> None:
    better = optimize(gradient(stabilize_forward(graph_of(MLP)), "loss"))
    assert "exp(z2 -" in graph_text(better)
    assert graph_text(optimize(better)) == graph_text(better)


def test_style_readable_runs_the_passes_of_style_fast_but_those_for_speed() -> None:
    assert {step.name for step in FAST_PASSES if step.is_for_speed} >= {"for speed", "short rows"}
    assert FAST_PASSES[-1] is PASSES[-1], "what the last pass leaves dead would be computed"
    assert [step for step in FAST_PASSES if step in PASSES] == list(PASSES)
