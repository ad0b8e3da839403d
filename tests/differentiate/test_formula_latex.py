"""Formulas and rules in LaTeX: they mean what the text means, and LaTeX takes them."""

from __future__ import annotations

import re

import pytest

from graphc.differentiate.formulas.derive import derive
from graphc.differentiate.formulas.latex import formula_latex, rule_latex
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("tanh(x)**2", r"\tanh^{2} x"),  # \tanh x^{2} is tanh(x²)
        ("exp(x)**2", r"\left(e^{x}\right)^{2}"),  # e^{x}^{2} is an error
        ("log(2)*x", r"\left(\ln 2\right) \, x"),  # \ln 2 \, x is ln(2x)
        ("sin(x)*cos(x)", r"\left(\sin x\right) \, \cos x"),
        ("square(x + 1)", r"{\left(x + 1\right)}^2"),
        ("-b*floor(x)/2", r"-\frac{b \, \operatorname{floor}\left(x\right)}{2}"),
        ("a/b*c", r"\frac{a}{b} \, c"),
        ("(a/b)**2", r"\left(\frac{a}{b}\right)^{2}"),
        ("a - (b - c)", r"a - \left(b - c\right)"),
        ("low*beta*x_0", r"\mathrm{low} \, \beta \, x_{0}"),
        ("logical_and(x < 1, x > -1)", r"\left[x < 1 \wedge x > -1\right]"),
        (
            "where(x < 0, 0, where(x > 3, 1, x/3))",
            r"\begin{cases} 0 & x < 0 \\ 1 & x > 3 \\ \frac{x}{3} & \text{otherwise} \end{cases}",
        ),
    ],
)
def test_formulas(text: str, latex: str) -> None:
    assert formula_latex(text) == latex


@pytest.mark.parametrize(
    ("rule", "latex"),
    [
        (
            "quotient rule: (u/v)' = (u'·v - u·v')/v²",
            r"\text{quotient rule: }\left(\frac{u}{v}\right)' = \frac{u' \, v - u \, v'}{v^{2}}",
        ),
        ("exp(u)' = exp(u)", r"\left(e^{u}\right)' = e^{u}"),
        ("power rule: (xⁿ)' = n·xⁿ⁻¹", r"\text{power rule: }\left(x^{n}\right)' = n \, x^{n - 1}"),
        (
            "chain rule: (uᵛ)' = uᵛ·(v·log(u))'",
            r"\text{chain rule: }\left(u^{v}\right)' = u^{v} \, \left(v \, \ln u\right)'",
        ),
        ("by x = y**2 and a = 1", r"\text{by }x = y^{2}\text{ and }a = 1"),
        ("add and subtract 1", r"\text{add and subtract 1}"),
    ],
)
def test_rules_are_mathematics_beside_words(rule: str, latex: str) -> None:
    assert rule_latex(rule) == latex


@pytest.mark.parametrize(
    "name", [n for n, op in OPS.items() if isinstance(op, Pointwise) and not op.cuts]
)
def test_every_derivation_is_latex(name: str) -> None:
    latex = derive(name).format("latex")
    for words in re.findall(r"\\text\{([^{}]*)\}", latex):
        assert words.isascii(), "text mode knows no raised letters"
        assert not set(words) & set("^_"), "text mode has no superscripts"
    assert not re.search(r"\^\{[^{}]*\}['^]", latex), "a double superscript"
    for opening, closing in (("{", "}"), (r"\left", r"\right")):
        assert latex.count(opening) == latex.count(closing)
