"""The functions that modules bring along fit the width of their lines, comments included."""

from __future__ import annotations

from importlib import import_module

import pytest

from graphc.emit.wrapping import WIDTH

MODULES = [
    "gather_rows",
    "grouped_convolution_code",
    "packing",
    "rows",
    "scatter_rows",
    "special",
    "threaded_products",
]


@pytest.mark.parametrize("name", MODULES)
def test_lines_of_helpers_fit(name: str) -> None:
    module = import_module(f"graphc.ops.{name}")
    sources = [v for n, v in vars(module).items() if isinstance(v, str) and n != "__doc__"]
    helpers = [source for source in sources if "\ndef " in source]
    assert helpers
    assert [line for source in helpers for line in source.splitlines() if len(line) > WIDTH] == []
