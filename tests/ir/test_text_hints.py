"""Hints of the text form for what other languages and libraries taught."""

from __future__ import annotations

import pytest

import graphc as gc


@pytest.mark.parametrize(
    ("expression", "fix"),
    [
        ("sum(x, axis=1, keepdims=true)", "did you mean 'True'"),
        ("sum(x, axis=none)", "did you mean 'None'"),
        ("sum(x, dim=1)", "axis= for dim="),
        ("softmax(x, dim=1)", "axis= for dim="),
        ("max(x, axis=1, keepdim=True)", "keepdims= for keepdim="),
        ("relu(x, inplace=True)", "leave it out: a node never changes"),
        ("dropout(x, p=0.5)", "rate= for p="),
        ("dense(x, units=3)", "size= for units="),
        ("exp(x=x)", r"by its place, not by its name[\s\S]*write exp\(x\)"),
        ("x.view(3, -1)", r"methods and modules [\s\S]*reshape\(x, shape\)"),
        ("x.unsqueeze(0)", r"expand_dims\(x, axis\)"),
        ("x.double()", r"astype\(x, 'float64'\)"),
        ("float(x)", r"astype\(x, 'float32'\)"),
        ("torch.cat([x, x], dim=0)", r"concat\(arrays, axis=0\)"),
        ("np.pi * x", "write pi"),
        ("x * x.shape[0]", "dims have names or numbers: write N, or 3"),
        ("x.item()", "graphc run computes numbers"),
        ("flatten(x)", r"reshape\(x, -1\)"),
        ("cov(x)", r"d\.T @ d / \(n - 1\) of d = x - mean\(x, axis=0\)"),
        ("scan(cell, zeros((3,)), x)", r"write the steps of the loop above: def cell\(h, x_t\):"),
    ],
)
def test_a_slip_gets_the_likely_fix(expression: str, fix: str) -> None:
    with pytest.raises(gc.GraphError, match=fix):
        gc.parse(f"x: input(f32, N, 3)\ny = {expression}\noutput(y)")
