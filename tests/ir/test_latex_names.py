"""Names in LaTeX: what has a meaning there is a character, Greek and accents are commands."""

from __future__ import annotations

import pytest

from graphc.ir.latex_names import latex_escape, name_latex


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x1", "x_{1}"),
        ("y_hat", r"\hat{y}"),
        ("yhat", r"\hat{y}"),
        ("y_hat12", r"\hat{y}_{12}"),
        ("thetahat", r"\hat{\theta}"),
        ("what", r"\mathrm{what}"),
        ("alpha", r"\alpha"),
        ("α", r"\alpha"),
        ("β_2", r"\beta_{2}"),
        ("β₂", r"\beta_{2}"),
        ("θ\u0302", r"\hat{\theta}"),
        ("θ\u0302h", r"\text{$\hat{\theta}$h}"),
        ("W_theta", r"W_{\theta}"),
        ("Δt", r"\text{$\Delta$t}"),
        ("50% off", r"\text{50\% off}"),
        ("a^b\\", r"\text{a\textasciicircum{}b\textbackslash{}}"),
    ],
)
def test_names(name: str, latex: str) -> None:
    assert name_latex(name) == latex


@pytest.mark.parametrize("name", ["y_star", "y_star_1", "h_star"])
def test_a_starred_name_can_be_raised(name: str) -> None:
    latex = name_latex(name)
    assert latex[0] + latex[-1] == "{}", "else y^{*}^\\top is a double superscript"


def test_words_hold_no_raised_digits() -> None:
    assert latex_escape("x² of α") == r"x$^{2}$ of $\alpha$"
