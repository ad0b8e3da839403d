"""Commands that print what a model does: traces at half a point, passes and their reasons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graphc import cli

SERIES = '''"""The last of three sums."""
x: input(f64, T, B)
w: param(f64, B, init=normal())

y = sum(x @ w)**2
output(y)
'''


@pytest.fixture
def series(tmp_path: Path) -> str:
    (tmp_path / "series.graph").write_text(SERIES)
    return str(tmp_path / "series.graph")


def ok(*words: str) -> str:
    found = CliRunner().invoke(cli.app, list(words))
    assert found.exit_code == 0, found.output or found.exception
    return found.stdout


def test_a_trace_takes_dims_and_draws_what_is_missing(series: str) -> None:
    out = ok("trace", series, "--at", "T=2", "--at", "B=1")
    lines = out.splitlines()
    assert lines[0] == "Forward evaluation (T = 2, B = 1, initial parameters)"
    assert lines[1] == "x drawn at random (seed 0)"
    assert ok("trace", series, "--at", "T=2", "--at", "B=1", "--seed", "0") == out
    other = ok("trace", series, "--at", "T=2", "--at", "B=1", "--seed", "1")
    assert "x drawn at random (seed 1); w initialized (seed 1)" in other
    assert other != out


def test_a_trace_at_given_values_says_nothing_of_drawing(series: str) -> None:
    assert "drawn" not in ok("trace", series, "--at", "x=[[1],[2]]")


def test_a_trace_of_a_level_says_so_and_shows_what_the_explorer_evaluates(series: str) -> None:
    plain = ok("trace", series, "--at", "x=[[1],[2]]")
    assert "after the forward passes" not in plain and "v3²" in plain
    staged = ok("trace", series, "--at", "x=[[1],[2]]", "--level", "2")
    assert "after the forward passes of level 2" in staged


def test_what_a_trace_is_taken_by_stays_when_the_model_is_made_stable(tmp_path: Path) -> None:
    model = tmp_path / "model.graph"
    model.write_text("x: input(f64, 3)\ne = exp(x)\ns = log(sum(e))\nt = s + 1\noutput(t)\n")
    words = ("trace", str(model), "--at", "x=[1,2,3]", "--level", "2")
    assert "logsumexp" in ok(*words)  # in which there is no e
    assert "with respect to e" in ok(*words, "--mode", "tangent", "--wrt", "e")


def test_an_unknown_name_of_a_trace_is_refused(series: str) -> None:
    found = CliRunner().invoke(cli.app, ["trace", series, "--at", "z=2"])
    assert found.exit_code == 1 and "'z'" in str(found.exception)


def test_operations_are_counted_on_a_graph_that_is_named(series: str) -> None:
    def flops(text: str, pattern: str) -> int:
        found = re.search(pattern, text)
        assert found is not None
        return int(found[1].replace(",", ""))

    sizes = ("--at", "T=2", "--at", "B=3")
    written = ok("cost", series, *sizes)
    compiled = ok("cost", series, "--level", "2", *sizes)
    assert "as the model is written; --level 2 counts what is compiled" in written
    assert "after the passes of level 2" in compiled
    dependence = ok("dependence", series, *sizes)
    methods = ok("methods", series, *sizes)
    count = flops(compiled, r"FLOPs +([\d,]+)")
    assert flops(written, r"FLOPs +([\d,]+)") > count
    assert flops(dependence, r"value takes ([\d,]+) FLOPs") == count
    assert flops(methods, r"itself takes ([\d,]+) operations") == count
    assert "after the passes of level 2" in dependence and "after the passes of level 2" in methods


def test_explain_tells_pass_by_pass_what_was_done_and_why(series: str) -> None:
    out = ok("explain", series, "--gradient", "y")
    assert out.startswith("series, level 2, style readable: ")
    assert re.search(r"^differentiate: the gradient of y, .*; \d+ → \d+ nodes$", out, re.M)
    assert re.search(r"^simplify: .* nodes, \d+ firings?$", out, re.M)
    assert re.search(r"^    why   \w", out, re.M) and re.search(r"^    here  .* → ", out, re.M)
    assert re.search(r"^without effect: \w", out, re.M)
    assert "for speed" in ok("explain", series, "--style", "fast")
    assert "differentiate" not in ok("explain", series)
    assert ok("explain", series, "--level", "0").startswith("level 0 runs no pass")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("conv2d", "einsum"),
        ("max_pool2d", "window_max"),
        ("softmax_cross_entropy", "log_softmax"),
        ("lstm", "scan"),
    ],
)
def test_a_function_that_is_no_op_says_which_ops_it_becomes(name: str, made: str) -> None:
    page = ok("ops", name)
    assert page.startswith(f"{name}: ") and "no op, but a function" in page
    becomes = next(line for line in page.splitlines() if line.startswith("  becomes"))
    assert made in becomes.replace(",", "").split()
    found = CliRunner().invoke(cli.app, ["derive", name])
    assert found.exit_code == 1 and made in str(found.exception)
    assert "is no op: it is a function made of ops" in str(found.exception)


@pytest.mark.parametrize(
    ("op", "jacobian"),
    [
        ("softmax", "∂y/∂x = diag(y) − y·yᵀ"),
        ("log_softmax", "∂y/∂x = I − 1·softmax(x, axis=0)ᵀ"),
        ("logsumexp", "∂y/∂x = softmax(x, axis=0)ᵀ"),
    ],
)
def test_an_op_without_a_formula_of_elements_has_a_jacobian(op: str, jacobian: str) -> None:
    assert jacobian in ok("derive", op)
    assert "what a small motion of the operands moves" in ok("derive", op)


def test_an_op_without_a_derivative_says_so() -> None:
    found = CliRunner().invoke(cli.app, ["derive", "argmax"])
    assert found.exit_code == 1 and "no derivative flows through argmax" in str(found.exception)


def test_what_a_node_sends_is_told_in_numbers(series: str) -> None:
    point = ("--at", "x=[[1],[2]]", "--at", "w=[0.5]")
    lines = ok("derive", series, "--node", "y", *point).splitlines()
    sent = lines[next(i for i, line in enumerate(lines) if line.startswith("sends")) :]
    assert any(line.endswith("at this point") for line in sent)


def test_the_name_column_has_the_inputs_too(series: str) -> None:
    lines = ok("trace", series, "--at", "x=[[1],[2]]", "--at", "w=[0.5]").splitlines()
    names = [line.split("  ")[0].strip() for line in lines[4:]]
    assert names[:2] == ["x", "w"]
