"""Derivations in steps: they end in the form that is used, and each line is confirmed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graphc.differentiate.formulas import derive as module
from graphc.differentiate.formulas.derive import derive
from graphc.errors import GraphError
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.stable_ops import define_pointwise

FORMS = {
    "sigmoid": "y*(1 - y)",
    "tanh": "1 - y**2",
    "exp": "y",
    "sqrt": "1/(2*y)",
    "softplus": "1 - exp(-y)",
    "reciprocal": "-y**2",
}
DERIVABLE = [
    (name, argument)
    for name, op in OPS.items()
    if isinstance(op, Pointwise) and not op.cuts and name != "cast"
    for argument in op.args
]


@pytest.fixture(autouse=True)
def _only_for_this_test() -> Iterator[None]:
    before = list(OPS)
    yield
    for name in [n for n in OPS if n not in before]:
        del OPS[name]


@pytest.mark.parametrize("name", FORMS)
def test_text_ends_in_the_form_through_the_output(name: str) -> None:
    assert str(derive(name)).endswith(f"= {FORMS[name]}")


def test_sigmoid_takes_the_route_of_the_lecture() -> None:
    e = "1 + exp(-x)"
    assert [step.formula for step in derive("sigmoid").steps] == [
        "D(1/(1 + exp(-x)))",
        f"-D({e})/({e})**2",
        f"-D(exp(-x))/({e})**2",
        f"exp(-x)/({e})**2",
        f"({e} - 1)/({e})**2",
        f"({e})/({e})**2 - 1/({e})**2",
        f"1/({e}) - 1/({e})**2",
        f"1/({e})*(1 - 1/({e}))",
        "y*(1 - y)",
    ]


@pytest.mark.parametrize(("name", "argument"), DERIVABLE)
def test_every_step_of_every_op_is_confirmed(name: str, argument: str) -> None:
    derivation = derive(name, argument)
    assert derivation.steps
    assert all(step.confirmed_by in ("SymPy", "numbers") for step in derivation.steps)


@pytest.mark.parametrize(("name", "argument"), DERIVABLE)
def test_no_step_leads_back(name: str, argument: str) -> None:
    formulas = [step.formula for step in derive(name, argument).steps]
    assert len(set(formulas)) == len(formulas)


def test_a_derivative_by_cases_says_that_it_reads_the_output() -> None:
    *_, cases, truth, last = derive("relu").steps
    assert cases.formula == "where(x > 0, 1, 0)"
    assert (truth.rule, truth.formula) == ("true is 1 and false is 0", "x > 0")
    assert (last.rule, last.formula) == ("by y = relu(x)", "y > 0")


def test_a_function_gets_its_name_by_what_it_is() -> None:
    assert derive("log_cosh").steps[-1].rule == "by tanh(u) = sinh(u)/cosh(u)"
    assert [step.rule for step in derive("logaddexp").steps[-2:]] == [
        "divide above and below by exp(a)",
        "by sigmoid(u) = 1/(1 + exp(-u))",
    ]
    assert [(step.rule, step.formula) for step in derive("silu").steps[-4:]] == [
        ("split the fraction and cancel", "x*exp(-x)/(1 + exp(-x))**2 + 1/(1 + exp(-x))"),
        ("by sigmoid(u) = 1/(1 + exp(-u))", "sigmoid(x) + x*sigmoid(-x)*sigmoid(x)"),
        ("factor out", "sigmoid(x)*(1 + x*sigmoid(-x))"),
        ("by sigmoid(-u) = 1 - sigmoid(u)", "sigmoid(x)*(1 + x*(1 - sigmoid(x)))"),
    ]


def test_no_line_of_a_registered_op_only_says_simplify() -> None:
    vague = {
        name
        for name, argument in DERIVABLE
        if "simplify" in {s.rule for s in derive(name, argument).steps}
    }
    assert not vague


def test_one_line_applies_a_rule_in_every_place() -> None:
    op = define_pointwise("rational", lambda x: (x**2 - 1) / (x**2 + 1))
    rules = [step.rule.partition(":")[0] for step in module.derivation_of(op, 0).steps]
    assert rules == ["definition of y", "quotient rule", "sum rule", "power rule", "simplify"]


def test_a_rule_is_applied_as_it_is_stated() -> None:
    op = define_pointwise("squared", lambda x: (x + 1) ** 2)
    assert module.derivation_of(op, 0).steps[1].formula == "2*D(1 + x)*(1 + x)"


def test_a_wrong_step_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = module._lines

    def wrong(op: Pointwise, index: int) -> list[tuple[str, str]]:
        return [*lines(op, index), ("by mistake", "y*(1 + y)")]

    monkeypatch.setattr(module, "_lines", wrong)
    with pytest.raises(GraphError, match="step of the derivation of sigmoid is wrong"):
        derive("sigmoid")


def test_a_long_part_that_repeats_is_named_once() -> None:
    derivation = derive("gelu_tanh")
    lines = str(derivation).splitlines()
    assert lines[1] == "with s = sqrt(2)*(x + 0.044715*x**3)/sqrt(pi)"
    assert lines[6].endswith("= (1 + tanh(s) + x*d/dx[s]*(1 - tanh(s)**2))/2")
    assert lines[2].index("definition") == lines[-1].index("multiply out")
    assert r"s &= \frac{\sqrt{2}" in derivation._repr_latex_()
    assert "tanh(sqrt(2)*" in derivation.result
    assert "with" not in str(derive("gelu"))


def test_a_choice_is_derived_by_what_is_chosen() -> None:
    assert derive("where").by == "a"
    assert derive("relu").by == "x"


def test_text_and_latex_show_what_is_derived() -> None:
    derivation = derive("divide", "b")
    assert "∂y/∂b = ∂/∂b[a/b]" in str(derivation)
    assert r"\frac{\partial }{\partial b}\left[\frac{a}{b}\right]" in derivation._repr_latex_()
    assert "dy/dx = d/dx[tanh(x)]" in str(derive("tanh"))


@pytest.mark.parametrize(
    ("name", "argument", "message"),
    [
        ("sigmoyd", None, "did you mean 'sigmoid'"),
        ("floor", None, r"no derivative flows through floor\n  got       y = floor\(x\)"),
        ("sum", None, "no formula to derive"),
        ("exp", "q", "no argument 'q'"),
    ],
)
def test_errors(name: str, argument: str | None, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        derive(name, argument)
