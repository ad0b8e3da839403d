"""Names, numbers and values as mathematics sets them."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from graphc.draw import dot_source, typography
from graphc.draw.dot_source import quote
from graphc.draw.networks import unit_names
from graphc.draw.typography import (
    array_text,
    bar,
    escape,
    italic,
    name_text,
    number_text,
    overlined,
    raised_exponents,
    text_width,
    wrapped,
)


@pytest.mark.parametrize("module", [typography, dot_source, unit_names])
def test_doctests(module: object) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("u1", "u₁"),
        ("W_hh", "Wₕₕ"),
        ("x_t", "xₜ"),
        ("y_hat", "ŷ"),
        ("y_hat12", "ŷ₁₂"),
        ("yhat", "ŷ"),
        ("yhat2", "ŷ₂"),
        ("muhat", "μ̂"),
        ("what", "what"),
        ("alpha_T", "α_T"),
        ("alpha_T−1", "α_T−1"),
        ("alpha", "α"),
        ("theta_x", "θₓ"),
        ("loss", "loss"),
        ("d_loss_d_W", "d_loss_d_W"),
        ("d_p", "d_p"),
        ("d_z2", "d_z₂"),
        ("hidden1.W", "hidden1.W"),
        ("a\nb", "a\\nb"),
        ("", "␣"),
        ("x y", "x y"),
        ("W_hy", "W_hy"),  # Unicode has no subscript y
        ("__x", "__x"),
    ],
)
def test_names(name: str, shown: str) -> None:
    assert name_text(name) == shown


def test_a_bar_covers_the_whole_stem_and_no_subscript() -> None:
    assert bar("x") == "x\u0304"
    assert bar("u₁") == "ū₁"
    assert bar("loss") == "l\u0305o\u0305s\u0305s\u0305"


def test_a_bar_stands_above_an_accent() -> None:
    assert italic(bar(name_text("y_hat"))) == "<I><O>ŷ</O></I>"
    assert overlined(f"{bar(name_text('mu_hat'))} + 1") == "<O>μ̂</O> + 1"


def test_a_label_has_one_line_over_a_long_name() -> None:
    assert overlined(f"{bar('out.W')} / <N> + {bar('x')}") == "<O>out.W</O> / &lt;N&gt; + x\u0304"
    assert italic(bar("x_hat1")) == "<I><O>x_hat1</O></I>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-0.840093, "−0.8401"),
        (1.0, "1"),
        (-0.0, "0"),
        (12345.6, "1.235e4"),
        (1.2346e-7, "1.235e−7"),
        (np.int64(-12345), "−12345"),
        (True, "true"),
        (float("nan"), "nan"),
        (float("-inf"), "−∞"),
    ],
)
def test_numbers_have_four_significant_digits(value: float, shown: str) -> None:
    assert number_text(value) == shown


def test_arrays_show_shape_mean_and_norm() -> None:
    assert array_text(np.array(2.5)) == ["2.5"]
    assert array_text(np.array([1.0, -2.0])) == ["[1, −2]"]
    assert array_text(np.array([[3.0, 4.0]])) == ["1×2", "mean 3.5", "‖·‖ 5"]
    assert array_text(np.arange(10)) == ["10 values", "0 … 9"]
    assert array_text(np.zeros((0, 3))) == ["0×3, empty"]


def test_exponents_are_raised() -> None:
    assert raised_exponents("x**2 + y**-1.5") == "x² + y^-1.5"
    assert raised_exponents("x**n") == "xⁿ"


def test_lines_break_outside_of_brackets() -> None:
    assert wrapped("sum(a + b + c) + d + e", 8) == ["sum(a + b + c)", "+ d + e"]
    assert wrapped("long_name · another_name", 8) == ["long_name", "· another_name"]
    assert wrapped("a + longer_than_that − b", 12) == ["a", "+ longer_than_that", "− b"]


def test_escapes_reach_html_and_dot() -> None:
    assert escape('<b> & "q"') == "&lt;b&gt; &amp; &quot;q&quot;"
    assert escape(r"\N") == r"\\N", "graphviz would write the node's name there"
    assert [escape(t) for t in ("]", "a]", "")] == ["&#93;", "a]", ""]
    assert quote('a\\"\n') == '"a\\\\\\"\\\\n"'
    assert quote("") == '""'


def test_combining_marks_have_no_width() -> None:
    assert text_width("ŷ", 10) == text_width("y", 10) > 0
