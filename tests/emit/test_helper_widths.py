"""The functions that modules bring along fit the width of their lines, comments included."""

from __future__ import annotations

from importlib import import_module

import pytest

from graphc.emit.wrapping import WIDTH
from graphc.ops import window_code

MODULES = [
    "emit.threads",
    "ops.convolution_code",
    "ops.gather_rows",
    "ops.grouped_convolution_code",
    "ops.guards",
    "ops.packing",
    "ops.rows",
    "ops.scatter_columns",
    "ops.scatter_rows",
    "ops.special",
    "ops.threaded_products",
]


@pytest.mark.parametrize("name", MODULES)
def test_lines_of_helpers_fit(name: str) -> None:
    module = import_module(f"graphc.{name}")
    sources = [v for n, v in vars(module).items() if isinstance(v, str) and n != "__doc__"]
    helpers = [source for source in sources if "def " in source]
    assert helpers
    assert [line for source in helpers for line in source.splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_lines_of_loops_over_places_fit(rank: int) -> None:
    helpers = [
        window_code.add_windows(rank),
        window_code.reduce_windows(rank),
        window_code.extreme_in_windows(rank, "argmax", "maximum", ">"),
        window_code.add_in_windows(rank),
        *[window_code.at_extreme(rank, verb) for verb in ("add", "put")],
    ]
    assert [line for source in helpers for line in source.splitlines() if len(line) > WIDTH] == []
