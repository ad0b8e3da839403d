"""How the tests of the examples load graphs and run scripts."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphc as gc

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name: str) -> gc.Graph:
    """Return the graph of an example's file."""
    return gc.load(EXAMPLES / f"{name}.graph")


def main_of(script: str) -> Callable[..., Any]:
    """Return the function `main` of an example."""
    spec = importlib.util.spec_from_file_location(script, EXAMPLES / f"{script}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main
