"""Names of users' that a module needs at its top: imports, and functions brought along."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.emit.fast.threads import IMPORTS
from graphc.emit.lines.names import TOP_LEVEL

PACKAGE = Path(gc.__file__).parent
HELPERS = [*PACKAGE.glob("ops/**/*.py"), PACKAGE / "emit" / "fast" / "threads.py"]


def test_all_that_modules_bring_along_is_known() -> None:
    found: set[str] = set()
    for path in HELPERS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.findall(r"^def (\w+)\(", node.value, re.MULTILINE))
    bound = {line.rpartition(" ")[2] for line in IMPORTS}
    assert {name for name in found | bound if not name.startswith("_")} <= TOP_LEVEL


@pytest.mark.parametrize("name", sorted(TOP_LEVEL))
def test_a_graph_and_its_values_may_be_called_so(name: str) -> None:
    """A chain in blocks, a table's rows taken and added to: most of them are in use."""
    rows = gc.input("rows", (3000,), dtype="int64")
    table = gc.param("table", (50, 100), init=gc.init.normal(1.0))
    x = gc.input(name, (3000, 100))
    value = gc.tanh(gc.sin(gc.take(table, rows, axis=0) * x) + gc.exp(-x * x))
    graph = gc.graph({"loss": (value**2).mean()}, name=name)
    step = gc.compile(graph, gradient_of="loss", style="fast")
    state = step.init(seed=0)
    arrays = {"rows": np.arange(3000) % 50, name: np.ones((3000, 100), np.float32)}
    result = step(state, **arrays)
    expected = gc.compile(graph, gradient_of="loss", optimize=0)(state, **arrays)
    for key, array in expected.items():
        np.testing.assert_allclose(result[key], array, rtol=1e-4, atol=1e-7)
