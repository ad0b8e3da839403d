"""Formulas over arrays mean what they mean over numbers, whatever dtype a part of them has."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ops.elementwise.algebras import ARRAYS, NODES
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.leaf import as_node
from graphc.run.reference import evaluate

X = np.array([-1.5, 0.0, 2.0])


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("where(x > 0, 1, 0)/2", [0.0, 0.0, 0.5]),
        ("sqrt(where(x > 0, 2, 0))", [0.0, 0.0, np.sqrt(2)]),
        ("1 - where(x > 0, 1, 0)/3", [1.0, 1.0, 2 / 3]),
        ("sigmoid(where(x > 0, 0, 1))", [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-1)), 0.5]),
        ("where(x > 0, 1, 0)*x", [0.0, 0.0, 2.0]),
    ],
)
def test_a_choice_of_whole_numbers_is_divided_as_numbers_are(
    formula: str, expected: list[float]
) -> None:
    value = evaluate_formula(formula, {"x": X}, ARRAYS)
    np.testing.assert_allclose(value, expected, rtol=1e-15)
    node = evaluate_formula(formula, {"x": as_node(X)}, NODES)
    np.testing.assert_allclose(evaluate([node], {})[node], expected, rtol=1e-15)
