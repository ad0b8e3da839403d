"""The emitted digits step does no more work than the step that an expert writes by hand."""

from __future__ import annotations

import ast
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest

import graphc as gc

MODEL = Path(__file__).parents[2] / "examples" / "digits_mlp.graph"

BY_HAND = """
def step(state, x, y):
    W1, b1, W2, b2 = state["W1"], state["b1"], state["W2"], state["b2"]
    N = x.shape[0]
    rows = np.arange(N)
    h1 = np.maximum(x @ W1 + b1, 0)
    z2 = h1 @ W2 + b2
    m = z2.max(axis=1, keepdims=True)
    e = np.exp(z2 - m)
    s = e.sum(axis=1, keepdims=True)
    p = e / s
    loss = (np.log(s) + m - z2[rows, y, None]).mean()
    d_z2 = p.copy()
    d_z2[rows, y] -= 1
    d_z2 /= N
    d_W2 = h1.T @ d_z2
    d_b2 = d_z2.sum(axis=0)
    d_z1 = (d_z2 @ W2.T) * (h1 > 0)
    d_W1 = x.T @ d_z1
    d_b1 = d_z1.sum(axis=0)
    W1 -= 0.1 * d_W1
    b1 -= 0.1 * d_b1
    W2 -= 0.1 * d_W2
    b2 -= 0.1 * d_b2
    return {"loss": loss, "p": p}
"""


def operations(function: ast.FunctionDef) -> int:
    """Count every operator and every call of a function body, and every read at index arrays."""
    count = 0
    skipped = [s for s in function.body if isinstance(s, ast.If)]  # argument check, gradients
    for statement in function.body:
        if statement in skipped:
            continue
        for node in ast.walk(statement):
            if isinstance(node, (ast.BinOp, ast.Compare, ast.UnaryOp, ast.AugAssign, ast.Call)):
                count += 1
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
                count += any(isinstance(n, ast.Name) for n in ast.walk(node.slice))
    return count


def function(source: str, name: str) -> ast.FunctionDef:
    tree = ast.parse(textwrap.dedent(source))
    return next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)


def test_the_step_does_no_more_than_the_one_by_hand() -> None:
    graph = gc.load(str(MODEL))
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1), style="readable")
    emitted = operations(function(step.source, "step"))
    by_hand = operations(function(BY_HAND, "step"))
    print(f"operations: emitted {emitted}, by hand {by_hand}")
    assert emitted <= by_hand


def test_the_gradient_of_the_scores_is_written_as_by_hand() -> None:
    graph = gc.load(str(MODEL))
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1), style="readable")
    lines = [line.partition("#")[0].strip() for line in step.source.splitlines()]
    start = lines.index("d_z2 = p.copy()")
    assert lines[start + 1 : start + 3] == ["d_z2[index, y] -= 1", "d_z2 /= N"]


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_an_empty_batch_has_no_gradient_and_no_error(style: str) -> None:
    graph = gc.load(str(MODEL))
    f = gc.compile(graph, gradient_of="loss", style=style)
    nothing = {"x": np.zeros((0, 64), np.float32), "y": np.zeros(0, np.int64)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no elements
        found = f(graph.init(seed=0), **nothing)
    assert np.isnan(found["loss"])
    assert all(not found[f"d_loss_d_{name}"].any() for name in graph.params)
