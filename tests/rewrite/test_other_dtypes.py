"""Rules hold for int32 and truth values, too, or leave them alone; and for numbers alone."""

from __future__ import annotations

import re

import numpy as np
import pytest

from graphc.build.namespace import FUNCTIONS
from graphc.ir.text.parser import parse
from graphc.rewrite.pipeline import optimize
from graphc.run.reference import interpret

CONTRACTIONS = (
    "einsum('ij,jk->k', x, w)",
    "einsum('ij,jk->i', x.T, w)",
    "einsum('ij->j', x.T)",
    "einsum('ij->', x)",
    "einsum('ij,kj->ik', broadcast_to(x[:1], (3, 3)), w)",
    "einsum('ij,jk->k', eye(3, dtype={dtype}), w)",
    "einsum('i,i->', broadcast_to(x[0, :1], (3,)), w[0])",
)


@pytest.mark.parametrize("formula", CONTRACTIONS)
@pytest.mark.parametrize("dtype", ["i32", "bool"])
def test_a_contraction_keeps_its_dtype_and_wraps_as_before(formula: str, dtype: str) -> None:
    declared = "".join(
        f"{x}: input({dtype}, 3, 3)\n" for x in "xw" if x in re.findall(r"\w+", formula)
    )
    graph = parse(f"{declared}y = {formula.format(dtype=dtype)}\noutput(y)", FUNCTIONS)
    rng, limits = np.random.default_rng(0), (0, 2) if dtype == "bool" else (-(2**31), 2**31)
    arguments = {
        name: rng.integers(*limits, (3, 3)).astype(x.dtype) for name, x in graph.inputs.items()
    }
    expected, got = (interpret(g, **arguments)["y"] for g in (graph, optimize(graph)))
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("sign", ["<", ">", "<=", ">="])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_two_numbers_are_compared(sign: str, level: int) -> None:
    text = f"x: input(f64, 3)\ny = where(full((3,), 2.0) {sign} 1.0, x, -x)\noutput(y)"
    graph, x = parse(text, FUNCTIONS), np.array([1.0, -2.0, np.nan])
    np.testing.assert_array_equal(
        interpret(optimize(graph, level), x=x)["y"], interpret(graph, x=x)["y"]
    )
