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


LOOP = """
x: input(f32, T, 4)
h0: input(f32, 4)
def cell(h, x_t):
    h = tanh(h + x_t)
    return h
h_T, hs = scan(cell, init=h0, xs=x)
output(hs)
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LOOP, "2 names for 1 value[\\s\\S]*or return more from the loop's body: return h, h"),
        ("x: input(f32, N) = 3\noutput(x)", "no `=`: each call gives the value"),
        ("w: param(f32) = 3\noutput(w)", "no `=`: init= gives the first value"),
        (f"x: input(f32, N)\ny = x * {'9' * 5000}\noutput(y)", "2:1: a number has too many digits"),
        ("x: input(f32, N, 4)\nW: param(f32, 4, 3)\ny = W @ x\noutput(y)", "swapped: x @ W"),
    ],
)
def test_a_mistake_is_mended_in_the_words_of_the_file(text: str, told: str) -> None:
    with pytest.raises(gc.GraphError, match=told):
        gc.parse(text)
