"""Formulas in boxes: op labels with only the parentheses that are needed."""

from __future__ import annotations

import re

import pytest

import graphc as gc
from graphc.draw.dim_formula import dim_formula, shape_formula
from graphc.draw.formula import formula
from graphc.draw.graphs.variables import variables
from graphc.ir.code import Code
from graphc.ir.dim_symbols import dim_symbol
from graphc.ir.dims import Dim, floor_divide
from graphc.ops import OPS


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("x + y", "x + y"),
        ("(x + y) * 3", "(x + y) · 3"),
        ("3 * x", "3x"),
        ("x * (y * x)", "x · y · x"),
        ("x / (y * x)", "x / (y · x)"),
        ("x - (y - x)", "x − (y − x)"),
        ("x ** 2", "x²"),
        ("(x + y) ** 2", "(x + y)²"),
        ("sin(x) ** 2", "(sin x)²"),
        ("sin(x + y)", "sin (x + y)"),
        ("exp(x + y)", "exp(x + y)"),
        ("x * (-y)", "x · (−y)"),
        ("x + -2", "x + (−2)"),
        ("-(x + y)", "−(x + y)"),
        ("log(exp(x))", "ln exp(x)"),
        ("relu(x) * 2", "relu(x) · 2"),
        ("maximum(x, y + 1)", "max(x, y + 1)"),
        ("x ** y", "xʸ"),
        ("x * sin(y)", "x sin y"),
        ("2 * exp(x)", "2 · exp(x)"),
    ],
)
def test_only_needed_parentheses(written: str, shown: str) -> None:
    leaves = "".join(f"{name}: input(f64)\n" for name in "xy" if re.search(rf"\b{name}\b", written))
    graph = gc.parse(f"{leaves}r = {written}\noutput(r)")
    assert variables(graph, compact=True)[graph.outputs["r"]].formula == shown


def test_a_number_before_a_word_keeps_its_dot() -> None:
    graph = gc.parse("last: input(f64)\nr = 2 * last\noutput(r)")
    assert variables(graph, compact=True)[graph.outputs["r"]].formula == "2 · last"


def test_strict_formulas_keep_the_dot() -> None:
    graph = gc.parse("t: input(f64)\nu = 3*t\noutput(u)")
    assert variables(graph)[graph.outputs["u"]].formula == "3 · t"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("eye(N)", "eye(N)"),
        ("eye(2, 3, k=1)", "eye(2, 3, k=1)"),
        ("arange(N - 1)", "arange(N − 1)"),
        ("arange(1, 10, 3)", "arange(1, 10, 3)"),
        ("random_normal((N, 3))", "random_normal((N, 3))"),
        ("random_normal((N,), scale=2.0)", "random_normal((N,), scale=2.0)"),
    ],
)
def test_what_made_an_array_is_told_without_what_is_usual(written: str, shown: str) -> None:
    graph = gc.parse(f"N: dim\nr = {written}\noutput(r)")
    assert variables(graph)[graph.outputs["r"]].formula == shown


def test_transposed_matrices_of_a_stack_are_written_as_one_is() -> None:
    x = gc.input("x", ("N", 2, 3))
    graph = gc.graph({"a": x.mT, "b": gc.transpose(x, (1, 0, 2))})
    found = [variables(graph)[graph.outputs[name]].formula for name in "ab"]
    assert found == ["xᵀ", "transpose(x, (1, 0, 2))"]


def test_triangles_in_a_derivation_are_called_so() -> None:
    card = str(gc.derive("cholesky"))
    assert "tril(dx) + tril(dx, −1)ᵀ" in card and "where(j < i, " in card
    assert "arange" not in card


def test_many_operands_are_not_all_written() -> None:
    parts = [gc.input(f"x{i}", (1,)) for i in range(200)]
    joined = gc.concatenate(parts)
    graph = gc.graph({"y": joined})
    assert variables(graph)[joined].formula == "concat(x₀, … 200 operands)"


def test_every_op_has_a_formula_over_its_operands() -> None:
    for op in OPS.values():
        if op.is_leaf or not op.cases or not op.cases[0].args:
            continue
        case = op.cases[0]
        leaves = [gc.input(f"q{i}", a.shape, a.dtype) for i, a in enumerate(case.args)]
        node = op(*leaves, **case.kwargs)
        names = [Code(f"q{i}") for i in range(len(node.inputs))]
        text = formula(node, names).text
        assert text and not any(0xE000 <= ord(char) < 0xF000 for char in text)
        if len(node.inputs) == len(leaves):
            assert all(name.text in text for name in names), f"{op.name}: {text}"


N, T = dim_symbol("N"), dim_symbol("T")


@pytest.mark.parametrize(
    ("dim", "shown"),
    [
        (3, "3"),
        (N, "N"),
        (2 * N * T**2, "2N · T²"),
        (2 * dim_symbol("batch") * T, "2T · batch"),
        (2 * dim_symbol("batch"), "2 · batch"),
        (N * (T - 1), "N · (T − 1)"),
        (-N - 1, "−N − 1"),
        ((N + 1) ** 2, "(N + 1)²"),
        (floor_divide(N - 3, 2) + 1, "⌊(N − 3)/2⌋ + 1"),
        (floor_divide(N * T, 3), "⌊N · T/3⌋"),
        (2 * dim_symbol("lambda"), "2*lambda"),  # no expression of Python
    ],
)
def test_sizes_are_written_as_mathematics(dim: Dim, shown: str) -> None:
    assert dim_formula(dim) == shown
    assert shape_formula((dim, 1)) == f"[{shown}, 1]"
