"""Hints of the text form for what other languages and libraries taught."""

from __future__ import annotations

import pytest

import graphc as gc


@pytest.mark.parametrize(
    ("expression", "fix"),
    [
        ("sum(x, axis=1, keepdims=true)", "did you mean 'True'"),
        ("sum(x, axis=none)", "did you mean 'None'"),
        ("sum(x, dim=1)", "did you mean 'axis'"),
        ("softmax(x, dim=1)", "did you mean 'axis'"),
        ("max(x, axis=1, keepdim=True)", "did you mean 'keepdims'"),
        ("scan(cell, zeros((3,)), x)", r"write the steps of the loop above: def cell\(h, x_t\):"),
    ],
)
def test_a_slip_gets_the_likely_fix(expression: str, fix: str) -> None:
    with pytest.raises(gc.GraphError, match=fix):
        gc.parse(f"x: input(f32, N, 3)\ny = {expression}\noutput(y)")
